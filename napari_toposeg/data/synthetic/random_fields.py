"""Smooth random fields, drawn on a coarse lattice and interpolated: the price does not grow with the smoothness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Generator = np.random.Generator

# Mean over the positions of the sum of the squares of the cubic B-spline's four weights.
_KEPT_VARIANCE = 151.0 / 315.0


def along(matrix: Floats, values: Floats, axis: int) -> Floats:
    """Multiply one axis of an array by a (rows, columns) matrix."""
    return np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)


def spline_matrix(size: int, length: float, phase: float) -> Floats:
    """(size, knots) weights of the cubic B-splines at each voxel; a knot every `length` voxels, shifted by `phase`."""
    position = np.arange(size) / length + phase
    first = position.astype(int)
    part = position - first
    left = 1.0 - part
    squared, cubed = part * part, part * part * part
    weights = (
        left * left * left,
        3.0 * cubed - 6.0 * squared + 4.0,
        -3.0 * cubed + 3.0 * squared + 3.0 * part + 1.0,
        cubed,
    )
    matrix = np.zeros((size, int(first[-1]) + 4), np.float32)
    rows = np.arange(size)
    for offset, weight in enumerate(weights):
        matrix[rows, first + offset] = weight / 6.0
    return matrix


def smooth_noises(count: int, shape: Sequence[int], length: float, random: Generator) -> Floats:
    """Smooth Gaussian noises of mean 0 and deviation 1, independent of one another.

    Parameters
    ----------
    count : int
        How many.
    shape : sequence of int
        Voxels by axis.
    length : float
        Distance of the lattice's knots in voxels: how long the detail is. At least 1.
    random : Generator

    Returns
    -------
    (count, *shape) float32
        White noise on the knots, interpolated by cubic B-splines (twice continuously differentiable).
    """
    matrices = [spline_matrix(size, max(length, 1.0), random.uniform()) for size in shape]
    values: Floats = random.standard_normal([count, *(matrix.shape[1] for matrix in matrices)], np.float32)
    for axis, matrix in enumerate(matrices, start=1):
        values = along(matrix, values, axis)
    return np.asarray(values * np.float32(_KEPT_VARIANCE ** (-len(shape) / 2)), np.float32)


def smooth_noise(shape: Sequence[int], length: float, random: Generator) -> Floats:
    """(*shape) float32: one of `smooth_noises`."""
    return smooth_noises(1, shape, length, random)[0]
