"""Where a deformation stood on its way: after each stage of a fit, after each level of a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_toposeg.deformation import Displacement, compose, resize
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.networks import Deformed
from napari_toposeg.priors import Placement


@dataclass(frozen=True, eq=False)
class Waypoint:
    """An earlier state of a result's deformation, on the grid on which it was found.

    That grid is small (26**3 voxels at the most for a fit, a window's for a network), however large the region: all
    stages together take a few megabytes.

    Attributes
    ----------
    name : str
        Which, in words: "as placed", "level 1 of 3".
    placement : Placement
        Where the undeformed template stood.
    displacement : Displacement or None
        All that had been deformed up to there, not what this stage or level added; None: nothing.
    """

    name: str
    placement: Placement
    displacement: Displacement | None


class Trail:
    """Collects the waypoints of a fit as its steps go by.

    Parameters
    ----------
    placement : Placement
        Where the template was placed.
    """

    def __init__(self, placement: Placement) -> None:
        self._way = [Waypoint("as placed", placement, None)]
        self._last: tuple[str, Fitted] | None = None
        self._grids = 0

    @property
    def way(self) -> tuple[Waypoint, ...]:
        """The stages that are over. The last one is not: what it comes to is the result."""
        return tuple(self._way)

    def follow(self, stage: str, fitted: Fitted) -> None:
        """A step was made: where it begins another stage or grid, the one before is over."""
        if self._last is not None:
            before, last = self._last
            if stage != before or fitted.frame is not last.frame:
                self._way.append(self._over(before, last))
        self._last = stage, fitted

    def _over(self, stage: str, fitted: Fitted) -> Waypoint:
        if stage == "affine":
            return Waypoint("affine stage", fitted.placement, None)
        self._grids += 1
        return waypoint(f"grid {self._grids}", fitted)


def waypoint(name: str, fitted: Fitted) -> Waypoint:
    """What was fitted, or said by a network, as a waypoint."""
    values = fitted.displacement[0].detach().float().cpu().numpy().copy()
    return Waypoint(name, fitted.placement, Displacement(values, fitted.frame))


def levels_of(answer: Deformed, number: int, placed: Fitted, held: Callable[[Tensor], Tensor]) -> tuple[Waypoint, ...]:
    """The waypoints of a network's answer.

    Parameters
    ----------
    answer : Deformed
        Of one image.
    number : int
        Which of its objects.
    placed : Fitted
        Where the network is shown that object's template, in which window.
    held : callable
        Makes a displacement (1, ndim, *window) the identity on its border.

    Returns
    -------
    tuple of Waypoint
        The template as it is shown, and, where the network has several levels or branches, what all but the last come
        to: composed in the order in which they act.
    """
    way = [Waypoint("as shown to the network", placed.placement, None)]
    objects = answer.mask.shape[1]
    so_far: Tensor | None = None
    with torch.inference_mode():
        for level, moved in enumerate(answer.levels[:-1], start=1):
            further = resize(moved[number::objects].float(), placed.frame.shape)
            so_far = further if so_far is None else compose(so_far, further)
            name = f"level {level} of {len(answer.levels)}"
            fitted = Fitted(placed.placement, held(so_far.cpu()), placed.frame)
            way.append(waypoint(name, fitted))
    return tuple(way)
