"""Why a voxel is not simple, in words: what would happen to the topology if it were flipped all the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.simple_points import PLANE_SHIFT, parts_in

ALONE, TOUCHING, ENCLOSED, PARTING, NEIGHBOUR = range(5)
"""No part of the object is next to the voxel; several are; no background is; several parts of it are; or the object is
content, and another one that would lose the voxel is not."""


@njit(cache=True, nogil=True)
def classify_refused(
    labels: NDArray[np.int32], voxels: NDArray[np.int64], offsets: NDArray[np.int64], label: int, swapped: bool
) -> NDArray[np.int64]:
    """What keeps each of some voxels from flipping.

    Parameters
    ----------
    labels : (n,) int32
        A flattened label map with a border.
    voxels : (m,) int64
        Which ones; none of them may flip.
    offsets : (27,) or (9,) int64
        As `neighbour_offsets` gives them.
    label : int
        The object that is painted or erased.
    swapped : bool
        Whether the object's voxels touch by faces only.

    Returns
    -------
    (m,) int64
        `ALONE`, `TOUCHING`, `ENCLOSED`, `PARTING` or `NEIGHBOUR`.
    """
    kinds = np.empty(voxels.size, np.int64)
    for number in range(voxels.size):
        gathered = np.int64(0)
        for place in range(offsets.size):
            gathered |= np.int64((labels[voxels[number] + offsets[place]] == label) != swapped) << place
        flat = offsets.size == 9
        corners, faces = parts_in(int(gathered << PLANE_SHIFT if flat else gathered), flat)
        own, rest = (faces, corners) if swapped else (corners, faces)
        if own == 0:
            kinds[number] = ALONE
        elif own > 1:
            kinds[number] = TOUCHING
        elif rest == 0:
            kinds[number] = ENCLOSED
        elif rest > 1:
            kinds[number] = PARTING
        else:
            kinds[number] = NEIGHBOUR
    return kinds


def refusal_words(kind: int, *, erase: bool, ndim: int, betti: Sequence[int] | None = None) -> str:
    """What flipping a voxel would do: "Here two parts would touch: a hole would appear".

    Parameters
    ----------
    kind : int
        As `classify_refused` found it.
    erase : bool
        Whether the voxel was to be cleared.
    ndim : int
        Of the mask.
    betti : sequence of int, optional
        The object's Betti numbers. Which of two things happens hangs on the whole object, and is said where these
        decide it: in an object of one piece two parts that touch make a hole; in one without any hole a cut parts it.
    """
    hole = "hole" if ndim == 2 else "tunnel"
    within = "hole" if ndim == 2 else "cavity"
    if kind == NEIGHBOUR:
        return "Here another object would lose its topology"
    if erase:
        whole_parts = betti is not None and betti[1] == 0
        no_cavity = betti is not None and betti[-1] == 0
        return {
            ALONE: "This is the last voxel of a piece: it would vanish",
            TOUCHING: "Here the mask would be cut: "
            + ("a piece would break in two" if whole_parts else "a ring would open, or a piece break in two"),
            ENCLOSED: f"This lies within the mask: a {within} would appear",
            PARTING: "Here the wall would be pierced: "
            + ("a tunnel would appear" if no_cavity else "a cavity would open, or a tunnel appear"),
        }[kind]
    one_piece = betti is not None and betti[0] == 1
    no_tunnel = betti is not None and betti[1] == 0
    return {
        ALONE: "This touches no part of the mask: a new piece would appear",
        TOUCHING: "Here two parts would touch: "
        + (f"a {hole} would appear" if one_piece else f"a {hole} would appear, or two pieces become one"),
        ENCLOSED: f"This is the last voxel of a {within}: it would be filled",
        PARTING: "Here the background would be parted: "
        + ("a cavity would appear" if no_tunnel else "a tunnel would close, or a cavity appear"),
    }[kind]


def foretold_words(flipped: int, refused: int, reason: str, *, erase: bool) -> str:
    """What a stroke is going to do, before it is done: "Paints 12 of 30 voxels. Here two parts would touch: ...".

    Parameters
    ----------
    flipped, refused : int
        How many voxels would change, and how many ought to and would not.
    reason : str
        Why most of these would not.
    erase : bool
        Whether the voxels are to be cleared.

    Returns
    -------
    str
        Sentences.
    """
    verb = "Erases" if erase else "Paints"
    if not flipped and not refused:
        return "There is no mask to erase here." if erase else "All of this is in the mask."
    if not refused:
        return f"{verb} here."
    if not flipped:
        return f"{verb} nothing here. {reason}."
    return f"{verb} {flipped} of {flipped + refused} voxels here. {reason}."
