"""How near a mask is to a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.topology import match_bars, signed_distance


def dice(mask: NDArray[Any], reference: NDArray[Any]) -> float:
    """Dice's overlap of two masks (*grid): 0 where they share nothing, 1 where they are the same (also both empty)."""
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    both = int(mask.sum()) + int(reference.sum())
    return 1.0 if both == 0 else 2.0 * int((mask & reference).sum()) / both


def betti_error(betti: Sequence[int], expected: Sequence[int]) -> int:
    """Sum over the dimensions of the absolute differences between two lists of Betti numbers."""
    return sum(abs(one - other) for one, other in zip(betti, expected, strict=True))


def betti_matching_error(mask: NDArray[Any], reference: NDArray[Any], connectivity: int | None = None) -> int:
    """The number of features of two masks that the other does not have at the same place.

    Where `betti_error` counts a ring and a ring elsewhere as no error, this counts two.

    Parameters
    ----------
    mask, reference : (*grid) bool
        On the same grid, 2-D or 3-D.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.

    Returns
    -------
    int
        Components, loops and cavities without a partner, of both masks together.

    Notes
    -----
    Stucki et al., "Topologically faithful image segmentation via induced matching of persistence barcodes", ICML 2023.
    Theirs always counts one component of each mask as matched, in an empty mask too, which has none; here the first
    component of a mask that is compared with an empty one is an error.
    """
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    found = np.argwhere(mask | reference) if mask.shape == reference.shape else np.zeros((0, 0))
    if len(found):
        # Where neither mask is, no feature begins or ends.
        box = tuple(slice(low, high + 1) for low, high in zip(found.min(0), found.max(0), strict=True))
        mask, reference = mask[box], reference[box]
    matching = match_bars(mask, reference, connectivity=connectivity)
    lone = len(matching.unmatched_prediction) + len(matching.unmatched_reference)
    return lone + int((matching.matched_prediction.length != matching.matched_reference.length).sum())


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
