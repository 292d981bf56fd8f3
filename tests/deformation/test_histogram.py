"""How often which determinant is, and where the worst ones are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from napari_toposeg.deformation import determinant_histogram, jacobian_map, worst_cells


def stretched(grid: tuple[int, ...], factor: float) -> np.ndarray:
    """Everything is moved away from the first voxel: each side is so many times as long."""
    return ((factor - 1.0) * np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"))).astype(np.float32)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("grid", [(30, 26), (12, 14, 10)])
@given(amplitude=some.floats(0.5, 12.0), bins=some.integers(2, 90))
@settings(max_examples=12, deadline=None)
def test_every_cell_is_counted_once_and_folds_share_no_bin_with_others(
    random_field, grid, log, amplitude, bins
) -> None:
    jacobian = jacobian_map(random_field(grid, seed=2, amplitude=amplitude))
    found = determinant_histogram(jacobian, bins, log=log)
    assert found.counts.sum() == jacobian.least.size
    assert len(found.counts) == bins
    assert (np.diff(found.edges) > 0).all()
    if not log:
        assert found.counts[found.edges[1:] <= 1e-9].sum() == np.count_nonzero(jacobian.least < 0)
    else:
        assert found.edges[0] > 0
        assert found.counts[0] >= np.count_nonzero(jacobian.least <= 0)


def test_in_the_logarithm_half_the_size_is_as_far_from_1_as_twice_the_size() -> None:
    one = jacobian_map(stretched((9, 9), 0.5**0.5))
    other = jacobian_map(stretched((9, 9), 2.0**0.5))
    first, second = (determinant_histogram(jacobian, 9, log=True) for jacobian in (one, other))
    assert np.allclose(first.edges, second.edges)
    assert np.flatnonzero(first.counts).tolist() == [0]
    assert np.flatnonzero(second.counts).tolist() == [8]
    assert first.counts.sum() == second.counts.sum() == 64


def test_two_deformations_are_compared_in_the_same_bins(random_field) -> None:
    wild = jacobian_map(random_field((30, 26), amplitude=12.0))
    mild = jacobian_map(random_field((30, 26), amplitude=1.0))
    first = determinant_histogram(wild)
    second = determinant_histogram(mild, like=first)
    assert np.array_equal(first.edges, second.edges)
    assert second.counts.sum() == mild.least.size
    assert second.counts[second.edges[1:] <= 1e-9].sum() == 0 < first.counts[first.edges[1:] <= 1e-9].sum()


@pytest.mark.parametrize("grid", [(40, 36), (14, 16, 12)])
def test_worst_places_are_those_without_a_worse_cell_nearby(random_field, grid) -> None:
    jacobian = jacobian_map(random_field(grid, seed=5, smoothness=1.5, amplitude=4.0))
    least = jacobian.least
    expected = []
    for index in np.ndindex(least.shape):
        near = tuple(slice(max(place - 3, 0), place + 4) for place in index)
        if least[index] == least[near].min():
            expected.append(float(least[index]))
    found = worst_cells(jacobian, 12, apart=3)
    assert [determinant for _, determinant in found] == sorted(expected)[:12]
    assert found[0] == worst_cells(jacobian, 1)[0]
    assert all(least[cell] == np.float32(determinant) for cell, determinant in found)
