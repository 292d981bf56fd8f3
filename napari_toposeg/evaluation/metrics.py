"""How near a mask is to a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.topology import count_components, match_bars, signed_distance


def dice(mask: NDArray[Any], reference: NDArray[Any]) -> float:
    """Dice's overlap of two masks (*grid): 0 where they share nothing, 1 where they are the same (also both empty)."""
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    both = int(mask.sum()) + int(reference.sum())
    return 1.0 if both == 0 else 2.0 * int((mask & reference).sum()) / both


def precision(mask: NDArray[Any], reference: NDArray[Any]) -> float:
    """Share of the mask (*grid) that the reference has too: 0 where only the mask is empty, 1 where both are."""
    return _share(mask, reference)


def recall(mask: NDArray[Any], reference: NDArray[Any]) -> float:
    """Share of the reference (*grid) that the mask has too: 0 where only the reference is empty, 1 where both are."""
    return _share(reference, mask)


def volume_error(mask: NDArray[Any], reference: NDArray[Any]) -> float:
    """How much larger a mask is than its reference, as a share of the reference.

    Parameters
    ----------
    mask, reference : (*grid) bool
        On the same grid.

    Returns
    -------
    float
        -1 for an empty mask, 0 for one as large as the reference (also both empty), 1 for one twice as large; NaN where
        only the reference is empty.

    Notes
    -----
    Fu et al., "Projected pooling loss", section 3.2, name a volume error rate (VER) and its absolute value (AVER), and
    give no formula. Signs and sizes of their Table 2 are those of (V - V_ref) / V_ref.
    """
    size, expected = int(np.count_nonzero(mask)), int(np.count_nonzero(reference))
    if expected == 0:
        return 0.0 if size == 0 else float("nan")
    return (size - expected) / expected


def voxel_correlation(mask: NDArray[Any], reference: NDArray[Any]) -> float:
    """Pearson's r of two masks, voxel by voxel (also called phi, or Matthews' coefficient).

    Parameters
    ----------
    mask, reference : (*grid) bool
        On the same grid, all of it: background that both share counts.

    Returns
    -------
    float
        1 for equal masks, 0 where one of them has only one value and the other has not.

    Notes
    -----
    The "Pearson's r between predicted and ground-truth volume" of Fu et al., section 3.2, can be read in two ways. That
    each value of their Table 2 is within .02 of the root of precision times recall in its row speaks for this one: on a
    background that is much larger than the organ that root is what r comes to. The r of the organs' sizes over all
    cases is `Summary.volume_correlation`.
    """
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    both, size, expected = (int(np.count_nonzero(one)) for one in (mask & reference, mask, reference))
    total = mask.size
    # Whole numbers of any length: the product of four counts of a large volume leaves 64 bits.
    spread = size * (total - size) * expected * (total - expected)
    if spread == 0:
        return float(np.array_equal(mask, reference))
    return float((total * both - size * expected) / spread**0.5)


def component_error(mask: NDArray[Any], reference: NDArray[Any], connectivity: int | None = None) -> int:
    """By how much the number of components of a mask is wrong.

    Parameters
    ----------
    mask, reference : (*grid) bool
        On the same grid, 2-D or 3-D.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.

    Notes
    -----
    The connected component error (CCE) of Fu et al., "Projected pooling loss", section 3.2, in 3-D. They give neither a
    formula nor a connectivity: taken is the absolute difference of the numbers of components.
    """
    return abs(count_components(mask, connectivity) - count_components(reference, connectivity))


def slice_component_error(mask: NDArray[Any], reference: NDArray[Any], connectivity: int | None = None) -> float:
    """By how much the number of components of a volume's slices is wrong, on average.

    Parameters
    ----------
    mask, reference : (D, H, W) bool
        On the same grid.
    connectivity : int, optional
        Of the foreground in a slice: 8 or 4. Default 8.

    Returns
    -------
    float
        0 where both are empty.

    Notes
    -----
    The average 2-D connected component error of Fu et al., section 3.2. They leave open which slices are meant. Taken
    are those in all three directions (the three planes of their loss), so that the answer does not depend on how a
    volume lies; and of them those in which either mask has a voxel, so that it does not depend on how much background
    there is.
    """
    errors = []
    box = box_of(np.asarray(mask, bool) | np.asarray(reference, bool))
    if box is None:
        return 0.0
    for axis in range(3):
        pairs = [np.moveaxis(np.asarray(one, bool)[box_slices(box)], axis, 0) for one in (mask, reference)]
        for one, other in zip(*pairs, strict=True):
            if one.any() or other.any():
                errors.append(component_error(one, other, connectivity))
    return float(np.mean(errors))


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

    Notes
    -----
    Of the masks with their insides. That of their surfaces, which the tables of most papers have, is in
    `surface_distances`: a filled hole is as far off here as the hole is wide, and there as its wall is thick.
    """
    mask, reference = np.asarray(mask, bool), np.asarray(reference, bool)
    if not mask.any() or not reference.any():
        return 0.0 if mask.any() == reference.any() else float("inf")
    one_way = float(signed_distance(reference, spacing)[mask].min())
    other_way = float(signed_distance(mask, spacing)[reference].min())
    return max(0.0, -one_way, -other_way)


def _share(mask: NDArray[Any], other: NDArray[Any]) -> float:
    mask, other = np.asarray(mask, bool), np.asarray(other, bool)
    size = int(mask.sum())
    if size == 0:
        return 0.0 if other.any() else 1.0
    return int((mask & other).sum()) / size
