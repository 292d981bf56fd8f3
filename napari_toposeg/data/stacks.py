"""Files of numpy's that hold an image, or a stack of them, and their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import open_arrays, picture_volume
from napari_toposeg.volume import Volume

IMAGE_KEYS = ("images", "image")
LABEL_KEYS = ("labels", "label", "segs", "seg", "masks", "mask")
SPACING_KEYS = ("voxel_size_mm", "spacing")
STACK_KEY = "images"
"""The key that says that the first axis numbers the images."""


def count_images(image: Path, label: Path | None) -> int | None:
    """How many images a file holds, after a look at whether it and the file of its labels hold what they should.

    Parameters
    ----------
    image : Path
        .npz.
    label : Path or None
        .npz; may be the same. None where no labels are wanted.

    Returns
    -------
    int or None
        None for a single image, which has no number.

    Raises
    ------
    ToposegError
        If a file cannot be read, or has not one image and one label map of the same shape.
    """
    key, shape = _shape_of(image, IMAGE_KEYS, "image")
    stacked = key == STACK_KEY
    if len(shape) - stacked not in (2, 3) or 0 in shape:
        raise ToposegError(
            f"{image} holds {key!r} of {_sizes(shape)}.",
            why="An image has two or three axes, and a stack of them one more in front.",
            todo=f"Save one image as 'image', or several along the first axis as {STACK_KEY!r}.",
        )
    if label is not None:
        label_key, label_shape = _shape_of(label, LABEL_KEYS, "label map")
        if label_shape != shape:
            raise ToposegError(
                f"{label} holds {label_key!r} of {_sizes(label_shape)} and {image.name} {key!r} of {_sizes(shape)}.",
                why="Each voxel of the image has its label.",
                todo="Save both on the same grid.",
            )
    return shape[0] if stacked else None


def read_image(path: Path, number: int | None, *, name: str) -> Volume:
    """Read one image of an .npz.

    Parameters
    ----------
    path : Path
        .npz.
    number : int or None
        Which of its images; None where it holds a single one.
    name : str
        What to call it.

    Returns
    -------
    Volume
        Flat images lie as pictures do.

    Raises
    ------
    ToposegError
        If it cannot be read, or its spacing makes no sense.
    """
    with open_arrays(path) as arrays:
        held = _archive(arrays, path)
        array = _one(held[_key_of(held, path, IMAGE_KEYS, "image")], path, number)
        spacing = _spacing(held, path, array.ndim)
    if array.ndim == 3:
        return Volume.from_stored(array, np.diag([*spacing, 1.0]), name=name, path=str(path))
    affine = picture_volume(array).stored.affine @ np.diag([*spacing, 1.0, 1.0])
    return Volume.from_stored(array, affine, name=name, path=str(path))


def read_label(path: Path, number: int | None) -> NDArray[Any]:
    """Read one label map of an .npz, as it is stored: that of `read_image` with the same number."""
    with open_arrays(path) as arrays:
        held = _archive(arrays, path)
        return _one(held[_key_of(held, path, LABEL_KEYS, "label map")], path, number)


def _archive(arrays: NDArray[Any] | NpzFile, path: Path) -> NpzFile:
    if isinstance(arrays, np.ndarray):
        raise ToposegError(f"{path} is an .npy by its content.", todo="Save it again with numpy's savez.")
    return arrays


def _key_of(held: NpzFile, path: Path, known: tuple[str, ...], called: str) -> str:
    found = [key for key in known if key in held.files]
    if len(found) != 1:
        has = ", ".join(map(repr, found or held.files[:8])) or "nothing"
        raise ToposegError(
            f"{path} has {'more than one' if found else 'no'} {called}: it holds {has}.",
            why=f"One of {', '.join(known)} is read.",
            todo=f"Save the {called} under one of these names.",
        )
    return found[0]


def _shape_of(path: Path, known: tuple[str, ...], called: str) -> tuple[str, tuple[int, ...]]:
    """Name and shape of one array, from its header: 80 files of 800 slices take 0.02 s, and their numbers 0.3."""
    with open_arrays(path) as arrays:
        held = _archive(arrays, path)
        key = _key_of(held, path, known, called)
        assert held.zip is not None
        with held.zip.open(f"{key}.npy") as stream:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = header(stream)
    if kind.kind not in "biuf":
        raise ToposegError(
            f"{path} holds {key!r} of the type {kind}.",
            why=f"{'An' if called[0] in 'aeiou' else 'A'} {called} has one real number for each voxel.",
            todo="Save it as numbers.",
        )
    return key, shape


def _one(array: NDArray[Any], path: Path, number: int | None) -> NDArray[Any]:
    if number is None:
        return array
    if array.ndim == 0 or number >= len(array):
        raise ToposegError(f"{path} has no image {number} any more.", todo="Look for the cases again.")
    # A copy: a view would keep the whole stack in memory.
    return array[number].copy()


def _spacing(held: NpzFile, path: Path, ndim: int) -> list[float]:
    for key in SPACING_KEYS:
        if key in held.files:
            values = np.asarray(held[key])
            # Of flat slices, a third value is the distance between them.
            if values.ndim == 1 and len(values) >= ndim and values.dtype.kind in "iuf":
                lengths = values[:ndim].astype(float)
                if np.isfinite(lengths).all() and (lengths > 0).all():
                    return lengths.tolist()
            raise ToposegError(
                f"{path} holds {key!r} which is not {ndim} lengths in mm above 0.",
                todo="Save the size of a voxel along each axis of an image.",
            )
    return [1.0] * ndim


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "no axes"
