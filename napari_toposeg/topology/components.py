"""Connected components by union-find over runs: counted, kept, filled.

A run is a stretch of equal voxels along the last axis. Runs are far fewer than voxels, so that neither a label image
nor a union-find of the size of the volume is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.connectivity import check_connectivity, dual_connectivity, touches_at_corners
from napari_toposeg.topology.forest import root_of


@njit(cache=True, nogil=True)
def bounding_box(volume: NDArray[np.uint8]) -> tuple[int, int, int, int, int, int]:
    """First and one past the last non-zero voxel along each axis of a 3-D array; all zero where it is empty."""
    planes, rows, columns = volume.shape
    first_plane, last_plane, first_row, last_row, first_column, last_column = planes, -1, rows, -1, columns, -1
    for plane in range(planes):
        for row in range(rows):
            line = volume[plane, row]
            seen = np.uint8(0)
            for column in range(columns):
                seen |= line[column]
            if seen == 0:
                continue
            first_plane = min(first_plane, plane)
            last_plane = plane
            first_row = min(first_row, row)
            last_row = max(last_row, row)
            column = 0
            while column < first_column and line[column] == 0:
                column += 1
            first_column = min(first_column, column)
            column = columns - 1
            while column > last_column and line[column] == 0:
                column -= 1
            last_column = max(last_column, column)
    if last_plane < 0:
        return 0, 0, 0, 0, 0, 0
    return first_plane, last_plane + 1, first_row, last_row + 1, first_column, last_column + 1


@njit(cache=True, nogil=True)
def _join(
    bounds: NDArray[np.int32],
    parent: NDArray[np.int32],
    here: int,
    here_end: int,
    there: int,
    there_end: int,
    reach: int,
) -> None:
    """Unite the runs of two neighbouring lines that touch; the older run becomes the root."""
    while here < here_end and there < there_end:
        if bounds[here, 1] + reach <= bounds[there, 0]:
            here += 1
        elif bounds[there, 1] + reach <= bounds[here, 0]:
            there += 1
        else:
            one, other = root_of(parent, here), root_of(parent, there)
            parent[max(one, other)] = min(one, other)
            if bounds[here, 1] < bounds[there, 1]:
                here += 1
            else:
                there += 1


@njit(cache=True, nogil=True)
def find_runs(
    volume: NDArray[np.uint8], value: int, corners: bool
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], int]:
    """The runs of 0s or of 1s in a 3-D array of 0s and 1s, and the component of each.

    Parameters
    ----------
    volume : (planes, rows, columns) uint8
        A 2-D mask is a single plane.
    value : int
        0 or 1.
    corners : bool
        Whether runs that touch only at a corner or an edge are connected.

    Returns
    -------
    line_starts : (planes * rows + 1,) int32
        The number of the first run of each line.
    bounds : (runs, 2) int32
        First column of each run and one past its last.
    components : (runs,) int32
        The component of each run, numbered from 0 in raster order.
    count : int
        Number of components.
    """
    planes, rows, columns = volume.shape
    line_starts = np.zeros(planes * rows + 1, np.int32)
    runs = 0
    for plane in range(planes):
        for row in range(rows):
            line_starts[plane * rows + row] = runs
            line = volume[plane, row]
            before = np.uint8(1 - value)
            for column in range(columns):
                here = line[column]
                runs += (here != before) & (here == value)
                before = here
    line_starts[planes * rows] = runs

    bounds = np.empty((runs, 2), np.int32)
    run = 0
    for plane in range(planes):
        for row in range(rows):
            number = plane * rows + row
            if line_starts[number] == line_starts[number + 1]:
                continue
            line = volume[plane, row]
            before = np.uint8(1 - value)
            for column in range(columns):
                here = line[column]
                if here != before:
                    if here == value:
                        bounds[run, 0] = column
                    else:
                        bounds[run, 1] = column
                        run += 1
                before = here
            if before == value:
                bounds[run, 1] = columns
                run += 1

    parent = np.arange(runs).astype(np.int32)
    reach = 1 if corners else 0
    for plane in range(planes):
        for row in range(rows):
            number = plane * rows + row
            start, end = line_starts[number], line_starts[number + 1]
            if start == end:
                continue
            if row > 0:
                _join(bounds, parent, start, end, line_starts[number - 1], start, reach)
            if plane > 0:
                below = number - rows
                _join(bounds, parent, start, end, line_starts[below], line_starts[below + 1], reach)
                if corners and row > 0:
                    _join(bounds, parent, start, end, line_starts[below - 1], line_starts[below], reach)
                if corners and row < rows - 1:
                    _join(bounds, parent, start, end, line_starts[below + 1], line_starts[below + 2], reach)

    count = 0
    for run in range(runs):
        # A root is the oldest run of its component, so its number stands before any of its members asks for it.
        if parent[run] == run:
            parent[run] = -count - 1
            count += 1
        else:
            parent[run] = parent[parent[run]]
    return line_starts, bounds, -parent - np.int32(1), count


@njit(cache=True, nogil=True)
def _paint(
    volume: NDArray[np.uint8],
    line_starts: NDArray[np.int32],
    bounds: NDArray[np.int32],
    components: NDArray[np.int32],
    chosen: NDArray[np.uint8],
    value: int,
) -> None:
    """Write a value over the runs of the chosen components."""
    planes, rows, _ = volume.shape
    for plane in range(planes):
        for row in range(rows):
            number = plane * rows + row
            for run in range(line_starts[number], line_starts[number + 1]):
                if chosen[components[run]]:
                    for column in range(bounds[run, 0], bounds[run, 1]):
                        volume[plane, row, column] = value


def as_bool(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """The mask itself if it is boolean, otherwise where it is not zero."""
    array = np.asarray(mask)
    return array if array.dtype == np.bool_ else array != 0


def as_volume(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """A 2-D or 3-D mask as the 3-D array of 0s and 1s that the kernels take; a 2-D mask becomes a single plane.

    Writable and in C order, copied where it is not: numba would compile each kernel anew for any other kind of array.
    """
    volume = np.require(as_bool(mask), requirements=("C", "W")).view(np.uint8)
    return volume.reshape((1, *volume.shape)) if volume.ndim == 2 else volume


def memory_order(mask: NDArray[Any]) -> list[int]:
    """The axes in the order in which they lie in memory.

    Neither a bounding box nor topology depends on the order of the axes, and a NIfTI file's Fortran order would
    otherwise cost a transposed copy of the whole volume.
    """
    return sorted(range(mask.ndim), key=lambda axis: -abs(mask.strides[axis]))


def foreground_box(mask: NDArray[Any]) -> tuple[slice, ...]:
    """The smallest box that holds the foreground, as slices; empty slices for an empty mask."""
    mask = as_bool(mask)
    order = memory_order(mask)
    bounds = bounding_box(as_volume(mask.transpose(order)))[6 - 2 * mask.ndim :]
    slices = [slice(low, high) for low, high in zip(bounds[::2], bounds[1::2], strict=True)]
    return tuple(slices[order.index(axis)] for axis in range(mask.ndim))


def bordered(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """The mask with one voxel of background around it, so that the outside is its first background component.

    A repair counts thousands of small boxes: np.pad would take 75 us for each.
    """
    wider = np.zeros(tuple(size + 2 for size in mask.shape), np.bool_)
    wider[(slice(1, -1),) * mask.ndim] = as_bool(mask)
    return wider


def count_components(mask: NDArray[Any], connectivity: int | None = None) -> int:
    """Number of connected components of the foreground.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero.
    connectivity : int, optional
        8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default.

    Returns
    -------
    int
        Zero for an empty mask.

    Raises
    ------
    ToposegError
        If the mask has not two or three axes, or that connectivity does not exist there.
    """
    connectivity = check_connectivity(connectivity, np.ndim(mask))
    return int(find_runs(as_volume(mask), 1, touches_at_corners(connectivity))[3])


def largest_components(mask: NDArray[Any], number: int = 1, *, connectivity: int | None = None) -> NDArray[np.bool_]:
    """Keep the largest components of the foreground and drop the others.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero.
    number : int
        How many to keep; of equally large ones the first in raster order.
    connectivity : int, optional
        Of the foreground, as in `count_components`.

    Returns
    -------
    (*mask.shape) bool
        A new mask.
    """
    return large_components(mask, np.inf, at_least=number, connectivity=connectivity)


def large_components(
    mask: NDArray[Any], least_size: float, *, at_least: int = 0, connectivity: int | None = None
) -> NDArray[np.bool_]:
    """Keep the components of at least some size.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero.
    least_size : float
        In voxels.
    at_least : int
        How many to keep whatever their size, the largest first; of equally large ones the first in raster order.
    connectivity : int, optional
        Of the foreground, as in `count_components`.

    Returns
    -------
    (*mask.shape) bool
        A new mask.
    """
    connectivity = check_connectivity(connectivity, np.ndim(mask))
    volume = as_volume(mask)
    line_starts, bounds, components, count = find_runs(volume, 1, touches_at_corners(connectivity))
    kept = np.zeros_like(volume)
    _paint(kept, line_starts, bounds, components, _chosen(_sizes(bounds, components, count), least_size, at_least), 1)
    return kept.reshape(np.shape(mask)).view(np.bool_)


def fill_cavities(mask: NDArray[Any], keep: int = 0, *, connectivity: int | None = None) -> NDArray[np.bool_]:
    """Fill the holes of a 2-D mask, or the cavities of a 3-D one: background that the foreground encloses.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero.
    keep : int
        How many to leave, the largest first; of equally large ones the first in raster order.
    connectivity : int, optional
        Of the foreground, as in `count_components`; the background has the dual one.

    Returns
    -------
    (*mask.shape) bool
        A new mask.
    """
    connectivity = check_connectivity(connectivity, np.ndim(mask))
    volume = as_volume(bordered(np.asarray(mask)))
    corners = touches_at_corners(dual_connectivity(connectivity))
    line_starts, bounds, components, count = find_runs(volume, 0, corners)
    # The outside holds the border's first run and is no cavity, however small it is beside the others.
    left = _chosen(_sizes(bounds, components, count)[1:], np.inf, keep)
    _paint(volume, line_starts, bounds, components, np.append(np.uint8(0), 1 - left), 1)
    inner = (slice(1, -1),) * np.ndim(mask)
    return volume.reshape(tuple(size + 2 for size in np.shape(mask)))[inner].astype(np.bool_)


def _sizes(bounds: NDArray[np.int32], components: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(components, bounds[:, 1] - bounds[:, 0], minlength=count), np.float64)


def _chosen(sizes: NDArray[np.float64], least_size: float, at_least: int) -> NDArray[np.uint8]:
    """(count,) 1 for the components that are large enough, or among the largest."""
    chosen = (sizes >= least_size).astype(np.uint8)
    chosen[np.argsort(-sizes, kind="stable")[:at_least]] = 1
    return chosen
