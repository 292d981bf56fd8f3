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
    CELL,
    earliest_square,
    edge_time,
    key_of,
    latest_edge,
)
from napari_toposeg.topology.persistence.filtration import NEVER, Filtration
from napari_toposeg.topology.persistence.reduction import reduce_edges


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
    left = np.sort(edges[~apparent])[::-1].copy()
    taken = reduce_edges(left, smaller.time, larger.time, strides, False)
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
