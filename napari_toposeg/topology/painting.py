"""Painting that cannot break the topology: a stroke flips simple points only, and says where it was refused and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.connectivity import check_connectivity, touches_at_corners
from napari_toposeg.topology.refusals import classify_refused, foretold_words, refusal_words
from napari_toposeg.topology.simple_points import PLANE_SHIFT, neighbour_offsets, simple_in

_WANTED, _QUEUED = 1, 2


@dataclass(frozen=True, eq=False)
class Footprint:
    """The voxels that a stroke covers.

    Attributes
    ----------
    box : tuple of slice
        The part of the grid around them.
    inside : (*box) bool
        Which of its voxels they are.
    """

    box: tuple[slice, ...]
    inside: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Painted:
    """What came of a stroke.

    Attributes
    ----------
    box : tuple of slice
        The part of the grid that was looked at.
    after : (*box) array
        What that part is now, of the mask's own type.
    flipped, refused : (*box) bool
        Which voxels changed, and which ought to have.
    reasons : mapping of str to int
        Why, in words, and for how many voxels; the most frequent one first.
    """

    box: tuple[slice, ...]
    after: NDArray[Any]
    flipped: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    reasons: Mapping[str, int]

    @property
    def reason(self) -> str:
        """Why most of what was refused was refused; empty where nothing was."""
        return next(iter(self.reasons), "")

    def foretold(self, *, erase: bool) -> str:
        """What the stroke would do, for whoever has not painted it yet: "Paints here."."""
        return foretold_words(int(self.flipped.sum()), int(self.refused.sum()), self.reason, erase=erase)


def stroke_footprint(
    points: ArrayLike,
    radius: float,
    shape: Sequence[int],
    spacing: Sequence[float] | None = None,
    *,
    plane: Sequence[int] | None = None,
) -> Footprint:
    """The voxels under a round brush that is drawn along a line.

    Parameters
    ----------
    points : (n, ndim) array
        Corners of the line, in voxels of the grid, not necessarily whole; one point for a dab.
    radius : float
        In the unit of the spacing: voxels whose centres lie so near to the line are covered, and at any radius those
        that the line passes through.
    shape : sequence of int
        Of the grid.
    spacing : sequence of float, optional
        Voxel size by axis; 1 by default.
    plane : sequence of int, optional
        The two axes in which the brush is a disk; it covers one slice, that of the first point. Default: a ball.

    Raises
    ------
    ToposegError
        If the points are not finite or have another number of coordinates than the grid, or the radius is negative.
    """
    shape = tuple(shape)
    places = np.atleast_2d(np.asarray(points, float))
    if places.ndim != 2 or places.shape[1] != len(shape) or not np.isfinite(places).all():
        raise ToposegError(
            f"A stroke of shape {places.shape} cannot be drawn on a grid of {len(shape)} axes.",
            todo="Give finite points with one coordinate for each axis.",
        )
    if not radius >= 0:
        raise ToposegError(f"The brush has a radius of {radius:g}.", todo="Give one that is not negative.")
    widths = np.ones(len(shape)) if spacing is None else np.asarray(spacing, float)
    flat = [] if plane is None else [axis for axis in range(len(shape)) if axis not in plane]
    places[:, flat] = np.floor(places[0, flat] + 0.5)
    reach = np.array([0.0 if axis in flat else radius / width for axis, width in enumerate(widths)])
    low = np.clip(np.floor(places.min(axis=0) - reach), 0, shape).astype(int)
    high = np.clip(np.ceil(places.max(axis=0) + reach) + 1, low, shape).astype(int)
    inside = np.zeros(high - low, bool)
    centres = np.ogrid[tuple(slice(start, end) for start, end in zip(low, high, strict=True))]
    for begin, end in zip(places, places[1:] if len(places) > 1 else places, strict=False):
        way = (end - begin) * widths
        apart = [(axis - start) * width for axis, start, width in zip(centres, begin, widths, strict=True)]
        length = float(way @ way)
        along: Any = 0.0
        if length > 0:
            along = np.clip(sum(away * step for away, step in zip(apart, way, strict=True)) / length, 0.0, 1.0)
        distance = sum((away - along * step) ** 2 for away, step in zip(apart, way, strict=True))
        inside |= np.asarray(distance) <= radius**2
        passed = begin + np.linspace(0.0, 1.0, 2 * int(np.abs(end - begin).max()) + 2)[:, None] * (end - begin)
        passed = np.floor(passed + 0.5).astype(int) - low
        passed = passed[((passed >= 0) & (passed < inside.shape)).all(axis=1)]
        inside[tuple(passed.T)] = True
    return Footprint(tuple(slice(int(start), int(end)) for start, end in zip(low, high, strict=True)), inside)


@njit(cache=True, nogil=True)
def _neighbourhood(labels: NDArray[np.int32], voxel: int, offsets: NDArray[np.int64], label: int, swapped: bool) -> int:
    """The neighbours that carry a label, or with `swapped` those that do not, as bits: see `simple_in`."""
    gathered = np.int64(0)
    for number in range(offsets.size):
        gathered |= np.int64((labels[voxel + offsets[number]] == label) != swapped) << number
    return int(gathered << PLANE_SHIFT if offsets.size == 9 else gathered)


@njit(cache=True, nogil=True)
def _may_flip(
    labels: NDArray[np.int32], voxel: int, offsets: NDArray[np.int64], label: int, erase: bool, swapped: bool
) -> bool:
    if not simple_in(_neighbourhood(labels, voxel, offsets, label, swapped)):
        return False
    other = labels[voxel]
    # What another object gives up has to be simple there, too.
    return erase or other == 0 or simple_in(_neighbourhood(labels, voxel, offsets, other, swapped))


@njit(cache=True, nogil=True)
def _spread(
    labels: NDArray[np.int32],
    state: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    label: int,
    erase: bool,
    swapped: bool,
) -> None:
    """Flip wanted voxels in place, those next to the object first, until none of them can be; leave the rest wanted.

    A queue, first in, first out: a wave that starts at the object's boundary. Where two waves meet they have come
    equally far, and that is where the seam between them stays.
    """
    queue = np.empty(state.size + 1, np.int64)
    head, tail = 0, 0
    reach = offsets[offsets.size - 1]
    for voxel in range(reach, state.size - reach):
        if state[voxel] & _WANTED and _may_flip(labels, voxel, offsets, label, erase, swapped):
            state[voxel] |= _QUEUED
            queue[tail] = voxel
            tail += 1
    while head != tail:
        voxel = int(queue[head])
        head = (head + 1) % queue.size
        state[voxel] &= ~np.uint8(_QUEUED)
        if not _may_flip(labels, voxel, offsets, label, erase, swapped):
            continue
        labels[voxel] = 0 if erase else label
        state[voxel] = 0
        for offset in offsets:
            neighbour = voxel + offset
            if state[neighbour] & (_WANTED | _QUEUED) == _WANTED:
                state[neighbour] |= _QUEUED
                queue[tail] = neighbour
                tail = (tail + 1) % queue.size


def paint(
    mask: NDArray[Any],
    footprint: Footprint,
    *,
    label: int = 1,
    erase: bool = False,
    locked: bool = True,
    connectivity: int | None = None,
    betti: Sequence[int] | None = None,
) -> Painted:
    """Paint or erase under a stroke; nothing is written into the mask.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        A mask (bool), or a label map (integers, none negative) in which each label is an object of its own.
    footprint : Footprint
        What the stroke covers.
    label : int
        Which object is painted or erased; 1 in a mask.
    erase : bool
        Whether its voxels are cleared; else all that is covered becomes its own, also what is another object's.
    locked : bool
        Whether only simple points flip. Else all that is covered does.
    connectivity : int, optional
        Of each object: 8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default.
    betti : sequence of int, optional
        The object's Betti numbers, where they are known: what is refused can then be said more precisely.

    Returns
    -------
    Painted
        Write ``mask[painted.box] = painted.after``. Locked, each object is homotopy equivalent to what it was, and
        nothing that was refused could flip alone. What lies outside of the array counts as background.

    Raises
    ------
    ToposegError
        If the footprint does not lie on the mask, or the connectivity does not exist in that dimension.

    Notes
    -----
    Homotopic thickening and thinning by simple points (G. Bertrand and G. Malandain, "A new characterization of
    three-dimensional simple points", Pattern Recognition Letters 15, 1994), as a wave from the object's boundary.
    The result is as large as single flips lead, not the largest that there is: a stroke that moves a hole as a whole,
    which fills it on one side and opens it on another, keeps the Betti numbers when it is not locked, and is refused
    when it is. Where a locked stroke refuses nothing it equals the one that is not locked.
    """
    connectivity = check_connectivity(connectivity, mask.ndim)
    box = footprint.box
    if len(box) != mask.ndim or any(
        side.start < 0 or side.stop > size for side, size in zip(box, mask.shape, strict=True)
    ):
        raise ToposegError("The stroke lies on another grid than the mask.", todo="Draw it on the mask's own grid.")
    before = mask[box]
    wanted = footprint.inside & ((before == label) if erase else (before != label))
    after = before.copy()
    if not locked or not wanted.any():
        after[wanted] = 0 if erase else label
        return Painted(box, after, wanted, np.zeros_like(wanted), {})
    inside = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
    beyond = [(int(side.start == 0), int(side.stop == size)) for side, size in zip(box, mask.shape, strict=True)]
    labels = np.ascontiguousarray(np.pad(mask[inside].astype(np.int32), beyond))
    state = np.ascontiguousarray(np.pad(wanted.view(np.uint8), 1))
    offsets = neighbour_offsets(labels.shape)
    # A point is (6, 26)-simple where it is (26, 6)-simple in the complement: the two roles are symmetric.
    swapped = not touches_at_corners(connectivity)
    _spread(labels.ravel(), state.ravel(), offsets, label, erase, swapped)
    inner = (slice(1, -1),) * mask.ndim
    refused = state[inner] != 0
    flipped = wanted & ~refused
    after[flipped] = 0 if erase else label
    reasons: dict[str, int] = {}
    if refused.any():
        kinds = classify_refused(labels.ravel(), np.flatnonzero(state.ravel()), offsets, label, swapped)
        counts = np.bincount(kinds)
        for kind in np.argsort(-counts, kind="stable"):
            if counts[kind]:
                words = refusal_words(int(kind), erase=erase, ndim=mask.ndim, betti=betti)
                reasons[words] = reasons.get(words, 0) + int(counts[kind])
    return Painted(box, after, flipped, refused, reasons)
