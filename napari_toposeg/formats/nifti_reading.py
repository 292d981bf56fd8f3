"""NIfTI in: canonical voxels of the type that the file stores, without a second copy."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, HeaderTypeError
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.choices import SeveralFramesError
from napari_toposeg.formats.file_errors import damaged, several_values
from napari_toposeg.formats.paths import existing_file, split_ending
from napari_toposeg.volume import Volume

MAPPED_FROM = 2**30
"""Bytes of uncompressed voxels from which a file is mapped, not read: a region of it can then be opened at once."""

# gzip answers a request with bytes as long as it, and copies those: a whole volume would be held three times.
_PIECE = 2**18
_MILLIMETRES = {1: 1e3, 3: 1e-3}
_BROKEN = (ImageFileError, HeaderDataError, HeaderTypeError, OSError, EOFError, zlib.error, ValueError, KeyError)


@dataclass(frozen=True, eq=False)
class NiftiOrigin:
    """What a volume keeps of its NIfTI file, to be written back.

    Attributes
    ----------
    header : nibabel Nifti1Header or Nifti2Header
        Every field as it was in the file, scaling and extensions included.
    raw : (I, J, K) array or None
        The numbers as stored, where a scaling makes the voxels differ from them; None where they are the voxels.
    """

    header: Any
    raw: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class NiftiFile:
    """A NIfTI file whose header has been read and understood.

    Attributes
    ----------
    image : nibabel image
        Gives access to the file; holds no voxels.
    header : nibabel header
        The fields exactly as they are in the file.
    shape : tuple of int
        As stored, axes beyond the third included.
    affine : (4, 4) float64
        From the file's voxel indices to RAS mm, whatever unit the file counts in.
    """

    image: Any
    header: Any
    shape: tuple[int, ...]
    affine: NDArray[np.float64]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> NiftiFile:
        """Read a file's header.

        Raises
        ------
        ToposegError
            If it is not a NIfTI file, or one whose header contradicts itself or the file's length.
        """
        file = existing_file(path)
        try:
            image: Any = nibabel.load(file)
            if not isinstance(image, nibabel.Nifti1Pair):
                raise ImageFileError("Its header does not carry the mark of NIfTI")
            holder = image.file_map.get("header", image.file_map["image"])
            with holder.get_prepare_fileobj("rb") as stream:
                header = type(image.header).from_fileobj(stream, check=False)
            shape = tuple(int(size) for size in image.shape)
            affine = _in_millimetres(np.asarray(image.affine, np.float64), header, shape)
        except _BROKEN as error:
            raise damaged(file, "NIfTI", error) from error
        return cls(image, header, shape, affine)

    @property
    def path(self) -> Path:
        """The file with the voxels."""
        return Path(self.image.file_map["image"].filename)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type, in the file's byte order."""
        return self.header.get_data_dtype()

    @property
    def scaling(self) -> tuple[float, float] | None:
        """Slope and intercept, or None where the voxels are the stored numbers."""
        slope, inter = float(self.image.dataobj.slope), float(self.image.dataobj.inter)
        return None if (slope, inter) == (1.0, 0.0) else (slope, inter)

    def frames(self, numbers: Iterable[int]) -> Iterator[NDArray[Any]]:
        """Raw frames, in one pass over the file.

        Parameters
        ----------
        numbers : iterable of int
            Which to read, ascending: the blocks of ``shape[:3]`` voxels that follow one another in the file.

        Yields
        ------
        (*shape[:3]) array
            The stored numbers in the machine's byte order, Fortran-contiguous.

        Raises
        ------
        ToposegError
            If the file ends before them, or its compressed bytes are damaged.
        """
        shape = self.shape[:3]
        size = int(np.prod(shape)) * self.dtype.itemsize
        offset = self.image.dataobj.offset
        compressed = self.path.suffix.lower() == ".gz"
        blocks = int(np.prod(self.shape[3:]))
        number = -1
        try:
            self._check_length(offset + size * blocks, compressed)
            with self.image.file_map["image"].get_prepare_fileobj("rb") as stream:
                for number in numbers:
                    start = offset + number * size
                    if not compressed and size >= MAPPED_FROM:
                        array: NDArray[Any] = np.memmap(self.path, self.dtype, "r", start, shape, "F")
                    else:
                        stream.seek(start)
                        array = np.empty(shape, self.dtype, order="F")
                        _fill(array.reshape(-1, order="F").view(np.uint8), stream)
                    yield array if self.dtype.isnative else array.astype(self.dtype.newbyteorder("="))
                # A compressed file is checked against its sum only where it is read to its very end.
                while compressed and number == blocks - 1 and stream.read(_PIECE):
                    pass
        except _BROKEN as error:
            raise damaged(self.path, "NIfTI", error) from error

    def _check_length(self, needed: int, compressed: bool) -> None:
        there = self.path.stat().st_size
        # Deflate packs 1032 bytes into one at best: a header that lies about its shape must not take all the memory.
        if needed > (there * 1032 if compressed else there):
            raise EOFError(f"The header promises {needed} bytes, and the file has {there}")


