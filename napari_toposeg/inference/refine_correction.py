"""Where the loss does not do it: homotopic correction that keeps what the map is surest of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.topology import barcode, correct, path_snap

MARGIN = 0.01
"""How far beyond 0.5 a voxel is put whose side the correction changed: it survives a file of 8 bits, and a threshold
with >= as well as with >."""

# Down to what a mask is thinned before it grows back: the voxels that the map is sure of.
_CORE = 0.9

# So many other levels are tried where the mask at 0.5 is beyond repair: each costs a correction.
_LEVELS = 6

Mask = NDArray[np.bool_]


def corrected_mask(
    p: NDArray[np.float32],
    betti: Sequence[int],
    *,
    also: Sequence[Mask] = (),
    connectivity: int | None = None,
    spacing: Sequence[float] | None = None,
) -> Mask | None:
    """The mask with these Betti numbers for which a map has to change least.

    Parameters
    ----------
    p : (*grid) float32
        Probabilities.
    betti : sequence of int
        What is wanted.
    also : sequence of (*grid) bool
        Masks to start from besides that of the map at 0.5: what a loss has made of it.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default.
    spacing : sequence of float, optional
        Distance between voxel centres along each axis; 1 by default.

    Returns
    -------
    (*grid) bool, or None where none was found.

    Notes
    -----
    `correct` knows a mask's shape only, and cuts and bridges where that is thinnest. So what it gives is thinned to
    what the map is sure of and grown back to its 0.5 level, surest voxels first, by simple points only: cuts and
    bridges come to lie where the map is least sure. Of all masks found, that one is taken to which the map comes with
    the least squared change: the first term of Eq. 5 of Clough et al., for a map that goes just to 0.5.
    """
    best: Mask | None = None
    least = np.inf
    for mask in _candidates(p, betti, also, connectivity, spacing):
        cost = float(np.square(p[mask != (p > 0.5)] - np.float32(0.5)).sum(dtype=np.float64))
        if cost < least:
            best, least = mask, cost
    return best


def _candidates(
    p: NDArray[np.float32],
    betti: Sequence[int],
    also: Sequence[Mask],
    connectivity: int | None,
    spacing: Sequence[float] | None,
) -> Iterator[Mask]:
    found = False
    for start in (p > 0.5, *also):
        correction = correct(start, betti, connectivity=connectivity, spacing=spacing)
        if correction is not None:
            found = True
            yield correction.mask
            yield path_snap(correction.mask, (p - _CORE, p - 0.5), connectivity=connectivity)
    if not found:
        for level in _levels(p, betti, connectivity):
            correction = correct(p >= level, betti, connectivity=connectivity, spacing=spacing)
            if correction is not None:
                yield path_snap(correction.mask, (p - 0.5,), connectivity=connectivity)


def _levels(p: NDArray[np.float32], betti: Sequence[int], connectivity: int | None) -> list[float]:
    """Levels other than 0.5 at which the map has what is wanted, among other things: where its bars begin."""
    bars = barcode(p, connectivity=connectivity)
    levels: list[float] = []
    for dimension, number in enumerate(betti):
        births = bars.of_dimension(dimension).birth[:number]
        levels += [float(birth) for birth in births if birth > 0]
    return sorted(set(levels), reverse=True)[:_LEVELS]


def across_the_threshold(p: NDArray[np.float32], mask: Mask) -> NDArray[np.float32]:
    """The map that is above 0.5 where a mask is, and nowhere else, with the least change of it."""
    changed = mask != (p > 0.5)
    side = np.where(mask, np.float32(0.5 + MARGIN), np.float32(0.5 - MARGIN))
    return np.where(changed, side, p)
