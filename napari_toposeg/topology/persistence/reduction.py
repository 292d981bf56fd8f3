"""Reduction of the edges that no apparent pair explains."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.persistence.cells import BITS, CELL, earliest_square, latest_edge, square_beside
from napari_toposeg.topology.persistence.filtration import NEVER

_EMPTY = -1


@njit(cache=True, nogil=True)
def reduce_edges(
    edges: NDArray[np.int64], time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool
) -> NDArray[np.int64]:
    """The square that ends the tunnel that each edge begins.

    An edge's column is the set of squares beside it. Columns of later edges are added to it (modulo 2) until its
    earliest square is the earliest of no other. What is kept of a column is which edges were added to it: their squares
    are found anew.

    Parameters
    ----------
    edges : ndarray of int64
        Keys, the latest first.
    time : ndarray of int32
        When each voxel enters.
    strides : tuple of three int
        Steps along the axes of `time`.
    cubes : bool
        Whether voxels are cubes.

    Returns
    -------
    ndarray of int64
        Cells; -1 where no square ends the tunnel.
    """
    ended_by = np.full(edges.size, np.int64(-1))
    size = 1024
    while size < 2 * edges.size:
        size *= 2
    pivots, columns = np.full(size, np.int64(_EMPTY)), np.empty(size, np.int64)
    added_edges = [0 for _ in range(0)]
    starts = np.zeros(edges.size + 1, np.int64)
    for number in range(edges.size):
        edge = int(edges[number] & CELL)
        column = [0 for _ in range(0)]
        added = [edge]
        done = 0
        while True:
            while done < len(added):
                for side in range(4):
                    square = square_beside(added[done], side, time, strides, cubes)
                    if square >> BITS != NEVER:
                        heappush(column, square)
                done += 1
            pivot = _earliest_left(column)
            if pivot == _EMPTY:
                break
            slot = _slot(pivots, pivot)
            if pivots[slot] == pivot:
                other = columns[slot]
                for place in range(starts[other], starts[other + 1]):
                    added.append(added_edges[place])
                continue
            latest = latest_edge(pivot & CELL, time, strides, cubes) & CELL
            if latest != edge and earliest_square(latest, time, strides, cubes) == pivot:
                added.append(latest)
                continue
            ended_by[number] = pivot & CELL
            pivots[slot], columns[slot] = pivot, number
            break
        _keep_odd(added, added_edges)
        starts[number + 1] = len(added_edges)
    return ended_by


@njit(inline="always")
def _earliest_left(column: list[int]) -> int:
    """The earliest square that is in the column an odd number of times; it stays in it, once."""
    while len(column) > 0:
        square = heappop(column)
        if len(column) == 0 or column[0] != square:
            heappush(column, square)
            return square
        heappop(column)
    return _EMPTY


@njit(inline="always")
def _keep_odd(added: list[int], added_edges: list[int]) -> None:
    """Keep the edges that were added an odd number of times."""
    added.sort()
    place = 0
    while place < len(added):
        same = 1
        while place + same < len(added) and added[place + same] == added[place]:
            same += 1
        if same & 1:
            added_edges.append(added[place])
        place += same


@njit(inline="always")
def _slot(keys: NDArray[np.int64], key: int) -> int:
    """Where a key is in a table of keys, or belongs: the first free place from its own on."""
    slot = ((key * 0x9E3779B97F4A7C1) >> 20) & (keys.size - 1)
    while keys[slot] != _EMPTY and keys[slot] != key:
        slot = (slot + 1) & (keys.size - 1)
    return slot
