"""Homotopic correction: the mask with the wanted Betti numbers that is nearest to a broken one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    near = [np.pad(start[region], missing) for start in given]
    best = _search(np.pad(broken[region], missing), room, wanted, radii, widths, connectivity, near)
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


def _search(
    broken: Mask,
    room: Mask,
    betti: Betti,
    radii: list[float],
    widths: NDArray[np.float64],
    connectivity: int,
    given: Sequence[Mask],
) -> Correction | None:
    """The cheapest of the starts, or the first that is cheap, after the snap back toward the mask.

    `room` is where the array is: the margin around it may not be written to.
    """
    spacing = widths.tolist()
    foreground = int(np.count_nonzero(broken))
    best: Correction | None = None

    def consider(start: Mask, name: str, target: Mask, confidence: NDArray[np.float32]) -> None:
        nonlocal best
        if (start & ~room).any() or betti_numbers(start, connectivity=connectivity) != betti:
            return
        snapped = snap(start, confidence, connectivity=connectivity)
        met = _met(broken & ~target, snapped, connectivity)
        if met.any():
            snapped = snap(snapped, signed_distance(target | met, spacing), connectivity=connectivity)
        changed = int(np.count_nonzero(snapped != broken))
        if best is None or changed < best.changed_voxels:
            best = Correction(snapped, changed, name)

    def cheap() -> bool:
        """Whether the best costs little more than to drop the islands and fill the cavities."""
        least = int(np.count_nonzero(target != broken))
        return best is not None and best.changed_voxels <= least + _CHEAP * foreground

    # The smaller share last, so that its target never stands where the larger one will do.
    for share in _PIECES:
        kept = large_components(broken, max(1.0, share * foreground), at_least=betti[0], connectivity=connectivity)
        target = fill_cavities(kept, betti[-1], connectivity=connectivity)
        confidence = signed_distance(target, spacing)
        for name, start in _edited(target, confidence, betti, radii, spacing, connectivity):
            consider(start, name, target, confidence)
            if cheap():
                return best
        if best is not None:
            break
    for name, start in _further(target, room, confidence, betti, radii, spacing, connectivity):
        consider(start, name, target, confidence)
        if cheap():
            return best
    for number, start in enumerate(given, start=1):
        consider(start, f"given start {number}", target, confidence)
    return best


def _met(islands: Mask, mask: Mask, connectivity: int) -> Mask:
    """The islands that a mask runs into: what a bridge passes through is a piece of the object after all."""
    labels, _ = ndimage.label(
        islands, ndimage.generate_binary_structure(mask.ndim, mask.ndim if touches_at_corners(connectivity) else 1)
    )
    numbers = np.unique(labels[mask])
    return np.isin(labels, numbers[numbers > 0])


def _edited(
    target: Mask,
    confidence: NDArray[np.float32],
    betti: Betti,
    radii: list[float],
    spacing: list[float],
    connectivity: int,
) -> Iterator[tuple[str, Mask]]:
    """Starts made of the mask by local repair. Not all of them have the wanted Betti numbers."""
    if any(betti[1:]):
        # First without any hole of a pinhole's size, then with those that are wanted: what is left of a hole is the
        # true one.
        solid = (betti[0], *(0 for _ in betti[1:]))
        pinholes = [radius for radius in radii if radius <= _PINHOLE * radii[0]]
        half_wall = 0.5 * float(confidence.max())
        filled = local_edits(
            target, solid, pinholes, connectivity=connectivity, spacing=spacing, widest_opening=half_wall
        )
        lasting = local_edits(filled, betti, radii, connectivity=connectivity, spacing=spacing)
        yield "repaired in place, lasting holes", tidied(lasting, betti, connectivity)
    edited = local_edits(target, betti, radii, connectivity=connectivity, spacing=spacing)
    yield "repaired in place", tidied(edited, betti, connectivity)


def _further(
    target: Mask,
    room: Mask,
    confidence: NDArray[np.float32],
    betti: Betti,
    radii: list[float],
    spacing: list[float],
    connectivity: int,
) -> Iterator[tuple[str, Mask]]:
    """Starts for what local repair could not mend. Not all of them have the wanted Betti numbers."""
    for radius in radii:
        yield "a level set", tidied(confidence > radius, betti, connectivity)
        yield "a level set", tidied((confidence >= -radius) & room, betti, connectivity)
    if any(betti[1:]):
        edited = local_edits(target, betti, radii, connectivity=connectivity, spacing=spacing, lasting=False)
        yield "repaired in place, any holes", tidied(edited, betti, connectivity)
    else:
        yield "its deepest voxels", _seeds(target, confidence, betti[0], connectivity)


def _seeds(target: Mask, confidence: NDArray[np.float32], number: int, connectivity: int) -> Mask:
    """The deepest voxel of each of the largest pieces."""
    seeds = np.zeros_like(target)
    rest = target
    for _ in range(number):
        piece = largest_components(rest, connectivity=connectivity)
        if piece.any():
            seeds[np.unravel_index(np.argmax(np.where(piece, confidence, -np.inf)), seeds.shape)] = True
            rest = rest & ~piece
    return seeds
