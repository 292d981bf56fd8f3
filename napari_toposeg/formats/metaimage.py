"""MetaImage (.mha, and .mhd with its voxels beside it) in and out.

By ourselves: SimpleITK, which has it, takes 264 MB on disk, a third of what torch takes without CUDA; of a file that is
cut short it says that it does not exist; and it is what the tests compare with.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.file_errors import damaged, several_values
from napari_toposeg.formats.frames_of_files import LPS_TO_RAS, cube_in_lps, volume_of_frames
from napari_toposeg.formats.paths import existing_file, split_ending, unknown_ending
from napari_toposeg.volume import Volume

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_NAMES = {kind: name for name, kind in _TYPES.items() if name not in ("MET_LONG", "MET_ULONG")}
_LONGEST_HEADER = 2**16


def read_metaimage(path: str | os.PathLike[str], *, frame_number: int | None = None) -> Volume:
    """Read a MetaImage.

    Parameters
    ----------
    path : path
        .mha, or .mhd with its voxels beside it.
    frame_number : int, optional
        Which frame along a fourth axis, counted from 0. Needed where there are more than one.

    Returns
    -------
    Volume
        Voxels of the stored type. The file's world is LPS, as ITK has it.

    Raises
    ------
    ToposegError
        If the file is missing, damaged or no MetaImage, holds colours or vectors, or has frames to choose from and none
        is chosen.
    """
    file = existing_file(path)
    try:
        fields, behind = _fields(file)
        shape = [int(word) for word in fields["DimSize"].split()]
        if len(shape) != int(fields.get("NDims", len(shape))) or not 2 <= len(shape) <= 4 or min(shape) < 1:
            raise ValueError(f"Its size {fields['DimSize']!r} makes no image")
        if fields["ElementType"] not in _TYPES:
            raise ValueError(f"Its numbers are {fields['ElementType']}, which is not known")
        channels = int(fields.get("ElementNumberOfChannels", 1))
        if channels != 1:
            raise several_values(path, f"{channels} numbers for each voxel")
        beside = None if fields["ElementDataFile"].upper() == "LOCAL" else file.parent / fields["ElementDataFile"]
        voxels = _voxels(file if beside is None else beside, 0 if beside else behind, fields, shape)
        affine = _affine(fields, len(shape))
    except (OSError, EOFError, ValueError, KeyError, IndexError, zlib.error) as error:
        raise damaged(path, "MetaImage", error) from error
    files = (file,) if beside is None else (file, beside)
    return volume_of_frames(voxels, min(len(shape), 3), affine, files, frame_number)


def write_metaimage(array: NDArray[Any], volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write voxels on the grid of an image's file, compressed.

    Parameters
    ----------
    array : (*volume.shape) array
        Whole or floating numbers on the canonical grid; bool becomes 0 and 1.
    volume : Volume
        Where the grid and its place come from; any affine can be held. A 2-D image becomes a volume of one slice.
    path : path
        .mha; appears whole or not at all.

    Raises
    ------
    ToposegError
        If the ending is another, or the file cannot be written.
    """
    if split_ending(path)[1] != ".mha":
        raise unknown_ending(path, (".mha",))
    cube, to_lps = cube_in_lps(array, volume)
    matrix = to_lps[:3]
    spacing = np.linalg.norm(matrix[:, :3], axis=0)
    packed = zlib.compress(cube.astype(cube.dtype.newbyteorder("<")).tobytes(order="F"), 1)
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(packed)),
        # One row for each axis of the grid, as ITK writes it.
        "TransformMatrix": _words((matrix[:, :3] / spacing).T.ravel()),
        "Offset": _words(matrix[:, 3]),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _words(spacing),
        "DimSize": " ".join(map(str, cube.shape)),
        "ElementType": _NAMES[cube.dtype.str[1:]],
        "ElementDataFile": "LOCAL",
    }
    with replacing(path) as part, open(part, "wb") as stream:
        stream.write("".join(f"{key} = {value}\n" for key, value in lines.items()).encode("ascii"))
        stream.write(packed)


def _words(numbers: NDArray[np.float64]) -> str:
    return " ".join(repr(float(number)) for number in numbers)


def _fields(file: Path) -> tuple[dict[str, str], int]:
    """The header's fields, and where what is behind them begins."""
    fields: dict[str, str] = {}
    with file.open("rb") as stream:
        while stream.tell() < _LONGEST_HEADER:
            line = stream.readline(_LONGEST_HEADER)
            key, mark, value = line.decode("latin-1").partition("=")
            if not line or not mark:
                break
            fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return fields, stream.tell()
    raise ValueError("It has no ElementDataFile" if "NDims" in fields else "Its header is not that of a MetaImage")


def _voxels(file: Path, start: int, fields: dict[str, str], shape: list[int]) -> NDArray[Any]:
    name = fields["ElementDataFile"]
    if name.upper().startswith("LIST") or "%" in name:
        raise ValueError("Its voxels are spread over several files")
    if not file.is_file():
        raise ValueError(f"Its voxels are in {file.name}, which is not there")
    if fields.get("BinaryData", "True").lower() == "false":
        raise ValueError("Its voxels are written as text")
    big = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")).lower() == "true"
    kind = np.dtype((">" if big else "<") + _TYPES[fields["ElementType"]])
    needed = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    compressed = fields.get("CompressedData", "False").lower() == "true"
    skipped = int(fields.get("HeaderSize", 0))
    there = file.stat().st_size - start
    # Deflate packs 1032 bytes into one at best: a header that lies about its shape must not take all the memory.
    if needed > there * (1032 if compressed else 1):
        raise ValueError(f"The header promises {needed} bytes of voxels, and the file has {there}")
    with file.open("rb") as stream:
        stream.seek(file.stat().st_size - needed if skipped < 0 and not compressed else start + max(skipped, 0))
        content = stream.read()
    if compressed:
        content = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, needed)
    if len(content) < needed:
        raise ValueError(f"It ends after {len(content)} of {needed} bytes of voxels")
    return np.frombuffer(content, kind, needed // kind.itemsize).reshape(shape, order="F")


def _affine(fields: dict[str, str], ndim: int) -> NDArray[np.float64]:
    def numbers(names: tuple[str, ...], default: list[float]) -> NDArray[np.float64]:
        text = next((fields[name] for name in names if name in fields), None)
        return np.array(default if text is None else [float(word) for word in text.split()])

    axes = min(ndim, 3)
    spacing = numbers(("ElementSpacing", "ElementSize"), [1.0] * ndim)[:axes]
    origin = numbers(("Offset", "Position", "Origin"), [0.0] * ndim)[:axes]
    matrix = numbers(("TransformMatrix", "Rotation", "Orientation"), list(np.eye(ndim).ravel())).reshape(ndim, ndim)
    affine = np.eye(4)
    affine[:axes, :axes] = matrix[:axes, :axes].T * spacing
    affine[:axes, 3] = origin
    return LPS_TO_RAS @ affine
