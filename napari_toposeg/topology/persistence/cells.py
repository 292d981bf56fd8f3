"""Edges and squares of a 3-D filtration: when each enters, and which of them lie beside one another.

The map is a cell complex in which a voxel is either a point (foreground 6-connected) or a cube (26-connected). Both
have the same lattice of edges and squares. With points, a cell enters with the last of its corners; with cubes, with
the first of the voxels round it. A corner has the place of the voxel behind it on each axis.

A cell is ``3 * (the first of its corners) + axis``: the axis along which an edge runs, or that a square faces. Its key,
``time << BITS | cell``, orders the cells of one kind: by time, then by cell.
"""

from __future__ import annotations

import itertools

import numpy as np
from numba import njit
from numpy.typing import NDArray

# 2**32 cells: 1.4e9 voxels. The key's other 31 bits hold every time.
BITS = 32
CELL = (1 << BITS) - 1


def edges_of_cube(strides: tuple[int, int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The twelve edges of a voxel that is a cube, in the order of their cells.

    Returns
    -------
    around : ndarray of int64, shape (26,)
        Steps to the voxels round it.
    edges : ndarray of int64, shape (12, 3)
        Of each edge the step to its first corner, its axis, and the voxels besides this one that it belongs to (bit k:
        the voxel k of `around`).
    """
    steps = np.array(strides)
    around = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
    edges = []
    for corner, axis in itertools.product(itertools.product((0, 1), repeat=3), range(3)):
        if corner[axis]:
            continue
        back = itertools.product(*[(0,) if other == axis else (0, 1) for other in range(3)])
        voxels = [tuple(one - two for one, two in zip(corner, other, strict=True)) for other in back]
        edges.append((np.dot(corner, steps), axis, sum(1 << around.index(voxel) for voxel in voxels if any(voxel))))
    return np.array(around) @ steps, np.array(edges)


def edge_voxels(
    edges: NDArray[np.int64], time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool
) -> NDArray[np.int64]:
    """The voxel with which each edge enters."""
    corners, axes = np.divmod(edges, 3)
    steps = np.array(strides)
    if not cubes:
        return _entering(np.stack([corners, corners + steps[axes]]), time, first=False)
    one, two = steps[np.array([1, 0, 0])][axes], steps[np.array([2, 2, 1])][axes]
    return _entering(np.stack([corners, corners - one, corners - two, corners - one - two]), time, first=True)


def square_voxels(
    squares: NDArray[np.int64], time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool
) -> NDArray[np.int64]:
    """The voxel with which each square enters."""
    corners, axes = np.divmod(squares, 3)
    steps = np.array(strides)
    if cubes:
        return _entering(np.stack([corners, corners - steps[axes]]), time, first=True)
    one, two = steps[np.array([1, 0, 0])][axes], steps[np.array([2, 2, 1])][axes]
    return _entering(np.stack([corners, corners + one, corners + two, corners + one + two]), time, first=False)


def _entering(around: NDArray[np.int64], time: NDArray[np.int32], first: bool) -> NDArray[np.int64]:
    times = time[around]
    chosen = times.argmin(axis=0) if first else times.argmax(axis=0)
    return np.take_along_axis(around, chosen[None], axis=0)[0]


@njit(inline="always")
def key_of(time: int, cell: int) -> int:
    """What orders the cells of one kind."""
    return int(np.int64(time) << BITS | cell)


@njit(inline="always")
def edge_time(corner: int, axis: int, time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool) -> int:
    """When an edge enters."""
    if not cubes:
        return max(time[corner], time[corner + strides[axis]])
    one = strides[1] if axis == 0 else strides[0]
    two = strides[1] if axis == 2 else strides[2]
    return min(time[corner], time[corner - one], time[corner - two], time[corner - one - two])


@njit(inline="always")
def square_time(corner: int, axis: int, time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool) -> int:
    """When a square enters."""
    if cubes:
        return min(time[corner], time[corner - strides[axis]])
    one = strides[1] if axis == 0 else strides[0]
    two = strides[1] if axis == 2 else strides[2]
    return max(time[corner], time[corner + one], time[corner + two], time[corner + one + two])


@njit(inline="always")
def square_beside(edge: int, side: int, time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool) -> int:
    """Key of one of the four squares beside an edge."""
    corner, axis = edge // 3, edge % 3
    across = (axis + 1 + (side & 1)) % 3
    facing = 3 - axis - across
    if side & 2:
        corner -= strides[across]
    return key_of(square_time(corner, facing, time, strides, cubes), 3 * corner + facing)


@njit(inline="always")
def earliest_square(edge: int, time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool) -> int:
    """Key of the first to enter of the four squares beside an edge."""
    earliest = square_beside(edge, 0, time, strides, cubes)
    for side in range(1, 4):
        earliest = min(earliest, square_beside(edge, side, time, strides, cubes))
    return earliest


@njit(inline="always")
def latest_edge(square: int, time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool) -> int:
    """Key of the last to enter of a square's four edges."""
    corner, facing = square // 3, square % 3
    one = 1 if facing == 0 else 0
    two = 1 if facing == 2 else 2
    latest = key_of(edge_time(corner, one, time, strides, cubes), 3 * corner + one)
    latest = max(latest, key_of(edge_time(corner, two, time, strides, cubes), 3 * corner + two))
    corner += strides[two]
    latest = max(latest, key_of(edge_time(corner, one, time, strides, cubes), 3 * corner + one))
    corner += strides[one] - strides[two]
    return max(latest, key_of(edge_time(corner, two, time, strides, cubes), 3 * corner + two))
