"""Where in a volume a run takes place: the placed template, what is looked at, and where the organ is said to lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_of, clip_box, grow_box
from napari_toposeg.priors import Placement, Prior, place_in_box, place_in_image, place_on_mask
from napari_toposeg.volume import Volume

_MARGIN_SHARE = 1.0 / 6.0
"""How much of a box's surroundings is looked at where nobody says, as a share of its mean side."""


@dataclass(frozen=True, eq=False)
class Site:
    """Where a run takes place, in the volume's canonical voxels.

    Attributes
    ----------
    placement : Placement
        Where the template stands at first.
    region : Box
        What is looked at, within the volume.
    within : Box or None
        In which box the organ is said to lie: what leaves it costs. None where nothing is said.
    """

    placement: Placement
    region: Box
    within: Box | None


def site_in_box(prior: Prior, volume: Volume, box: Box, *, margin: float | None = None, axis: str = "z") -> Site:
    """The template inscribed in a box that holds the organ.

    Parameters
    ----------
    prior : Prior
        As many dimensions as the volume.
    volume : Volume
        The image.
    box : Box
        Canonical voxels, end exclusive; what lies outside of the volume is cut off.
    margin : float, optional
        How much of the box's surroundings is looked at, in mm. Default: a sixth of its mean side.
    axis : {"x", "y", "z"}
        What a ring, tube or cylinder turns about.

    Raises
    ------
    ToposegError
        If nothing of the box lies within the volume, the dimensions differ, or the axis has another name.
    """
    box = clip_box(box, volume.shape)
    if any(low >= high for low, high in box):
        raise ToposegError(
            "The box lies outside of the image, or holds none of its voxels.", todo="Draw it over the organ."
        )
    return _around(volume, place_in_box(prior, volume.frame, box, axis=axis), box, margin)


def site_on_mask(
    prior: Prior, volume: Volume, mask: NDArray[Any], *, margin: float | None = None, axis: str = "z"
) -> Site:
    """The template on a rough mask (*volume.shape), along its principal axes; its box holds the organ.

    Other parameters and errors are those of `site_in_box`; an empty mask, or one of another shape, is refused too.
    """
    if mask.shape != volume.shape:
        raise ToposegError(
            f"The mask has the shape {mask.shape} and the image {volume.shape}.",
            todo="Choose a mask on the image's own grid.",
        )
    placement = place_on_mask(prior, volume.frame, mask, axis=axis)
    box = box_of(mask)
    assert box is not None  # place_on_mask refuses an empty mask
    return _around(volume, placement, box, margin)


def site_in_image(prior: Prior, volume: Volume, *, axis: str = "z") -> Site:
    """The template in the middle of the volume, all of which is looked at; nothing is said of where the organ lies."""
    return Site(place_in_image(prior, volume.frame, axis=axis), volume.frame.box, None)


def _around(volume: Volume, placement: Placement, box: Box, margin: float | None) -> Site:
    if margin is None:
        sides = [(high - low) * step for (low, high), step in zip(box, volume.spacing, strict=True)]
        margin = float(np.mean(sides)) * _MARGIN_SHARE
    region = clip_box(grow_box(box, list(margin / volume.spacing)), volume.shape)
    return Site(placement, region, box)
