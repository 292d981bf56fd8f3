"""Masks with a known topology, and the same masks broken on purpose: islands, holes, tunnels, handles, cuts.

Everything follows from the seed, so that a test, a benchmark and a picture speak of the same cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_toposeg.topology import betti_numbers

Mask = NDArray[np.bool_]
Generator = np.random.Generator

BETTI = {
    "disk": (1, 0),
    "annulus": (1, 1),
    "two disks": (2, 0),
    "ball": (1, 0, 0),
    "torus": (1, 1, 0),
    "shell": (1, 0, 1),
    "two balls": (2, 0, 0),
}
DAMAGES = {
    "disk": ("islands", "holes", "handles", "cut"),
    "annulus": ("islands", "holes", "handles", "cut", "cut twice"),
    "two disks": ("islands", "holes", "handles"),
    "ball": ("islands", "holes", "tunnels", "handles", "cut"),
    "torus": ("islands", "holes", "tunnels", "handles", "cut", "cut twice"),
    "shell": ("islands", "holes", "handles", "cut"),
    "two balls": ("islands", "holes", "tunnels", "handles"),
}
SHAPES = {2: (128, 128), 3: (64, 64, 48)}


@dataclass(frozen=True, eq=False)
class Broken:
    """A case.

    Attributes
    ----------
    kind : str
        A key of `BETTI`.
    clean : (*shape) bool
        The mask before it was broken, with the Betti numbers of its kind.
    mask : (*shape) bool
        The mask after it was broken, with others.
    damages : tuple of str
        What was done to it.
    """

    kind: str
    clean: Mask
    mask: Mask
    damages: tuple[str, ...]

    @property
    def betti(self) -> tuple[int, ...]:
        return BETTI[self.kind]


def broken_mask(kind: str, seed: int, *, shape: tuple[int, ...] | None = None, damages: tuple[str, ...] = ()) -> Broken:
    """A mask of a kind, bent at random and then broken by two to four damages (or by those that are named)."""
    random = np.random.default_rng([seed, *kind.encode()])
    shape = shape or SHAPES[len(BETTI[kind])]
    for _ in range(100):
        clean = whole_mask(kind, shape, random)
        if betti_numbers(clean) != BETTI[kind]:
            continue
        available = DAMAGES[kind]
        picked = random.choice(available, random.integers(2, min(len(available), 4) + 1), replace=False)
        chosen = damages or tuple(name for name in available if name in picked)
        mask = clean
        for name in chosen:
            mask = _BREAK[name](mask, clean, random)
        if betti_numbers(mask) != BETTI[kind]:
            return Broken(kind, clean, mask, chosen)
    raise RuntimeError(f"no broken {kind} came out of seed {seed}")


def broken_map(mask: Mask) -> NDArray[np.float32]:
    """A map of probabilities as a network gives one that knows no shapes: blurred, hollow, and with an island.

    Parameters
    ----------
    mask : (*shape) bool
        What is to be found; at least 8 voxels along each axis, and not in the first four of them all.

    Returns
    -------
    (*shape) float32
        From 0 to 1. At 0.5 it has a hole (in 3-D a cavity) where the mask is thickest, and a second piece.
    """
    found: NDArray[np.float32] = ndimage.gaussian_filter(mask.astype(np.float32), 0.8)
    thickest = np.unravel_index(ndimage.distance_transform_edt(mask).argmax(), mask.shape)
    found[tuple(slice(middle - 1, middle + 1) for middle in thickest)] = 0.2
    found[(slice(1, 3),) * mask.ndim] = 0.7
    return found


def whole_mask(kind: str, shape: tuple[int, ...], random: Generator) -> Mask:
    """A shape of the kind under a smooth random deformation. Its Betti numbers are almost always those of the kind."""
    ndim = len(shape)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
    wave = np.zeros_like(grid)
    for _ in range(4):
        direction = random.normal(size=ndim)
        phase = np.tensordot(direction, grid, 1) * 2 + random.uniform(0, 2 * np.pi)
        wave += random.normal(0, 0.035, ndim).reshape(-1, *[1] * ndim) * np.sin(phase)
    grid = grid + wave + random.uniform(-0.05, 0.05, ndim).reshape(-1, *[1] * ndim)
    stretched = grid * random.uniform(0.9, 1.1, ndim).reshape(-1, *[1] * ndim)
    radius = np.sqrt((stretched**2).sum(0))
    if kind in ("disk", "ball"):
        return np.asarray(radius < random.uniform(0.5, 0.65))
    if kind in ("annulus", "shell"):
        middle, half = random.uniform(0.48, 0.56), random.uniform(0.07, 0.13)
        return np.asarray(abs(radius - middle) < half)
    if kind == "torus":
        around = np.sqrt((stretched[:2] ** 2).sum(0)) - 0.5
        return np.asarray(np.hypot(around, stretched[2]) < random.uniform(0.14, 0.22))
    aside = np.zeros(ndim)
    aside[0] = random.uniform(0.36, 0.42)
    one, two = (np.sqrt(((stretched - sign * aside.reshape(-1, *[1] * ndim)) ** 2).sum(0)) for sign in (-1, 1))
    return np.asarray((one < random.uniform(0.22, 0.3)) | (two < random.uniform(0.22, 0.3)))


def _ball(shape: tuple[int, ...], centre: NDArray[np.float64], radius: float) -> Mask:
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    return np.asarray(sum((axis - middle) ** 2 for axis, middle in zip(axes, centre, strict=True)) <= radius**2)


def _pick(where: Mask, random: Generator) -> NDArray[np.float64] | None:
    places = np.argwhere(where)
    return places[random.integers(len(places))].astype(float) if len(places) else None


def _add_islands(mask: Mask, clean: Mask, random: Generator) -> Mask:
    mask = mask.copy()
    for _ in range(random.integers(1, 6)):
        radius = random.uniform(0.0, 3.0)
        centre = _pick(ndimage.distance_transform_edt(~mask) > radius + 2, random)
        if centre is not None:
            mask |= _ball(mask.shape, centre, radius)
    return mask


def _dig_holes(mask: Mask, clean: Mask, random: Generator) -> Mask:
    mask = mask.copy()
    for _ in range(random.integers(1, 6)):
        radius = random.uniform(0.0, 2.5)
        centre = _pick(ndimage.distance_transform_edt(mask) > radius + 1, random)
        if centre is not None:
            mask &= ~_ball(mask.shape, centre, radius)
    return mask


def _drill_tunnels(mask: Mask, clean: Mask, random: Generator) -> Mask:
    mask = mask.copy()
    for _ in range(random.integers(1, 3)):
        centre = _pick(ndimage.distance_transform_edt(mask) > 3, random)
        if centre is None:
            continue
        direction = random.normal(size=mask.ndim)
        mask &= ~_rod(mask.shape, centre, direction / np.linalg.norm(direction), random.uniform(1.0, 2.5))
    return mask


def _rod(shape: tuple[int, ...], centre: NDArray[np.float64], direction: NDArray[np.float64], radius: float) -> Mask:
    away = np.indices(shape) - centre.reshape(-1, *[1] * len(shape))
    along = np.tensordot(direction, away, 1)
    return np.asarray((away**2).sum(0) - along**2 <= radius**2)


def _stick_handles(mask: Mask, clean: Mask, random: Generator) -> Mask:
    """Half a ring in the plane of the surface's normal, with both feet in the mask."""
    mask = mask.copy()
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask), 2.0)
    slope = np.stack(np.gradient(depth))
    for _ in range(random.integers(1, 3)):
        radius = random.uniform(4.0, 7.0)
        centre = _pick(
            (np.abs(depth) < 1)
            & (ndimage.distance_transform_edt(np.pad(np.ones_like(mask), 1))[(slice(1, -1),) * mask.ndim] > radius + 3),
            random,
        )
        if centre is None:
            continue
        normal = slope[(slice(None), *centre.astype(int))]
        normal = normal / max(float(np.linalg.norm(normal)), 1e-6)
        side = random.normal(size=mask.ndim)
        side -= normal * (side @ normal)
        side /= np.linalg.norm(side)
        away = np.indices(mask.shape) - centre.reshape(-1, *[1] * mask.ndim)
        up, across = np.tensordot(normal, away, 1), np.tensordot(side, away, 1)
        beside = (away**2).sum(0) - up**2 - across**2
        mask |= (np.hypot(up, across) - radius) ** 2 + beside <= random.uniform(1.0, 2.0) ** 2
    return mask


