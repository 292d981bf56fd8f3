"""One frame out of an array with axes beyond those of space."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.choices import SeveralFramesError


def one_frame(array: NDArray[Any], ndim: int, path: str | os.PathLike[str], chosen: int | None) -> NDArray[Any]:
    """Take the frame that was chosen.

    Parameters
    ----------
    array : (*grid, ...) array
        The axes of space first.
    ndim : int
        How many of them there are.
    path : path
        What an error names.
    chosen : int or None
        Which frame, counted from 0, the first of the other axes fastest.

    Returns
    -------
    (*grid) array
        In the machine's byte order.

    Raises
    ------
    ToposegError
        If there are several and none is chosen, or the chosen one does not exist; if the numbers are complex.
    """
    if array.dtype.kind not in "biuf":
        raise ToposegError(
            f"{path} holds {array.dtype} values.",
            why="An image to be segmented has one real number for each voxel.",
            todo="Save the magnitude as a file of its own.",
        )
    frames = int(np.prod(array.shape[ndim:]))
    if chosen is None and frames > 1:
        raise SeveralFramesError(path, frames)
    if not 0 <= (chosen or 0) < frames:
        raise ToposegError(
            f"{path} has no frame {chosen}.",
            why=f"It holds {frames}, counted from 0.",
            todo="Choose another, or leave out --frame.",
        )
    frame = array.reshape(*array.shape[:ndim], frames, order="F")[..., chosen or 0]
    return frame.astype(frame.dtype.newbyteorder("="), copy=False)
