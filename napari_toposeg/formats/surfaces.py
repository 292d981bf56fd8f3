"""Surfaces of masks out: STL, PLY and VTK, closed, in world millimetres."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.paths import split_ending, unknown_ending
from napari_toposeg.volume import Volume

SURFACE_ENDINGS = (".stl", ".ply", ".vtk")

_LPS = np.array([-1.0, -1.0, 1.0])
_SPACE = "SPACE=LPS"


def write_surface(
    mask: NDArray[Any], volume: Volume, path: str | os.PathLike[str], *, connectivity: int | None = None
) -> None:
    """Write the surface of a mask, with the mask's topology.

    Parameters
    ----------
    mask : (*volume.shape) array
        On the canonical grid; foreground where it is not zero.
    volume : Volume
        The image, in 3-D.
    path : path
        .stl (binary), .ply (binary) or .vtk (legacy polygonal data, binary); appears whole or not at all.
    connectivity : {26, 6}, optional
        Of the foreground, as the mask's certificate has it. Default: 26.

    Raises
    ------
    ToposegError
        If the ending is another, the mask is empty or 2-D, or the file cannot be written.

    Notes
    -----
    Coordinates are millimetres in LPS (to the patient's left, back and head), as in DICOM, ITK and 3D Slicer, and the
    file says so. Triangles run counter-clockwise as seen from outside. The surface is that of
    `napari_toposeg.topology.closed_surface`.
    """
    ending = split_ending(path)[1]
    if ending not in SURFACE_ENDINGS:
        raise unknown_ending(path, SURFACE_ENDINGS)
    # Here, so that reading an image does not load numba.
    from napari_toposeg.topology import closed_surface

    surface = closed_surface(mask, connectivity=connectivity)
    vertices = (volume.frame.world(surface.vertices) * _LPS).astype(np.float32)
    mirrored = np.linalg.det(volume.affine[:3, :3]) < 0
    faces = surface.faces[:, ::-1] if mirrored else surface.faces
    write = {".stl": _write_stl, ".ply": _write_ply, ".vtk": _write_vtk}[ending]
    with replacing(path) as part, open(part, "wb") as stream:
        write(stream, vertices, faces.astype(np.int32))


def _write_stl(stream: BinaryIO, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> None:
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(len(faces), np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")]))
    records["normal"] = normals / np.where(lengths > 0, lengths, 1.0)
    records["corners"] = corners
    stream.write(f"napari-toposeg {_SPACE}".encode().ljust(80, b" "))
    stream.write(np.array(len(faces), "<u4").tobytes())
    stream.write(records.tobytes())


def _write_ply(stream: BinaryIO, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> None:
    lines = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment napari-toposeg, millimetres, {_SPACE}",
        f"element vertex {len(vertices)}",
        *(f"property float {axis}" for axis in "xyz"),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    stream.write(("\n".join(lines) + "\n").encode())
    stream.write(vertices.astype("<f4").tobytes())
    records = np.zeros(len(faces), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
    records["count"] = 3
    records["corners"] = faces
    stream.write(records.tobytes())


def _write_vtk(stream: BinaryIO, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> None:
    # The legacy format's binary numbers are big-endian.
    stream.write(f"# vtk DataFile Version 3.0\nnapari-toposeg, millimetres, {_SPACE}\nBINARY\n".encode())
    stream.write(f"DATASET POLYDATA\nPOINTS {len(vertices)} float\n".encode())
    stream.write(vertices.astype(">f4").tobytes())
    stream.write(f"\nPOLYGONS {len(faces)} {4 * len(faces)}\n".encode())
    stream.write(np.column_stack([np.full(len(faces), 3), faces]).astype(">i4").tobytes())
    stream.write(b"\n")
