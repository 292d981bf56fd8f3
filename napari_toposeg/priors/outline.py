"""Where the surface of a placed template is, for drawing it before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Box, Frame, clip_box
from napari_toposeg.priors.prior import Placement, Prior, signed_distance

_AROUND = 2.0


@dataclass(frozen=True, eq=False)
class Outline:
    """The placed template on the voxels around it.

    Attributes
    ----------
    box : Box
        The part of the grid that the template and two voxels around it take up; may be empty.
    distance : (*box) float32
        Signed distance to its surface there, in voxels; positive inside.
    """

    box: Box
    distance: NDArray[np.float32]


def outline(prior: Prior, placement: Placement, frame: Frame) -> Outline:
    """Sample a placed template where it stands in a grid.

    Parameters
    ----------
    prior, placement
        The template and where it stands.
    frame : Frame
        The grid.
    """
    ndim = frame.ndim
    to_index = np.linalg.inv(placement.unit_from(frame))
    reach = np.abs(to_index[:ndim, :ndim]) @ np.array(prior.extent or (1.0,) * ndim) + _AROUND
    centre = to_index[:ndim, 3]
    around = tuple(
        (int(np.floor(low)), int(np.ceil(high)) + 1) for low, high in zip(centre - reach, centre + reach, strict=True)
    )
    box = clip_box(around, frame.shape)
    if any(low >= high for low, high in box):
        return Outline(box, np.zeros((0,) * ndim, np.float32))
    part = frame.crop(box)
    return Outline(box, signed_distance(prior, placement, part).numpy() * np.float32(placement.size_in(part)))
