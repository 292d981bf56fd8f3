"""Intensities: a mean and a texture for every part, and a border that can be seen on most of its length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.data.synthetic.anatomy import Anatomy
from napari_toposeg.data.synthetic.random_fields import Floats, Generator, Mask, smooth_noise
from napari_toposeg.data.synthetic.settings import SyntheticSettings
from napari_toposeg.data.synthetic.surroundings import (
    CAVITY,
    CONTINUED,
    FILLING,
    FIRST_TISSUE,
    OBJECT,
    Surroundings,
    border_of,
)

_DRAWS = 12


def paint(anatomy: Anatomy, surroundings: Surroundings, settings: SyntheticSettings, random: Generator) -> Floats:
    """Give every part an intensity.

    Parameters
    ----------
    anatomy : Anatomy
        The object.
    surroundings : Surroundings
        What lies around it.
    settings : SyntheticSettings
    random : Generator

    Returns
    -------
    (*shape) float32
        Intensities of about 0 to 1. A voxel on the object's surface has some of both sides.
    """
    border = border_of(anatomy)
    neighbours = np.bincount(surroundings.parts[border], minlength=surroundings.count)
    means = draw_means(neighbours, surroundings, settings, random)
    amplitudes = random.uniform(*settings.texture, surroundings.count).astype(np.float32)
    amplitudes[CONTINUED] = amplitudes[OBJECT]
    one, other = _texture(anatomy.label.shape, settings, random), _texture(anatomy.label.shape, settings, random)
    first = random.uniform(size=surroundings.count) < 0.5
    first[CONTINUED] = first[OBJECT]
    parts = surroundings.parts
    around = means[parts] + (amplitudes * first)[parts] * one + (amplitudes * ~first)[parts] * other
    inside = _object_means(anatomy, surroundings, border, means, settings, random)
    inside += amplitudes[OBJECT] * (one if first[OBJECT] else other)
    share = np.clip(anatomy.depth + 0.5, 0.0, 1.0)
    return np.asarray(around + share * (inside - around), np.float32)


def draw_means(
    neighbours: NDArray[np.int64], surroundings: Surroundings, settings: SyntheticSettings, random: Generator
) -> Floats:
    """Draw the mean intensity of each part.

    Parameters
    ----------
    neighbours : (count,) int
        On how many voxels of the object's border each part lies.
    surroundings : Surroundings
        The parts.
    settings : SyntheticSettings
    random : Generator

    Returns
    -------
    (count,) float32
        On at least `contrast_share` of the outer border, and of the pool's, the difference from the object is at least
        `contrast`.
    """
    outer = np.arange(surroundings.count) >= FIRST_TISSUE
    inner = np.isin(np.arange(surroundings.count), [CAVITY, FILLING])
    means = np.zeros(surroundings.count)
    for draw in range(_DRAWS):
        means = random.uniform(0, 1, surroundings.count)
        means[CONTINUED] = means[OBJECT]
        for part in surroundings.lookalikes:
            means[part] = means[OBJECT] + random.normal(0, 0.04)
        faint = np.abs(means - means[OBJECT]) < settings.contrast
        hidden = [
            side
            for side in (outer, inner)
            if neighbours[side & faint].sum() > (1.0 - settings.contrast_share) * neighbours[side].sum()
        ]
        if not hidden:
            break
        if draw == _DRAWS - 1:
            # Away from the object, towards where there is room.
            away = settings.contrast * random.uniform(1.0, 2.0) * (1.0 if means[OBJECT] < 0.5 else -1.0)
            for side in hidden:
                means[side & faint] = means[OBJECT] + away
    return means.astype(np.float32)


def _object_means(
    anatomy: Anatomy,
    surroundings: Surroundings,
    border: Mask,
    means: Floats,
    settings: SyntheticSettings,
    random: Generator,
) -> Floats:
    """(*shape) float32 mean intensity of the object at each voxel: it may have a core, and fade into a neighbour."""
    shape = anatomy.label.shape
    inside = np.full(shape, means[OBJECT], np.float32)
    if random.uniform() < settings.core and not anatomy.hollow.any():
        uneven = anatomy.depth + 0.15 * anatomy.depth.max() * smooth_noise(shape, max(shape) / 8.0, random)
        core = uneven > random.uniform(0.35, 0.8) * anatomy.depth.max()
        inside[core] += random.choice([-1.0, 1.0]) * random.uniform(0.05, 0.35)
    if random.uniform() < settings.fading:
        candidates = np.argwhere(border & ~anatomy.hollow)
        place = candidates[random.integers(len(candidates))]
        reach = max(shape) * random.uniform(0.08, 0.25)
        weight = np.float32(random.uniform(0.5, 1.0))
        for axis, size in enumerate(shape):
            along = np.exp(-((np.arange(size) - place[axis]) ** 2) / (2.0 * reach**2)).astype(np.float32)
            weight = weight * along.reshape([-1 if k == axis else 1 for k in range(len(shape))])
        inside += weight * (means[surroundings.parts[tuple(place)]] - inside)
    return inside


def _texture(shape: tuple[int, ...], settings: SyntheticSettings, random: Generator) -> Floats:
    """(*shape) float32 texture of deviation about 1: clouds, or scattered spots as vessels in a lung make them."""
    length = np.exp(random.uniform(*np.log(settings.texture_length)))
    noise = (smooth_noise(shape, length, random) + smooth_noise(shape, 3.0 * length, random)) / np.float32(np.sqrt(2.0))
    if random.uniform() < 0.25:
        noise = np.clip(noise - 1.0, 0.0, None) * np.float32(random.choice([-3.5, 3.5]))
    return noise
