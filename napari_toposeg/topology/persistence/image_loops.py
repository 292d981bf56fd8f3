"""Tunnels of the image of one 3-D filtration in another: cohomology of edges and squares.

The boundary matrix of the squares has its rows (edges) in the order of the smaller filtration and its columns (squares)
in that of the larger; reduced, its lowest ones are the pairs (U. Bauer, M. Schmahl, "Efficient computation of image
persistence", SoCG 2023). Ranks of its corners settle them, so that reducing rows from below gives the same ones: each
edge, the latest first, seeks the earliest square beside it that no later edge has taken. And so apparent pairs are
pairs here too (U. Bauer, "Ripser", J. Appl. Comput. Topol. 5, 2021): where in the larger filtration a square is the
earliest beside an edge, and in the smaller the edge is the latest of the square, no other edge can take the square.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.persistence.cells import (
    BITS,
    CELL,
    earliest_square,
    edge_time,
    key_of,
    latest_edge,
    square_beside,
)
from napari_toposeg.topology.persistence.filtration import NEVER, Filtration

_NONE = -1


def tunnel_pairs(
    smaller: Filtration, larger: Filtration, joining: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs (edge, square) of dimension 1 of a 3-D map.

    Parameters
    ----------
    smaller, larger : Filtration
        As in `image.cell_pairs`.
    joining : ndarray of bool, shape (3 * places,)
        The edges that join two components of the smaller filtration, by cell: they make no tunnel.

    Returns
    -------
    births, deaths : ndarray of int64
        Cells: edges that make a tunnel in the smaller filtration, and the squares that fill it in the larger.
    """
    strides = smaller.grid.strides
    edges, squares, apparent = _apparent_pairs(smaller.time, larger.time, joining, strides)
    left = np.sort(edges[~apparent])[::-1]
    taken = _reduce(np.ascontiguousarray(left), smaller.time, larger.time, strides)
    return np.concatenate([edges[apparent] & CELL, left & CELL]), np.concatenate([squares[apparent], taken])


@njit(cache=True, nogil=True)
def _apparent_pairs(
    smaller: NDArray[np.int32],
    larger: NDArray[np.int32],
    joining: NDArray[np.bool_],
    strides: tuple[int, int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Keys of all edges that make a tunnel, the earliest square beside each, and whether they are an apparent pair."""
    count = 0
    for corner in range(smaller.size - strides[0]):
        for axis in range(3):
            count += not joining[3 * corner + axis] and edge_time(corner, axis, smaller, strides, False) != NEVER
    edges = np.empty(count, np.int64)
    squares = np.empty(count, np.int64)
    apparent = np.empty(count, np.bool_)
    count = 0
    for corner in range(smaller.size - strides[0]):
        for axis in range(3):
            edge = 3 * corner + axis
            entered = edge_time(corner, axis, smaller, strides, False)
            if joining[edge] or entered == NEVER:
                continue
            square = earliest_square(edge, larger, strides, False) & CELL
            edges[count] = key_of(entered, edge)
            squares[count] = square
            apparent[count] = latest_edge(square, smaller, strides, False) & CELL == edge
            count += 1
    return edges, squares, apparent


@njit(cache=True, nogil=True)
def _reduce(
    edges: NDArray[np.int64],
    smaller: NDArray[np.int32],
    larger: NDArray[np.int32],
    strides: tuple[int, int, int],
) -> NDArray[np.int64]:
    """The square with which each edge is paired: cells, for keys of edges, latest first, none in an apparent pair.

    An edge's column is the set of squares beside it. Columns of later edges are added to it (modulo 2) until its
    earliest square is the earliest of no other. Reduced columns are kept whole: to find their squares anew from the
    edges that went into them took three times as long on noise (64x64x64: 1.7 s against .54 s).
    """
    taken = np.empty(edges.size, np.int64)
    column_of = np.full(3 * smaller.size, np.int32(_NONE))
    starts = np.zeros(edges.size + 1, np.int64)
    kept = np.empty(max(16, 8 * edges.size), np.int64)
    heap = np.empty(1024, np.int64)
    for number in range(edges.size):
        heap, size = _push_squares(heap, 0, edges[number] & CELL, larger, strides)
        while True:
            key, size = _pop_odd(heap, size)
            square = key & CELL
            column = column_of[square]
            if column != _NONE:
                # This square is out of the heap already, and it is the first of the column: the two cancel.
                for at in range(starts[column] + 1, starts[column + 1]):
                    heap, size = _push(heap, size, kept[at])
                continue
            edge = latest_edge(square, smaller, strides, False) & CELL
            if earliest_square(edge, larger, strides, False) != key:
                break
            heap, size = _push(heap, size, key)
            heap, size = _push_squares(heap, size, edge, larger, strides)
        column_of[square] = number
        taken[number] = square
        end = starts[number]
        while key != _NONE:
            if end == kept.size:
                kept = _widened(kept)
            kept[end] = key
            end += 1
            key, size = _pop_odd(heap, size)
        starts[number + 1] = end
    return taken


@njit(cache=True, nogil=True)
def _push_squares(
    heap: NDArray[np.int64], size: int, edge: int, time: NDArray[np.int32], strides: tuple[int, int, int]
) -> tuple[NDArray[np.int64], int]:
    """Add the squares beside an edge to a column."""
    for side in range(4):
        key = square_beside(edge, side, time, strides, False)
        if key >> BITS != NEVER:
            heap, size = _push(heap, size, key)
    return heap, size


@njit(cache=True, nogil=True)
def _push(heap: NDArray[np.int64], size: int, key: int) -> tuple[NDArray[np.int64], int]:
    """Put a key into a heap, the least first (numba's own heap, of a list, is slower); it grows where it has to."""
    if size == heap.size:
        heap = _widened(heap)
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if heap[above] <= key:
            break
        heap[at] = heap[above]
        at = above
    heap[at] = key
    return heap, size + 1


@njit(cache=True, nogil=True)
def _pop(heap: NDArray[np.int64], size: int) -> int:
    """Take the least key out of a heap of that size."""
    least = heap[0]
    size -= 1
    key = heap[size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and heap[below + 1] < heap[below]:
            below += 1
        if heap[below] >= key:
            break
        heap[at] = heap[below]
        at = below
    heap[at] = key
    return int(least)


@njit(cache=True, nogil=True)
def _pop_odd(heap: NDArray[np.int64], size: int) -> tuple[int, int]:
    """Take out the least key that is there an odd number of times, and what is before it; the key and the new size."""
    while size > 0:
        key = _pop(heap, size)
        size -= 1
        if size == 0 or heap[0] != key:
            return key, size
        _pop(heap, size)
        size -= 1
    return _NONE, 0


@njit(cache=True, nogil=True)
def _widened(values: NDArray[np.int64]) -> NDArray[np.int64]:
    wider = np.empty(2 * values.size, np.int64)
    wider[: values.size] = values
    return wider
