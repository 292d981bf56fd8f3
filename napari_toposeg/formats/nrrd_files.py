"""NRRD in and out: Slicer's own format, with the place in the world in full."""

from __future__ import annotations

import os
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.file_errors import damaged, several_values
from napari_toposeg.formats.frames_of_files import cube_in_lps, volume_of_frames
from napari_toposeg.formats.paths import existing_file, split_ending, unknown_ending
from napari_toposeg.volume import Volume

_BROKEN = (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, zlib.error, MemoryError)
_MILLIMETRES = {"m": 1e3, "cm": 10.0, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "microns": 1e-3, "nm": 1e-6}
# How the axes of a named space lie to right, front and head. Without a name ITK takes them for left, back and head.
_TO_RAS = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0),
}
_SHORT = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"}
_SPACE_KINDS = {"domain", "space", "???", "none", ""}


def read_nrrd(path: str | os.PathLike[str], *, frame_number: int | None = None) -> Volume:
    """Read an NRRD image.

    Parameters
    ----------
    path : path
        .nrrd, or .nhdr with its voxels beside it.
    frame_number : int, optional
        Which frame of a list or of a time axis, counted from 0. Needed where there are more than one.

    Returns
    -------
    Volume
        Voxels of the stored type. A space without a name is taken for LPS, and one without units for millimetres, as
        ITK and Slicer take them.

    Raises
    ------
    ToposegError
        If the file is missing, damaged or no NRRD, holds colours or vectors, or has frames to choose from and none is
        chosen.
    """
    import nrrd

    file = existing_file(path)
    try:
        with file.open("rb") as stream:
            if stream.read(4) != b"NRRD":
                raise ValueError("It does not begin with the mark of NRRD")
        header = nrrd.read_header(str(file))
        voxels, header = nrrd.read(str(file), index_order="F")
        spatial, others = _axes(header, voxels.ndim, path)
        affine = _affine(header, spatial)
        lies = header.get("data file", header.get("datafile"))
    except ToposegError:
        raise
    except (*_BROKEN, nrrd.NRRDError) as error:
        raise damaged(path, "NRRD", error) from error
    beside = file.parent / str(lies) if lies else None
    files = (file, beside) if beside is not None and beside.is_file() else (file,)
    voxels = np.moveaxis(voxels, others, range(len(spatial), voxels.ndim))
    return volume_of_frames(voxels, len(spatial), affine, files, frame_number)


def write_nrrd(array: NDArray[Any], volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write voxels on the grid of an image's file, compressed.

    Parameters
    ----------
    array : (*volume.shape) array
        Whole or floating numbers on the canonical grid; bool becomes 0 and 1.
    volume : Volume
        Where the grid and its place come from; any affine can be held. A 2-D image becomes a volume of one slice.
    path : path
        .nrrd; appears whole or not at all.

    Raises
    ------
    ToposegError
        If the ending is another, or the file cannot be written.
    """
    import nrrd

    if split_ending(path)[1] != ".nrrd":
        raise unknown_ending(path, (".nrrd",))
    cube, to_lps = cube_in_lps(array, volume)
    header = {
        "space": "left-posterior-superior",
        "space directions": to_lps[:3, :3].T,
        "space origin": to_lps[:3, 3],
        "kinds": ["domain"] * 3,
        "encoding": "gzip",
    }
    with replacing(path) as part:
        nrrd.write(str(part), np.asfortranarray(cube), header, index_order="F", compression_level=1)


def _axes(header: Any, ndim: int, path: str | os.PathLike[str]) -> tuple[list[int], list[int]]:
    """Which axes are those of space, and which are not."""
    kinds = [str(kind).lower() for kind in header.get("kinds", [])] or [""] * ndim
    directions = header.get("space directions")
    if directions is not None:
        spatial = [axis for axis in range(ndim) if np.isfinite(np.asarray(directions[axis], float)).all()]
    else:
        spatial = [axis for axis in range(ndim) if kinds[axis] in _SPACE_KINDS][:3]
    others = [axis for axis in range(ndim) if axis not in spatial]
    for axis in others:
        if kinds[axis] not in (*_SPACE_KINDS, "list", "time", "stub", "scalar"):
            raise several_values(path, f"{kinds[axis]} values")
    return spatial, others


def _affine(header: Any, spatial: list[int]) -> Any:
    space = str(header.get("space", "")).lower()
    space = _SHORT.get(space.removesuffix("t"), space.removesuffix("-time"))
    turn = np.array(_TO_RAS.get(space, (-1.0, -1.0, 1.0)))
    units = [str(unit).strip('"').lower() for unit in header.get("space units", header.get("units", []))]
    lengths = [_MILLIMETRES.get(unit, 1.0) for unit in units[:3]]
    lengths += [1.0] * (3 - len(lengths))
    affine = np.eye(4)
    directions = header.get("space directions")
    if directions is not None:
        columns = np.array([directions[axis] for axis in spatial], float).T
        affine[: columns.shape[0], : columns.shape[1]] = columns
        origin = np.asarray(header.get("space origin", np.zeros(columns.shape[0])), float)
        affine[: len(origin), 3] = origin
        if columns.shape == (3, 2):
            normal = np.cross(columns[:, 0], columns[:, 1])
            affine[:3, 2] = normal / (np.linalg.norm(normal) or 1.0)
    elif header.get("spacings") is not None:
        spacings = np.asarray(header["spacings"], float)[spatial]
        affine[range(len(spatial)), range(len(spatial))] = np.where(np.isfinite(spacings), spacings, 1.0)
    affine[:3] *= (turn * np.array(lengths))[:, None]
    return affine
