"""Metrics against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import betti_error, betti_matching_error, dice, hausdorff_distance
from napari_toposeg.topology import betti_numbers


def masks(seed: int, ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Two random masks that are not empty."""
    generator = np.random.default_rng(seed)
    pair = generator.random((2, *(9, 8, 7)[:ndim])) < 0.2
    pair[:, (*[2] * ndim,)[0]] = True
    return pair[0], pair[1]


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_dice_and_hausdorff_are_simpleitk_s(seed, ndim) -> None:
    one, other = masks(seed, ndim)
    spacing = (0.7, 1.3, 2.0)[:ndim]
    images = []
    for mask in (one, other):
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing(spacing[::-1])
        images.append(image)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    assert dice(one, other) == pytest.approx(overlap.GetDiceCoefficient())
    distance = sitk.HausdorffDistanceImageFilter()
    distance.Execute(*images)
    assert hausdorff_distance(one, other, spacing) == pytest.approx(distance.GetHausdorffDistance(), rel=1e-5)


def test_empty_masks_have_an_answer() -> None:
    nothing, something = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, something) == 0.0
    assert hausdorff_distance(nothing, nothing, (1, 1)) == 0.0
    assert hausdorff_distance(nothing, something, (1, 1)) == float("inf")


def test_betti_errors_add_up_over_dimensions() -> None:
    assert betti_error((1, 0, 0), (1, 0, 0)) == 0
    assert betti_error((3, 0, 2), (1, 1, 0)) == 5


def disk(centre: tuple[float, float], radius: float, hole: float = 0.0) -> np.ndarray:
    rows, columns = np.indices((30, 60))
    distance = np.hypot(rows - centre[0], columns - centre[1])
    return (distance < radius) & (distance >= hole)


def test_the_betti_matching_error_sees_a_ring_elsewhere_where_the_betti_error_does_not() -> None:
    one, far = disk((15, 15), 9, 4), disk((15, 44), 9, 4)
    assert betti_error(betti_numbers(one), betti_numbers(far)) == 0
    # The two loops. Of the two components one is always matched: the component that never dies.
    assert betti_matching_error(one, far) == 2
    assert betti_matching_error(one, disk((16, 17), 9, 4)) == 0


def test_the_betti_matching_error_counts_what_only_one_mask_has() -> None:
    ring, filled = disk((15, 15), 9, 4), disk((15, 15), 9)
    assert betti_matching_error(ring, filled) == 1
    assert betti_matching_error(ring | disk((15, 44), 3), ring) == 1


def test_the_betti_matching_error_to_an_empty_mask_is_all_that_the_other_has() -> None:
    ring = disk((15, 15), 9, 4)
    assert betti_matching_error(ring, np.zeros_like(ring)) == 2
    assert betti_matching_error(np.zeros_like(ring), np.zeros_like(ring)) == 0


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_the_betti_matching_error_is_symmetric_and_at_least_the_betti_error(seed, ndim) -> None:
    one, other = masks(seed, ndim)
    for connectivity in {2: (4, 8), 3: (6, 26)}[ndim]:
        betti = [betti_numbers(mask, connectivity=connectivity) for mask in (one, other)]
        error = betti_matching_error(one, other, connectivity)
        assert error == betti_matching_error(other, one, connectivity)
        assert error >= betti_error(*betti)
        assert (error - betti_error(*betti)) % 2 == 0
        assert error == betti_matching_error(np.pad(one, 2), np.pad(other, 2), connectivity)
    assert betti_matching_error(one, one) == 0


def test_masks_of_different_shapes_have_no_betti_matching_error() -> None:
    with pytest.raises(ToposegError, match="no matching"):
        betti_matching_error(np.ones((3, 4)), np.ones((4, 3)))
