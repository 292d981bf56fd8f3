"""Metrics against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import (
    betti_error,
    betti_matching_error,
    component_error,
    dice,
    hausdorff_distance,
    precision,
    recall,
    slice_component_error,
    volume_error,
    voxel_correlation,
)
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


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_overlap_and_volume_are_simpleitk_s(seed, ndim) -> None:
    one, other = masks(seed, ndim)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in (one, other)))
    assert recall(one, other) == pytest.approx(1 - overlap.GetFalseNegativeError())
    assert precision(one, other) == pytest.approx(1 - overlap.GetFalseDiscoveryRate())
    assert volume_error(one, other) == pytest.approx((one.sum() - other.sum()) / other.sum())
    assert precision(one, other) == recall(other, one)


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_the_voxel_correlation_is_numpy_s(seed, ndim) -> None:
    one, other = masks(seed, ndim)
    assert voxel_correlation(one, other) == pytest.approx(np.corrcoef(one.ravel(), other.ravel())[0, 1])
    assert voxel_correlation(one, other) == voxel_correlation(other, one)


def test_figures_of_empty_masks_are_defined() -> None:
    nothing, something = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    for share in (precision, recall, voxel_correlation):
        assert share(nothing, nothing) == 1.0
        assert share(nothing, something) == share(something, nothing) == 0.0
    assert volume_error(nothing, nothing) == 0.0
    assert volume_error(nothing, something) == -1.0
    assert np.isnan(volume_error(something, nothing))
    assert component_error(nothing, something) == 1
    assert slice_component_error(np.zeros((3, 3, 3)), np.zeros((3, 3, 3))) == 0.0


def test_component_errors_count_pieces_in_the_volume_and_in_its_slices() -> None:
    """A bar, and the bar cut in two: one piece more in the volume and in the slices along it, not in those across."""
    bar = np.zeros((9, 4, 4), bool)
    bar[1:8, 1:3, 1:3] = True
    cut = bar.copy()
    cut[4] = False
    assert component_error(cut, bar) == 1
    # 7 slices across, one of which is lacking, and 2 and 2 along it, all with one piece too many.
    assert slice_component_error(cut, bar) == pytest.approx((1 + 2 + 2) / 11)
    assert slice_component_error(cut, bar) == slice_component_error(bar, cut)
    assert slice_component_error(np.pad(cut, 3), np.pad(bar, 3)) == pytest.approx(5 / 11)


@given(seed=st.integers(0, 1000), order=st.permutations([0, 1, 2]))
@settings(max_examples=15, deadline=None)
def test_errors_in_slices_do_not_depend_on_the_order_of_axes(seed, order) -> None:
    one, other = masks(seed, 3)
    turned = slice_component_error(one.transpose(order), other.transpose(order))
    assert turned == pytest.approx(slice_component_error(one, other))


def test_pieces_that_touch_at_a_corner_are_two_where_they_connect_by_faces() -> None:
    corner = np.eye(2, dtype=bool)
    assert component_error(corner, np.ones((2, 2)), connectivity=8) == 0
    assert component_error(corner, np.ones((2, 2)), connectivity=4) == 1
