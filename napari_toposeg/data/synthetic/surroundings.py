"""What stands around an object and within it: tissues, distractors that touch it, layers, the contents of its pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.data.synthetic.anatomy import Anatomy
from napari_toposeg.data.synthetic.flow import identity_points
from napari_toposeg.data.synthetic.random_fields import Floats, Generator, Mask, smooth_noise, smooth_noises
from napari_toposeg.data.synthetic.settings import SyntheticSettings

OBJECT, CAVITY, FILLING, CONTINUED, FIRST_TISSUE = 1, 2, 3, 4, 5
"""Numbers of the parts: the object, what it encloses, what floats in there, what goes on beyond its ends, the rest."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Everything but the object.

    Attributes
    ----------
    parts : (*shape) uint8
        The part at each voxel, behind the object too.
    count : int
        One more than the greatest number of a part.
    lookalikes : tuple of int
        Parts that are about as bright as the object.
    """

    parts: NDArray[np.uint8]
    count: int
    lookalikes: tuple[int, ...]


def border_of(anatomy: Anatomy) -> Mask:
    """(*shape) bool: the voxels outside of the object that lie at its surface."""
    return np.asarray((anatomy.depth > -1.6) & ~anatomy.label)


def draw_surroundings(anatomy: Anatomy, settings: SyntheticSettings, random: Generator) -> Surroundings:
    """Draw what surrounds an object.

    Parameters
    ----------
    anatomy : Anatomy
        The object.
    settings : SyntheticSettings
    random : Generator

    Returns
    -------
    Surroundings
    """
    shape = anatomy.label.shape
    parts, count = _draw_tissues(shape, settings, random)
    lookalikes = []
    bent = _bent_points(shape, random)
    outer = np.flatnonzero(border_of(anatomy) & ~anatomy.hollow)
    for _ in range(random.integers(settings.distractors[0], settings.distractors[1], endpoint=True)):
        place, normal = _draw_place(anatomy, outer, settings, random)
        kind = _KINDS[random.choice(len(_KINDS), p=_CHANCES)]
        masks = kind(bent, place, normal, random)
        if random.uniform() < settings.lookalike:
            lookalikes.append(count)
        for mask in masks:
            parts[mask.reshape(shape)] = count
            count += 1
    if random.uniform() < settings.rim:
        thickness = random.uniform(*settings.rim_thickness)
        uneven = 0.6 + 0.6 * smooth_noise(shape, max(shape) * random.uniform(0.2, 0.6), random)
        parts[anatomy.depth > -thickness * np.clip(uneven, 0.0, 1.5)] = count
        count += 1
    parts[anatomy.continued] = CONTINUED
    if anatomy.hollow.any():
        parts[anatomy.hollow] = CAVITY
        if random.uniform() < settings.core:
            blobs = smooth_noise(shape, max(shape) * random.uniform(0.06, 0.14), random) > random.uniform(0.7, 1.5)
            parts[anatomy.hollow & blobs] = FILLING
            if random.uniform() < 0.5:
                lookalikes.append(FILLING)
    return Surroundings(parts, count, tuple(lookalikes))


def _draw_tissues(
    shape: tuple[int, ...], settings: SyntheticSettings, random: Generator
) -> tuple[NDArray[np.uint8], int]:
    """A map of random regions, and one more than the greatest number in it.

    Each tissue has a score, and the highest one wins. Smooth noise as the score gives rounded regions; one linear in
    the place (2 s.x - |s|**2 for a seed s) gives Voronoi's; in between lies the rest.
    """
    number = int(random.integers(settings.regions[0], settings.regions[1], endpoint=True))
    parts = np.full(shape, FIRST_TISSUE, np.uint8)
    if number == 1:
        return parts, FIRST_TISSUE + 1
    length = max(shape) * random.uniform(*settings.region_length)
    straight = random.uniform(*settings.straight)
    points = identity_points(shape)
    best = np.full(shape, -np.inf, np.float32)
    second = best.copy()
    for tissue, noise in enumerate(smooth_noises(number, shape, length, random)):
        seed = random.uniform(0, 1, len(shape)).astype(np.float32)
        linear = 2.0 * points @ seed - seed @ seed
        score = np.float32(1.0 - straight) * noise + np.float32(4.0 * straight) * linear.reshape(shape)
        parts[score > best] = FIRST_TISSUE + tissue
        second = np.maximum(second, np.minimum(best, score))
        best = np.maximum(best, score)
    count = FIRST_TISSUE + number
    if random.uniform() < settings.membranes:
        parts[best - second < random.uniform(0.03, 0.15)] = count
        count += 1
    return parts, count


def _bent_points(shape: tuple[int, ...], random: Generator) -> Floats:
    """(N, ndim) places in the window, from 0 to 1, moved about a little: what is drawn by them is not straight."""
    points = identity_points(shape)
    length, strength = max(shape) * random.uniform(0.15, 0.4), random.uniform(0.0, 0.05)
    moves = smooth_noises(len(shape), shape, length, random).reshape(len(shape), -1)
    return points + np.float32(strength) * moves.T


def _draw_place(
    anatomy: Anatomy, outer: NDArray[np.intp], settings: SyntheticSettings, random: Generator
) -> tuple[Floats, Floats]:
    """Where a distractor's surface faces the object, and the direction away from it, in units of the window's sides."""
    shape = anatomy.label.shape
    if not len(outer) or random.uniform() > settings.touching:
        normal = random.normal(size=len(shape))
        place = random.uniform(0, 1, len(shape))
        return place.astype(np.float32), (normal / np.linalg.norm(normal)).astype(np.float32)
    voxel = np.array(np.unravel_index(outer[random.integers(len(outer))], shape))
    # The object keeps a voxel away from the border, and this voxel is next to it or the next but one.
    voxel = np.clip(voxel, 1, np.array(shape) - 2)
    steps = np.eye(len(shape), dtype=int)
    normal = np.array([anatomy.depth[tuple(voxel - step)] - anatomy.depth[tuple(voxel + step)] for step in steps])
    normal = normal / shape
    normal /= np.linalg.norm(normal) + 1e-6
    place = (voxel + 0.5) / shape + normal * random.uniform(*settings.gap)
    return place.astype(np.float32), normal.astype(np.float32)


def _ellipsoid(ndim: int, low: float, high: float, normal: Floats, random: Generator) -> tuple[Floats, Floats]:
    """A matrix that carries a random ellipsoid to the unit ball, and the way from its surface to its centre."""
    radii = np.exp(random.uniform(np.log(low), np.log(high), ndim))
    turn = np.linalg.qr(random.normal(size=(ndim, ndim)))[0]
    matrix = turn.T / radii[:, None]
    reach = np.linalg.norm((turn * radii).T @ normal)
    return matrix.astype(np.float32), np.asarray(normal * reach, np.float32)


def _squared_radius(points: Floats, centre: Floats, matrix: Floats) -> Floats:
    away = (points - centre) @ matrix.T
    return np.asarray(np.einsum("ij,ij->i", away, away))


def _blob(points: Floats, place: Floats, normal: Floats, random: Generator) -> list[Mask]:
    matrix, inwards = _ellipsoid(points.shape[1], 0.05, 0.4, normal, random)
    return [_squared_radius(points, place + inwards, matrix) < 1.0]


def _shell(points: Floats, place: Floats, normal: Floats, random: Generator) -> list[Mask]:
    """An ellipsoid and a smaller one in it."""
    matrix, inwards = _ellipsoid(points.shape[1], 0.08, 0.35, normal, random)
    radius = _squared_radius(points, place + inwards, matrix)
    return [radius < 1.0, radius < random.uniform(0.3, 0.8)]


def _tube(points: Floats, place: Floats, normal: Floats, random: Generator) -> list[Mask]:
    """A vessel that runs past, with or without a wall."""
    radius = float(np.exp(random.uniform(np.log(0.015), np.log(0.12))))
    along = random.standard_normal(len(normal), np.float32)
    along -= 0.8 * (along @ normal) * normal
    along /= np.linalg.norm(along)
    away = points - (place + np.float32(radius) * normal)
    away -= (away @ along)[:, None] * along
    distance = np.einsum("ij,ij->i", away, away)
    walled = [distance < (radius * random.uniform(0.5, 0.85)) ** 2] if random.uniform() < 0.4 else []
    return [distance < radius**2, *walled]


def _plane(points: Floats, place: Floats, normal: Floats, random: Generator) -> list[Mask]:
    """Everything beyond a plane (air, lung), or a layer of it (a muscle, a bone's bark)."""
    tilted = normal + 0.2 * random.normal(size=len(normal)).astype(np.float32)
    height = (points - place) @ np.asarray(tilted / np.linalg.norm(tilted), np.float32)
    layer = random.uniform(0.03, 0.25) if random.uniform() < 0.5 else float("inf")
    return [(height > 0) & (height < layer)]


_KINDS: tuple[Callable[[Floats, Floats, Floats, Generator], list[Mask]], ...] = (_blob, _tube, _shell, _plane)
_CHANCES = (0.45, 0.2, 0.15, 0.2)
