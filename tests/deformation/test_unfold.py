"""Repair of folded fields."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.deformation import jacobian_map, unfold
from napari_toposeg.errors import ToposegError


def border_of(grid):
    border = np.ones(grid, bool)
    border[(slice(1, -1),) * len(grid)] = False
    return border


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("smoothness", [0.8, 1.5, 3.0])
@pytest.mark.parametrize("grid", [(64, 72), (24, 26, 28)])
def test_a_folded_field_ends_without_a_fold_and_with_its_border_in_place(grid, smoothness, share, folded_field):
    values = folded_field(grid, share, seed=1, smoothness=smoothness)
    before = values.copy()
    folding = jacobian_map(values).folding

    result = unfold(values)

    assert folding >= share * 0.99 * np.prod([size - 1 for size in grid])
    assert (values == before).all()
    assert jacobian_map(result.values).folding == 0
    assert result.remaining == 0
    assert result.repaired_cells == folding
    moved = (result.values != before).any(axis=0)
    assert result.moved_voxels == moved.sum()
    assert np.array_equal(result.before(), before)
    assert not moved[border_of(grid)].any()
    # Relaxation was enough, and what does not fold is left alone.
    assert result.scale == 1.0
    assert result.smoothings == 0
    assert moved.mean() < 15 * share + 0.03


@given(seed=st.integers(0, 10**6), grid=st.sampled_from([(9, 14), (3, 11), (6, 7, 8), (3, 3, 9)]))
@settings(max_examples=40, deadline=None)
def test_noise_ends_without_a_fold(seed, grid):
    values = np.random.default_rng(seed).normal(size=(len(grid), *grid)).astype(np.float32)
    values[:, border_of(grid)] = 0.0
    result = unfold(values)
    assert jacobian_map(result.values).folding == 0
    assert (result.values[:, border_of(grid)] == 0).all()


@pytest.mark.parametrize("grid", [(40, 40), (16, 18, 20)])
def test_a_regular_field_is_left_as_it_is(grid, random_field):
    values = random_field(grid, amplitude=1.0)
    result = unfold(values)
    assert result.values is values
    assert (result.repaired_cells, result.moved_voxels, result.sweeps) == (0, 0, 0)


@pytest.mark.parametrize("grid", [(40, 40), (16, 18, 20)])
def test_cells_near_a_repair_exceed_what_was_asked_for(grid, folded_field):
    values = folded_field(grid, 0.01)
    result = unfold(values, least=0.2)
    touched = np.zeros(grid, bool)
    touched[(result.values != values).any(axis=0)] = True
    for cell in np.argwhere(jacobian_map(result.values).least <= 0.2):
        assert not touched[tuple(slice(index, index + 2) for index in cell)].any()
    assert touched.any()


@pytest.mark.parametrize("grid", [(32, 36), (14, 16, 18)])
def test_smoothing_unfolds_what_relaxation_was_not_let_to(grid, folded_field):
    values = folded_field(grid, 0.01)
    result = unfold(values, iterations=0)
    assert jacobian_map(result.values).folding == 0
    assert result.smoothings > 0
    assert (result.values[:, border_of(grid)] == 0).all()
    assert result.sweeps == 0


@pytest.mark.parametrize("grid", [(48, 48), (24, 26, 28)])
def test_a_fold_on_a_border_that_moves_is_mended_by_holding_the_border(grid, random_field):
    # Everything is shifted, and near one end two voxels of the border have changed places.
    values = random_field(grid, smoothness=4.0, amplitude=1.0) + np.float32(1.5)
    middle = tuple(size // 2 for size in grid[1:])
    values[(-1, 0, *middle)] += 3.0

    result = unfold(values)

    assert result.held
    assert result.scale == 1.0
    assert jacobian_map(result.values).folding == 0
    assert (result.values[:, border_of(grid)] == 0).all()
    inner = (slice(None), *[slice(10, -10)] * len(grid))
    assert (result.values[inner] == values[inner]).all()


@pytest.mark.parametrize("grid", [(48, 48), (24, 26, 28)])
def test_a_border_that_moves_and_does_not_fold_stays_as_it_is(grid, folded_field):
    values = folded_field(grid, 0.01) + np.float32(1.5)
    result = unfold(values)
    assert jacobian_map(result.values).folding == 0
    assert not result.held
    assert (result.values[:, border_of(grid)] == 1.5).all()


@pytest.mark.parametrize("grid", [(7, 6), (5, 6, 7)])
def test_the_last_resort_scales_and_the_result_says_so(grid):
    # Neither rounds of relaxation nor room for a Gaussian.
    values = np.random.default_rng(0).normal(size=(len(grid), *grid)).astype(np.float32)
    values[:, border_of(grid)] = 0.0
    result = unfold(values, iterations=0)
    assert jacobian_map(result.values).folding == 0
    assert 0 < result.scale < 1
    assert not result.held
    np.testing.assert_allclose(result.values, values * np.float32(result.scale), rtol=1e-6)


@given(seed=st.integers(0, 10**6), grid=st.sampled_from([(2, 12), (2, 2, 6), (12, 13), (8, 8, 8)]))
@settings(max_examples=20, deadline=None)
def test_noise_on_the_border_too_ends_without_a_fold(seed, grid):
    values = 2 * np.random.default_rng(seed).normal(size=(len(grid), *grid)).astype(np.float32)
    assert jacobian_map(unfold(values).values).folding == 0


def test_a_field_that_is_not_finite_is_refused_in_a_sentence():
    values = np.zeros((2, 8, 8), np.float32)
    values[0, 3, 3] = np.nan
    with pytest.raises(ToposegError, match="not numbers"):
        unfold(values)


def test_a_determinant_that_the_identity_does_not_exceed_is_refused():
    with pytest.raises(ValueError, match="least"):
        unfold(np.zeros((2, 8, 8), np.float32), least=1.0)
