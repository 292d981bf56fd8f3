"""Images and masks from and to files, by the ending of their names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.dicom_reading import dicom_steps, read_dicom
from napari_toposeg.formats.dicom_segmentation import read_dicom_segmentation, write_dicom_segmentation
from napari_toposeg.formats.dicom_series import is_dicom, is_segmentation
from napari_toposeg.formats.metaimage import read_metaimage, write_metaimage
from napari_toposeg.formats.nifti_reading import read_nifti
from napari_toposeg.formats.nifti_writing import write_nifti_image, write_nifti_mask
from napari_toposeg.formats.nrrd_files import read_nrrd, write_nrrd
from napari_toposeg.formats.paths import (
    DICOM_ENDINGS,
    ENDINGS,
    METAIMAGE_ENDINGS,
    NIFTI_ENDINGS,
    NRRD_ENDINGS,
    PICTURE_ENDINGS,
    existing_file,
    split_ending,
    unknown_ending,
)
from napari_toposeg.formats.pictures import read_picture, write_picture
from napari_toposeg.steps import Step, Steps
from napari_toposeg.volume import Volume

_MASKS_IN_3D = (".nii.gz", ".nii", ".nrrd", ".mha", ".dcm")
_PICTURES = (".png", ".tif", ".tiff")
WRITTEN_ENDINGS = (*_MASKS_IN_3D[:-1], *_PICTURES)
MASK_ENDINGS = (*_MASKS_IN_3D, *_PICTURES)


def read_volume(
    path: str | os.PathLike[str], frame_number: int | None = None, *, series: int | str | None = None
) -> Volume:
    """Read an image of any known kind.

    Parameters
    ----------
    path : path
        NIfTI (.nii, .nii.gz, .hdr, .img), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), a picture (.png, .jpg, .tif), or
        DICOM: a folder, any file of a series, or a segmentation object.
    frame_number : int, optional
        Which frame of a 4-D file or series, or page of a picture, counted from 0. Needed where there are more than one.
    series : int or str, optional
        Which DICOM series of a folder, as `read_dicom` takes it. Needed where there are more than one.

    Returns
    -------
    Volume

    Raises
    ------
    ToposegError
        If the kind is not known, or the file cannot be read; see `read_nifti`, `read_nrrd`, `read_metaimage`,
        `read_dicom` and `read_picture`. Where there is something to choose from, a `SeveralFramesError` or a
        `SeveralSeriesError`.
    """
    kind = _kind_of(path)
    if series is not None and kind != "dicom":
        raise ToposegError(f"{path} has no series.", why="Only DICOM has.", todo="Leave out --series.")
    if kind == "nifti":
        return read_nifti(path, frame_number=frame_number)
    if kind == "picture":
        return read_picture(path, frame_number=frame_number)
    if kind == "nrrd":
        return read_nrrd(path, frame_number=frame_number)
    if kind == "metaimage":
        return read_metaimage(path, frame_number=frame_number)
    if kind == "dicom":
        if not os.path.isdir(path) and is_segmentation(path):
            return read_dicom_segmentation(path)
        return read_dicom(path, series=series, frame_number=frame_number)
    existing_file(path)
    raise unknown_ending(path, (*ENDINGS, *DICOM_ENDINGS))


def volume_steps(
    path: str | os.PathLike[str], frame_number: int | None = None, *, series: int | str | None = None
) -> Steps[Volume]:
    """Read an image of any known kind, a DICOM series a plane a step. See `read_volume` and `dicom_steps`."""
    if _kind_of(path) == "dicom" and (os.path.isdir(path) or not is_segmentation(path)):
        yield from dicom_steps(path, series=series, frame_number=frame_number)
    else:
        yield Step("read", 1, 1, result=read_volume(path, frame_number, series=series))


def can_read(path: str | os.PathLike[str]) -> bool:
    """Whether a path is of a kind that `read_volume` knows; a folder is where one of its first files is DICOM."""
    if not os.path.isdir(path):
        return _kind_of(path) != ""
    looked_at = 0
    for place, _, names in os.walk(path):
        for name in sorted(names):
            looked_at += 1
            if is_dicom(os.path.join(place, name)):
                return True
            if looked_at > _LOOKED_AT:
                return False
    return False


_LOOKED_AT = 50


def _kind_of(path: str | os.PathLike[str]) -> str:
    """Of what kind a path is, by its ending where that says it; empty where it is of none."""
    ending = split_ending(path)[1]
    if os.path.isdir(path):
        return "dicom"
    for endings, kind in (
        (NIFTI_ENDINGS, "nifti"),
        (PICTURE_ENDINGS, "picture"),
        (NRRD_ENDINGS, "nrrd"),
        (METAIMAGE_ENDINGS, "metaimage"),
    ):
        if ending in endings:
            return kind
    return "dicom" if os.path.isfile(path) and os.path.getsize(path) and is_dicom(path) else ""


def write_image(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write an image; NIfTI to NIfTI and picture to picture without any loss.

    Parameters
    ----------
    volume : Volume
        The image.
    path : path
        .nii, .nii.gz, .nrrd, .mha, .png or .tif; appears whole or not at all.

    Raises
    ------
    ToposegError
        If the kind is not known, cannot hold the image, or cannot be written.
    """
    ending = split_ending(path)[1]
    if ending not in WRITTEN_ENDINGS:
        raise unknown_ending(path, WRITTEN_ENDINGS)
    if ending in PICTURE_ENDINGS:
        write_picture(volume.voxels, path)
    elif ending in NRRD_ENDINGS:
        write_nrrd(volume.voxels, volume, path)
    elif ending in METAIMAGE_ENDINGS:
        write_metaimage(volume.voxels, volume, path)
    else:
        write_nifti_image(volume, path)


