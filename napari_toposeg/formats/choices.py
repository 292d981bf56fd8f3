"""What a person has to choose from before a file can be read."""

from __future__ import annotations

import os
from collections.abc import Sequence

from napari_toposeg.errors import ToposegError


class SeveralFramesError(ToposegError):
    """A file holds several frames, and none is chosen.

    Attributes
    ----------
    frames : int
        How many; they are counted from 0.
    """

    def __init__(self, path: str | os.PathLike[str], frames: int, *, called: str = "frames", why: str = "") -> None:
        self.frames = frames
        super().__init__(
            f"{path} holds {frames} {called}.",
            why=why or "One frame is segmented at a time.",
            todo=f"Choose one of them, with --frame 0 to --frame {frames - 1}.",
        )


class SeveralSeriesError(ToposegError):
    """A folder holds several DICOM series, and none is chosen.

    Attributes
    ----------
    series : tuple of str
        What each is, in words, in the order in which they are numbered from 1.
    """

    def __init__(self, path: str | os.PathLike[str], series: Sequence[str], *, images: int) -> None:
        self.series = tuple(series)
        listed = "; ".join(f"{number}: {words}" for number, words in enumerate(series, start=1))
        super().__init__(
            f"{path} holds {images} series.",
            why=f"They are {listed}.",
            todo=f"Choose one of them, with --series 1 to --series {len(self.series)}.",
        )
