"""Where a session's prior stands: in a box, on a mask, at points, along a stroke, or in the middle of the image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box
from napari_toposeg.inference import (
    Site,
    site_along_stroke,
    site_at_points,
    site_in_box,
    site_in_image,
    site_on_mask,
)
from napari_toposeg.priors import Placement, Prior
from napari_toposeg.volume import Volume


class Placing(ABC):
    """The part of a session that places its prior; what was done last is done again for another prior."""

    def __init__(self) -> None:
        # Repeats the newest placement, for another prior.
        self._replace: Callable[[], Any] | None = None

    @abstractmethod
    def _ready(self) -> tuple[Volume, Prior]:
        """The volume and the prior, or a refusal."""

    @abstractmethod
    def _set_site(self, site: Site | None) -> None:
        """Take over where the next run takes place; None also forgets how the prior was placed."""

    def place_in_box(self, box: Box, *, margin: float | None = None, axis: str = "z") -> Placement:
        """Put the prior into a box.

        Parameters
        ----------
        box : Box
            Canonical voxels, end exclusive; the part outside of the volume is cut off.
        margin : float, optional
            How much of its surroundings is looked at, in mm. Default: a sixth of its mean side.
        axis : {"x", "y", "z"}
            What a ring, tube or cylinder turns about.

        Raises
        ------
        ToposegError
            If there is no volume or prior, or the box lies outside of the volume.
        """
        volume, prior = self._ready()
        site = site_in_box(prior, volume, box, margin=margin, axis=axis)
        return self._place(site, lambda: self.place_in_box(box, margin=margin, axis=axis))

    def place_on_mask(self, mask: NDArray[Any], *, margin: float | None = None, axis: str = "z") -> Placement:
        """Put the prior on a rough mask (*volume.shape), along its principal axes. See `place_in_box`."""
        volume, prior = self._ready()
        site = site_on_mask(prior, volume, mask, margin=margin, axis=axis)
        return self._place(site, lambda: self.place_on_mask(mask, margin=margin, axis=axis))

    def place_at_points(self, points: ArrayLike, *, margin: float | None = None, axis: str = "z") -> Placement:
        """Put the prior into the ellipsoid through two to six points (n, ndim) of the organ's surface.

        They are canonical voxels, and need not be whole. Errors are those of `napari_toposeg.priors.place_at_points`;
        the rest is as in `place_in_box`.
        """
        volume, prior = self._ready()
        site = site_at_points(prior, volume, points, margin=margin, axis=axis)
        return self._place(site, lambda: self.place_at_points(points, margin=margin, axis=axis))

    def place_along_stroke(
        self, stroke: ArrayLike, *, radius: float | None = None, margin: float | None = None
    ) -> Placement:
        """Bend the prior along a line (n, ndim) that was drawn through the organ from end to end.

        The chosen prior stays what it is: what stands there, and is fitted, is bent (`Site.template`). Another prior is
        bent along the same stroke; where its topology does not fit there, it stands nowhere, and the stroke is kept.

        Parameters
        ----------
        stroke : (n, ndim) array
            Canonical voxels, not necessarily whole.
        radius : float, optional
            How far the template reaches to the sides, in mm. Default: an eighth of the stroke's length.
        margin : float, optional
            As in `place_in_box`.

        Raises
        ------
        ToposegError
            If there is no volume or prior, or as `napari_toposeg.priors.along_stroke`.
        """

        def again() -> None:
            try:
                self.place_along_stroke(stroke, radius=radius, margin=margin)
            except ToposegError:
                # What was placed for the prior before must not be taken for this one.
                self._set_site(None)
                self._replace = again
                raise

        volume, prior = self._ready()
        return self._place(site_along_stroke(prior, volume, stroke, radius=radius, margin=margin), again)

    def place_in_image(self, *, axis: str = "z") -> Placement:
        """Put the prior in the middle of the volume and look at all of it."""
        volume, prior = self._ready()
        return self._place(site_in_image(prior, volume, axis=axis), lambda: self.place_in_image(axis=axis))

    def _place(self, site: Site, again: Callable[[], Any]) -> Placement:
        self._replace = again
        self._set_site(site)
        return site.placement
