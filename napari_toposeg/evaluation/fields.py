"""How regular a displacement field is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SLAB = 2_000_000
"""Voxels whose corner determinants are held at once: 8 of 4 bytes each."""


@dataclass(frozen=True)
class FieldMetrics:
    """Where and how much a deformation folds.

    Attributes
    ----------
    folding_share : float
        Share of the grid's cells that are not proven regular (see `jacobian_map`).
    relu_jacobian : float
        Mean of ``relu(-determinant)`` over the corners of all cells.
    least_determinant : float
        The least determinant met anywhere.
    """

    folding_share: float
    relu_jacobian: float
    least_determinant: float


def evaluate_field(values: NDArray[Any]) -> FieldMetrics:
    """Measure how regular a deformation is.

    Parameters
    ----------
    values : (ndim, *grid) array
        Displacement in voxels of its grid.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 7, as a mean where theirs is a sum, so that it can be
    compared between grids, and at each corner of each cell, since differences to one side miss folds. No margin, other
    than in `losses.relu_jacobian`, which is for training.
    """
    import torch

    from napari_toposeg.deformation import corner_determinants, jacobian_map

    tested = jacobian_map(values)
    field = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]
    planes = max(1, _SLAB // int(np.prod(field.shape[3:])))
    total, corners = 0.0, 0
    for start in range(0, field.shape[2] - 1, planes):
        determinants = corner_determinants(field[:, :, start : start + planes + 1])
        total += float(torch.relu(-determinants).sum(dtype=torch.float64))
        corners += determinants.numel()
    return FieldMetrics(tested.folding / tested.least.size, total / corners, tested.least_determinant)
