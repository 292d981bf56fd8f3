"""Where a map's numbers come from: the channels of a NIfTI file, of a numpy array, or of a picture."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.formats.arrays import ARRAY_ENDINGS, open_arrays
from napari_toposeg.formats.nifti_reading import NiftiFile, read_nifti
from napari_toposeg.formats.paths import NIFTI_ENDINGS, PICTURE_ENDINGS, existing_file, split_ending, unknown_ending
from napari_toposeg.formats.pictures import picture_volume, read_picture
from napari_toposeg.volume import Volume

MAP_ENDINGS = NIFTI_ENDINGS + ARRAY_ENDINGS + PICTURE_ENDINGS

# Axes behind the channels run z, y, x under these names: nnU-Net's second and first version write them.
_NNUNET_KEYS = ("probabilities", "softmax")


class MapSource(ABC):
    """A file of one or more channels over one grid.

    Attributes
    ----------
    channels : int
        How many there are.
    shape : tuple of int
        Spatial shape of the file's own array, without the axis of channels.
    reversed_axes : bool
        Whether the file's array has its axes in the opposite order of the stored axes of its volumes.
    full_scale : float or None
        What 1 is stored as where the kind of file says so: 255 in an 8-bit picture.
    """

    channels: int
    shape: tuple[int, ...]
    reversed_axes: bool = False
    full_scale: float | None = None

    @abstractmethod
    def volume(self, channel: int) -> Volume:
        """One channel, its numbers as they are in the file."""


def map_source(path: str | os.PathLike[str], *, grid: Volume | None = None, channels_first: bool = False) -> MapSource:
    """Open a file of maps.

    Parameters
    ----------
    path : path
        NIfTI (channels on the fourth axis), .npz or .npy (channels on the first of four axes), or a picture (channels
        are pages).
    grid : Volume, optional
        The image whose grid an array lies on; files that say where they lie need none.
    channels_first : bool
        The first axis of an array of three axes holds channels over a 2-D grid; otherwise it is a volume.

    Raises
    ------
    ToposegError
        If the file cannot be read or holds no map.
    """
    ending = split_ending(path)[1]
    if ending in NIFTI_ENDINGS:
        return _NiftiSource(path)
    if ending in PICTURE_ENDINGS:
        return _PictureSource(path)
    if ending in ARRAY_ENDINGS:
        return _ArraySource(path, grid, channels_first)
    existing_file(path)
    raise unknown_ending(path, MAP_ENDINGS)


class _NiftiSource(MapSource):
    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        shape = NiftiFile.open(path).shape
        self.shape = shape[:3]
        self.channels = shape[3] if len(shape) == 4 else 1
        self._is_series = self.channels > 1

    def volume(self, channel: int) -> Volume:
        return read_nifti(self._path, frame_number=channel if self._is_series else None)


class _PictureSource(MapSource):
    def __init__(self, path: str | os.PathLike[str]) -> None:
        from PIL import Image

        self._path = path
        # The first page by our own reader, which says what is wrong with a file that is no picture.
        first = read_picture(path, frame_number=0)
        self.shape = first.stored.shape
        with Image.open(path) as picture:
            self.channels = getattr(picture, "n_frames", 1)
            if len(picture.getbands()) > 1 or picture.mode == "P":
                colours = np.asarray(picture.convert("RGB"))
                if (colours != colours[..., :1]).any():
                    raise ToposegError(
                        f"{path} is a picture in colours.",
                        why="A map is one grey picture; how colours stand for probabilities cannot be told.",
                        todo="Save the map itself, for example as .npy or .nii.gz.",
                    )
        if first.voxels.dtype.kind in "iu":
            # Pillow opens some 16-bit pictures as 32-bit integers.
            self.full_scale = 255.0 if first.voxels.dtype == np.uint8 else 65535.0

    def volume(self, channel: int) -> Volume:
        return read_picture(self._path, frame_number=channel)


class _ArraySource(MapSource):
    def __init__(self, path: str | os.PathLike[str], grid: Volume | None, channels_first: bool) -> None:
        self._path = path
        array, named_by_nnunet = _load(path)
        while array.ndim > 4 and array.shape[0] == 1:
            array = array[0]
        if not 2 <= array.ndim <= 4 or 0 in array.shape:
            raise ToposegError(
                f"{path} holds an array of {' x '.join(map(str, array.shape)) or 'no axes'}.",
                why="A map has two or three axes, and one more in front of them where there are channels.",
                todo="Save the map of one image as a file of its own.",
            )
        has_channels = array.ndim == 4 or (array.ndim == 3 and (channels_first or _is_flat_stack(array, grid)))
        self._array = array if has_channels else array[None]
        self.has_channel_axis = has_channels
        self.channels = len(self._array)
        self.shape = self._array.shape[1:]
        self._grid = grid
        if grid is None and named_by_nnunet:
            self._grid = self._neighbour()
        self.reversed_axes = self._is_reversed(named_by_nnunet)

    def volume(self, channel: int) -> Volume:
        array = self._array[channel]
        name = split_ending(self._path)[0]
        if self._grid is not None:
            stored = self._grid.stored
            array = array.transpose() if self.reversed_axes else array
            return Volume.from_stored(
                array.reshape(stored.shape), stored.affine, name=name, header=stored.header, path=str(self._path)
            )
        if self.reversed_axes:
            return Volume.from_stored(array.transpose(), np.eye(4), name=name, path=str(self._path))
        if sum(size > 1 for size in array.shape) == 2:
            flat = array.reshape([size for size in array.shape if size > 1])
            return picture_volume(flat, name=name, path=str(self._path))
        return Volume.from_stored(array, np.eye(4), name=name, path=str(self._path))

    def _neighbour(self) -> Volume | None:
        """The segmentation that nnU-Net writes beside its probabilities, which knows where they lie."""
        path = Path(self._path)
        beside = path.with_name(f"{split_ending(path)[0]}.nii.gz")
        if not beside.is_file():
            return None
        volume = read_nifti(beside)
        if self.shape[::-1] != (*volume.stored.shape, 1)[:3]:
            return None
        warnings.warn(ToposegWarning(f"Where {path.name} lies is taken from {beside.name} beside it."), stacklevel=2)
        return volume

    def _is_reversed(self, named_by_nnunet: bool) -> bool:
        if self._grid is None:
            return named_by_nnunet and len(self.shape) == 3 and 1 not in self.shape
        wanted = self._grid.stored.shape
        fitting = [
            turned
            for turned in (named_by_nnunet, not named_by_nnunet)
            if _same_voxels(self.shape[::-1] if turned else self.shape, wanted)
        ]
        if not fitting:
            raise ToposegError(
                f"{self._path} holds {' x '.join(map(str, self.shape))} voxels and the image "
                f"{' x '.join(map(str, wanted))}.",
                todo="Give the image that the map was made of.",
            )
        return fitting[0]


def _same_voxels(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether shapes agree but for axes of a single voxel."""
    return [size for size in shape if size > 1] == [size for size in wanted if size > 1]


