"""The barcode of a map: which topological features it has, how long each lasts, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    def longest(self, counts: Sequence[int]) -> NDArray[np.bool_]:
        """(n,) whether a bar is one of so many longest of its dimension; `counts` has a number for each dimension."""
        chosen = np.zeros(len(self), np.bool_)
        order = np.argsort(-self.length, kind="stable")
        for dimension, count in enumerate(counts):
            chosen[order[self.dimension[order] == dimension][:count]] = True
        return chosen

    def moved(self, offset: NDArray[Any], shape: Sequence[int]) -> Barcode:
        """The barcode of a box of a larger map, with its places counted in that.

        Parameters
        ----------
        offset : (ndim,) array
            Where the box begins.
        shape : sequence of int
            Of the larger map.
        """
        born, died = (
            np.where(voxels == NO_VOXEL, NO_VOXEL, voxels + offset) for voxels in (self.birth_voxel, self.death_voxel)
        )
        return replace(self, shape=tuple(shape), birth_voxel=born, death_voxel=died)

    def betti(self, level: float = 0.5) -> tuple[int, ...]:
        """Betti numbers of the set of voxels whose value is at least `level`: the bars with birth >= level > death."""
        alive = (self.birth >= level) & (level > self.death)
        return tuple(int(np.count_nonzero(alive & (self.dimension == k))) for k in range(self.ndim))

    def levels_with(self, betti: Sequence[int]) -> NDArray[np.float64]:
        """The levels whose super-level sets have these Betti numbers.

        Parameters
        ----------
        betti : sequence of int
            One number for each dimension.

        Returns
        -------
        (m, 2) float64
            Ranges, lowest first: the numbers hold from above the first to the second, and not beyond.
        """
        ends = np.unique(np.concatenate([self.birth, self.death, [0.0, 1.0]]))
        right = np.ones(len(ends) - 1, np.bool_)
        for dimension, count in enumerate(betti):
            of_dimension = self.dimension == dimension
            born, died = (np.sort(levels[of_dimension]) for levels in (self.birth, self.death))
            # Between two neighbouring ends nothing begins or ends: what is alive at the upper one is so throughout.
            alive = np.searchsorted(died, ends[1:], side="left") - np.searchsorted(born, ends[1:], side="left")
            right &= alive == count
        edges = np.flatnonzero(np.diff(np.concatenate([[False], right, [False]]).astype(np.int8)))
        return ends[edges].reshape(-1, 2)


def _voxel(row: NDArray[np.int64]) -> tuple[int, ...] | None:
    return None if row[0] == NO_VOXEL else tuple(int(one) for one in row)
