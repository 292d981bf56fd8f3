"""Where in a volume a run takes place: the placed template, what is looked at, and where the organ is said to lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_of, clip_box, grow_box
from napari_toposeg.priors import (
    Placement,
    Prior,
    along_stroke,
    outline,
    place_at_points,
    place_in_box,
    place_in_image,
    place_on_mask,
)
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
    template : Prior or None
        What stands there in place of the chosen prior: that one, bent along a stroke. None: the prior as it is.
    """

    placement: Placement
    region: Box
    within: Box | None
    template: Prior | None = None

    def template_for(self, prior: Prior) -> Prior:
        """What stands here where that prior is chosen."""
        return self.template or prior

    def placement_of(self, prior: Prior, otherwise: Placement) -> Placement:
        """Where this template was placed; `otherwise` where another one stands here, bent along a stroke."""
        return self.placement if self.template is None or prior is self.template else otherwise


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


def site_at_points(
    prior: Prior, volume: Volume, points: ArrayLike, *, margin: float | None = None, axis: str = "z"
) -> Site:
    """The template in the ellipsoid through two to six points (n, ndim) of the organ's surface, in canonical voxels.

    The box in which the organ is said to lie is that of the placed template and of the points: the points alone span no
    box (two ends of an organ that lies along an axis), and the template alone may leave one of them out.

    Other parameters and errors are those of `site_in_box` and of `place_at_points`; a point outside of the volume is
    refused too.
    """
    placed = _within(points, volume, "point")
    placement = place_at_points(prior, volume.frame, placed, axis=axis)
    return _around(volume, placement, _box_of(prior, placement, volume, placed), margin)


def site_along_stroke(
    prior: Prior, volume: Volume, stroke: ArrayLike, *, radius: float | None = None, margin: float | None = None
) -> Site:
    """The template bent along a stroke (n, ndim) through the organ, in canonical voxels.

    The box in which the organ is said to lie is that of the bent template, which the stroke is part of. A network that
    is asked sees that box and the prior as it was trained with it: what is bent is seen by the fit.

    Parameters
    ----------
    prior, volume, margin
        As in `site_in_box`.
    stroke, radius
        As in `along_stroke`.

    Raises
    ------
    ToposegError
        As `along_stroke`; if a place of the stroke lies outside of the volume.
    """
    drawn = _within(stroke, volume, "place of the stroke")
    template, placement = along_stroke(prior, volume.frame, drawn, radius)
    box = _box_of(template, placement, volume, drawn)
    return replace(_around(volume, placement, box, margin), template=template)


def _within(places: ArrayLike, volume: Volume, what: str) -> NDArray[np.float64]:
    """Places (n, ndim) in voxels, none of them outside of the volume."""
    try:
        at = np.asarray(places, float)
    except ValueError:  # of different lengths
        at = np.zeros(0)
    if at.ndim == 2 and at.shape[1] == volume.ndim:
        outside = ~((at >= -0.5) & (at <= np.array(volume.shape) - 0.5)).all(axis=1)
        if outside.any():
            raise ToposegError(
                f"The {what} number {int(outside.argmax()) + 1} lies outside of the image.",
                todo="Give places within it, in voxels counted from 0.",
            )
    return at


def _box_of(prior: Prior, placement: Placement, volume: Volume, places: NDArray[np.float64]) -> Box:
    """The box of a placed template and of some places, within the volume."""
    low, high = np.floor(places.min(axis=0) + 0.5).astype(int), np.ceil(places.max(axis=0) + 0.5).astype(int)
    edges = [(int(start), max(int(stop), int(start) + 1)) for start, stop in zip(low, high, strict=True)]
    seen = outline(prior, placement, volume.frame)
    found = box_of(seen.distance > 0)
    if found is not None:
        edges = [
            (min(start, first + offset), max(stop, last + offset))
            for (start, stop), (first, last), (offset, _) in zip(edges, found, seen.box, strict=True)
        ]
    return clip_box(tuple(edges), volume.shape)


def _around(volume: Volume, placement: Placement, box: Box, margin: float | None) -> Site:
    if margin is None:
        sides = [(high - low) * step for (low, high), step in zip(box, volume.spacing, strict=True)]
        margin = float(np.mean(sides)) * _MARGIN_SHARE
    region = clip_box(grow_box(box, list(margin / volume.spacing)), volume.shape)
    return Site(placement, region, box)
