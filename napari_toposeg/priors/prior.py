"""What is known before the image is seen: a template shape, its Betti numbers, and where it stands in the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Frame

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Prior:
    """A template with known topology.

    Attributes
    ----------
    name : str
        How it is asked for ("ball", "annulus").
    title : str
        How it is shown.
    description : str
        One sentence for the gallery: what it is like, what it is for.
    betti : tuple of int
        Betti numbers (b0, b1) in 2-D, (b0, b1, b2) in 3-D.
    signed_distance : callable
        From coordinates, a float tensor (ndim, *grid) in the prior's own unit box [-1, 1]**ndim, to the signed distance
        (*grid) in the same units: positive inside, zero on the surface. Differentiable almost everywhere.
    keeps_proportions : bool
        Whether a placement scales all axes alike (a ball) or lets each fill its side of the box (an ellipsoid).
    has_axis : bool
        Whether one axis differs from the others (ring, tube, cylinder): the last of the unit box, turned by a
        placement.
    extent : tuple of float or None
        Half-sizes of the shape in its unit box where it does not fill it (a ring is flat). Default: all 1.
    drawn_stretch : tuple of float or None
        How it is stretched in pictures, where its unit shape would look like another's (an ellipse like a disk).
    """

    name: str
    title: str
    description: str
    betti: tuple[int, ...]
    signed_distance: Callable[[torch.Tensor], torch.Tensor]
    keeps_proportions: bool = False
    has_axis: bool = False
    extent: tuple[float, ...] | None = None
    drawn_stretch: tuple[float, ...] | None = None

    @property
    def ndim(self) -> int:
        return len(self.betti)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a prior stands in the world.

    Attributes
    ----------
    matrix : (4, 4) float64
        From the prior's unit coordinates to RAS mm. For a 2-D prior the third column is the normal of its plane.
    """

    matrix: NDArray[np.float64]

    def unit_from(self, frame: Frame) -> NDArray[np.float64]:
        """(4, 4) from a frame's voxel indices to the prior's unit coordinates."""
        return np.linalg.inv(self.matrix) @ frame.affine

    def size_in(self, frame: Frame) -> float:
        """Mean half-side of the placed unit box, in voxels of a frame: how long a unit of signed distance is there."""
        to_unit = self.unit_from(frame)[: frame.ndim, : frame.ndim]
        return float(abs(np.linalg.det(to_unit)) ** (-1.0 / frame.ndim))


def signed_distance(prior: Prior, placement: Placement, frame: Frame) -> torch.Tensor:
    """The placed prior's signed distance at every voxel of a grid.

    Parameters
    ----------
    prior, placement
        The template and where it stands.
    frame : Frame
        The grid.

    Returns
    -------
    (*frame.shape) float32 tensor
        Positive inside, in the prior's units.
    """
    return prior.signed_distance(frame.coordinates(placement.unit_from(frame)))
