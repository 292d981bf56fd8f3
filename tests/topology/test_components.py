from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_toposeg.topology import count_components, dual_connectivity, fill_cavities, largest_components
from napari_toposeg.topology.components import foreground_box, large_components

masks = st.integers(2, 3).flatmap(
    lambda ndim: arrays(bool, array_shapes(min_dims=ndim, max_dims=ndim, max_side=7 if ndim == 3 else 12))
)
at_corners = st.booleans()


def _connectivity(ndim, corners):
    return {(2, True): 8, (2, False): 4, (3, True): 26, (3, False): 6}[ndim, corners]


def _structure(ndim, connectivity):
    return ndimage.generate_binary_structure(ndim, ndim if connectivity in (8, 26) else 1)


@settings(max_examples=60, deadline=None)
@given(masks, at_corners)
def test_components_are_as_many_as_scipy_counts(mask, corners):
    connectivity = _connectivity(mask.ndim, corners)
    assert count_components(mask, connectivity) == ndimage.label(mask, _structure(mask.ndim, connectivity))[1]


@settings(max_examples=60, deadline=None)
@given(masks, at_corners, st.integers(0, 3))
def test_the_largest_components_are_kept_whole_and_the_others_dropped(mask, corners, number):
    connectivity = _connectivity(mask.ndim, corners)
    kept = largest_components(mask, number, connectivity=connectivity)
    labels, count = ndimage.label(mask, _structure(mask.ndim, connectivity))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    left = np.unique(labels[kept])
    assert not (kept & ~mask).any()
    assert np.array_equal(kept, np.isin(labels, left[left > 0]))
    assert sorted(sizes[left - 1]) == sorted(sizes)[count - min(number, count) :]


def test_of_equally_large_components_the_first_is_kept():
    mask = np.array([[1, 0, 1, 0, 1]], bool)
    assert np.array_equal(largest_components(mask), [[1, 0, 0, 0, 0]])
    assert np.array_equal(largest_components(mask, 2), [[1, 0, 1, 0, 0]])


def test_components_are_kept_by_their_size_and_some_whatever_their_size():
    mask = np.array([[1, 1, 1, 0, 1, 1, 0, 1]], bool)
    assert large_components(mask, 2).sum() == 5
    assert large_components(mask, 100).sum() == 0
    assert large_components(mask, 100, at_least=1).sum() == 3


@settings(max_examples=60, deadline=None)
@given(masks, at_corners)
def test_cavities_are_filled_as_scipy_fills_them(mask, corners):
    connectivity = _connectivity(mask.ndim, corners)
    expected = ndimage.binary_fill_holes(mask, _structure(mask.ndim, dual_connectivity(connectivity)))
    assert np.array_equal(fill_cavities(mask, connectivity=connectivity), expected)


def test_the_largest_cavities_can_be_left():
    mask = np.ones((7, 12), bool)
    mask[2, 2] = mask[2:5, 5:8] = mask[2:4, 10] = False
    assert np.array_equal(~fill_cavities(mask, 1), np.pad(np.ones((3, 3), bool), ((2, 2), (5, 4))))
    assert (~fill_cavities(mask, 2)).sum() == 11
    assert np.array_equal(fill_cavities(mask, 9), mask)


def test_a_bay_at_the_border_is_outside_and_not_filled_even_if_it_is_the_smallest():
    mask = np.ones((5, 5), bool)
    mask[0, 2] = mask[2:4, 2] = False
    filled = fill_cavities(mask)
    assert not filled[0, 2]
    assert filled[2:4, 2].all()


@settings(max_examples=60, deadline=None)
@given(masks, st.permutations(range(3)))
def test_the_box_of_the_foreground_is_tight_in_any_memory_order(mask, order):
    mask = mask.transpose([axis for axis in order if axis < mask.ndim])
    box = foreground_box(mask)
    if not mask.any():
        assert all(side == slice(0, 0) for side in box)
        return
    assert mask[box].sum() == mask.sum()
    found = np.argwhere(mask)
    assert [(side.start, side.stop) for side in box] == list(zip(found.min(0), found.max(0) + 1, strict=True))


@pytest.mark.parametrize("function", [count_components, largest_components, fill_cavities])
def test_a_mask_is_never_written_to(function):
    mask = np.zeros((6, 6, 6), bool)
    mask[1:5, 1:5, 1:5] = True
    mask[2, 2, 2] = False
    before = mask.copy()
    mask.flags.writeable = False
    function(mask)
    assert np.array_equal(mask, before)
