"""How near a mask is to a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.topology import signed_distance


def dice(mask: NDArray[Any], reference: NDArray[Any]) -> float:
    """Dice's overlap of two masks (*grid): 0 where they share nothing, 1 where they are the same (also both empty)."""
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    both = int(mask.sum()) + int(reference.sum())
    return 1.0 if both == 0 else 2.0 * int((mask & reference).sum()) / both


def betti_error(betti: Sequence[int], expected: Sequence[int]) -> int:
    """Sum over the dimensions of the absolute differences between two lists of Betti numbers."""
    return sum(abs(one - other) for one, other in zip(betti, expected, strict=True))


def hausdorff_distance(mask: NDArray[Any], reference: NDArray[Any], spacing: Sequence[float]) -> float:
    """Hausdorff distance of two masks, between voxel centres.

    Parameters
    ----------
    mask, reference : (*grid) bool
        On the same grid.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis; the answer is in its unit.

    Returns
    -------
    float
        The largest distance of a voxel of one to the nearest of the other; infinite where exactly one is empty, 0 where
        both are.
    """
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    if not mask.any() or not reference.any():
        return 0.0 if mask.any() == reference.any() else float("inf")
    one_way = float(signed_distance(reference, spacing)[mask].min())
    other_way = float(signed_distance(mask, spacing)[reference].min())
    return max(0.0, -one_way, -other_way)
