from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_toposeg.topology import signed_distance

masks = st.integers(2, 3).flatmap(
    lambda ndim: arrays(bool, array_shapes(min_dims=ndim, max_dims=ndim, max_side=7 if ndim == 3 else 14))
)
widths = st.lists(st.floats(0.2, 5), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(masks, st.none() | widths)
def test_the_signed_distance_is_that_of_scipy_on_both_sides(mask, spacing):
    spacing = spacing and spacing[: mask.ndim]
    found = signed_distance(mask, spacing)
    assert found.dtype == np.float32
    if mask.all() or not mask.any():
        assert np.array_equal(found, np.where(mask, np.inf, -np.inf))
        return
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    np.testing.assert_allclose(found, inside - outside, rtol=1e-5)


def test_whole_distances_are_exact_on_a_larger_volume():
    random = np.random.default_rng(0)
    mask = ndimage.gaussian_filter(random.normal(size=(40, 50, 30)), 4) > 0.02
    found = np.rint(signed_distance(mask).astype(float) ** 2)
    expected = ndimage.distance_transform_edt(mask) ** 2 + ndimage.distance_transform_edt(~mask) ** 2
    assert np.array_equal(found, np.rint(expected))
