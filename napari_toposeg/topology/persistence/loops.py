"""Tunnels of a 3-D filtration, by persistent cohomology.

Of the edges, those that join two components begin no tunnel. Most of the others begin one that their earliest square
ends at once ("apparent pairs": U. Bauer, "Ripser", J. Appl. Comput. Topol. 5, 2021). They are never stored; what is
left, a few in a hundred on a network's output, is reduced.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.connectivity import touches_at_corners
from napari_toposeg.topology.forest import root_of
from napari_toposeg.topology.persistence.cells import (
    BITS,
    CELL,
    earliest_square,
    edge_time,
    edge_voxels,
    edges_of_cube,
    key_of,
    latest_edge,
    square_voxels,
)
from napari_toposeg.topology.persistence.filtration import NEVER, Filtration
from napari_toposeg.topology.persistence.merging import Ends
from napari_toposeg.topology.persistence.reduction import reduce_edges


def loop_ends(filtration: Filtration, connectivity: int) -> Ends:
    """The bars of dimension 1 of a 3-D map.

    A tunnel that lasts to the floor of the band has death -1.

    Parameters
    ----------
    filtration : Filtration
        Of a 3-D map.
    connectivity : int
        Of the foreground, 26 or 6.
    """
    cubes = touches_at_corners(connectivity)
    strides = filtration.grid.strides
    joining = np.zeros(filtration.time.size, np.uint8)
    _mark_joining(filtration.order, filtration.time, strides, cubes, *edges_of_cube(strides), joining)
    edges, apparent_edges, apparent_squares = _pair_apparent(filtration.time, joining, strides, cubes)
    del joining
    edges = np.sort(edges)[::-1].copy()
    squares = reduce_edges(edges, filtration.time, filtration.time, strides, cubes)
    edges = np.concatenate([apparent_edges, edges & CELL])
    squares = np.concatenate([apparent_squares, squares])
    births = edge_voxels(edges, filtration.time, strides, cubes)
    deaths = np.where(squares < 0, -1, square_voxels(np.maximum(squares, 0), filtration.time, strides, cubes))
    return births, deaths


@njit(cache=True, nogil=True)
def _mark_joining(
    order: NDArray[np.int32],
    time: NDArray[np.int32],
    strides: tuple[int, int, int],
    cubes: bool,
    around: NDArray[np.int64],
    edges: NDArray[np.int64],
    joining: NDArray[np.uint8],
) -> None:
    """Mark the edges that join two components, bit by axis, in the order of their keys."""
    parent = np.arange(time.size).astype(np.int32)
    begin = strides[0] + strides[1] + 1
    before = 0
    for corner in range(begin, time.size - (0 if cubes else begin)):
        here = _earliest_of_four(corner, time, strides) if cubes else time[corner]
        if here == 0 or (cubes and before == 0):
            for axis in range(3):
                if edge_time(corner, axis, time, strides, cubes) == 0:
                    _join(corner, corner + strides[axis], axis, parent, joining)
        before = here
    for place in order:
        if cubes:
            there = 0
            for number in range(26):
                there |= (time[place + around[number]] < time[place]) << number
            for number in range(12):
                if there & edges[number, 2] == 0:
                    corner, axis = place + edges[number, 0], edges[number, 1]
                    _join(corner, corner + strides[axis], axis, parent, joining)
        else:
            for axis in range(3):
                if time[place - strides[axis]] < time[place]:
                    _join(place - strides[axis], place, axis, parent, joining)
            for axis in range(3):
                if time[place + strides[axis]] < time[place]:
                    _join(place, place + strides[axis], axis, parent, joining)


@njit(inline="always")
def _earliest_of_four(corner: int, time: NDArray[np.int32], strides: tuple[int, int, int]) -> int:
    """When the first of the four voxels enters that lie after a corner along the last axis."""
    above = corner - strides[0]
    return min(time[corner], time[corner - strides[1]], time[above], time[above - strides[1]])


@njit(inline="always")
def _join(one: int, two: int, axis: int, parent: NDArray[np.int32], joining: NDArray[np.uint8]) -> None:
    first, second = root_of(parent, one), root_of(parent, two)
    if first != second:
        parent[max(first, second)] = min(first, second)
        joining[one] |= np.uint8(1 << axis)


@njit(cache=True, nogil=True)
def _pair_apparent(
    time: NDArray[np.int32], joining: NDArray[np.uint8], strides: tuple[int, int, int], cubes: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The edges whose tunnel no square ends at first sight.

    Returns
    -------
    left : ndarray of int64
        Keys of the edges that have to be reduced.
    edges, squares : ndarray of int64
        Apparent pairs that enter with different voxels. (The others are bars of no length.)
    """
    left = [0 for _ in range(0)]
    edges, squares = [0 for _ in range(0)], [0 for _ in range(0)]
    begin = strides[0] + strides[1] + 1
    before = int(NEVER)
    for corner in range(begin, time.size - (0 if cubes else begin)):
        here = _earliest_of_four(corner, time, strides) if cubes else time[corner]
        none = here == NEVER and (not cubes or before == NEVER)
        before = here
        if none:
            continue
        for axis in range(3):
            if joining[corner] >> axis & 1:
                continue
            entered = edge_time(corner, axis, time, strides, cubes)
            if entered == NEVER:
                continue
            edge = 3 * corner + axis
            square = earliest_square(edge, time, strides, cubes)
            if square >> BITS != NEVER and latest_edge(square & CELL, time, strides, cubes) & CELL == edge:
                if square >> BITS != entered:
                    edges.append(edge)
                    squares.append(square & CELL)
                continue
            left.append(key_of(entered, edge))
    return _as_array(left), _as_array(edges), _as_array(squares)


@njit(inline="always")
def _as_array(values: list[int]) -> NDArray[np.int64]:
    array = np.empty(len(values), np.int64)
    for number, value in enumerate(values):
        array[number] = value
    return array
