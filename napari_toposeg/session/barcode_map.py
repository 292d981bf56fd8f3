"""The maps that a session takes barcodes of: a mask, a warped template, an image, on a box of the volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_of, box_slices, clip_box, grow_box
from napari_toposeg.inference import Outcome, Segmentation
from napari_toposeg.topology import signed_distance
from napari_toposeg.topology.persistence import Scale
from napari_toposeg.volume import Volume

MOST_VOXELS = 6_000_000
"""Of a barcode's region. 128x128x64 voxels, a million, took 1.3 s (smooth noise) to 4.1 s (white noise) of one core."""

_ROUNDING = 1e-3
"""How far interpolation may carry a probability out of [0, 1]."""
_AROUND = 4.0
"""Voxels around a mask that belong to its region, so that its background is one piece there."""


CERTIFIED = "the certified mask"
TEMPLATE_TITLE = "Distance to the surface of the warped template"


def mask_title(what: str, *, distance: bool) -> str:
    """What the map of a mask is called: of the distance to its surface, or of itself."""
    return f"Distance to the surface of {what}" if distance else what[:1].upper() + what[1:]


@dataclass(frozen=True, eq=False)
class BarcodeMap:
    """A map on a box of a volume, as levels from 0 to 1.

    Attributes
    ----------
    name : str
        What it is, in words.
    volume : Volume
        On whose grid it lies.
    box : Box
        Which part of the volume, in canonical voxels, it covers.
    levels : (*box) float32
        From 0 to 1.
    scale : Scale
        What the levels stand for.
    threshold : float or None
        The level at which the map is a mask; None: nothing says which.
    """

    name: str
    volume: Volume
    box: Box
    levels: NDArray[np.float32]
    scale: Scale
    threshold: float | None

    @property
    def offset(self) -> NDArray[np.int64]:
        """(ndim,) the canonical voxel of the volume that is the map's first."""
        return np.array([low for low, _ in self.box], np.int64)


def map_of_mask(volume: Volume, mask: NDArray[Any], box: Box | None, *, distance: bool, name: str) -> BarcodeMap:
    """A mask, or the signed distance from its surface.

    Parameters
    ----------
    volume : Volume
        On whose grid it lies.
    mask : (*volume.shape) array
        Foreground where not zero.
    box : Box, optional
        Which part is looked at. Default: the mask's own box and four voxels around it.
    distance : bool
        Whether the map is the distance, in mm, positive inside. Else it is the mask, of which all bars are equally
        long.
    name : str
        What it is.

    Raises
    ------
    ToposegError
        If the mask is of another shape, or empty in the box, or fills it, or the box is too large.
    """
    mask = _on_volume(volume, mask) != 0
    if box is None:
        tight = box_of(mask)
        box = volume.frame.box if tight is None else grow_box(tight, [_AROUND] * volume.ndim)
    box = check_box(volume, box)
    inside = mask[box_slices(box)]
    if not inside.any() or inside.all():
        raise ToposegError(
            f"The mask {'is empty' if not inside.any() else 'fills the region'}.",
            why="It has no surface there.",
            todo="Choose another mask, or another region.",
        )
    if not distance:
        return BarcodeMap(name, volume, box, inside.astype(np.float32), Scale(name="mask"), 0.5)
    values = signed_distance(inside, volume.spacing.tolist())
    scale = Scale.of(values, "distance, mm")
    return BarcodeMap(name, volume, box, scale.levels(values), scale, scale.level(0.0))


def map_of_template(result: Outcome) -> BarcodeMap:
    """The signed distance of a result's warped template; no voxel was repaired in it.

    Raises
    ------
    ToposegError
        If the result's box is too large, or nothing deforms in it.
    """
    if not isinstance(result, Segmentation):
        raise ToposegError(
            "This result has no warped template.",
            why="It was segmented voxel by voxel, and nothing deforms.",
            todo="Choose its mask.",
        )
    box = check_box(result.volume, result.box)
    values = result.template_distance()
    scale = Scale.of(values, "distance, mm")
    return BarcodeMap(TEMPLATE_TITLE, result.volume, box, scale.levels(values), scale, scale.level(0.0))


def map_of_values(volume: Volume, values: NDArray[Any], box: Box, name: str) -> BarcodeMap:
    """Any map on a volume's grid: probabilities as they are, other numbers from their least to their greatest.

    Parameters
    ----------
    volume : Volume
        On whose grid it lies.
    values : (*volume.shape) array
        Canonical. Real numbers within 0 and 1 are taken for probabilities.
    box : Box
        Which part is looked at.
    name : str
        What it is.

    Raises
    ------
    ToposegError
        If the map is of another shape, is one value everywhere or no number somewhere, or the box is too large.
    """
    box = check_box(volume, box)
    part = np.asarray(_on_volume(volume, values)[box_slices(box)])
    scale = Scale.of(part, "intensity")
    if part.dtype.kind == "f" and scale.low >= -_ROUNDING and scale.high <= 1 + _ROUNDING:
        scale = Scale(name="probability")
        return BarcodeMap(name, volume, box, scale.levels(part), scale, 0.5)
    return BarcodeMap(name, volume, box, scale.levels(part), scale, None)


def check_box(volume: Volume, box: Box) -> Box:
    """The part of a box that lies in the volume.

    Raises
    ------
    ToposegError
        If there is none, or it is more than `MOST_VOXELS`.
    """
    box = clip_box(box, volume.shape)
    voxels = int(np.prod([high - low for low, high in box]))
    if voxels == 0:
        raise ToposegError("The region lies outside of the image.", todo="Choose one that lies in it.")
    if voxels > MOST_VOXELS:
        raise ToposegError(
            f"The region holds {voxels / 1e6:.1f} million voxels.",
            why=f"A barcode of more than {MOST_VOXELS / 1e6:.0f} million takes minutes.",
            todo="Place a template, so that its region is looked at, or choose a smaller box.",
        )
    return box


def _on_volume(volume: Volume, values: NDArray[Any]) -> NDArray[Any]:
    if np.shape(values) != volume.shape:
        raise ToposegError(
            f"The map has a shape of {' x '.join(map(str, np.shape(values)))}.",
            why=f"The image's is {' x '.join(map(str, volume.shape))}.",
            todo="Choose a map on the image's own grid.",
        )
    return np.asarray(values)
