"""Local repair: close or cut a mask where that brings its Betti numbers nearer to the wanted ones, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_toposeg.topology.betti import betti_numbers, euler_changes
from napari_toposeg.topology.components import fill_cavities, largest_components
from napari_toposeg.topology.distance import signed_distance

Mask = NDArray[np.bool_]
Betti = tuple[int, ...]
Box = tuple[slice, ...]

# Parts are tried one by one up to this number, and in about this number of groups where there are more: a mask that is
# noise all through has thousands, each of which costs a count of the whole.
_COUNTS = 48


def tidied(mask: NDArray[Any], betti: Betti, connectivity: int) -> Mask:
    """Drop all but the largest pieces and fill all but the largest cavities (in 2-D holes), as many as are wanted."""
    pieces = largest_components(mask, betti[0], connectivity=connectivity)
    return fill_cavities(pieces, betti[-1], connectivity=connectivity)


def betti_error(found: Betti, wanted: Betti) -> int:
    """Sum over the dimensions of how far two tuples of Betti numbers are apart."""
    return sum(abs(one - other) for one, other in zip(found, wanted, strict=True))


def _labelled(difference: Mask) -> tuple[NDArray[np.int32], int]:
    labels, count = ndimage.label(difference, np.ones((3,) * difference.ndim, bool))
    return labels, count


def _closed_near(mask: Mask, box: Box, radius: float, spacing: Sequence[float] | None) -> Mask:
    """The mask with those parts of its closing that reach into a box, as far as they are near it."""
    widths = np.ones(mask.ndim) if spacing is None else np.asarray(spacing)
    reach = np.ceil(2 * radius / widths).astype(int) + 2
    near = tuple(slice(max(side.start - extra, 0), side.stop + extra) for side, extra in zip(box, reach, strict=True))
    distance = signed_distance(mask[near], spacing)
    labels, _ = _labelled((signed_distance(distance >= -radius, spacing) > radius) & ~mask[near])
    inner = tuple(slice(side.start - wide.start, side.stop - wide.start) for side, wide in zip(box, near, strict=True))
    numbers = np.unique(labels[inner])
    closed = mask.copy()
    closed[near] |= np.isin(labels, numbers[numbers > 0])
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
            labels, count = _labelled(difference)
            # An edit that changes no Betti number keeps the Euler characteristic: few of the parts are left.
            numbers = np.flatnonzero(euler_changes(mask, labels, count, connectivity)).tolist()
            boxes = ndimage.find_objects(labels)
            together = 1 + len(numbers) // _COUNTS
            for first in range(0, len(numbers), together):
                group = numbers[first : first + together]
                box = _around([boxes[number - 1] for number in group])
                part = np.isin(labels[box], group)
                mask[box] ^= part
                candidate = betti_numbers(mask, connectivity=connectivity)
                if accepted(candidate, box, radius):
                    found = candidate
                else:
                    mask[box] ^= part
    return mask


def _around(boxes: Sequence[Box]) -> Box:
    """The box around some boxes, one voxel wider where there is room."""
    return tuple(
        slice(max(min(side.start for side in sides) - 1, 0), max(side.stop for side in sides) + 1)
        for sides in zip(*boxes, strict=True)
    )
