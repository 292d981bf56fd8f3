"""The grids of a run: what is looked at, where the deformation lives, and the coarser grids on which it is found."""

from __future__ import annotations

import numpy as np

from napari_toposeg.frame import Box, Frame, grow_box

WINDOW = 4.0
"""Voxels of the finest working grid over which a deformation falls to the identity at the border of its grid."""

WORKING_VOXELS = {2: (64**2, 96**2, 160**2), 3: (18**3, 26**3, 40**3)}
"""Most voxels of the working grids, coarse to fine, by dimension. At 40**3 a whole fit takes about 4 s on one core."""

FIELD_VOXELS = 12_000_000
"""Most voxels on which a deformation is kept. A larger region, a whole 512x512x300 CT, is held on a coarser grid."""

_LEAST_SIZE = 5
"""Fewest voxels of a working grid along an axis, where the image has as many."""


def _working_spacing(frame: Frame, voxels: int) -> float:
    """The finest isotropic spacing, never finer than the image's, that keeps a grid over `frame` within `voxels`."""
    low, high = float(frame.spacing.min()), float((np.array(frame.shape) * frame.spacing).max())
    if np.prod(_sizes(frame, low)) <= voxels:
        return low
    for _ in range(40):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if np.prod(_sizes(frame, middle)) <= voxels else (middle, high)
    return high


def _sizes(frame: Frame, spacing: float) -> tuple[int, ...]:
    extents = (np.array(frame.shape) - 1) * frame.spacing
    sizes = np.floor(extents / spacing + 1.5).astype(int)
    least = np.minimum(frame.shape, _LEAST_SIZE)
    return tuple(int(size) for size in np.clip(sizes, least, frame.shape))


def working_frame(frame: Frame, voxels: int) -> Frame:
    """A grid over the same region as `frame`, nearly isotropic, not finer than it, of at most about `voxels` voxels."""
    return frame.resized(_sizes(frame, _working_spacing(frame, voxels)))


def field_box(frame: Frame, region: Box) -> Box:
    """The region and, around it, the room in which the deformation falls to the identity.

    Parameters
    ----------
    frame : Frame
        The image's grid.
    region : Box
        What is looked at, within the image.

    Returns
    -------
    Box
        May reach beyond the image: an organ may touch its border.
    """
    spacing = _working_spacing(frame.crop(region), WORKING_VOXELS[frame.ndim][-1])
    return grow_box(region, list(np.maximum(WINDOW * spacing / frame.spacing, 1.0)))


def window_width(frame: Frame, finest: Frame) -> list[float]:
    """(ndim,) width of the border window on a grid, in its voxels: as wide in mm on every axis and every level."""
    across = WINDOW * float(finest.spacing.min())
    return [max(across / float(step), 1.0) for step in frame.spacing]
