"""Components, and by duality cavities, of the level sets of a filtration: union-find, the oldest voxel as the root.

A cavity (in 2-D: a hole) of the foreground is a component of the background that does not reach the border. It is born
where that component is cut off and dies where its deepest voxel is filled; so the background's components, followed as
the level rises, give the bars of the highest dimension (Alexander duality), and no matrix has to be reduced for them.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.connectivity import dual_connectivity, touches_at_corners
from napari_toposeg.topology.forest import root_of
from napari_toposeg.topology.persistence.filtration import NEVER, Filtration
from napari_toposeg.topology.persistence.neighbours import offsets, worth_asking

Ends = tuple[NDArray[np.integer], NDArray[np.integer]]
"""Places (on the padded grid) where bars are born and where they die; -1 where there is none."""


def component_ends(filtration: Filtration, p: NDArray[np.floating], connectivity: int) -> Ends:
    """The bars of dimension 0; the first is that of the component that never dies.

    Parameters
    ----------
    filtration : Filtration
        Of the map `p`.
    p : ndarray
        The map: of the voxels that enter together, on the ceiling, the highest stands for its component.
    connectivity : int
        Of the foreground.
    """
    grid, time = filtration.grid, filtration.time
    parent = np.full(time.size, -1, np.int32)
    if _join_level(filtration, 0, connectivity, parent):
        together = np.flatnonzero(time == 0).astype(np.int32)
        levels = p.reshape(-1)[grid.index(together)].astype(np.float64)
        _make_highest_the_root(together, levels, parent)
    steps, table = worth_asking(grid.padded, connectivity)
    births, deaths = _join_in_order(filtration.order, time, steps, table, parent, False)
    left = _roots(parent)
    left = left[np.lexsort((left, time[left]))]
    if not len(left):
        # All of the map is on the floor, and one component of it never dies.
        left = grid.places[[np.argmax(p)]]
    return np.concatenate([left, births]), np.concatenate([np.full(len(left), -1, np.int32), deaths])


def cavity_ends(filtration: Filtration, connectivity: int) -> Ends:
    """The bars of the highest dimension: holes in 2-D, cavities in 3-D.

    A cavity that the ceiling itself encloses has no voxel that closed it: its birth is -1.

    Parameters
    ----------
    filtration : Filtration
        Of a map.
    connectivity : int
        Of the foreground; the background has the dual one.
    """
    background = dual_connectivity(connectivity)
    parent = np.full(filtration.time.size, -1, np.int32)
    _join_level(filtration, int(NEVER), background, parent)
    steps, table = worth_asking(filtration.grid.padded, background)
    deaths, births = _join_in_order(filtration.order, filtration.time, steps, table, parent, True)
    left = _roots(parent)[1:]  # the first is the outside
    return np.concatenate([np.full(len(left), -1, np.int32), births]), np.concatenate([left, deaths])


def _roots(parent: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.flatnonzero(parent == np.arange(parent.size, dtype=np.int32)).astype(np.int32)


def _join_level(filtration: Filtration, level: int, connectivity: int, parent: NDArray[np.int32]) -> bool:
    """Unite the voxels that share one time; the first of each component is its root. Whether there are any."""
    grid = filtration.grid
    strides, steps = grid.strides, offsets(grid.padded, connectivity)
    flat = grid.padded[0] == 1
    # Everything before the first voxel of the map is border: one component, the outside, whose root is place 0.
    first = strides[1] + 1 if flat else strides[0] + strides[1] + 1
    if level == NEVER:
        parent[:first] = 0
    # A voxel that touches at corners and has this one before it touches through it all that come before.
    across = -strides[1] if flat else -strides[0]
    shortcut = across if touches_at_corners(connectivity) else 0
    return bool(_join_plateau(filtration.time, level, first, steps[steps < 0], shortcut, parent))


@njit(cache=True, nogil=True)
def _join_plateau(
    time: NDArray[np.int32],
    level: int,
    first: int,
    before: NDArray[np.int64],
    shortcut: int,
    parent: NDArray[np.int32],
) -> bool:
    found = False
    for place in range(first, time.size):
        if time[place] != level:
            continue
        found = True
        if shortcut != 0 and parent[place + shortcut] >= 0:
            parent[place] = root_of(parent, place + shortcut)
            continue
        root = place
        parent[place] = place
        for offset in before:
            other = place + offset
            if parent[other] < 0 or parent[other] == root:
                continue
            other = root_of(parent, other)
            if other < root:
                parent[root] = other
                root = other
            elif other > root:
                parent[other] = root
    return found


@njit(cache=True, nogil=True)
def _make_highest_the_root(places: NDArray[np.int32], values: NDArray[np.float64], parent: NDArray[np.int32]) -> None:
    """Of each component the highest voxel becomes the root."""
    highest = np.empty(parent.size, np.int32)
    for number, place in enumerate(places):
        if parent[place] == place:
            highest[place] = number
    for number, place in enumerate(places):
        root = root_of(parent, place)
        if values[number] > values[highest[root]]:
            highest[root] = number
    for place in places:
        if parent[place] == place:
            number = highest[place]
            top = places[number]
            parent[place] = top
            parent[top] = top
            highest[top] = number


@njit(cache=True, nogil=True)
def _join_in_order(
    order: NDArray[np.int32],
    time: NDArray[np.int32],
    steps: NDArray[np.int64],
    table: NDArray[np.int8],
    parent: NDArray[np.int32],
    rising: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Let voxels enter one by one, `rising` the last one first; of two components that meet the younger one ends.

    Returns
    -------
    younger, place : ndarray of int32
        The root of each component that ended, and the voxel that ended it.
    """
    younger = np.empty(parent.size, np.int32)
    ended_at = np.empty(parent.size, np.int32)
    ended = 0
    asked = np.empty(steps.size, np.int64)
    for number in range(order.size):
        place = int(order[order.size - 1 - number] if rising else order[number])
        count = 0
        if table.size > 0:
            present = 0
            for step in range(8):
                present |= (parent[place + steps[step]] >= 0) << step
            count = table[present, 0]
            for group in range(count):
                asked[group] = place + steps[table[present, 1 + group]]
        else:
            for step in steps:
                if parent[place + step] >= 0:
                    asked[count] = place + step
                    count += 1
        parent[place] = place
        root = place
        for group in range(count):
            other = root_of(parent, asked[group])
            if other == root:
                continue
            if root == place:
                parent[place] = other
                root = other
                continue
            older = other < root if time[other] == time[root] else (time[other] < time[root]) != rising
            if older:
                parent[root] = other
                younger[ended] = root
                root = other
            else:
                parent[other] = root
                younger[ended] = other
            ended_at[ended] = place
            ended += 1
    return younger[:ended].copy(), ended_at[:ended].copy()
