"""The order in which the voxels of a map enter as the level falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError

NEVER = np.int32(np.iinfo(np.int32).max)
"""Time of a voxel that never enters: on the floor of the band, or in the border round the map."""


_TOLERANCE = 1e-3
"""How far rounding and interpolation may carry a probability out of [0, 1]; logits are out by far."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The voxels of a map with a border of one voxel, which spares every pass its tests for the map's edge.

    A voxel's *place* is its flat index on the grid with the border. A 2-D map has one plane, and no border across it.

    Attributes
    ----------
    shape : tuple of three int
        Of the map: (planes, rows, columns).
    padded : tuple of three int
        Of the grid with its border.
    places : ndarray of int32, shape (prod(shape),)
        Place of each voxel of the map, in C order.
    """

    shape: tuple[int, int, int]
    padded: tuple[int, int, int]
    places: NDArray[np.int32]

    @property
    def strides(self) -> tuple[int, int, int]:
        """What one step along each axis adds to a place."""
        return (self.padded[1] * self.padded[2], self.padded[2], 1)

    def index(self, places: NDArray[np.integer]) -> NDArray[np.int64]:
        """Flat index into the map (C order) of places of its voxels; -1 stays -1."""
        planes, rest = np.divmod(np.asarray(places, np.int64), self.strides[0])
        rows, columns = np.divmod(rest, self.strides[1])
        planes -= self.padded[0] > self.shape[0]
        index = (planes * self.shape[1] + rows - 1) * self.shape[2] + columns - 1
        index[places < 0] = -1
        return index


@dataclass(frozen=True, eq=False)
class Filtration:
    """When each voxel of a map enters.

    Attributes
    ----------
    grid : Grid
        Of the map.
    time : ndarray of int32, shape (prod(grid.padded),)
        By place: 0 on the ceiling of the band; 1, 2, ... in the order of the levels from high to low (equal levels in
        array order); `NEVER` on the floor and in the border.
    order : ndarray of int32, shape (n,)
        The places with times 1 ... n.
    """

    grid: Grid
    time: NDArray[np.int32]
    order: NDArray[np.int32]


def as_levels(maps: ArrayLike) -> NDArray[np.floating]:
    """Probabilities as floating-point numbers that hold them without rounding.

    Raises
    ------
    ToposegError
        If there are none, or one of them is not a number or no probability.
    """
    levels = np.asarray(maps)
    if levels.dtype.kind not in "biuf" or levels.size == 0:
        raise ToposegError(
            "The map has no values that could be probabilities.",
            why=f"Its shape is {levels.shape}, its type {levels.dtype}.",
            todo="Give an array of real numbers from 0 to 1.",
        )
    if levels.dtype not in (np.float32, np.float64):
        levels = levels.astype(np.float32 if levels.dtype in (np.float16, np.bool_) else np.float64)
    least, most = levels.min(), levels.max()
    if np.isnan(least) or np.isnan(most):
        raise ToposegError("The map has voxels that are not a number (NaN).", todo="Replace them, for example by 0.")
    if least < -_TOLERANCE or most > 1 + _TOLERANCE:
        raise ToposegError(
            f"The map has values from {least:.4g} to {most:.4g}.",
            why="Probabilities lie between 0 and 1.",
            todo="Put logits through a sigmoid or softmax first; give each class of a label image as a mask.",
        )
    return levels


def grid_of(shape: tuple[int, ...]) -> Grid:
    """The grid of a 2-D or 3-D map."""
    whole = (1,) * (3 - len(shape)) + shape
    border = (int(len(shape) == 3), 1, 1)
    padded = tuple(size + 2 * wide for size, wide in zip(whole, border, strict=True))
    inside = tuple(slice(wide, size - wide) for wide, size in zip(border, padded, strict=True))
    places = np.arange(np.prod(padded), dtype=np.int32).reshape(padded)[inside].reshape(-1)
    return Grid(whole, padded, places)  # type: ignore[arg-type]


def filtration(p: NDArray[np.floating], grid: Grid, floor: float, ceiling: float) -> Filtration:
    """The filtration of one map by its super-level sets.

    Only voxels strictly between floor and ceiling are sorted: on a network's output they are few.

    Parameters
    ----------
    p : ndarray of float32 or float64
        2-D or 3-D, without NaN.
    grid : Grid
        Of the map.
    floor, ceiling : float
        Voxels at or below the floor never enter; those at or above the ceiling enter together, first.
        ``-inf`` and ``inf`` sort every voxel.
    """
    time = np.full(int(np.prod(grid.padded)), NEVER)
    level = p.reshape(-1)
    if np.isinf(floor) and np.isinf(ceiling):
        order = grid.places[_descending(level)]
    else:
        time[grid.places[level >= ceiling]] = 0
        between = np.flatnonzero((level > floor) & (level < ceiling))
        order = grid.places[between[_descending(level[between])]]
    time[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    return Filtration(grid, time, order)


def _descending(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Indices that sort from high to low; equal values keep their order."""
    if values.dtype != np.float32:
        short = values.astype(np.float32)
        if not np.array_equal(short, values):
            return np.argsort(-values, kind="stable")
        values = short
    # One sort of (level, index) as whole numbers: ties fall in place by themselves, and numpy sorts these with vector
    # instructions (6400: 30 us; 5.9 million: .45 s, of which a stable argsort takes .96). Adding 0 turns -0 into 0.
    bits = (values + np.float32(0)).view(np.int32).astype(np.int64)
    # Negative floats are ordered the wrong way round by their bits.
    keys = np.where(bits >= 0, ~bits, bits & 0x7FFFFFFF)
    keys <<= 32
    keys |= np.arange(len(keys))
    keys.sort()
    return keys & 0xFFFFFFFF