def _fill(target: NDArray[np.uint8], stream: Any) -> None:
    filled = 0
    while filled < len(target):
        count = stream.readinto(target[filled : filled + _PIECE])
        if not count:
            raise EOFError(f"The file ends after {filled} of {len(target)} bytes of voxels")
        filled += count


def _in_millimetres(affine: NDArray[np.float64], header: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The affine with its rows in mm, and with a normal where a single plane has none."""
    affine = affine.copy()
    affine[:3] *= _MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    flat = len(shape) == 2 or shape[2:3] == (1,)
    if flat and not affine[:3, 2].any():
        # Many writers leave pixdim[3] of a slice at 0.
        normal = np.cross(affine[:3, 0], affine[:3, 1])
        length = np.linalg.norm(normal)
        affine[:3, 2] = normal / length if length else 0.0
    return affine


def read_nifti(path: str | os.PathLike[str], *, frame_number: int | None = None) -> Volume:
    """Read a NIfTI image.

    Parameters
    ----------
    path : path
        .nii, .nii.gz, or either file of a .hdr/.img pair.
    frame_number : int, optional
        Which frame of a 4-D file to take, counted from 0. Needed where there are more than one.

    Returns
    -------
    Volume
        Voxels of the stored type where the file has no scaling; otherwise float32, or float64 where the file stores
        integers or floats of more than 24 bits. Its `stored.header` is a `NiftiOrigin`.

    Raises
    ------
    ToposegError
        If the file is missing, damaged or no NIfTI, holds colours or complex numbers, has more than four axes, or has
        frames to choose from and none is chosen.

    Notes
    -----
    Lengths in micrometres or metres become millimetres; an unknown unit is taken for millimetres. The place in the
    world is the sform's if it has a code, else the qform's, else that of the spacing alone (as nibabel takes it: the
    first axis to the left, the origin in the middle).
    """
    file = NiftiFile.open(path)
    if len(file.shape) < 2 or min(file.shape) < 1:
        raise ToposegError(
            f"{path} holds {' x '.join(map(str, file.shape))} voxels.",
            why="That is no image.",
            todo="Check that the right file was given.",
        )
    _check_type(file, path)
    number = _frame_number(file, path, frame_number)
    (raw,) = file.frames([number])
    scaled = _scaled(raw, file.scaling) if file.scaling else None
    return Volume.from_stored(
        raw if scaled is None else scaled,
        file.affine,
        name=split_ending(path)[0],
        header=NiftiOrigin(file.header, None if scaled is None else raw),
        path=str(path),
    )


def _check_type(file: NiftiFile, path: str | os.PathLike[str]) -> None:
    kind = {"V": "colours", "c": "complex numbers"}.get(file.dtype.kind)
    if kind:
        raise several_values(path, kind)
    if file.dtype.itemsize > 8:
        raise ToposegError(
            f"{path} holds numbers of {8 * file.dtype.itemsize} bits.",
            why="At most 64 are read.",
            todo="Convert it to 32-bit floats.",
        )


def _frame_number(file: NiftiFile, path: str | os.PathLike[str], chosen: int | None) -> int:
    if any(size != 1 for size in file.shape[4:]):
        raise ToposegError(
            f"{path} has {len(file.shape)} axes of {' x '.join(map(str, file.shape))}.",
            why="At most four can be read: three of space and one of frames. A displacement field has five.",
            todo="Save one channel or frame as a file of its own.",
        )
    frames = file.shape[3] if len(file.shape) > 3 else 1
    if chosen is None and frames > 1:
        raise SeveralFramesError(path, frames)
    number = chosen or 0
    if not 0 <= number < frames:
        raise ToposegError(
            f"{path} has no frame {number}.",
            why=f"It holds {frames}, counted from 0.",
            todo=f"Choose one of them, with --frame 0 to --frame {frames - 1}." if frames > 1 else "Leave out --frame.",
        )
    return number


def _scaled(raw: NDArray[Any], scaling: tuple[float, float]) -> NDArray[Any]:
    """Stored numbers times slope plus intercept; worked out in float64, one slab of the last axis at a time."""
    wide = raw.dtype.itemsize > (4 if raw.dtype.kind == "f" else 2)
    scaled = np.empty(raw.shape, np.float64 if wide else np.float32, order="F")
    for number in range(raw.shape[-1]):
        scaled[..., number] = scaled_slab(raw[..., number], scaling)
    return scaled


def scaled_slab(raw: NDArray[Any], scaling: tuple[float, float]) -> NDArray[np.float64]:
    """What stored numbers mean: times slope plus intercept, in float64."""
    slope, inter = scaling
    return raw.astype(np.float64) * slope + inter
