"""The order in which the voxels of a map enter as the level falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEVER = np.int32(np.iinfo(np.int32).max)
"""Time of a voxel that never enters: on the floor of the band, or in the border round the map."""


@dataclass(frozen=True, eq=False)
class Filtration:
    """When each voxel of a map enters, on a grid with a border of one voxel.

    The border spares every pass its tests for the map's edge. A 2-D map has one plane, without a border across it.

    Attributes
    ----------
    shape : tuple of three int
        Of the map: (planes, rows, columns).
    padded : tuple of three int
        Of the grid with its border.
    time : ndarray of int32, shape (prod(padded),)
        0 on the ceiling of the band, 1, 2, ... in the order of the levels from high to low (equal levels in array
        order), `NEVER` on the floor and in the border.
    order : ndarray of int32, shape (n,)
        The voxels with times 1 ... n, as places on the padded grid.
    """

    shape: tuple[int, int, int]
    padded: tuple[int, int, int]
    time: NDArray[np.int32]
    order: NDArray[np.int32]

    @property
    def strides(self) -> tuple[int, int, int]:
        """What one step along each axis adds to a place on the padded grid."""
        return (self.padded[1] * self.padded[2], self.padded[2], 1)

    def places(self, index: NDArray[np.integer]) -> NDArray[np.int32]:
        """Places on the padded grid of flat indices (C order) into the map."""
        planes, rest = np.divmod(np.asarray(index, np.int64), self.shape[1] * self.shape[2])
        rows, columns = np.divmod(rest, self.shape[2])
        planes = planes + (self.padded[0] > self.shape[0])
        return ((planes * self.padded[1] + rows + 1) * self.padded[2] + columns + 1).astype(np.int32)

    def index(self, places: NDArray[np.integer]) -> NDArray[np.int64]:
        """Flat index into the map (C order) of places on the padded grid; -1 for places outside the map."""
        found = np.asarray(places, np.int64)
        planes, rest = np.divmod(found, self.strides[0])
        rows, columns = np.divmod(rest, self.strides[1])
        planes, rows, columns = planes - (self.padded[0] > self.shape[0]), rows - 1, columns - 1
        inside = (found >= 0) & (planes >= 0) & (planes < self.shape[0])
        inside &= (rows >= 0) & (rows < self.shape[1]) & (columns >= 0) & (columns < self.shape[2])
        return np.where(inside, (planes * self.shape[1] + rows) * self.shape[2] + columns, -1)


def filtration(p: NDArray[np.floating], floor: float, ceiling: float) -> Filtration:
    """The filtration of one map by its super-level sets.

    Only voxels strictly between floor and ceiling are sorted: on a network's output they are few.

    Parameters
    ----------
    p : ndarray of float32 or float64
        2-D or 3-D, without NaN.
    floor, ceiling : float
        Voxels at or below the floor never enter; those at or above the ceiling enter together, first.
        ``-inf`` and ``inf`` sort every voxel.
    """
    shape = (1,) * (3 - p.ndim) + p.shape
    border = (int(p.ndim == 3), 1, 1)
    padded = tuple(size + 2 * wide for size, wide in zip(shape, border, strict=True))
    inside = tuple(slice(wide, size - wide) for wide, size in zip(border, padded, strict=True))
    places = np.arange(np.prod(padded), dtype=np.int32).reshape(padded)[inside].reshape(-1)
    time = np.full(padded, NEVER, np.int32)
    flat = np.ascontiguousarray(p).reshape(-1)
    if np.isinf(floor) and np.isinf(ceiling):
        order = places[_descending(flat)]
    else:
        time[inside][flat.reshape(shape) >= ceiling] = 0
        between = np.flatnonzero((flat > floor) & (flat < ceiling))
        order = places[between[_descending(flat[between])]]
    time = time.reshape(-1)
    time[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    return Filtration(shape, padded, time, order)  # type: ignore[arg-type]


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