def write_mask(mask: NDArray[Any], volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a mask on the grid of its image's file: as 0 and 1, in pictures as 0 and 255.

    Parameters
    ----------
    mask : (*volume.shape) bool array
        On the canonical grid; where it is not bool, every value but zero is foreground.
    volume : Volume
        The image.
    path : path
        .nii, .nii.gz, .nrrd, .mha, .dcm (a DICOM segmentation, where the image is DICOM), .png or .tif; appears whole
        or not at all.

    Raises
    ------
    ToposegError
        If the kind is not known, cannot hold the mask, or cannot be written.
    """
    mask = np.asarray(mask).astype(bool, copy=False)
    _write_values(mask, volume, path, {})


def write_labels(
    labels: NDArray[np.uint8],
    volume: Volume,
    path: str | os.PathLike[str],
    names: Mapping[int, str] | None = None,
) -> None:
    """Write a label map on the grid of its image's file, its numbers as they are; in a DICOM segmentation as segments.

    Parameters
    ----------
    labels : (*volume.shape) uint8 array
        On the canonical grid.
    volume : Volume
        The image.
    path : path
        As in `write_mask`.
    names : mapping of int to str, optional
        What the labels are called. A NIfTI has them in a comment of its header, one a line ("1 Kidney"), a DICOM
        segmentation as its segments' labels; other kinds have no place for them.

    Raises
    ------
    ToposegError
        If the kind is not known, cannot hold the labels, or cannot be written.
    """
    _write_values(labels, volume, path, names or {})


def _write_values(values: NDArray[Any], volume: Volume, path: str | os.PathLike[str], names: Mapping[int, str]) -> None:
    ending = split_ending(path)[1]
    if ending not in MASK_ENDINGS:
        raise unknown_ending(path, MASK_ENDINGS)
    if ending in PICTURE_ENDINGS:
        write_picture(values, path)
    elif ending in NRRD_ENDINGS:
        write_nrrd(values, volume, path)
    elif ending in METAIMAGE_ENDINGS:
        write_metaimage(values, volume, path)
    elif ending in DICOM_ENDINGS:
        write_dicom_segmentation(values, volume, path, names)
    else:
        write_nifti_mask(values, volume, path, names)
