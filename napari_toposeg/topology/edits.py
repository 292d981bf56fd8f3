"""Local repair: close or cut a mask where that brings its Betti numbers nearer to the wanted ones, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_toposeg.topology.betti import betti_numbers, euler_characteristic
from napari_toposeg.topology.components import fill_cavities, largest_components
from napari_toposeg.topology.distance import signed_distance

Mask = NDArray[np.bool_]
Betti = tuple[int, ...]
Box = tuple[slice, ...]


def tidied(mask: NDArray[Any], betti: Betti, connectivity: int) -> Mask:
    """Drop all but the largest pieces and fill all but the largest cavities (in 2-D holes), as many as are wanted."""
    pieces = largest_components(mask, betti[0], connectivity=connectivity)
    return fill_cavities(pieces, betti[-1], connectivity=connectivity)


def betti_error(found: Betti, wanted: Betti) -> int:
    """Sum over the dimensions of how far two tuples of Betti numbers are apart."""
    return sum(abs(one - other) for one, other in zip(found, wanted, strict=True))


def _parts(difference: Mask) -> Iterator[tuple[Box, Mask]]:
    """The connected parts of a difference: a box with a border of one voxel, and the part in it."""
    labels, _ = ndimage.label(difference, np.ones((3,) * difference.ndim, bool))
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        wider = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        yield wider, labels[wider] == number


def _closed_near(mask: Mask, box: Box, radius: float, spacing: Sequence[float] | None) -> Mask:
    """The mask with those parts of its closing that reach into a box."""
    distance = signed_distance(mask, spacing)
    closed = mask.copy()
    for other, part in _parts((signed_distance(distance >= -radius, spacing) > radius) & ~mask):
        if all(one.start < two.stop and two.start < one.stop for one, two in zip(box, other, strict=True)):
            closed[other] |= part
    return closed


def local_edits(
    mask: Mask,
    betti: Betti,
    radii: Sequence[float],
    *,
    connectivity: int,
    spacing: Sequence[float] | None = None,
    widest_opening: float = np.inf,
    lasting: bool = True,
) -> Mask:
    """Repair a mask by parts of its closings and openings, from small radii to large ones.

    What a closing adds, and what an opening takes away, falls into parts. A part is accepted where the Betti numbers of
    the whole come nearer to the wanted ones. A tunnel, a hole or a gap is thus filled at the smallest radius that fills
    it, a handle taken off at the smallest that takes it off, and thin structures elsewhere are left in peace.

    Parameters
    ----------
    mask : (*grid) bool
        The mask to repair.
    betti : tuple of int
        The wanted Betti numbers.
    radii : sequence of float
        Of the balls to close and open with, ascending, in the unit of the spacing.
    connectivity : int
        Of the foreground.
    spacing : sequence of float, optional
        As in `signed_distance`.
    widest_opening : float
        Nothing is opened beyond this radius.
    lasting : bool
        Whether a part that makes a new hole must make one that outlasts a closing of twice the radius. The gap of a cut
        ring otherwise often gets two patches, with a pinhole between them that has the ring's Betti numbers.

    Returns
    -------
    (*grid) bool
        The repaired mask; its Betti numbers may still be wrong.
    """
    mask = mask.copy()
    found = betti_numbers(mask, connectivity=connectivity)

    def accepted(candidate: Betti, box: Box, radius: float) -> bool:
        if betti_error(candidate, betti) >= betti_error(found, betti):
            return False
        if not lasting or all(new <= old for new, old in zip(candidate[1:], found[1:], strict=True)):
            return True
        later = betti_numbers(_closed_near(mask, box, 2 * radius, spacing), connectivity=connectivity)
        return all(left >= new for left, new in zip(later[1:], candidate[1:], strict=True))

    for radius in radii:
        if found == betti:
            break
        distance = signed_distance(mask, spacing)
        differences = [(signed_distance(distance >= -radius, spacing) > radius) & ~mask]
        if radius <= widest_opening:
            differences.append(mask & ~(signed_distance(distance > radius, spacing) >= -radius))
        for difference in differences:
            for box, part in _parts(difference):
                before = mask[box].copy()
                after = before ^ part
                # An edit that changes no Betti number keeps the Euler characteristic, which is counted on its box
                # alone.
                if euler_characteristic(before, connectivity) == euler_characteristic(after, connectivity):
                    continue
                mask[box] = after
                candidate = betti_numbers(mask, connectivity=connectivity)
                if accepted(candidate, box, radius):
                    found = candidate
                else:
                    mask[box] = before
    return mask
