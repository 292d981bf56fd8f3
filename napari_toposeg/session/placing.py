"""Where a session's prior stands: in a box, on a mask, at points, along a stroke, or in the middle of the image.

Once it stands there it can be moved, scaled and turned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box
from napari_toposeg.inference import (
    Site,
    site_along_stroke,
    site_at_points,
    site_in_box,
    site_in_image,
    site_moved,
    site_on_mask,
)
from napari_toposeg.priors import Placement, Prior, shift, stretch, turn
from napari_toposeg.volume import Volume


@dataclass(frozen=True, eq=False)
class PlacedState:
    """Which prior stands where, and how it came there, for the history.

    Attributes
    ----------
    prior : Prior or None
        The chosen one.
    site : Site or None
        Where the next run takes place; None where nothing is placed.
    find_site, placed, change
        How another prior is placed in the same way, where it stood before it was moved, and how it was moved.
    """

    prior: Prior | None
    site: Site | None
    find_site: Callable[[Prior, Volume], Site] | None
    placed: Site | None
    change: NDArray[np.float64]

    @property
    def weight(self) -> Mapping[int, int]:
        """Nothing large: a template is a function, and a bent one knows its stroke."""
        return {}


class Placing(ABC):
    """The part of a session that places its prior; what was done last is done again for another prior."""

    def __init__(self) -> None:
        super().__init__()
        # The newest placement, for any prior; where that stands before it was moved by hand, and how it was moved.
        self._find_site: Callable[[Prior, Volume], Site] | None = None
        self._placed: Site | None = None
        self._change: NDArray[np.float64] = np.eye(4)

    @abstractmethod
    def ready(self) -> tuple[Volume, Prior]:
        """The volume and the prior, or a refusal."""

    @property
    @abstractmethod
    def prior(self) -> Prior | None:
        """The chosen template."""

    @property
    @abstractmethod
    def site(self) -> Site | None:
        """Where the next run takes place."""

    @abstractmethod
    def _set_site(self, site: Site | None, name: str) -> None:
        """Take over where the next run takes place; the history calls that by a name."""

    def placing_state(self) -> PlacedState:
        """Which prior stands where, and how it came there."""
        return PlacedState(self.prior, self.site, self._find_site, self._placed, self._change)

    def take_placing_state(self, state: PlacedState) -> None:
        """Know again how what stands there came there."""
        self._find_site, self._placed, self._change = state.find_site, state.placed, state.change

    @property
    def adjusted(self) -> bool:
        """Whether the template was moved, scaled or turned since it was placed."""
        return self._placed is not None and not np.array_equal(self._change, np.eye(4))

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
        return self._place(
            lambda prior, volume: site_in_box(prior, volume, box, margin=margin, axis=axis), "Box placed"
        )

    def place_on_mask(self, mask: NDArray[Any], *, margin: float | None = None, axis: str = "z") -> Placement:
        """Put the prior on a rough mask (*volume.shape), along its principal axes. See `place_in_box`."""
        return self._place(
            lambda prior, volume: site_on_mask(prior, volume, mask, margin=margin, axis=axis), "Placed on a mask"
        )

    def place_at_points(self, points: ArrayLike, *, margin: float | None = None, axis: str = "z") -> Placement:
        """Put the prior into the ellipsoid through two to six points (n, ndim) of the organ's surface.

        They are canonical voxels, and need not be whole. Errors are those of `napari_toposeg.priors.place_at_points`;
        the rest is as in `place_in_box`.
        """
        return self._place(
            lambda prior, volume: site_at_points(prior, volume, points, margin=margin, axis=axis), "Placed by points"
        )

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
        return self._place(
            lambda prior, volume: site_along_stroke(prior, volume, stroke, radius=radius, margin=margin),
            "Placed along a line",
        )

    def place_in_image(self, *, axis: str = "z") -> Placement:
        """Put the prior in the middle of the volume and look at all of it."""
        return self._place(lambda prior, volume: site_in_image(prior, volume, axis=axis), "Placed in the image")

    def move_placement(self, by: ArrayLike) -> Placement:
        """Move the placed template; what is looked at, and where the organ is said to lie, come along.

        Another prior is placed and then moved, scaled and turned in the same way; a new placement begins anew.

        Parameters
        ----------
        by : (ndim,) array
            In mm along the volume's axes: to the patient's right, front and head.

        Raises
        ------
        ToposegError
            If nothing is placed, nothing of the template would be left within the volume, or as
            `napari_toposeg.priors.shift`.
        """
        volume, _, _ = self._standing()
        return self._adjust(shift(volume.frame, by) @ self._change, "Template moved")

    def scale_placement(self, factors: ArrayLike) -> Placement:
        """Make the placed template larger or smaller about its middle, along its own axes.

        Parameters
        ----------
        factors : float or (ndim,) array
            One for all axes, or one for each axis of the volume: it is that of the template's own axis that lies
            nearest to it.

        Raises
        ------
        ToposegError
            As `move_placement`, and `napari_toposeg.priors.stretch`.
        """
        volume, _, placement = self._standing()
        return self._adjust(stretch(placement, volume.frame, factors) @ self._change, "Template scaled")

    def turn_placement(self, degrees: float, axis: str = "z") -> Placement:
        """Turn the placed template about its middle.

        Parameters
        ----------
        degrees : float
            By the right-hand rule: about z, what lies at the patient's right comes to the front.
        axis : {"x", "y", "z"}
            What it turns about: the volume's axis to the right, front or head. Only z in 2-D.

        Raises
        ------
        ToposegError
            As `move_placement`, and `napari_toposeg.priors.turn`.
        """
        volume, _, placement = self._standing()
        return self._adjust(turn(placement, volume.frame, degrees, axis) @ self._change, "Template turned")

    def reset_placement(self) -> Placement:
        """Put the template back where it was placed, before it was moved, scaled or turned.

        Raises
        ------
        ToposegError
            If nothing is placed.
        """
        return self._adjust(np.eye(4), "Template put back")

    def _standing(self) -> tuple[Volume, Site, Placement]:
        """The volume, where the template was placed, and where it stands now, or a refusal."""
        volume, _ = self.ready()
        placed = self._placed
        if placed is None:
            raise ToposegError("The prior is not placed yet.", todo="Draw a box over the organ first.")
        return volume, placed, Placement(self._change @ placed.placement.matrix)

    def _adjust(self, change: NDArray[np.float64], name: str) -> Placement:
        """Change the placement by all that it was changed by; (4, 4) from RAS mm to RAS mm."""
        volume, placed, _ = self._standing()
        _, prior = self.ready()
        # From where it was placed, not from where it stands: there and back again, its box is what it was.
        site = _changed(prior, volume, placed, change)
        self._change = change
        self._set_site(site, name)
        return site.placement

    def _place(self, find_site: Callable[[Prior, Volume], Site], name: str) -> Placement:
        volume, prior = self.ready()
        site = find_site(prior, volume)
        now_volume, now_prior = self.ready()
        if now_volume is not volume or now_prior is not prior:
            # A window lets its thread go on meanwhile.
            raise ToposegError(
                "Another image or prior was chosen while the template was being placed.", todo="Place it again."
            )
        self._find_site, self._placed, self._change = find_site, site, np.eye(4)
        self._set_site(site, name)
        return site.placement

    def _place_another(self) -> None:
        """Do for the prior that has just been chosen what was done for the one before; nothing where nothing was."""
        if self._find_site is None:
            return
        volume, prior = self.ready()
        try:
            placed = self._find_site(prior, volume)
            site = _changed(prior, volume, placed, self._change)
        except ToposegError:
            # What was placed for the prior before must not be taken for this one.
            self._placed = None
            self._set_site(None, f"Prior: {prior.name}")
            raise
        self._placed = placed
        self._set_site(site, f"Prior: {prior.name}")

    def _forget_placement(self) -> None:
        self._find_site, self._placed, self._change = None, None, np.eye(4)
        self._set_site(None, "Template removed")


def _changed(prior: Prior, volume: Volume, placed: Site, change: NDArray[np.float64]) -> Site:
    if np.array_equal(change, np.eye(4)):
        return placed
    return site_moved(prior, volume, placed, Placement(change @ placed.placement.matrix))