def _is_flat_stack(array: NDArray[Any], grid: Volume | None) -> bool:
    """Whether three axes are channels over a 2-D image."""
    return grid is not None and grid.ndim == 2 and array.shape[0] > 1 and 1 not in array.shape[1:]


def _load(path: str | os.PathLike[str]) -> tuple[NDArray[Any], bool]:
    """The array in a file, and whether it has one of nnU-Net's names."""
    with open_arrays(path) as loaded:
        if isinstance(loaded, np.ndarray):
            return _real(loaded, path), False
        keys = loaded.files
        known = [key for key in _NNUNET_KEYS if key in keys]
        if not known and len(keys) != 1:
            raise ToposegError(
                f"{path} holds {len(keys)} arrays: {', '.join(keys[:8])}.",
                why=f"None of them is called {' or '.join(_NNUNET_KEYS)}.",
                todo="Save the map alone, as .npy.",
            )
        key = known[0] if known else keys[0]
        return _real(loaded[key], path), bool(known)


def _real(array: NDArray[Any], path: str | os.PathLike[str]) -> NDArray[Any]:
    if array.dtype.kind not in "biuf":
        raise ToposegError(
            f"{path} holds values of the type {array.dtype}.",
            why="A map has one real number for each voxel.",
            todo="Save it as 32-bit floats.",
        )
    return array
