"""NIfTI out: on the grid of the file that an image came from, streamed slab by slab."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

import numpy as np
from nibabel.nifti1 import Nifti1Extension, Nifti1Header
from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
from numpy.typing import NDArray

from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.nifti_reading import NiftiOrigin, scaled_slab
from napari_toposeg.formats.paths import split_ending, unknown_ending
from napari_toposeg.volume import Volume

_LONGEST_NIFTI1 = 32767


def write_nifti_image(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write an image as its file had it.

    Parameters
    ----------
    volume : Volume
        If it was read from NIfTI, every header field, the stored numbers, their type, scaling and byte order come out
        as they were, bit for bit. Of a file with several frames, the one that was read comes out, as a 3-D file. Where
        the voxels are others than were read and the stored type or scaling no longer fits, they are written as they
        are, unscaled.
    path : path
        .nii or .nii.gz; appears whole or not at all.

    Raises
    ------
    ToposegError
        If it cannot be written.
    """
    origin = volume.stored.header
    voxels = volume.to_stored(volume.voxels)
    if isinstance(origin, NiftiOrigin):
        header = _single_file(origin.header)
        if header["dim"][0] > 3 and (header["dim"][4:] > 1).any():
            set_shape(header, volume.stored.shape)
        if origin.raw is not None and _is_scaled(voxels, origin.raw, header):
            write_nifti_blocks(path, header, _slabs(origin.raw))
            return
        if origin.raw is None and voxels.dtype == header.get_data_dtype().newbyteorder("="):
            write_nifti_blocks(path, header, _slabs(voxels))
            return
    else:
        header = _new_header(volume)
    _set_type(header, _storable(voxels.dtype))
    write_nifti_blocks(path, header, _slabs(voxels))


def write_nifti_mask(
    mask: NDArray[Any], volume: Volume, path: str | os.PathLike[str], names: Mapping[int, str] | None = None
) -> None:
    """Write a mask on the grid of an image's file.

    Parameters
    ----------
    mask : (*volume.shape) bool or uint8 array
        On the canonical grid.
    volume : Volume
        The image. Axis order, affine, codes and units of the mask's file are those of the image's.
    path : path
        .nii or .nii.gz; appears whole or not at all.
    names : mapping of int to str, optional
        What the labels are called: a comment in the header, one a line.

    Raises
    ------
    ToposegError
        If it cannot be written.
    """
    if mask.shape != volume.shape:
        raise ValueError(f"A mask of {mask.shape} voxels does not fit an image of {volume.shape}.")
    header = header_for(volume, np.dtype(np.uint8))
    if names:
        lines = "\n".join(f"{label} {name}" for label, name in names.items())
        header.extensions.append(Nifti1Extension("comment", lines.encode()))
        header["vox_offset"] = header.single_vox_offset + header.extensions.get_sizeondisk()
    write_nifti_blocks(path, header, _slabs(volume.to_stored(mask)))


def header_for(volume: Volume, dtype: np.dtype[Any]) -> Any:
    """A header for something new on the grid of an image's file.

    Parameters
    ----------
    volume : Volume
        Where the grid and its place come from.
    dtype : dtype
        Of the values.

    Returns
    -------
    nibabel header
        The source's own, where it is NIfTI, without what belongs to its values: scaling, display range, intent,
        auxiliary file and extensions.
    """
    origin = volume.stored.header
    header = _single_file(origin.header) if isinstance(origin, NiftiOrigin) else _new_header(volume)
    header.extensions.clear()
    header["vox_offset"] = 0
    header["intent_code"] = 0
    for field in ("intent_p1", "intent_p2", "intent_p3"):
        header[field] = 0
    header["intent_name"] = b""
    header["aux_file"] = b""
    set_shape(header, volume.stored.shape)
    _set_type(header, dtype)
    return header


def set_shape(header: Any, shape: Sequence[int]) -> None:
    """Set the number of voxels by axis, and nothing else: nibabel would reset the spacing of the other axes."""
    header["dim"] = [len(shape), *shape] + [1] * (7 - len(shape))


def write_nifti_blocks(path: str | os.PathLike[str], header: Any, blocks: Iterable[NDArray[Any]]) -> None:
    """Write a header, and behind it blocks of values as they follow one another in the file.

    Parameters
    ----------
    path : path
        .nii or .nii.gz.
    header : nibabel header
        Says type and byte order of what is written. Left as it is.
    blocks : iterable of array
        Each is written in Fortran order; only one is held at a time.

    Raises
    ------
    ToposegError
        If the ending is another, or the file cannot be written.
    """
    ending = split_ending(path)[1]
    if ending not in (".nii", ".nii.gz"):
        raise unknown_ending(path, (".nii", ".nii.gz"))
    header = header.copy()
    dtype = header.get_data_dtype()
    with replacing(path) as part, open(part, "wb") as file:
        stream: BinaryIO = file
        if ending == ".nii.gz":
            # Neither name nor time is written, so that the same mask is the same file. Level 1: as nibabel.
            stream = cast(BinaryIO, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0))
        header.write_to(stream)
        stream.write(b"\0" * (header.get_data_offset() - stream.tell()))
        for block in blocks:
            stream.write(block.astype(dtype, copy=False).tobytes(order="F"))
        if stream is not file:
            stream.close()


def _slabs(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The slabs of the last axis, which follow one another in a file."""
    return (array[..., number] for number in range(array.shape[-1]))


def _is_scaled(voxels: NDArray[Any], raw: NDArray[Any], header: Any) -> bool:
    """Whether voxels are still what the stored numbers mean."""
    scaling = header.get_slope_inter()
    return voxels.shape == raw.shape and all(
        np.array_equal(scaled_slab(stored, scaling).astype(voxels.dtype), shown, equal_nan=True)
        for stored, shown in zip(_slabs(raw), _slabs(voxels), strict=True)
    )


def _single_file(header: Any) -> Any:
    """A copy of a header for a file that holds header and voxels."""
    if header.is_single:
        return header.copy()
    kind: Any = Nifti2Header if isinstance(header, Nifti2PairHeader) else Nifti1Header
    single = kind(header.binaryblock, header.endianness, check=False)
    single["magic"] = kind.single_magic
    single["vox_offset"] = 0
    single.extensions.extend(header.extensions)
    return single


def _new_header(volume: Volume) -> Any:
    """A header for a volume that did not come from NIfTI."""
    shape = volume.stored.shape
    header = Nifti1Header() if max(shape) <= _LONGEST_NIFTI1 else Nifti2Header()
    set_shape(header, shape)
    header.set_qform(volume.stored.affine, code="unknown")
    header.set_sform(volume.stored.affine, code="scanner")
    header.set_xyzt_units("mm")
    return header


def _set_type(header: Any, dtype: np.dtype[Any]) -> None:
    header.set_data_dtype(dtype)
    # 1 and 0 rather than nibabel's NaN: every reader takes them for "no scaling".
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["cal_max"] = header["cal_min"] = 0


def _storable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if dtype == np.float16 else dtype
