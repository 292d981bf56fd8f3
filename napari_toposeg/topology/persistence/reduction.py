"""Reduction of the edges that no apparent pair explains."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.persistence.cells import BITS, CELL, earliest_square, latest_edge, square_beside
from napari_toposeg.topology.persistence.filtration import NEVER

_NONE = -1


@njit(cache=True, nogil=True)
def reduce_edges(
    edges: NDArray[np.int64],
    edge_times: NDArray[np.int32],
    square_times: NDArray[np.int32],
    strides: tuple[int, int, int],
    cubes: bool,
) -> NDArray[np.int64]:
    """The square that ends the tunnel that each edge begins.

    An edge's column is the set of squares beside it. Columns of later edges are added to it (modulo 2) until its
    earliest square is the earliest of no other. Reduced columns are kept whole: to find their squares anew from the
    edges that went into them takes longer (128x128x64 of noise: .83 s against .63).

    Parameters
    ----------
    edges : ndarray of int64
        Keys, the latest first.
    edge_times, square_times : ndarray of int32
        When each voxel enters, as the edges see it and as the squares do: the same array, but for the persistence of an
        image.
    strides : tuple of three int
        Steps along the axes of the grid.
    cubes : bool
        Whether voxels are cubes.

    Returns
    -------
    ndarray of int64
        Cells; -1 where no square ends the tunnel.
    """
    ended_by = np.full(edges.size, np.int64(_NONE))
    size = 1024
    while size < 2 * edges.size:
        size *= 2
    pivots, columns = np.full(size, np.int64(_NONE)), np.empty(size, np.int64)
    kept, starts = np.empty(max(16, 8 * edges.size), np.int64), np.zeros(edges.size + 1, np.int64)
    heap = np.empty(1024, np.int64)
    for number in range(edges.size):
        edge = edges[number] & CELL
        heap, height = _push_squares(heap, 0, edge, square_times, strides, cubes)
        while True:
            pivot, height = _pop_odd(heap, height)
            if pivot == _NONE:
                break
            slot = _slot(pivots, pivot)
            if pivots[slot] == pivot:
                # The pivot is out of the heap, and it is the first of the other column: the two cancel.
                other = columns[slot]
                for place in range(starts[other] + 1, starts[other + 1]):
                    heap, height = _push(heap, height, kept[place])
                continue
            latest = latest_edge(pivot & CELL, edge_times, strides, cubes) & CELL
            if latest != edge and earliest_square(latest, square_times, strides, cubes) == pivot:
                heap, height = _push(heap, height, pivot)
                heap, height = _push_squares(heap, height, latest, square_times, strides, cubes)
                continue
            ended_by[number] = pivot & CELL
            pivots[slot], columns[slot] = pivot, number
            break
        end = starts[number]
        while pivot != _NONE:
            if end == kept.size:
                kept = _widened(kept)
            kept[end] = pivot
            end += 1
            pivot, height = _pop_odd(heap, height)
        starts[number + 1] = end
    return ended_by


@njit(inline="always")
def _slot(keys: NDArray[np.int64], key: int) -> int:
    """Where a key is in a table of keys, or belongs: the first free place from its own on."""
    slot = ((key * 0x9E3779B97F4A7C1) >> 20) & (keys.size - 1)
    while keys[slot] != _NONE and keys[slot] != key:
        slot = (slot + 1) & (keys.size - 1)
    return slot


@njit(cache=True, nogil=True)
def _push_squares(
    heap: NDArray[np.int64], height: int, edge: int, time: NDArray[np.int32], strides: tuple[int, int, int], cubes: bool
) -> tuple[NDArray[np.int64], int]:
    """Add the squares beside an edge to a column."""
    for side in range(4):
        square = square_beside(edge, side, time, strides, cubes)
        if square >> BITS != NEVER:
            heap, height = _push(heap, height, square)
    return heap, height


@njit(cache=True, nogil=True)
def _push(heap: NDArray[np.int64], height: int, key: int) -> tuple[NDArray[np.int64], int]:
    """Put a key into a heap, the least first; numba's own, of a list, takes longer."""
    if height == heap.size:
        heap = _widened(heap)
    place = height
    while place > 0:
        above = (place - 1) >> 1
        if heap[above] <= key:
            break
        heap[place] = heap[above]
        place = above
    heap[place] = key
    return heap, height + 1


@njit(cache=True, nogil=True)
def _pop_odd(heap: NDArray[np.int64], height: int) -> tuple[int, int]:
    """Take out the least key that is there an odd number of times, and what is before it: the key, and what is left."""
    while height > 0:
        least = heap[0]
        height = _drop_least(heap, height)
        if height == 0 or heap[0] != least:
            return int(least), height
        height = _drop_least(heap, height)
    return _NONE, 0


@njit(cache=True, nogil=True)
def _drop_least(heap: NDArray[np.int64], height: int) -> int:
    height -= 1
    key = heap[height]
    place = 0
    while True:
        below = 2 * place + 1
        if below >= height:
            break
        if below + 1 < height and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= key:
            break
        heap[place] = heap[below]
        place = below
    heap[place] = key
    return height


@njit(cache=True, nogil=True)
def _widened(values: NDArray[np.int64]) -> NDArray[np.int64]:
    wider = np.empty(2 * values.size, np.int64)
    wider[: values.size] = values
    return wider
