"""The deformed template: soft while it is fitted, exact in sign when the mask is made."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_toposeg.deformation import sample
from napari_toposeg.frame import Frame
from napari_toposeg.priors import Placement, Prior


def distance_at(prior: Prior, placement: Placement, frame: Frame, positions: Tensor) -> Tensor:
    """(*grid) signed distance, in the prior's units, at positions (ndim, *grid) in voxels of a frame."""
    ndim = frame.ndim
    matrix = torch.from_numpy(placement.unit_from(frame)).to(positions)
    unit = torch.einsum("ij,j...->i...", matrix[:ndim, :ndim], positions)
    return prior.signed_distance(unit + matrix[:ndim, 3].reshape(ndim, *[1] * ndim))


def soft_mask(prior: Prior, placement: Placement, frame: Frame, positions: Tensor, softness: float) -> Tensor:
    """The template as a soft mask.

    Parameters
    ----------
    prior, placement
        The template and where it stands.
    frame : Frame
        The grid that the positions count in.
    positions : (ndim, *grid) tensor
        Where the template is read, in voxels of `frame`.
    softness : float
        Width of the soft boundary, in the same voxels.

    Returns
    -------
    (1, 1, *grid) tensor
        From 0 outside to 1 inside.
    """
    distance = distance_at(prior, placement, frame, positions)
    return torch.sigmoid(distance * (placement.size_in(frame) / softness))[None, None]


def warped_distance(
    prior: Prior,
    placement: Placement,
    grid: Frame,
    displacement: NDArray[np.float32],
    field: Frame,
    *,
    share: float = 1.0,
) -> NDArray[np.float32]:
    """Signed distance of the deformed template at every voxel of a grid.

    Parameters
    ----------
    prior, placement
        The template and where it stands undeformed.
    grid : Frame
        Where the answer is wanted.
    displacement : (ndim, *field.shape) float32
        In voxels of `field`; beyond it the identity.
    field : Frame
        The grid of the displacement.
    share : float
        The displacement is multiplied by this: 0 gives the undeformed template.

    Returns
    -------
    (*grid.shape) float32
        Positive inside, in voxels of the grid; its sign is exact at any resolution.
    """
    positions = grid.coordinates(grid.index_in(field))
    if share:
        beyond = torch.zeros(grid.shape, dtype=torch.bool)
        for axis, size in enumerate(field.shape):
            beyond |= (positions[axis] < 0) | (positions[axis] > size - 1)
        moved = sample(torch.from_numpy(displacement)[None], positions[None])[0].masked_fill(beyond, 0.0)
        positions = positions + share * moved
    distance: NDArray[np.float32] = distance_at(prior, placement, field, positions).numpy()
    return distance * np.float32(placement.size_in(grid))
