"""Images and masks from and to files, by the ending of their names."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.formats.nifti_reading import read_nifti
from napari_toposeg.formats.nifti_writing import write_nifti_image, write_nifti_mask
from napari_toposeg.formats.paths import (
    ENDINGS,
    NIFTI_ENDINGS,
    PICTURE_ENDINGS,
    existing_file,
    split_ending,
    unknown_ending,
)
from napari_toposeg.formats.pictures import read_picture, write_picture
from napari_toposeg.volume import Volume

WRITTEN_ENDINGS = (".nii", ".nii.gz", ".png", ".tif", ".tiff")


def read_volume(path: str | os.PathLike[str], frame_number: int | None = None) -> Volume:
    """Read an image of any known kind.

    Parameters
    ----------
    path : path
        NIfTI (.nii, .nii.gz, .hdr, .img) or a picture (.png, .jpg, .tif).
    frame_number : int, optional
        Which frame of a 4-D file, or page of a picture, counted from 0. Needed where there are more than one.

    Returns
    -------
    Volume

    Raises
    ------
    ToposegError
        If the kind is not known, or the file cannot be read; see `read_nifti` and `read_picture`.
    """
    ending = split_ending(path)[1]
    if ending in NIFTI_ENDINGS:
        return read_nifti(path, frame_number=frame_number)
    if ending in PICTURE_ENDINGS:
        return read_picture(path, frame_number=frame_number)
    existing_file(path)
    raise unknown_ending(path, ENDINGS)


def write_image(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write an image; NIfTI to NIfTI and picture to picture without any loss.

    Parameters
    ----------
    volume : Volume
        The image.
    path : path
        .nii, .nii.gz, .png or .tif; appears whole or not at all.

    Raises
    ------
    ToposegError
        If the kind is not known, cannot hold the image, or cannot be written.
    """
    if split_ending(path)[1] in PICTURE_ENDINGS:
        write_picture(volume.voxels, path)
    else:
        _check_written(path)
        write_nifti_image(volume, path)


def write_mask(mask: NDArray[Any], volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a mask on the grid of its image's file: NIfTI as 0 and 1, pictures as 0 and 255.

    Parameters
    ----------
    mask : (*volume.shape) bool array
        On the canonical grid; where it is not bool, every value but zero is foreground.
    volume : Volume
        The image.
    path : path
        .nii, .nii.gz, .png or .tif; appears whole or not at all.

    Raises
    ------
    ToposegError
        If the kind is not known, cannot hold the mask, or cannot be written.
    """
    mask = np.asarray(mask).astype(bool, copy=False)
    if split_ending(path)[1] in PICTURE_ENDINGS:
        write_picture(mask, path)
    else:
        _check_written(path)
        write_nifti_mask(mask, volume, path)


def write_labels(labels: NDArray[np.uint8], volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a label map on the grid of its image's file, its numbers as they are.

    Parameters
    ----------
    labels : (*volume.shape) uint8 array
        On the canonical grid.
    volume : Volume
        The image.
    path : path
        .nii, .nii.gz, .png or .tif; appears whole or not at all.

    Raises
    ------
    ToposegError
        If the kind is not known, cannot hold the labels, or cannot be written.
    """
    if split_ending(path)[1] in PICTURE_ENDINGS:
        write_picture(labels, path)
    else:
        _check_written(path)
        write_nifti_mask(labels, volume, path)


def _check_written(path: str | os.PathLike[str]) -> None:
    if split_ending(path)[1] not in WRITTEN_ENDINGS:
        raise unknown_ending(path, WRITTEN_ENDINGS)
