"""The barcode of a map: which topological features it has, how long each lasts, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_VOXEL = -1
"""What stands in place of every coordinate of a voxel that does not exist."""


@dataclass(frozen=True)
class Bar:
    """One bar of a barcode.

    Attributes
    ----------
    dimension : int
        0 a component, 1 a loop (in 2-D: a hole; in 3-D: a tunnel), 2 a cavity.
    birth, death : float
        The levels at which the feature appears and disappears as the level falls from 1 to 0; birth >= death.
    birth_voxel, death_voxel : tuple of int or None
        Where the map has these values (array axis order). None: see `Barcode`.
    """

    dimension: int
    birth: float
    death: float
    birth_voxel: tuple[int, ...] | None
    death_voxel: tuple[int, ...] | None

    @property
    def length(self) -> float:
        return self.birth - self.death


@dataclass(frozen=True, eq=False)
class Barcode:
    """All bars of the super-level sets of a map, longest first.

    A bar has no birth voxel where the feature was born outside the band (`band` of `barcode`) at its ceiling and no
    single voxel of it did it, and no death voxel where it lasts to the floor of the band, or for ever: the one
    component that never dies is said to die at 0 (Clough et al., note to Fig. 1).

    Attributes
    ----------
    shape : tuple of int
        Shape of the map.
    connectivity : int
        Of the foreground.
    dimension : ndarray of int8, shape (n,)
        Dimension of each bar.
    birth, death : ndarray of float64, shape (n,)
        Levels, birth >= death.
    birth_voxel, death_voxel : ndarray of int64, shape (n, ndim)
        Array indices; a row of -1 where there is none.
    band : float
        The map was clipped to [band, 1 - band]; 0: it was not.
    min_persistence : float
        Bars not longer than this were left out.
    """

    shape: tuple[int, ...]
    connectivity: int
    dimension: NDArray[np.int8]
    birth: NDArray[np.float64]
    death: NDArray[np.float64]
    birth_voxel: NDArray[np.int64]
    death_voxel: NDArray[np.int64]
    band: float = 0.0
    min_persistence: float = 0.0

    @property
    def ndim(self) -> int:
        """2 or 3, by the connectivity: a file may hold a 2-D map with a third axis of one voxel."""
        return 2 if self.connectivity in (4, 8) else 3

    @property
    def length(self) -> NDArray[np.float64]:
        return self.birth - self.death

    @property
    def everlasting(self) -> NDArray[np.bool_]:
        """(n,) which bar is that of the component that never dies; at most one is."""
        return (self.dimension == 0) & (self.death == 0.0) & (self.death_voxel[:, 0] == NO_VOXEL)

    def __len__(self) -> int:
        return len(self.birth)

    def __getitem__(self, number: int) -> Bar:
        return Bar(
            int(self.dimension[number]),
            float(self.birth[number]),
            float(self.death[number]),
            _voxel(self.birth_voxel[number]),
            _voxel(self.death_voxel[number]),
        )

    def __iter__(self) -> Iterator[Bar]:
        return (self[number] for number in range(len(self)))

    def select(self, which: NDArray[Any]) -> Barcode:
        """The bars that a mask or indices name, in their order."""
        return replace(
            self,
            dimension=self.dimension[which],
            birth=self.birth[which],
            death=self.death[which],
            birth_voxel=self.birth_voxel[which],
            death_voxel=self.death_voxel[which],
        )

    def of_dimension(self, dimension: int) -> Barcode:
        """The bars of one dimension."""
        return self.select(self.dimension == dimension)

    def longer_than(self, length: float) -> Barcode:
        """The bars whose length is more than this."""
        return replace(self.select(self.length > length), min_persistence=max(length, self.min_persistence))

    def betti(self, level: float = 0.5) -> tuple[int, ...]:
        """Betti numbers of the set of voxels whose value is at least `level`: the bars with birth >= level > death."""
        alive = (self.birth >= level) & (level > self.death)
        return tuple(int(np.count_nonzero(alive & (self.dimension == k))) for k in range(self.ndim))


def _voxel(row: NDArray[np.int64]) -> tuple[int, ...] | None:
    return None if row[0] == NO_VOXEL else tuple(int(one) for one in row)
