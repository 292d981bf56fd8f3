"""Several objects in one label map: each voxel has one owner, and each object keeps its topology where that can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box
from napari_toposeg.topology import betti_numbers, snap

_LEAST = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Resolved:
    """Objects that do not overlap.

    Attributes
    ----------
    labels : (*grid) int
        1 for the first object, and so on; 0 for none.
    kept : tuple of bool
        Which objects have the Betti numbers that they should have.
    contested_voxels : int
        How many were claimed by more than one object.
    """

    labels: NDArray[np.int32]
    kept: tuple[bool, ...]
    contested_voxels: int

    @property
    def broken(self) -> tuple[int, ...]:
        """Labels of the objects whose topology is not what it should be."""
        return tuple(number for number, kept in enumerate(self.kept, start=1) if not kept)


def resolve_overlaps(
    masks: NDArray[np.bool_],
    sureness: NDArray[np.float32],
    betti: Sequence[tuple[int, ...]],
    *,
    keep_topology: bool = True,
) -> Resolved:
    """Give every voxel one owner.

    Parameters
    ----------
    masks : (q, *grid) bool
        The objects, which may overlap.
    sureness : (q, *grid) float32
        Signed confidence of each object, alike for all: a signed distance, or a logit. What is contested goes to the
        surer one, of equally sure ones to the first.
    betti : sequence of tuple of int
        What each object should have.
    keep_topology : bool
        Whether voxels are given up by simple points where possible; else sureness alone decides.

    Returns
    -------
    Resolved
        No object gains a voxel, and none loses one that nobody else claims.

    Notes
    -----
    The less sure object gives up what is contested by flipping simple points only, so that its topology cannot change.
    Where it cannot give up all (it reaches through the other one, or lies around it), the surer one tries, and is left
    as it was unless that settles the place. What neither can give up is decided by sureness, and breaks an object. The
    paper (Zhang and Lui, "Topology-Preserving Segmentation Network", Sec. III-B, several objects) does not say what
    becomes of overlaps; this is ours. Counted with foreground 8 or 26.
    """
    held = np.array(masks, bool)
    claimed_twice = held.sum(axis=0) > 1
    box = box_of(claimed_twice)
    if box is not None:
        # A border of one voxel holds all neighbours of those that may flip.
        near = (slice(None), *box_slices(clip_box(grow_box(box, [1] * claimed_twice.ndim), claimed_twice.shape)))
        held[near] = _parted(held[near], np.asarray(sureness)[near], keep_topology=keep_topology)
    labels = np.zeros(held.shape[1:], np.int32)
    for number, mask in enumerate(held, start=1):
        labels[mask] = number
    kept = tuple(betti_numbers(mask) == tuple(wanted) for mask, wanted in zip(held, betti, strict=True))
    return Resolved(labels, kept, int(np.count_nonzero(claimed_twice)))


def _parted(held: NDArray[np.bool_], sureness: NDArray[np.float32], *, keep_topology: bool) -> NDArray[np.bool_]:
    """(q, *grid) the objects without what they have to give up."""
    while keep_topology:
        for number in range(len(held)):
            held[number] = _without(held[number], _beaten(held, sureness)[number], sureness, number)
        if not _settle_by_the_surer(held, sureness):
            break
    return held & ~_beaten(held, sureness)


def _beaten(held: NDArray[np.bool_], sureness: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(q, *grid) where an object holds a voxel that a surer one holds as well."""
    surest = np.where(held, sureness, -np.inf).argmax(axis=0)
    numbers = np.arange(len(held)).reshape(-1, *[1] * (held.ndim - 1))
    return np.asarray(held & (numbers != surest))


def _without(
    mask: NDArray[np.bool_], unwanted: NDArray[np.bool_], sureness: NDArray[np.float32], number: int
) -> NDArray[np.bool_]:
    """An object without as many unwanted voxels as simple points allow, those first of which another is surest."""
    if not unwanted.any():
        return mask
    others = np.delete(sureness, number, axis=0).max(axis=0)
    return snap(mask, -np.maximum(others - sureness[number], _LEAST), allowed=unwanted)


def _settle_by_the_surer(held: NDArray[np.bool_], sureness: NDArray[np.float32]) -> bool:
    """Where the less sure objects could not give way, the others try; whether that settled a place, in place."""
    left = held.sum(axis=0) > 1
    places, count = ndimage.label(left, np.ones((3,) * left.ndim))
    settled = False
    for place in range(1, count + 1):
        here = places == place
        for number in range(len(held)):
            if not (held[number] & here).any():
                continue
            tried = _without(held[number], held[number] & here, sureness, number)
            others = held.sum(axis=0) - held[number]
            if not (here & (others + tried > 1)).any():
                held[number] = tried
                settled = True
                break
    return settled
