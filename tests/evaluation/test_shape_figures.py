"""Volume, surface and diameters: balls, ellipsoids and boxes, whose figures are known, and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation
from skimage.measure import find_contours, marching_cubes, perimeter_crofton

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import axis_lengths, feret_diameter, measure_shape, surface_size

SPACINGS = [(1.0, 1.0, 1.0), (1.0, 1.0, 3.0), (2.0, 0.5, 0.5)]


def ellipsoid(
    semi_axes: tuple[float, ...], spacing: tuple[float, ...], turn: np.ndarray | None = None, off: float = 0.23
) -> np.ndarray:
    """A solid ellipsoid, or ellipse, around a place that is no voxel's middle."""
    ndim = len(spacing)
    reach = 2 * max(semi_axes)
    shape = [int(reach / width) + 6 for width in spacing]
    places = [
        (index - size / 2 + off) * width for index, size, width in zip(np.indices(shape), shape, spacing, strict=True)
    ]
    turned = np.tensordot(np.eye(ndim) if turn is None else turn, np.stack(places), 1)
    return np.asarray(sum((place / axis) ** 2 for place, axis in zip(turned, semi_axes, strict=True)) <= 1.0)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("radius", [10.0, 16.0])
def test_a_ball_has_the_figures_of_a_ball_whatever_the_slices_are(spacing, radius) -> None:
    found = measure_shape(ellipsoid((radius,) * 3, spacing), spacing)
    assert found.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert found.surface == pytest.approx(4 * np.pi * radius**2, rel=0.02)
    assert found.axis_lengths == pytest.approx((2 * radius,) * 3, rel=0.03)
    assert 2 * radius - max(spacing) <= found.feret_diameter <= 2 * radius + max(spacing)
    assert found.betti == (1, 0, 0)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 1.5)])
def test_a_disc_has_an_area_and_a_perimeter(spacing) -> None:
    found = measure_shape(ellipsoid((12.0, 12.0), spacing), spacing)
    assert found.volume == pytest.approx(np.pi * 144, rel=0.01)
    assert found.surface == pytest.approx(2 * np.pi * 12, rel=0.02)
    assert found.axis_lengths == pytest.approx((24.0, 24.0), rel=0.02)
    assert found.betti == (1, 0)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spacing=st.sampled_from(SPACINGS))
def test_an_ellipsoid_is_as_long_wide_and_thick_however_it_is_turned(seed, spacing) -> None:
    turn = Rotation.random(random_state=seed).as_matrix()
    mask = ellipsoid((16.0, 11.0, 7.0), spacing, turn)
    assert axis_lengths(mask, spacing) == pytest.approx((32.0, 22.0, 14.0), abs=max(spacing) / 2)
    assert 32.0 - max(spacing) <= feret_diameter(mask, spacing) <= 32.0 + max(spacing)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_surface_of_a_turned_cube_is_within_four_per_cent(seed) -> None:
    turn = Rotation.random(random_state=seed).as_matrix()
    places = np.stack(np.meshgrid(*[np.arange(48) - 23.4] * 3, indexing="ij"))
    mask = (np.abs(np.tensordot(turn, places, 1)) <= 12.0).all(axis=0)
    # 11 % too little where it lies along the grid, which a random turn rarely comes near to.
    tilt = np.degrees(np.arccos(np.abs(turn).max()))
    assert surface_size(mask, (1, 1, 1)) == pytest.approx(6 * 24.0**2, rel=0.11 if tilt < 12 else 0.045)


def test_an_inner_surface_counts() -> None:
    outer, inner = ellipsoid((14.0,) * 3, (1, 1, 1)), np.zeros((34,) * 3, bool)
    hole = ellipsoid((8.0,) * 3, (1, 1, 1))
    inner[6 : 6 + hole.shape[0], 6 : 6 + hole.shape[1], 6 : 6 + hole.shape[2]] = hole
    found = measure_shape(outer & ~inner, (1, 1, 1))
    assert found.betti == (1, 0, 1)
    assert found.surface == pytest.approx(4 * np.pi * (14.0**2 + 8.0**2), rel=0.02)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ndim=st.sampled_from([2, 3]))
def test_feret_diameter_and_perimeter_are_those_of_scikit_image(seed, ndim) -> None:
    generator = np.random.default_rng(seed)
    mask = generator.random((9, 8, 7)[:ndim]) < 0.4
    mask[(5,) * ndim] = True
    spacing = generator.uniform(0.5, 3.0, ndim)
    padded = np.pad(mask, 1)
    points = marching_cubes(padded, 0.5)[0] if ndim == 3 else np.concatenate(find_contours(padded, 0.5))
    assert feret_diameter(mask, spacing) == pytest.approx(pdist(points * spacing).max())
    if ndim == 2:
        assert surface_size(mask, (1, 1)) == pytest.approx(perimeter_crofton(padded, directions=4), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_figures_do_not_depend_on_how_the_axes_lie(seed) -> None:
    generator = np.random.default_rng(seed)
    mask, spacing = generator.random((7, 6, 5)) < 0.5, generator.uniform(0.5, 3.0, 3)
    order = generator.permutation(3)
    one, other = measure_shape(mask, spacing), measure_shape(mask.transpose(order)[::-1], spacing[order])
    for name, value in one.as_dict().items():
        assert other.as_dict()[name] == pytest.approx(value), name


def test_a_row_of_voxels_is_as_long_as_its_voxels() -> None:
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 2:7] = True
    assert feret_diameter(mask, (1, 1, 2.5)) == pytest.approx(12.5)
    assert measure_shape(mask, (1, 1, 2.5)).share == 5 / 729


def test_nothing_has_no_size() -> None:
    found = measure_shape(np.zeros((5, 6, 7)), (1, 2, 3))
    assert found.voxels == 0
    assert found.volume == found.surface == found.feret_diameter == found.share == 0.0
    assert found.axis_lengths == (0.0, 0.0, 0.0)
    assert found.betti == (0, 0, 0)


def test_a_mask_of_four_axes_is_refused() -> None:
    with pytest.raises(ToposegError):
        measure_shape(np.ones((2, 2, 2, 2)), (1, 1, 1, 1))
