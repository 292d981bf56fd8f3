"""Reaching a voxel by simple points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import betti_numbers, reach_voxel


def ring(size: int = 31, inner: float = 5, outer: float = 10) -> np.ndarray:
    rows, columns = np.indices((size, size)) - size // 2
    distance = np.hypot(rows, columns)
    return (distance > inner) & (distance <= outer)


def shell(size: int = 21, inner: float = 4, outer: float = 8) -> np.ndarray:
    distance = np.sqrt(((np.indices((size,) * 3) - size // 2) ** 2).sum(axis=0))
    return (distance > inner) & (distance <= outer)


@pytest.mark.parametrize("mask", [ring(), shell(), ~ring(15, 3, 5), shell(15, -1, 5)])
@pytest.mark.parametrize("seed", range(4))
def test_any_voxel_can_be_reached_either_way_and_the_topology_stays(mask, seed, gudhi_betti) -> None:
    voxel = tuple(np.random.default_rng(seed).integers(1, np.array(mask.shape) - 1))
    found = reach_voxel(mask, voxel, not mask[voxel])
    assert found is not None
    assert found[voxel] != mask[voxel]
    assert gudhi_betti(found) == gudhi_betti(mask)


def test_only_the_way_to_the_voxel_changes() -> None:
    mask = ring()
    found = reach_voxel(mask, (15, 29), include=True)
    changed = np.argwhere(found != mask)
    # From the ring's edge at column 25 straight out to column 29, a voxel and a half to either side.
    assert np.abs(changed[:, 0] - 15).max() <= 2
    assert changed[:, 1].min() >= 24
    assert 4 <= len(changed) <= 20


def test_the_last_voxel_of_a_hole_is_filled_and_the_hole_moves(gudhi_betti) -> None:
    mask = np.zeros((11, 11), bool)
    mask[2:9, 2:9] = True
    mask[5, 5] = False
    assert betti_numbers(mask) == (1, 1)
    found = reach_voxel(mask, (5, 5), include=True)
    assert found is not None
    assert found[5, 5]
    assert gudhi_betti(found) == (1, 1)


def test_a_wall_one_voxel_thin_gives_way_and_stays_whole(gudhi_betti) -> None:
    mask = np.zeros((15, 15), bool)
    mask[4:11, 4:11] = True
    mask[5:10, 5:10] = False
    found = reach_voxel(mask, (4, 7), include=False)
    assert found is not None
    assert not found[4, 7]
    assert gudhi_betti(found) == (1, 1)


def test_what_is_fixed_stays_and_bars_the_way() -> None:
    mask = shell(15, -1, 4)
    voxel = (7, 7, 13)
    fixed = np.zeros_like(mask)
    fixed[:, :, 12] = True
    fixed[7, 7, 12] = False
    found = reach_voxel(mask, voxel, True, fixed=fixed)
    assert found is not None
    assert (found == mask)[fixed].all()
    fixed[7, 7, 12] = True
    assert reach_voxel(mask, voxel, True, fixed=fixed) is None


def test_nothing_changes_where_the_voxel_is_right_and_an_empty_mask_cannot_reach() -> None:
    mask = ring()
    assert (reach_voxel(mask, (15, 7), include=True) == mask).all()
    assert reach_voxel(np.zeros((5, 5)), (2, 2), include=True) is None
    with pytest.raises(ToposegError, match="outside of a mask"):
        reach_voxel(mask, (15, 31), include=True)


@pytest.mark.parametrize("connectivity", [4, 8])
@given(data=st.data())
def test_whatever_the_mask_its_topology_stays(connectivity, data, gudhi_betti) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=64, max_size=64))).reshape(8, 8)
    voxel = data.draw(st.tuples(st.integers(0, 7), st.integers(0, 7)))
    found = reach_voxel(mask, voxel, not mask[voxel], connectivity=connectivity)
    if found is not None:
        assert found[voxel] != mask[voxel]
        assert gudhi_betti(found, connectivity) == gudhi_betti(mask, connectivity)


def test_thick_slices_are_crossed_in_millimetres(gudhi_betti) -> None:
    mask = np.zeros((30, 30, 8), bool)
    mask[10:20, 10:20, 2:4] = True
    found = reach_voxel(mask, (15, 15, 6), True, spacing=(1.0, 1.0, 5.0))
    assert found is not None
    assert found[15, 15, 6]
    assert gudhi_betti(found) == (1, 0, 0)
    assert int((found != mask).sum()) < 60
