"""Exact signed Euclidean distance of a mask, quick and lean enough to be taken many times in one correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.components import as_volume


@njit(cache=True, nogil=True)
def _runs_to_distances(volume: NDArray[np.uint8], squared: NDArray[np.float32], width: float) -> None:
    """Write the signed squared distance to the nearest voxel of the other kind on the same line of the last axis."""
    planes, rows, columns = volume.shape
    for plane in range(planes):
        for row in range(rows):
            line = volume[plane, row]
            start = 0
            while start < columns:
                stop = start + 1
                while stop < columns and line[stop] == line[start]:
                    stop += 1
                sign = 1.0 if line[start] else -1.0
                for column in range(start, stop):
                    nearest = np.inf
                    if start > 0:
                        nearest = column - start + 1.0
                    if stop < columns:
                        nearest = min(nearest, stop - column)
                    squared[plane, row, column] = sign * (width * nearest) ** 2
                start = stop


@njit(cache=True, nogil=True)
def _across(squared: NDArray[np.float32], length: int, step: int, width: float) -> None:
    """Carry signed squared distances across one axis of a flattened array, in place.

    Each becomes the minimum over the parabolas that rise from the voxels of its line. The line is cut where the kind
    changes: in a stretch of one kind only its own voxels and the two of the other kind at its ends (height 0) can be
    nearest, so that each voxel is looked at once and both kinds are done in one pass.
    """
    line = np.empty(length, np.float64)
    sites, heights, breaks = np.empty(length, np.int64), np.empty(length, np.float64), np.empty(length, np.float64)
    weight = width * width
    for first in range(squared.size // length):
        base = first // step * step * length + first % step
        for number in range(length):
            line[number] = squared[base + number * step]
        start = 0
        while start < length:
            sign = 1.0 if line[start] > 0 else -1.0
            stop = start + 1
            while stop < length and line[stop] * sign > 0:
                stop += 1
            top = -1
            for site in range(max(start - 1, 0), min(stop + 1, length)):
                height = line[site] * sign if start <= site < stop else 0.0
                if height == np.inf:
                    continue
                meeting = -np.inf
                while top >= 0:
                    other = sites[top]
                    rise = height - heights[top] + weight * (site * site - other * other)
                    meeting = rise / (2.0 * weight * (site - other))
                    if meeting > breaks[top]:
                        break
                    top -= 1
                top += 1
                sites[top], heights[top] = site, height
                breaks[top] = meeting if top > 0 else -np.inf
            if top >= 0:
                current = 0
                for voxel in range(start, stop):
                    while current < top and breaks[current + 1] < voxel:
                        current += 1
                    away = voxel - sites[current]
                    squared[base + voxel * step] = sign * (heights[current] + weight * away * away)
            start = stop


def signed_distance(mask: NDArray[Any], spacing: Sequence[float] | None = None) -> NDArray[np.float32]:
    """Signed Euclidean distance from voxel centre to voxel centre.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero.
    spacing : sequence of float, optional
        Distance between voxel centres along each axis; 1 by default. The result has its unit.

    Returns
    -------
    (*mask.shape) float32
        In the foreground, the distance to the nearest background voxel; in the background, minus the distance to the
        nearest foreground voxel. Never zero. What lies outside of the array is neither; where there is no voxel of the
        other kind the distance is infinite.

    Notes
    -----
    P. Felzenszwalb, D. Huttenlocher, "Distance transforms of sampled functions", Theory of Computing 8, 2012, with both
    kinds in one pass: 128x128x64 in .03 s, where two calls of scipy's transform take .37 s.
    """
    volume = as_volume(mask)
    widths = (1.0,) * np.ndim(mask) if spacing is None else tuple(float(width) for width in spacing)
    squared = np.empty(volume.shape, np.float32)
    _runs_to_distances(volume, squared, widths[-1])
    step = volume.shape[2]
    for axis in range(np.ndim(mask) - 2, -1, -1):
        length = np.shape(mask)[axis]
        _across(squared.reshape(-1), length, step, widths[axis])
        step *= length
    return np.copysign(np.sqrt(np.abs(squared)), squared).reshape(np.shape(mask))
