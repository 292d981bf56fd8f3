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
    margin : float or None
        How much around `within` is looked at, in mm; None where that is all of the volume.
    """

    placement: Placement
    region: Box
    within: Box | None
    template: Prior | None = None
    margin: float | None = None

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


def site_moved(prior: Prior, volume: Volume, site: Site, placement: Placement) -> Site:
    """The same template at another place, or larger, or turned: the box of the organ and what is looked at come along.

    Parameters
    ----------
    prior, volume
        As in `site_in_box`.
    site : Site
        Where it stood.
    placement : Placement
        Where it stands now.

    Returns
    -------
    Site
        Its box reaches as far beyond the template, on every side, as the old one does; what lies outside of the volume
        is cut off. Where nothing was said of the organ's box, nothing is said now.

    Raises
    ------
    ToposegError
        If nothing of the template is left within the volume.
    """
    template = site.template_for(prior)
    before, after = (_box_on_voxels(template, place, volume) for place in (site.placement, placement))
    if after is None:
        raise ToposegError("The template would lie outside of the image.", todo="Move it less far, or draw it anew.")
    if site.within is None or before is None:
        return replace(site, placement=placement)
    box = tuple(
        (low - max(old_low - start, 0), high + max(stop - old_high, 0))
        for (low, high), (start, stop), (old_low, old_high) in zip(after, site.within, before, strict=True)
    )
    return replace(_around(volume, placement, clip_box(box, volume.shape), site.margin), template=site.template)


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
    found = _box_on_voxels(prior, placement, volume)
    if found is not None:
        edges = [
            (min(start, first), max(stop, last)) for (start, stop), (first, last) in zip(edges, found, strict=True)
        ]
    return clip_box(tuple(edges), volume.shape)


def _box_on_voxels(prior: Prior, placement: Placement, volume: Volume) -> Box | None:
    """The box of the volume's voxels that lie in a placed template; None where none does."""
    seen = outline(prior, placement, volume.frame)
    found = box_of(seen.distance > 0)
    if found is None:
        return None
    return tuple((low + offset, high + offset) for (low, high), (offset, _) in zip(found, seen.box, strict=True))


def _around(volume: Volume, placement: Placement, box: Box, margin: float | None) -> Site:
    if margin is None:
        sides = [(high - low) * step for (low, high), step in zip(box, volume.spacing, strict=True)]
        margin = float(np.mean(sides)) * _MARGIN_SHARE
    region = clip_box(grow_box(box, list(margin / volume.spacing)), volume.shape)
    return Site(placement, region, box, margin=margin)
