"""Pictures (PNG, JPEG, TIFF): 2-D volumes without a place in a patient."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.choices import SeveralFramesError
from napari_toposeg.formats.file_errors import damaged
from napari_toposeg.formats.paths import existing_file, split_ending, unknown_ending
from napari_toposeg.volume import Volume

# Rows run to the back and columns to the left, as a radiologist sees an axial slice; one pixel is one mm.
_PICTURE_AFFINE = np.array([[0.0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
_GREY = {"L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_LOSSLESS = (".png", ".tif", ".tiff")


def picture_volume(array: NDArray[Any], *, name: str = "picture", path: str | None = None) -> Volume:
    """Make a volume of a grey picture.

    Parameters
    ----------
    array : (rows, columns) array
        Intensities, the first row on top.
    name, path
        Kept with the volume.

    Returns
    -------
    Volume
        Its stored axes are rows, which run to the patient's back (-A), and columns, which run to the left (-R), so that
        its canonical voxels are ``array[::-1, ::-1].T``. A pixel measures 1 mm: pictures say nothing dependable about
        their size (their dots per inch are meant for printers).
    """
    return Volume.from_stored(array, _PICTURE_AFFINE, name=name, path=path)


def read_picture(path: str | os.PathLike[str], *, frame_number: int | None = None) -> Volume:
    """Read a picture.

    Parameters
    ----------
    path : path
        .png, .jpg, .jpeg, .tif or .tiff.
    frame_number : int, optional
        Which page of a file with several, counted from 0. Needed where there are more than one.

    Returns
    -------
    Volume
        As `picture_volume` makes it. Colours (palettes too) become their luminance (ITU-R 601), uint8; grey of 16 bits,
        32 bits or floats is kept; black and white is 0 and 255. Transparency is ignored, and so is the orientation
        in the EXIF data of a camera: the pixels are taken as stored, which is how a mask for them is drawn.

    Raises
    ------
    ToposegError
        If the file is missing, damaged, no picture, or has pages to choose from and none is chosen.
    """
    from PIL import Image

    file = existing_file(path)
    try:
        with Image.open(file) as picture:
            pages = getattr(picture, "n_frames", 1)
            if frame_number is None and pages > 1:
                raise SeveralFramesError(path, pages, called="pages")
            if not 0 <= (frame_number or 0) < pages:
                raise ToposegError(
                    f"{path} has no frame {frame_number}.",
                    why=f"It holds {pages}, counted from 0.",
                    todo="Choose another, or leave out --frame.",
                )
            if frame_number:
                picture.seek(frame_number)
            array = np.asarray(picture if picture.mode in _GREY else picture.convert("L"))
    except (OSError, EOFError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise damaged(path, "a picture", error) from error
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return picture_volume(array, name=split_ending(path)[0], path=str(path))


def write_picture(voxels: NDArray[Any], path: str | os.PathLike[str]) -> None:
    """Write canonical 2-D voxels as a grey picture.

    Parameters
    ----------
    voxels : (I, J) uint8, uint16 or bool array
        Canonical voxels; a mask (bool) becomes 0 and 255. What `read_picture` read comes out pixel for pixel. A slice
        of a patient comes out as a radiologist sees it, and its place in the world is lost.
    path : path
        .png, .tif or .tiff; appears whole or not at all.

    Raises
    ------
    ToposegError
        If there are three axes, the type does not fit a grey picture, or the file cannot be written.
    """
    from PIL import Image

    if split_ending(path)[1] not in _LOSSLESS:
        raise unknown_ending(path, _LOSSLESS)
    if voxels.ndim != 2:
        raise ToposegError(
            f"{path} cannot hold {voxels.ndim} axes.", why="A picture is flat.", todo="Write .nii.gz instead."
        )
    if voxels.dtype not in (np.bool_, np.uint8, np.uint16):
        raise ToposegError(
            f"{path} cannot hold {voxels.dtype} values.",
            why="A grey picture has whole numbers of 8 or 16 bits.",
            todo="Write .nii.gz instead.",
        )
    if voxels.dtype == np.bool_:
        voxels = voxels * np.uint8(255)
    with replacing(path) as part:
        Image.fromarray(np.ascontiguousarray(voxels[::-1, ::-1].T)).save(part)
