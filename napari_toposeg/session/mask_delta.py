"""In which voxels two masks differ, as runs: what undo keeps of a stroke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Box


@dataclass(frozen=True, eq=False)
class MaskDelta:
    """Voxels that are flipped, in runs along the last axis of a C-ordered grid. To apply it twice is to do nothing.

    Attributes
    ----------
    box : Box
        Around them; empty where none is flipped.
    starts : (n,) int64
        Where each run begins, in the flattened grid.
    lengths : (n,) int32
        Of how many voxels it is.
    """

    box: Box
    starts: NDArray[np.int64]
    lengths: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Memory that the runs take."""
        return int(self.starts.nbytes + self.lengths.nbytes)

    @property
    def voxels(self) -> int:
        """How many are flipped."""
        return int(self.lengths.sum())

    def apply(self, mask: NDArray[np.bool_]) -> None:
        """Flip them, in place, in a C-ordered mask."""
        mask.reshape(-1)[self._numbers()] ^= True

    def _numbers(self) -> NDArray[np.int64]:
        """Where the flipped voxels lie in the flattened grid."""
        ends = np.cumsum(self.lengths, dtype=np.int64)
        within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - self.lengths, self.lengths)
        return np.asarray(np.repeat(self.starts, self.lengths) + within, np.int64)


def delta_of_voxels(numbers: NDArray[np.int64], shape: tuple[int, ...]) -> MaskDelta:
    """The delta that flips these voxels of a flattened grid; ascending, each once."""
    if not len(numbers):
        return MaskDelta(tuple((0, 0) for _ in shape), np.zeros(0, np.int64), np.zeros(0, np.int32))
    # A run ends with its row, so that its box is that of its ends.
    new = np.flatnonzero((np.diff(numbers) != 1) | (numbers[1:] % shape[-1] == 0)) + 1
    first = np.concatenate([[0], new])
    lengths = np.diff(np.concatenate([first, [len(numbers)]]))
    starts = numbers[first]
    low, high = np.stack(np.unravel_index(starts, shape)), np.stack(np.unravel_index(starts + lengths - 1, shape))
    box = tuple((int(start), int(end) + 1) for start, end in zip(low.min(axis=1), high.max(axis=1), strict=True))
    return MaskDelta(box, starts.astype(np.int64), lengths.astype(np.int32))


def merged(deltas: Sequence[MaskDelta], shape: tuple[int, ...]) -> MaskDelta:
    """All of them as one, in whichever order they came."""
    voxels = np.concatenate([np.zeros(0, np.int64), *(delta._numbers() for delta in deltas)])
    numbers, counts = np.unique(voxels, return_counts=True)
    return delta_of_voxels(numbers[counts % 2 == 1], shape)


def delta_of_part(flipped: NDArray[np.bool_], box: Box, shape: tuple[int, ...]) -> MaskDelta:
    """The delta that flips some voxels of a box; `flipped` has the box's shape."""
    places = [index + start for index, (start, _) in zip(np.nonzero(flipped), box, strict=True)]
    return delta_of_voxels(np.ravel_multi_index(tuple(places), shape), shape)


def delta_between(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> MaskDelta:
    """The delta that makes one mask the other."""
    return delta_of_voxels(np.flatnonzero(one != other), one.shape)