def _cut(mask: Mask, clean: Mask, random: Generator) -> Mask:
    """Part a ring, punch a shell, or part a ball in two: a gap of 2 to 6 voxels."""
    middle = np.argwhere(clean).mean(0)
    away = np.indices(mask.shape) - middle.reshape(-1, *[1] * mask.ndim)
    hollow = clean[tuple(middle.astype(int))]
    width = random.uniform(1.0, 3.0)
    direction = random.normal(size=mask.ndim)
    enclosing = mask.ndim == 3 and betti_numbers(clean)[2] > 0
    if mask.ndim == 3 and not enclosing:
        direction[2] = 0
    direction /= np.linalg.norm(direction)
    along = np.tensordot(direction, away, 1)
    if enclosing:
        return np.asarray(mask & ~((away**2).sum(0) - along**2 <= width**2) | mask & (along < 0))
    if hollow:
        return np.asarray(mask & (abs(along) > 0.6 * width))
    side = np.zeros_like(direction)
    side[:2] = -direction[1], direction[0]
    return np.asarray(mask & ~((abs(np.tensordot(side, away, 1)) <= width) & (along > 0)))


def _cut_twice(mask: Mask, clean: Mask, random: Generator) -> Mask:
    return _cut(_cut(mask, clean, random), clean, random)


_BREAK: dict[str, Callable[[Mask, Mask, Generator], Mask]] = {
    "islands": _add_islands,
    "holes": _dig_holes,
    "tunnels": _drill_tunnels,
    "handles": _stick_handles,
    "cut": _cut,
    "cut twice": _cut_twice,
}
