"""Homotopic correction: the mask with the wanted Betti numbers that is nearest to a broken one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.betti import betti_numbers
from napari_toposeg.topology.components import (
    as_bool,
    fill_cavities,
    foreground_box,
    large_components,
    largest_components,
)
from napari_toposeg.topology.connectivity import check_connectivity, touches_at_corners
from napari_toposeg.topology.distance import signed_distance
from napari_toposeg.topology.edits import Betti, Mask, local_edits, tidied
from napari_toposeg.topology.homotopy import snap

# Balls to close and open with, in voxels: each digital ball up to radius 2, then steps of about a quarter.
_RADII = (1.0, 1.42, 1.74, 2.0, 2.5, 3.2, 4.1, 5.3, 6.9, 9.0)
# Holes up to this radius are taken for pinholes where the wanted hole may be elsewhere.
_PINHOLE = 2.5
# Shares of the foreground: pieces from here on are worth joining, smaller ones are islands and dropped.
_PIECES = (0.05, 0.01)
# A correction that changes no more than this is not improved upon.
_CHEAP = 0.02


@dataclass(frozen=True, eq=False)
class Correction:
    """A corrected mask.

    Attributes
    ----------
    mask : (*grid) bool
        With the wanted Betti numbers, by construction and counted.
    changed_voxels : int
        In how many voxels it differs from the mask that was given.
    start : str
        From where it was reached, in words: "the mask as it is", "repaired in place", "repaired in place, lasting
        holes", "repaired in place, any holes", "a level set", "its deepest voxels", or "given start 1", ...
    """

    mask: Mask
    changed_voxels: int
    start: str


def correct(
    mask: NDArray[Any],
    betti: Sequence[int],
    *,
    connectivity: int | None = None,
    spacing: Sequence[float] | None = None,
    starts: Sequence[NDArray[Any]] = (),
) -> Correction | None:
    """Give a mask the wanted Betti numbers by changing as little of it as possible.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Any mask; foreground where not zero.
    betti : sequence of int
        The wanted (b0, b1) or (b0, b1, b2).
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default.
    spacing : sequence of float, optional
        Distance between voxel centres along each axis; 1 by default.
    starts : sequence of (*mask.shape) arrays
        Further masks to start from, such as a fitted template. Those with other Betti numbers are passed over.

    Returns
    -------
    Correction or None
        None where no start had the wanted Betti numbers, and where the mask is empty: fit a template to the mask, and
        pass it in `starts`.

    Raises
    ------
    ToposegError
        If the number of Betti numbers or the shape of a start does not fit the mask, or the connectivity does not exist
        in that dimension.

    Notes
    -----
    Starts with the wanted topology are made of the mask: with its islands dropped and its cavities filled, repaired
    where that helps (`local_edits`), its level sets, and its deepest voxels. Each is snapped back toward the mask by
    simple points, which keeps its topology and leaves of the repair only what the topology needs: a membrane in a
    tunnel, a bridge over a gap, a slit in a handle. The one that changes the fewest voxels wins. Islands are dropped,
    not joined; pieces of at least a twentieth of the foreground are joined where a closing joins them (of a hundredth,
    where nothing else will do).

    Homotopic growth from one seed (P.-L. Bazin, D. L. Pham, "Topology correction of segmented medical images using a
    fast marching algorithm", Comput. Methods Programs Biomed. 88, 2007) is the last resort here: it pays for each
    tunnel with a slit to the surface, where a start near the mask pays with a membrane.
    """
    broken = as_bool(mask)
    connectivity = check_connectivity(connectivity, broken.ndim)
    wanted = tuple(int(number) for number in betti)
    _check(broken, wanted, spacing, starts)
    if betti_numbers(broken, connectivity=connectivity) == wanted:
        return Correction(broken.copy(), 0, "the mask as it is")
    if not broken.any():
        return None

    widths = np.ones(broken.ndim) if spacing is None else np.asarray(spacing, float)
    radii = _radii(widths)
    given = [as_bool(start) for start in starts]
    region, missing = _region(broken, given, np.ceil(radii[-1] / widths).astype(int) + 2)
    room = np.pad(np.ones_like(broken[region]), missing)
    task = _Task(np.pad(broken[region], missing), room, wanted, connectivity, radii, widths.tolist())
    best = _search(task, [np.pad(start[region], missing) for start in given])
    if best is None:
        return None
    corrected = np.zeros_like(broken)
    corrected[region] = best.mask[room].reshape(corrected[region].shape)
    return Correction(corrected, best.changed_voxels, best.start)


def _check(mask: Mask, betti: Betti, spacing: Sequence[float] | None, starts: Sequence[NDArray[Any]]) -> None:
    if len(betti) != mask.ndim:
        raise ToposegError(
            f"A {mask.ndim}-D mask cannot have the {len(betti)} Betti numbers {betti}.",
            todo=f"Choose a prior of {mask.ndim} dimensions.",
        )
    if spacing is not None and len(spacing) != mask.ndim:
        raise ToposegError(
            f"The spacing has {len(spacing)} values and the mask {mask.ndim} axes.",
            todo="Give one value for each axis.",
        )
    for start in starts:
        if np.shape(start) != mask.shape:
            raise ToposegError(
                f"A start has the shape {np.shape(start)} and the mask {mask.shape}.",
                todo="Resample it onto the mask's grid first.",
            )


def _radii(widths: NDArray[np.float64]) -> list[float]:
    """Ascending, in the unit of the spacing; coarse axes get larger ones, to bridge a gap of some slices."""
    radii = [radius * float(widths.min()) for radius in _RADII]
    while radii[-1] < 2.2 * widths.max():
        radii.append(1.3 * radii[-1])
    return radii


def _region(
    mask: Mask, starts: Sequence[Mask], margin: NDArray[np.int64]
) -> tuple[tuple[slice, ...], list[tuple[int, int]]]:
    """The box around the mask and the starts with a margin: its part within the array, and how much of it lies beyond.

    Closings and distances need the margin also where the mask touches the border of the array.
    """
    boxes = [foreground_box(mask), *(foreground_box(start) for start in starts if start.any())]
    region, missing = [], []
    for sides, extra, size in zip(zip(*boxes, strict=True), margin.tolist(), mask.shape, strict=True):
        low, high = min(side.start for side in sides) - extra, max(side.stop for side in sides) + extra
        region.append(slice(max(low, 0), min(high, size)))
        missing.append((max(-low, 0), max(high - size, 0)))
    return tuple(region), missing


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be corrected, on the region around it.

    Attributes
    ----------
    broken : (*region) bool
        The mask.
    room : (*region) bool
        Where the array is: the margin beyond it may not be written to.
    betti : tuple of int
        The wanted Betti numbers.
    connectivity : int
        Of the foreground.
    radii, spacing : list of float
        Of the balls to close and open with; of the voxels.
    """

    broken: Mask
    room: Mask
    betti: Betti
    connectivity: int
    radii: list[float]
    spacing: list[float]

    def target(self, share: float) -> _Target:
        """The mask without its islands, the pieces below a share of the foreground, and its cavities filled."""
        size = max(1.0, share * np.count_nonzero(self.broken))
        kept = large_components(self.broken, size, at_least=self.betti[0], connectivity=self.connectivity)
        mask = fill_cavities(kept, self.betti[-1], connectivity=self.connectivity)
        return _Target(mask, signed_distance(mask, self.spacing))


@dataclass(frozen=True, eq=False)
class _Target:
    """What a start is snapped to: the mask without what is dropped in any case, and its signed distance."""

    mask: Mask
    confidence: NDArray[np.float32]


def _search(task: _Task, given: Sequence[Mask]) -> Correction | None:
    """The cheapest of the starts, or the first that is cheap, after the snap back toward the mask."""
    best: Correction | None = None
    targets = [task.target(share) for share in _PIECES]
    for target in targets:
        cheap = _cheap(task, target)
        for name, start in _edited(task, target):
            best = _cheaper(best, _snapped_back(task, target, start, name))
            if best is not None and best.changed_voxels <= cheap:
                return best
        # Smaller pieces are joined only where nothing else gave the right topology.
        if best is not None:
            break
    target = targets[0]
    cheap = _cheap(task, target)
    for name, start in _further(task, target):
        best = _cheaper(best, _snapped_back(task, target, start, name))
        if best is not None and best.changed_voxels <= cheap:
            return best
    for number, start in enumerate(given, start=1):
        best = _cheaper(best, _snapped_back(task, target, start, f"given start {number}"))
    return best


def _cheap(task: _Task, target: _Target) -> float:
    """Changed voxels that are not worth improving upon: little more than to drop the islands and fill the cavities."""
    return float(np.count_nonzero(target.mask != task.broken) + _CHEAP * np.count_nonzero(task.broken))


def _cheaper(one: Correction | None, other: Correction | None) -> Correction | None:
    if one is None or other is None:
        return one or other
    return other if other.changed_voxels < one.changed_voxels else one


def _snapped_back(task: _Task, target: _Target, start: Mask, name: str) -> Correction | None:
    """A start carried back toward the mask; None if it has not the wanted Betti numbers."""
    if betti_numbers(start, connectivity=task.connectivity) != task.betti:
        return None
    snapped = snap(start, target.confidence, connectivity=task.connectivity)
    # What a bridge passes through is no island but a piece of the object.
    met = _met(task.broken & ~target.mask, snapped, task.connectivity)
    if met.any():
        snapped = snap(snapped, signed_distance(target.mask | met, task.spacing), connectivity=task.connectivity)
    return Correction(snapped, int(np.count_nonzero(snapped != task.broken)), name)


def _met(islands: Mask, mask: Mask, connectivity: int) -> Mask:
    """The islands that a mask runs into."""
    reach = mask.ndim if touches_at_corners(connectivity) else 1
    labels, _ = ndimage.label(islands, ndimage.generate_binary_structure(mask.ndim, reach))
    numbers = np.unique(labels[mask])
    return np.isin(labels, numbers[numbers > 0])


def _edited(task: _Task, target: _Target) -> Iterator[tuple[str, Mask]]:
    """Starts made of the mask by local repair. Not all of them have the wanted Betti numbers."""
    betti, connectivity = task.betti, task.connectivity
    repair = partial(local_edits, connectivity=connectivity, spacing=task.spacing)
    if any(betti[1:]):
        # First without any hole of a pinhole's size, then with those that are wanted: what is left is the true hole.
        solid = (betti[0], *(0 for _ in betti[1:]))
        pinholes = [radius for radius in task.radii if radius <= _PINHOLE * task.radii[0]]
        filled = repair(target.mask, solid, pinholes, widest_opening=0.5 * float(target.confidence.max()))
        yield "repaired in place, lasting holes", tidied(repair(filled, betti, task.radii), betti, connectivity)
    yield "repaired in place", tidied(repair(target.mask, betti, task.radii), betti, connectivity)


def _further(task: _Task, target: _Target) -> Iterator[tuple[str, Mask]]:
    """Starts for what local repair could not mend. Not all of them have the wanted Betti numbers."""
    betti, connectivity = task.betti, task.connectivity
    for radius in task.radii:
        yield "a level set", tidied(target.confidence > radius, betti, connectivity)
        yield "a level set", tidied((target.confidence >= -radius) & task.room, betti, connectivity)
    if any(betti[1:]):
        edited = local_edits(
            target.mask, betti, task.radii, connectivity=connectivity, spacing=task.spacing, lasting=False
        )
        yield "repaired in place, any holes", tidied(edited, betti, connectivity)
    else:
        yield "its deepest voxels", _seeds(target, betti[0], connectivity)


def _seeds(target: _Target, number: int, connectivity: int) -> Mask:
    """The deepest voxel of each of the largest pieces."""
    seeds = np.zeros_like(target.mask)
    rest = target.mask
    for _ in range(number):
        piece = largest_components(rest, connectivity=connectivity)
        if piece.any():
            seeds[np.unravel_index(np.argmax(np.where(piece, target.confidence, -np.inf)), seeds.shape)] = True
            rest = rest & ~piece
    return seeds
