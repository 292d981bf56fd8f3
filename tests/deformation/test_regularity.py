"""The strict test of a whole field."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from napari_toposeg.deformation import (
    border_window,
    corner_determinants,
    identity_grid,
    jacobian_map,
    warp,
    worst_cells,
)


@pytest.fixture(scope="module")
def random_cubes():
    """A row of unrelated cells, every other one of a 2 x 2 x 2N grid, and the least of 9**3 samples in each."""
    number = 6000
    values = (0.35 * np.random.default_rng(0).normal(size=(3, 2, 2, 2 * number))).astype(np.float32)
    nodes = (identity_grid((2, 2, 2 * number), dtype=torch.float64) + torch.from_numpy(values))[0].numpy()
    low, high = nodes[..., ::2], nodes[..., 1::2]
    nodes = np.stack([low, high], axis=3)  # component, x, y, z, cell
    ends = np.stack([1 - np.linspace(0, 1, 9), np.linspace(0, 1, 9)])
    x = np.einsum("cyzn,yb,zd->bdnc", nodes[:, 1] - nodes[:, 0], ends, ends)[None]
    y = np.einsum("cxzn,xa,zd->adnc", nodes[:, :, 1] - nodes[:, :, 0], ends, ends)[:, None]
    z = np.einsum("cxyn,xa,yb->abnc", nodes[:, :, :, 1] - nodes[:, :, :, 0], ends, ends)[:, :, None]
    sampled = (x * np.cross(y, z)).sum(-1)
    return jacobian_map(values), sampled


def test_no_cube_that_is_proven_regular_has_a_negative_sample(random_cubes):
    jacobian, sampled = random_cubes
    proven = ~jacobian.folding_cells[0, 0, ::2]
    assert proven.sum() > 1000
    assert (sampled.min(axis=(0, 1, 2))[proven] > 0).all()


def test_cubes_that_fold_inside_though_their_corners_do_not_are_caught(random_cubes):
    jacobian, sampled = random_cubes
    unseen = (sampled[::8, ::8, ::8].min(axis=(0, 1, 2)) > 0) & (sampled.min(axis=(0, 1, 2)) <= 0)
    assert unseen.sum() > 20
    assert jacobian.folding_cells[0, 0, ::2][unseen].all()
    assert (jacobian.least[0, 0, ::2][unseen] <= 0).all()


def test_few_cubes_are_called_folding_without_need(random_cubes):
    jacobian, sampled = random_cubes
    clearly_regular = sampled.min(axis=(0, 1, 2)) > 0.02
    assert clearly_regular.sum() > 1000
    assert not jacobian.folding_cells[0, 0, ::2][clearly_regular].any()


def test_a_checkerboard_folds_everywhere():
    signs = np.indices((12, 12)).sum(0) % 2 * 2 - 1
    jacobian = jacobian_map(np.stack([0.8 * signs] * 2))
    assert jacobian.folding == 11 * 11
    assert jacobian.least_determinant == pytest.approx(-2.2, abs=1e-5)
    signs = np.indices((6, 6, 6)).sum(0) % 2 * 2 - 1
    assert jacobian_map(np.stack([0.8 * signs] * 3)).folding == 125


def test_without_the_identity_on_the_border_a_regular_deformation_makes_two_disks_of_one():
    # exp(z) wraps a strip more than once round a ring: its determinant is positive everywhere.
    y, x = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-1, 1, 96), indexing="ij")
    radius = 30 * np.exp(0.8 * x)
    positions = np.stack([47 + radius * np.sin(4 * y), 40 + radius * np.cos(4 * y)])
    values = (positions - np.indices((96, 96))).astype(np.float32)
    rows, columns = np.indices((96, 96))
    template = torch.from_numpy(12.0 - np.hypot(rows - 47, columns - 8.0)).float()[None, None]

    assert jacobian_map(values).folding == 0
    assert label(template[0, 0].numpy() > 0)[1] == 1
    assert label(warp(template, torch.from_numpy(values)[None])[0, 0].numpy() > 0)[1] == 2
    # Held on the border, it cannot wrap without folding.
    assert jacobian_map(values * border_window((96, 96))[0].numpy()).folding > 0


@given(entries=st.lists(st.floats(-1, 1), min_size=9, max_size=9), ndim=st.sampled_from([2, 3]))
@settings(max_examples=60, deadline=None)
def test_an_affine_deformation_folds_everywhere_or_nowhere(entries, ndim):
    slope = np.array(entries)[: ndim * ndim].reshape(ndim, ndim)
    grid = (4, 5, 6)[:ndim]
    values = np.einsum("ij,j...->i...", slope, np.indices(grid)).astype(np.float32)
    expected = np.linalg.det(slope + np.eye(ndim))
    jacobian = jacobian_map(values)
    assert jacobian.least == pytest.approx(expected, abs=2e-5)
    assert jacobian.at_voxels == pytest.approx(expected, abs=2e-5)
    if abs(expected) > 1e-4:
        assert jacobian.folding == (0 if expected > 0 else jacobian.least.size)


@pytest.mark.parametrize("grid", [(20, 31), (9, 13, 16)])
def test_the_map_holds_the_corner_determinants(grid, random_field):
    values = random_field(grid, smoothness=1.0, amplitude=2.0)
    corners = corner_determinants(torch.from_numpy(values).double()[None])[0].numpy()

    jacobian = jacobian_map(values)

    least = corners.min(axis=0)
    np.testing.assert_allclose(jacobian.least[least > 0.2], least[least > 0.2], atol=1e-5)
    assert (jacobian.least <= least + 1e-5).all()
    assert jacobian.folding_cells[least <= 0].all()
    at_voxels = np.full(grid, np.inf)
    for corner, determinants in enumerate(corners):
        place = tuple(slice((corner >> axis) & 1, size - 1 + ((corner >> axis) & 1)) for axis, size in enumerate(grid))
        at_voxels[place] = np.minimum(at_voxels[place], determinants)
    np.testing.assert_allclose(jacobian.at_voxels, at_voxels, atol=1e-5)


@pytest.mark.parametrize("grid", [(9, 8), (6, 7, 8)])
def test_folding_voxels_are_the_corners_of_folding_cells(grid):
    values = np.zeros((len(grid), *grid), np.float32)
    values[(0, *[3] * len(grid))] = 1.5
    jacobian = jacobian_map(values)
    # The voxel has jumped over its upper neighbour: all cells at both ends of that edge's upper half fold.
    expected = np.zeros(grid, bool)
    for cell in np.argwhere(jacobian.folding_cells):
        expected[tuple(slice(index, index + 2) for index in cell)] = True
    assert jacobian.folding == 2 ** (len(grid) - 1)
    assert (jacobian.folding_voxels == expected).all()


@pytest.mark.parametrize("grid", [(7, 7), (5, 5, 5)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_voxel_that_is_not_a_number_makes_its_cells_fold(grid, value):
    values = np.zeros((len(grid), *grid), np.float32)
    values[(0, *[3] * len(grid))] = value
    jacobian = jacobian_map(values)
    assert jacobian.folding == 2 ** len(grid)
    assert jacobian.folding_cells[(slice(2, 4),) * len(grid)].all()


def test_the_worst_cells_come_first():
    values = np.zeros((2, 10, 12), np.float32)
    values[0, 3, 4] = 2.0
    values[1, 7, 8] = 0.5
    jacobian = jacobian_map(values)

    worst = worst_cells(jacobian, 5)

    assert len(worst) == 5
    assert {index for index, _ in worst[:2]} == {(3, 3), (3, 4)}
    assert [least for _, least in worst] == sorted(jacobian.least.ravel().tolist())[:5]
    assert all(jacobian.least[index] == least for index, least in worst)
    assert len(worst_cells(jacobian, 10**6)) == 9 * 11
    inner = worst_cells(jacobian, 10**6, within=((-3, 6), (4, 99)))
    everywhere = worst_cells(jacobian, 10**6)
    assert sorted(inner) == sorted((at, least) for at, least in everywhere if at[0] < 5 and at[1] >= 4)
    assert worst_cells(jacobian, 0) == []


@pytest.mark.parametrize("shape", [(2, 5, 5, 5), (3, 5, 5), (2, 5), (3, 5, 1, 5)])
def test_what_is_no_displacement_is_refused(shape):
    with pytest.raises(ValueError, match=r"displacement|no cells"):
        jacobian_map(np.zeros(shape, np.float32))


def test_the_given_array_is_not_changed_and_may_be_of_any_type_and_layout(random_field):
    values = random_field((12, 9), smoothness=1.0, amplitude=2.0)
    expected = jacobian_map(values)
    transposed = np.asfortranarray(values.astype(np.float64))
    keep = transposed.copy()
    assert (jacobian_map(transposed).least == expected.least).all()
    assert (transposed == keep).all()
