"""Reaching one voxel by simple points: it takes the value that is demanded, and the topology stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.components import as_bool
from napari_toposeg.topology.homotopy import snap

THICKNESS = 1.5
"""Radius, in the shortest side of a voxel, of what is left of the way to the voxel."""

_ROOM = 3.0
"""Radius, in the shortest side of a voxel, within which the opposite is made way for first where the voxel is all that
is left of a hole, or of a wall."""


def reach_voxel(
    mask: NDArray[Any],
    voxel: Sequence[int],
    include: bool,
    *,
    fixed: NDArray[np.bool_] | None = None,
    spacing: Sequence[float] | None = None,
    connectivity: int | None = None,
) -> NDArray[np.bool_] | None:
    """Bring one voxel into a mask, or out of it, by flipping simple points only.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero.
    voxel : sequence of int
        Which one.
    include : bool
        Whether it shall be foreground.
    fixed : (*mask.shape) bool, optional
        Voxels that may not flip; none by default.
    spacing : sequence of float, optional
        Voxel size by axis; 1 by default.
    connectivity : int, optional
        As in `snap`.

    Returns
    -------
    (*mask.shape) bool or None
        Homotopy equivalent to the mask. None where no way was found; that none exists is not proved.

    Raises
    ------
    ToposegError
        If the voxel lies outside of the mask, or as `snap`.

    Notes
    -----
    The mask first grows (or shrinks) towards the voxel from all sides, the nearest first. What of that lies off the
    straight way from the nearest boundary is then taken back, as far as simple points lead. Where the voxel is the last
    one of a hole it cannot be filled: the hole is widened to one side first.
    """
    start = as_bool(mask)
    voxel = tuple(int(index) for index in voxel)
    if len(voxel) != start.ndim or not all(0 <= at < size for at, size in zip(voxel, start.shape, strict=True)):
        raise ToposegError(f"The voxel {voxel} lies outside of a mask of {start.shape}.", todo="Choose one within it.")
    if bool(start[voxel]) == include:
        return start.copy()
    widths = np.ones(start.ndim) if spacing is None else np.asarray(spacing, float)
    foot = _nearest(start == include, voxel, widths)
    if foot is None or (fixed is not None and fixed[voxel]):
        return None
    step = float(widths.min())
    apart = float(np.linalg.norm((foot - np.array(voxel)) * widths))
    reach = apart + _ROOM * step
    box = tuple(
        slice(max(at - margin, 0), at + margin + 1)
        for at, margin in zip(voxel, np.ceil(reach / widths).astype(int) + 1, strict=True)
    )
    part = start[box]
    at = (np.indices(part.shape).reshape(part.ndim, -1).T + [side.start for side in box] - np.array(voxel)) * widths
    distance = np.linalg.norm(at, axis=1).reshape(part.shape)
    allowed = distance <= reach
    if fixed is not None:
        allowed &= ~fixed[box]
    here = tuple(index - side.start for index, side in zip(voxel, box, strict=True))
    sign = 1.0 if include else -1.0
    towards = sign * (reach + step - distance)
    found = snap(part, towards, connectivity=connectivity, allowed=allowed)
    if bool(found[here]) != include:
        room = allowed & (distance <= _ROOM * step)
        room[here] = False
        widened = snap(part, -towards, connectivity=connectivity, allowed=room)
        found = snap(widened, towards, connectivity=connectivity, allowed=allowed)
        if bool(found[here]) != include:
            return None
    off = _from_segment(at, (foot - np.array(voxel)) * widths).reshape(part.shape)
    back = np.where(part, 1.0, -1.0) * (1.0 + off)
    allowed &= off > THICKNESS * step
    result = start.copy()
    result[box] = snap(found, back, connectivity=connectivity, allowed=allowed)
    return result


def _nearest(chosen: NDArray[np.bool_], voxel: Sequence[int], widths: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """(ndim,) index of the chosen voxel that lies nearest to another one; the first of equally near ones."""
    candidates = np.argwhere(chosen)
    if not len(candidates):
        return None
    squared = (((candidates - np.array(voxel)) * widths) ** 2).sum(axis=1)
    return np.asarray(candidates[int(squared.argmin())])


def _from_segment(points: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,) distance of points (P, ndim) from the segment between the origin and its end."""
    along = np.clip(points @ end / (end @ end), 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - along[:, None] * end, axis=1))
