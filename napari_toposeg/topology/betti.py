"""Betti numbers and the Euler characteristic of a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.components import as_bool, as_volume, bordered, find_runs, foreground_box, memory_order
from napari_toposeg.topology.connectivity import check_connectivity, dual_connectivity, touches_at_corners


def _euler_tables() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What each 2x2x2 neighbourhood adds to the Euler characteristic, for corner and for face connectivity.

    Bit ``4 * x + 2 * z + y`` of the index is the voxel at offset (z, y, x). With corner connectivity a voxel is a
    closed cube, and a neighbourhood counts the cells that start at its middle point: the point, three edges, three
    squares, and the cube itself; each belongs to the mask if any voxel around it does. With face connectivity a voxel
    is a point, and the cells are those that start at the first voxel: each belongs to the mask if all its corners do.
    """
    offsets = [(bit >> 1 & 1, bit & 1, bit >> 2) for bit in range(8)]
    cubes, points = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for code in range(256):
        filled = {offset for bit, offset in enumerate(offsets) if code >> bit & 1}
        for cell in offsets:
            sign = -1 if sum(cell) % 2 else 1
            around = {o for o in offsets if all(o[axis] == 1 for axis in range(3) if cell[axis])}
            corners = {o for o in offsets if all(o[axis] == 0 for axis in range(3) if not cell[axis])}
            cubes[code] += sign * bool(filled & around)
            points[code] += sign * (corners <= filled)
    return cubes, points


_CUBES, _POINTS = _euler_tables()


@njit(cache=True, nogil=True)
def _euler(volume: NDArray[np.uint8], table: NDArray[np.int64]) -> int:
    """Euler characteristic of a 3-D array of 0s and 1s whose border is 0."""
    planes, rows, columns = volume.shape
    total = 0
    for plane in range(planes - 1):
        for row in range(rows - 1):
            one, two = volume[plane, row], volume[plane, row + 1]
            three, four = volume[plane + 1, row], volume[plane + 1, row + 1]
            before = np.uint64(0)
            for column in range(1, columns):
                here = np.uint64(one[column] | two[column] << 1 | three[column] << 2 | four[column] << 3)
                total += table[before | here << np.uint64(4)]
                before = here
    return total


@njit(cache=True, nogil=True)
def _changes(
    volume: NDArray[np.uint8], labels: NDArray[np.int32], count: int, table: NDArray[np.int64]
) -> NDArray[np.int64]:
    """By how much the Euler characteristic changes where each label's voxels are flipped; index 0 is not used."""
    planes, rows, columns = volume.shape
    changes = np.zeros(count + 1, np.int64)
    for plane in range(planes - 1):
        for row in range(rows - 1):
            one, two = volume[plane, row], volume[plane, row + 1]
            three, four = volume[plane + 1, row], volume[plane + 1, row + 1]
            first, second = labels[plane, row], labels[plane, row + 1]
            third, fourth = labels[plane + 1, row], labels[plane + 1, row + 1]
            before, flipped_before, label_before = np.uint64(0), np.uint64(0), np.int32(0)
            for column in range(1, columns):
                here = np.uint64(one[column] | two[column] << 1 | three[column] << 2 | four[column] << 3)
                label = max(first[column], second[column], third[column], fourth[column])
                flipped = np.uint64(0)
                if label > 0:
                    flipped = np.uint64(first[column] > 0) | np.uint64(second[column] > 0) << np.uint64(1)
                    flipped |= np.uint64(third[column] > 0) << np.uint64(2)
                    flipped |= np.uint64(fourth[column] > 0) << np.uint64(3)
                if label > 0 or label_before > 0:
                    code = before | here << np.uint64(4)
                    changed = code ^ (flipped_before | flipped << np.uint64(4))
                    changes[max(label, label_before)] += table[changed] - table[code]
                before, flipped_before, label_before = here, flipped, label
    return changes


def _bordered_box(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """The foreground's box with a border of background, its axes in the order in which they lie in memory."""
    mask = as_bool(mask)
    mask = mask.transpose(memory_order(mask))
    return bordered(mask[foreground_box(mask)])


def _euler_of_bordered(box: NDArray[np.bool_], connectivity: int) -> int:
    # A plane between two empty ones is a slab, and has the plane's Euler characteristic.
    volume = as_volume(box) if box.ndim == 3 else np.pad(as_volume(box), ((1, 1), (0, 0), (0, 0)))
    return int(_euler(volume, _CUBES if touches_at_corners(connectivity) else _POINTS))


def euler_changes(
    mask: NDArray[np.bool_], labels: NDArray[np.int32], count: int, connectivity: int
) -> NDArray[np.int64]:
    """By how much the Euler characteristic changes where a part of the mask is flipped, for each of many parts.

    Parameters
    ----------
    mask : (*grid) bool
        The mask.
    labels : (*grid) int32
        The parts, numbered from 1. No two parts touch, not even at a corner, so that each can be looked at alone.
    count : int
        How many there are.
    connectivity : int
        Of the foreground.

    Returns
    -------
    (count + 1,) int64
        Zero for number 0.
    """
    inner = as_volume(mask)
    volume, parts = np.pad(inner, 1), np.pad(labels.reshape(inner.shape), 1)
    return np.asarray(_changes(volume, parts, count, _CUBES if touches_at_corners(connectivity) else _POINTS))


def euler_characteristic(mask: NDArray[Any], connectivity: int | None = None) -> int:
    """Euler characteristic of the foreground: b0 - b1 in 2-D, b0 - b1 + b2 in 3-D.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero. What lies outside of the array counts as background.
    connectivity : int, optional
        8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default.

    Raises
    ------
    ToposegError
        If the mask has not two or three axes, or that connectivity does not exist there.

    Notes
    -----
    One pass over the 2x2x2 neighbourhoods, each looked up in a table (C. N. Lee, T. Poston, A. Rosenfeld, "Winding and
    Euler numbers for 2D and 3D digital images", CVGIP 53, 1991).
    """
    connectivity = check_connectivity(connectivity, np.ndim(mask))
    return _euler_of_bordered(_bordered_box(mask), connectivity)


def betti_numbers(mask: NDArray[Any], *, connectivity: int | None = None) -> tuple[int, ...]:
    """Betti numbers of the foreground: pieces, holes through it and, in 3-D, cavities.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero. What lies outside of the array counts as background.
    connectivity : int, optional
        8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default. The background has the dual one.

    Returns
    -------
    (b0, b1) or (b0, b1, b2) : tuple of int
        b0 is the number of components; the last one, the number of background components but the outer one. In 3-D, b1
        follows from the Euler characteristic. All are zero for an empty mask.

    Raises
    ------
    ToposegError
        If the mask has not two or three axes, or that connectivity does not exist there.

    Notes
    -----
    Only the box around the foreground is looked at.
    """
    connectivity = check_connectivity(connectivity, np.ndim(mask))
    box = _bordered_box(mask)
    volume = as_volume(box)
    pieces = int(find_runs(volume, 1, touches_at_corners(connectivity))[3])
    enclosed = int(find_runs(volume, 0, touches_at_corners(dual_connectivity(connectivity)))[3]) - 1
    if box.ndim == 2:
        return pieces, enclosed
    return pieces, pieces + enclosed - _euler_of_bordered(box, connectivity), enclosed
