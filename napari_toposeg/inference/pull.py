"""How prompts pull at a deformation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_toposeg.deformation import sample
from napari_toposeg.frame import Frame
from napari_toposeg.inference.prompts import Prompt
from napari_toposeg.inference.warping import distance_at
from napari_toposeg.priors import Placement, Prior
from napari_toposeg.topology import signed_distance

MARGIN = 0.5
"""By how much the points of a ball have to be on their side of the boundary, in voxels of the working grid."""

LEAST_RADIUS = 1.0
"""Of a ball, in voxels of the working grid: also a prompt that is satisfied already holds so much."""

REACH = 1.0
"""Radius of a ball, as a share of the prompt's distance from the boundary that it is to move. A person clicks into the
middle of an error: the true boundary lies about as far beyond."""

WIDEST = 0.5
"""Greatest radius of a ball, as a share of the template's mean half-size."""

INFLUENCE = 0.8
"""Standard deviation of the Gaussian in which a prompt moves the deformation, as a share of its ball's radius."""


@dataclass(frozen=True, eq=False)
class Pull:
    """What prompts demand of a deformation, on one working grid: that a ball round each lies on the right side.

    Attributes
    ----------
    positions : (ndim, P, *1) tensor
        Points of the balls, in voxels of the grid.
    signs : (P,) tensor
        1 where a point has to be inside, -1 outside.
    scales : (P,) tensor
        By what a point's lack is divided, in voxels of the grid: the radius of its ball.
    prompts : int
        How many balls.
    wrong : bool
        Whether any of the prompts lies on the wrong side of the boundary.
    influence : (1, 1, *grid) tensor
        From 0 to 1: how freely the prompts may move the deformation there. A Gaussian round each.
    """

    positions: Tensor
    signs: Tensor
    scales: Tensor
    prompts: int
    wrong: bool
    influence: Tensor

    def lack(self, prior: Prior, placement: Placement, frame: Frame, displacement: Tensor) -> Tensor:
        """How far a displacement (1, ndim, *grid) is from doing what is asked: () tensor, 0 where it does it all.

        The sum over the prompts of the mean over the ball of ``relu(margin - s) / radius``, with s the template's
        signed distance at the deformed point, positive on the right side.
        """
        moved = self.positions + sample(displacement, self.positions[None])[0]
        distance = distance_at(prior, placement, frame, moved).flatten() * placement.size_in(frame)
        lacking = torch.relu(MARGIN - self.signs * distance) / self.scales
        return lacking.mean() * self.prompts


def make_pull(
    prompts: Sequence[Prompt],
    volume_frame: Frame,
    prior: Prior,
    placement: Placement,
    frame: Frame,
    displacement: Tensor,
) -> Pull:
    """What prompts demand of a deformation that is there already.

    Parameters
    ----------
    prompts : sequence of Prompt
        At least one.
    volume_frame : Frame
        The grid that they count in.
    prior, placement
        The template and where it stands.
    frame : Frame
        The working grid.
    displacement : (1, ndim, *frame.shape) tensor
        What is to be changed: how far a prompt lies from its boundary says how large its ball is.
    """
    ndim, device = frame.ndim, displacement.device
    distance = distance_at(prior, placement, frame, frame.coordinates(device=device) + displacement[0])
    # By the mask's own distance, in mm: the template's is stretched as its deformation is.
    boundary = signed_distance((distance > 0).cpu().numpy(), tuple(frame.spacing))
    voxel = float(frame.spacing.min())
    widest = WIDEST * placement.size_in(frame) * float(np.prod(frame.spacing)) ** (1.0 / ndim)
    to_frame = volume_frame.index_in(frame)
    ball = _ball(ndim)
    positions, signs, scales = [], [], []
    farthest = 0.0
    influence = torch.zeros(frame.shape, device=device)
    grid = frame.coordinates(device=device)
    spacing = torch.from_numpy(frame.spacing).to(grid).reshape(ndim, *[1] * ndim)
    for prompt in prompts:
        centre = to_frame[:ndim, :ndim] @ np.array(prompt.point) + to_frame[:ndim, 3]
        nearest = tuple(np.clip(np.round(centre).astype(int), 0, np.array(frame.shape) - 1))
        sign = 1.0 if prompt.include else -1.0
        wrong = max(-sign * float(boundary[nearest]), 0.0)
        farthest = max(farthest, wrong)
        radius = float(np.clip(REACH * wrong, LEAST_RADIUS * voxel, max(widest, LEAST_RADIUS * voxel)))
        positions.append(centre + radius * ball / frame.spacing)
        signs.append(np.full(len(ball), sign))
        scales.append(np.full(len(ball), radius / voxel))
        apart = (grid - torch.from_numpy(centre).to(grid).reshape(ndim, *[1] * ndim)) * spacing
        width = INFLUENCE * radius
        influence = torch.maximum(influence, torch.exp(-0.5 * apart.square().sum(dim=0) / width**2))
    at = torch.from_numpy(np.concatenate(positions).T.copy()).float().to(device)
    return Pull(
        at.reshape(ndim, -1, *[1] * (ndim - 1)),
        torch.from_numpy(np.concatenate(signs)).float().to(device),
        torch.from_numpy(np.concatenate(scales)).float().to(device),
        len(prompts),
        farthest > 0,
        influence[None, None],
    )


def _ball(ndim: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(P, ndim) points of the unit ball, half of its radius apart."""
    lattice = np.indices((5,) * ndim).reshape(ndim, -1).T / 2.0 - 1.0
    return np.asarray(lattice[np.linalg.norm(lattice, axis=1) <= 1.0])
