"""From a file's array to a volume, and back: one frame of several, and the grid as ITK's formats have it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.choices import SeveralFramesError
from napari_toposeg.formats.origins import FileOrigin
from napari_toposeg.formats.paths import split_ending
from napari_toposeg.volume import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From the world of DICOM and ITK to ours, and back."""

_WIDENED: dict[str, type[np.generic]] = {"bool": np.uint8, "float16": np.float32}


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


def volume_of_frames(
    array: NDArray[Any], ndim: int, affine: NDArray[np.float64], files: tuple[Path, ...], chosen: int | None
) -> Volume:
    """The volume of a file that may hold several frames.

    Parameters
    ----------
    array, ndim, chosen
        As in `one_frame`.
    affine : (4, 4) array
        From the stored voxels to RAS mm.
    files : tuple of Path
        The file, and that of its voxels where it is another.

    Raises
    ------
    ToposegError
        As `one_frame`.
    """
    return Volume.from_stored(
        one_frame(array, ndim, files[0], chosen),
        affine,
        name=split_ending(files[0])[0],
        header=FileOrigin(files),
        path=str(files[0]),
        frame_number=chosen,
    )


def cube_in_lps(array: NDArray[Any], volume: Volume) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """What is written for a canonical array, where a file holds three axes and an affine to LPS mm.

    Parameters
    ----------
    array : (*volume.shape) array
        On the canonical grid.
    volume : Volume
        Whose file's grid is meant.

    Returns
    -------
    cube : (columns, rows, slices) array
        In the stored order; of one slice where the image is flat. bool becomes uint8, and float16 float32.
    affine : (4, 4) float64
        From its voxels to LPS mm.
    """
    stored = volume.to_stored(array)
    cube = stored if stored.ndim == 3 else stored[:, :, None]
    kind = _WIDENED.get(cube.dtype.name)
    return cube if kind is None else cube.astype(kind), LPS_TO_RAS @ volume.stored.affine
