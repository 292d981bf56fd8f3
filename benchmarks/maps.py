"""Probability maps like a network's: sure nearly everywhere, undecided along the outline, with a few defects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]


def _noise(shape: tuple[int, ...], width: float, random: np.random.Generator) -> NDArray[np.floating]:
    noise = ndimage.gaussian_filter(random.standard_normal(shape, dtype=np.float32), width)
    return noise / noise.std()


def _sigmoid(logits: NDArray[np.floating]) -> Map:
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def ring(seed: int, size: int = 80) -> Map:
    """A ring that is interrupted at one place."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((size, size)) - (size - 1) / 2 - random.uniform(-0.05, 0.05, (2, 1, 1)) * size
    angle = np.arctan2(rows, columns)
    outline = size * (0.28 + 0.03 * np.cos(2 * angle + random.uniform(0, 2 * np.pi)))
    distance = size * 0.06 - np.abs(np.hypot(rows, columns) - outline)
    logits = np.clip(2 * distance, -7, 7) + 0.8 * _noise((size, size), 1.5, random)
    gap = np.abs(np.angle(np.exp(1j * (angle - random.uniform(-np.pi, np.pi)))))
    logits[(gap < 0.25) & (distance > -size * 0.06)] -= 5
    return _sigmoid(logits)


def organ(shape: tuple[int, ...], seed: int) -> Map:
    """An uneven ball with islands round it and cavities in it."""
    random = np.random.default_rng(seed)
    half = np.array(shape).reshape(-1, *[1] * len(shape)) / 2
    away = (np.indices(shape, dtype=np.float32) + 0.5 - half) / half
    distance = (0.66 + 0.08 * _noise(shape, min(shape) / 6, random) - np.linalg.norm(away, axis=0)) * min(shape) / 2
    for _ in range(12):
        center = (random.uniform(0.2, 0.8, len(shape)) * shape).reshape(half.shape)
        blob = random.uniform(0.02, 0.06) * min(shape) - np.linalg.norm((away + 1) * half - center, axis=0)
        inside = distance[tuple(center.reshape(-1).astype(int))] > 0
        distance = np.minimum(distance, -blob) if inside else np.maximum(distance, blob)
    return _sigmoid(np.clip(distance / 0.6, -8, 8) + _noise(shape, 2, random))


def doubtful_organ(shape: tuple[int, ...], seed: int) -> Map:
    """The same kind of organ from a network that is sure of nothing: noise in every voxel."""
    random = np.random.default_rng(seed)
    logits = np.log(organ(shape, seed).astype(np.float64))
    return _sigmoid(np.clip(logits + 4, -2, 2) + _noise(shape, 1.5, random) + 0.5 * random.standard_normal(shape))
