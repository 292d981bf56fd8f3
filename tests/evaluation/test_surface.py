"""Surface distances: known answers, and SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.spatial import cKDTree

from napari_toposeg.evaluation import surface_distances


def box(shape: tuple[int, ...], low: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(start, start + length) for start, length in zip(low, size, strict=True))] = True
    return mask


def blobs(seed: int, ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Two random masks that are not empty."""
    generator = np.random.default_rng(seed)
    pair = generator.random((2, *(9, 8, 7)[:ndim])) < 0.3
    pair[:, 2] = True
    return pair[0], pair[1]


def partly_filled(mask: np.ndarray) -> np.ndarray:
    """The blocks of 2 x 2 (x 2) voxels that are neither empty nor full, found by scipy."""
    grown = np.pad(mask, 1)
    blocks = {"size": 2, "origin": -1, "mode": "constant", "cval": 0}
    return np.asarray(maximum_filter(grown, **blocks) & ~minimum_filter(grown, **blocks))


@pytest.mark.parametrize("shift", [1, 3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shifted_cube_is_as_far_off_as_it_was_shifted_in_mm(axis, shift) -> None:
    spacing = (0.5, 2.0, 3.5)
    one = box((20, 20, 20), (5, 5, 5), (8, 8, 8))
    found = surface_distances(one, np.roll(one, shift, axis), spacing)
    assert found.hausdorff == pytest.approx(shift * spacing[axis])
    assert 0 < found.average < found.hausdorff_95 <= found.hausdorff


def test_a_speck_far_away_moves_the_maximum_and_not_the_percentile() -> None:
    one = box((40, 30, 30), (3, 3, 3), (20, 20, 20))
    other = one.copy()
    other[38, 20, 20] = True
    found = surface_distances(other, one, (1, 1, 1))
    assert found.hausdorff == pytest.approx(16.0, abs=0.6)
    assert found.hausdorff_95 == 0.0


def test_the_average_does_not_depend_on_how_thick_the_slices_are() -> None:
    """A plate grown on its flat sides, once in slices of 4 mm and once in slices of 1 mm."""
    thick = box((40, 40, 12), (5, 5, 4), (24, 24, 3))
    grown = box((40, 40, 12), (5, 5, 3), (24, 24, 5))
    coarse = surface_distances(grown, thick, (1, 1, 4))
    fine = surface_distances(np.repeat(grown, 4, axis=2), np.repeat(thick, 4, axis=2), (1, 1, 1))
    assert coarse.average == pytest.approx(fine.average, rel=0.06)
    # Flat sides: 1152 mm2 of the one 4 mm off, 1152 of the other up to 4 (less towards their rims). Other sides: 1152
    # mm2 of the one and 1152 of the other 0 mm off, and 768 where it is higher from 0 to 4.
    assert 1.6 < coarse.average < (1152 * 4 + 1152 * 4 + 768 * 2) / (4 * 1152 + 768)
    weightless = [
        float(compute_average_surface_distance(*map(as_batch, pair), symmetric=True, spacing=spacing)[0, 0])
        for pair, spacing in (
            ((grown, thick), (1.0, 1.0, 4.0)),
            ((np.repeat(grown, 4, axis=2), np.repeat(thick, 4, axis=2)), (1.0, 1.0, 1.0)),
        )
    ]
    assert weightless[0] > 1.2 * weightless[1]


def as_batch(mask: np.ndarray) -> torch.Tensor:
    """As MONAI's metrics take it: a batch of one, and one class, which is not background."""
    return torch.from_numpy(mask)[None, None].float()


def test_on_voxels_of_one_size_they_are_nearly_monai_s_of_border_voxels() -> None:
    one = box((40, 40, 40), (5, 6, 7), (20, 18, 22))
    other = box((40, 40, 40), (8, 7, 7), (20, 20, 22))
    found = surface_distances(one, other, (1, 1, 1))
    pair = [as_batch(mask) for mask in (one, other)]
    assert found.hausdorff == pytest.approx(float(compute_hausdorff_distance(*pair, spacing=(1, 1, 1))[0, 0]))
    percentile = compute_hausdorff_distance(*pair, percentile=95, spacing=(1, 1, 1))
    assert found.hausdorff_95 == pytest.approx(float(percentile[0, 0]))
    average = compute_average_surface_distance(*pair, symmetric=True, spacing=(1, 1, 1))
    assert found.average == pytest.approx(float(average[0, 0]), rel=0.1)


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_the_hausdorff_distance_is_simpleitk_s_of_the_two_surfaces(seed, ndim) -> None:
    one, other = blobs(seed, ndim)
    spacing = (0.7, 1.3, 2.0)[:ndim]
    images = []
    for mask in (one, other):
        image = sitk.GetImageFromArray(partly_filled(mask).astype(np.uint8))
        image.SetSpacing(spacing[::-1])
        images.append(image)
    distance = sitk.HausdorffDistanceImageFilter()
    distance.Execute(*images)
    assert surface_distances(one, other, spacing).hausdorff == pytest.approx(distance.GetHausdorffDistance(), rel=1e-5)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_percentile_lies_between_those_of_scipy_s_distances(seed) -> None:
    """The weights of the points are not known here: they are between a sixth of a face and a few."""
    one, other = blobs(seed, 3)
    points = [np.argwhere(partly_filled(mask)) for mask in (one, other)]
    ways = [cKDTree(b).query(a)[0] for a, b in (points, points[::-1])]
    found = surface_distances(one, other, (1, 1, 1))
    assert found.hausdorff == pytest.approx(max(way.max() for way in ways), rel=1e-5)
    assert max(np.quantile(way, 0.75) for way in ways) - 1e-6 <= found.hausdorff_95 <= found.hausdorff
    assert 0 <= found.average <= found.hausdorff


@given(seed=st.integers(0, 1000), order=st.permutations([0, 1, 2]))
@settings(max_examples=20, deadline=None)
def test_distances_are_symmetric_and_do_not_depend_on_the_order_of_axes(seed, order) -> None:
    one, other = blobs(seed, 3)
    spacing = np.array([0.7, 1.3, 2.0])
    found = surface_distances(one, other, spacing)
    for again in (
        surface_distances(other, one, spacing),
        surface_distances(one.transpose(order), other.transpose(order), spacing[order]),
    ):
        assert again.hausdorff == pytest.approx(found.hausdorff, rel=1e-5)
        assert again.hausdorff_95 == pytest.approx(found.hausdorff_95, rel=1e-5)
        assert again.average == pytest.approx(found.average, rel=1e-4)
    same = surface_distances(one, one, spacing)
    assert (same.hausdorff, same.hausdorff_95, same.average) == (0, 0, 0)


def test_an_empty_mask_is_as_far_away_as_the_grid_is_wide() -> None:
    nothing, something = np.zeros((3, 4), bool), np.eye(3, 4, dtype=bool)
    for pair in ((nothing, something), (something, nothing)):
        found = surface_distances(*pair, (2.0, 2.0))
        assert (found.hausdorff, found.hausdorff_95, found.average) == (10.0, 10.0, 10.0)
    assert surface_distances(nothing, nothing, (2.0, 2.0)).hausdorff == 0.0


def test_a_mask_at_the_edge_of_the_grid_has_a_surface_there() -> None:
    full, lacking = np.ones((6, 6), bool), np.ones((6, 6), bool)
    lacking[0] = False
    assert surface_distances(full, lacking, (3.0, 1.0)).hausdorff == pytest.approx(3.0)
