"""What keeps a deformation from folding, and smooth."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_toposeg.deformation.jacobian import corner_determinants, laplacian


def relu_jacobian(displacement: Tensor, *, margin: float = 0.1) -> Tensor:
    """How far Jacobian determinants lie below a margin, on average.

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        In voxels of its grid.
    margin : float
        Determinants above it cost nothing.

    Returns
    -------
    () tensor
        Mean over cells, corners and batch of ``relu(margin - determinant)``. Zero gradient where nothing is below the
        margin.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 7, with three departures. Theirs is a sum (a
    1-norm) over voxels; a mean has one weight at every grid size. On 96x96 rings a weight of 1 on the sum stopped
    learning (Dice .39) and a weight of about 100 on the mean did best. Determinants are taken at every corner of
    every cell, since one-sided or central differences miss folds. And the margin is .1 where theirs is 0, since what
    only just does not fold in training folds on new images.
    """
    return torch.relu(margin - corner_determinants(_exact(displacement))).mean()


def laplacian_magnitude(displacement: Tensor) -> Tensor:
    """Mean absolute Laplacian of a deformation.

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        In voxels of its grid.

    Returns
    -------
    () tensor
        Mean over components, voxels off the border and batch. Zero for an affine deformation.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 8, as a mean where theirs is a sum, for the reason
    given in `relu_jacobian`.
    """
    return laplacian(_exact(displacement)).abs().mean()


def gradient_magnitude(displacement: Tensor) -> Tensor:
    """Mean squared gradient of a displacement: how much neighbours move apart.

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        In voxels of its grid.

    Returns
    -------
    () tensor
        Squared Frobenius norm of the displacement's gradient, by differences of neighbours, as a mean over voxels and
        batch. Zero for a shift.

    Notes
    -----
    Wyburd et al., "TEDS-Net", Eq. 2, as a mean where theirs is a sum, for the reason given in `relu_jacobian`.
    """
    exact = _exact(displacement)
    axes = range(2, exact.ndim)
    return torch.stack([exact.diff(dim=axis).square().sum(dim=1).mean() for axis in axes]).sum()


def _exact(displacement: Tensor) -> Tensor:
    # Under autocast a network answers in half precision, where a displacement of 20 voxels has steps of 1/64 or 1/8.
    return displacement.to(torch.promote_types(displacement.dtype, torch.float32))
