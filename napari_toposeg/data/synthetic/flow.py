"""A random diffeomorphism, coarse to fine: points that follow a smooth random velocity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.data.synthetic.random_fields import Floats, Generator, smooth_noises

REACH = 2.0
"""The velocity lives in [-REACH, REACH]**ndim; the objects, about 2 across, lie well within."""

STEPS = 8

# 40 points across in 3-D: a spacing of .1, against a finest detail of .25. In 2-D more cost nothing.
_POINTS = {2: 96, 3: 40}


@dataclass(frozen=True, eq=False)
class Flow:
    """A stationary velocity.

    Attributes
    ----------
    velocity : (*lattice, ndim) float32
        On a lattice over [-REACH, REACH]**ndim, in steps of the lattice per unit of time.
    """

    velocity: Floats

    def follow(self, points: Floats, *, back: bool = False) -> Floats:
        """Where points are after a unit of time.

        Parameters
        ----------
        points : (N, ndim) float32
            Beyond the lattice the velocity of its border holds.
        back : bool
            Follow it backwards. The inverse but for the error of the steps.

        Notes
        -----
        Euler's method, 8 steps. Each is x + v(x) / 8 with v linear in each cell: one to one wherever v / 8 has a
        Lipschitz constant below 1, so that what is composed of them never folds.
        """
        points_per_axis = self.velocity.shape[0]
        scale = (points_per_axis - 1) / (2.0 * REACH)
        moved = np.ascontiguousarray((points + REACH) * scale, np.float32)
        follow = _follow_plane if points.shape[1] == 2 else _follow_space
        follow(self.velocity, moved, np.float32((-1.0 if back else 1.0) / STEPS), STEPS)
        return np.asarray(moved / np.float32(scale) - np.float32(REACH))


def random_flow(ndim: int, lengths: Sequence[float], speeds: Sequence[float], random: Generator) -> Flow:
    """Draw a velocity that is a sum of noises.

    Parameters
    ----------
    ndim : {2, 3}
    lengths : sequence of float
        Length of the detail of each noise, coarse to fine, where the object is about 2 across.
    speeds : sequence of float
        Deviation of each noise's components.
    random : Generator
    """
    size = _POINTS[ndim]
    scale = (size - 1) / (2.0 * REACH)
    velocity = np.zeros((ndim, *[size] * ndim), np.float32)
    for length, speed in zip(lengths, speeds, strict=True):
        velocity += np.float32(speed * scale) * smooth_noises(ndim, [size] * ndim, length * scale, random)
    return Flow(np.ascontiguousarray(np.moveaxis(velocity, 0, -1)))


@njit(cache=True, nogil=True)
def _follow_plane(velocity: Floats, points: Floats, share: np.float32, steps: int) -> None:
    rows, columns = velocity.shape[0], velocity.shape[1]
    one = np.float32(1.0)
    for point in range(points.shape[0]):
        row, column = points[point, 0], points[point, 1]
        for _ in range(steps):
            inside_row = min(max(row, np.float32(0.0)), np.float32(rows - 1))
            inside_column = min(max(column, np.float32(0.0)), np.float32(columns - 1))
            r, c = min(int(inside_row), rows - 2), min(int(inside_column), columns - 2)
            a, b = inside_row - np.float32(r), inside_column - np.float32(c)
            first, second = (one - a) * (one - b), (one - a) * b
            third, fourth = a * (one - b), a * b
            here, right = velocity[r, c], velocity[r, c + 1]
            below, across = velocity[r + 1, c], velocity[r + 1, c + 1]
            row += share * (first * here[0] + second * right[0] + third * below[0] + fourth * across[0])
            column += share * (first * here[1] + second * right[1] + third * below[1] + fourth * across[1])
        points[point, 0], points[point, 1] = row, column


@njit(cache=True, nogil=True)
def _follow_space(velocity: Floats, points: Floats, share: np.float32, steps: int) -> None:
    size = velocity.shape[0]
    one = np.float32(1.0)
    last = np.float32(size - 1)
    moved = np.empty(3, np.float32)
    low = np.empty(3, np.int64)
    part = np.empty(3, np.float32)
    for point in range(points.shape[0]):
        for _ in range(steps):
            for axis in range(3):
                inside = min(max(points[point, axis], np.float32(0.0)), last)
                low[axis] = min(int(inside), size - 2)
                part[axis] = inside - np.float32(low[axis])
                moved[axis] = np.float32(0.0)
            for corner in range(8):
                i, j, k = corner >> 2, corner >> 1 & 1, corner & 1
                weight = part[0] if i else one - part[0]
                weight *= part[1] if j else one - part[1]
                weight *= part[2] if k else one - part[2]
                there = velocity[low[0] + i, low[1] + j, low[2] + k]
                moved[0] += weight * there[0]
                moved[1] += weight * there[1]
                moved[2] += weight * there[2]
            for axis in range(3):
                points[point, axis] += share * moved[axis]


def identity_points(shape: Sequence[int]) -> NDArray[np.float32]:
    """(N, ndim) float32: the middle of every voxel of a grid, from 0 on one face of the grid to 1 on the other."""
    axes = [(np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) for size in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))
