"""Displacements and Jacobian maps on the grid of the image's file, for any tool that reads NIfTI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.nifti_reading import NiftiFile
from napari_toposeg.formats.nifti_writing import header_for, set_shape, write_nifti_blocks
from napari_toposeg.frame import Box, Frame, box_slices, clip_box
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.deformation import Displacement

_VECTOR = 1007
_DISPLACEMENT_VECTOR = 1006
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write_displacement(displacement: Displacement, volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a displacement so that ITK's tools warp with it.

    Parameters
    ----------
    displacement : Displacement
        On the voxel lattice of the image: a box of it, which may reach beyond. Outside of the box nothing moves.
    volume : Volume
        The image on whose grid, as stored, the field is written.
    path : path
        .nii or .nii.gz; appears whole or not at all.

    Raises
    ------
    ToposegError
        If it cannot be written.
    ValueError
        If the displacement lies on another lattice.

    Notes
    -----
    Shape (I, J, K, 1, 3), float32, in mm, pulled back: the voxel at x shows the template at x + u(x). Components point
    to the patient's left, back and head (LPS), and the intent is VECTOR (1007): this is what ITK writes itself, and
    what every version of it (and ANTs) reads as it stands. With DISPVECT (1006) only newer versions turn RAS to LPS, so
    that no one choice of components would suit all. An image whose file has two axes in the axial plane gets two
    components, as ITK's 2-D transforms have; two axes in another plane get three.
    """
    ndim = volume.ndim
    region = _box_of_frame(displacement.frame, volume)
    inside = clip_box(region, volume.shape)
    file_box = volume.box_to_stored(inside)
    part = displacement.values[(slice(None), *_slices_within(inside, region))]
    values = [volume.to_stored(along_axis) for along_axis in part]
    to_lps = _RAS_TO_LPS[:, None] * volume.affine[:3, :ndim]
    file_shape = volume.stored.shape
    flat = len(file_shape) == 2
    components = 2 if flat and np.allclose(to_lps[2], 0) else 3

    def slabs() -> Iterator[NDArray[np.float32]]:
        # The component is the slowest axis of the file. A slab at a time, so that the field of a 512x512x300 volume,
        # 0.9 GB, is never held whole.
        for component in range(components):
            for number in range(file_shape[-1]):
                slab = np.zeros(file_shape[:-1], np.float32)
                low, high = file_box[-1]
                if low <= number < high:
                    region_of_slab = slab[box_slices(file_box[:-1])]
                    for length, along_axis in zip(to_lps[component], values, strict=True):
                        # On a straight grid all but one are 0. A product of matrices took 21 s for 0.9 GB.
                        if length:
                            region_of_slab += np.float32(length) * along_axis[..., number - low]
                yield slab

    header = header_for(volume, np.dtype(np.float32))
    set_shape(header, (*file_shape, *[1] * (4 - len(file_shape)), components))
    header["intent_code"] = _VECTOR
    header["intent_name"] = b"displacement"
    write_nifti_blocks(path, header, slabs())


def read_displacement(path: str | os.PathLike[str]) -> Displacement:
    """Read a displacement field that this project, ITK or ANTs wrote.

    Parameters
    ----------
    path : path
        NIfTI of shape (I, J, K, 1, 3) or (I, J, 1, 1, 2), in mm; in LPS, or in RAS where the intent is DISPVECT.

    Returns
    -------
    Displacement
        On the whole canonical grid.

    Raises
    ------
    ToposegError
        If the file cannot be read or is no displacement field.
    """
    # Here, so that reading an image does not load torch.
    from napari_toposeg.deformation import Displacement

    file = NiftiFile.open(path)
    if len(file.shape) != 5 or file.shape[3] != 1 or file.shape[4] not in (2, 3) or file.dtype.kind != "f":
        raise ToposegError(
            f"{path} is no displacement field.",
            why=f"It has the shape {' x '.join(map(str, file.shape))} and {file.dtype.name} values; "
            "a field has the shape I x J x K x 1 x 3 and real ones.",
            todo="Give a field that toposeg, ITK or ANTs wrote.",
        )
    from_file = 1.0 if int(file.header["intent_code"]) == _DISPLACEMENT_VECTOR else _RAS_TO_LPS
    values: NDArray[np.float32] | None = None
    # One component at a time: three of them and the answer would double the memory.
    for component, raw in enumerate(file.frames(range(file.shape[4]))):
        grid = Volume.from_stored(raw, file.affine)
        if values is None:
            to_voxels = np.linalg.pinv(grid.affine[:3, : grid.ndim]) * from_file
            values = np.zeros((grid.ndim, *grid.shape), np.float32)
        for axis in range(grid.ndim):
            if to_voxels[axis, component]:
                values[axis] += np.float32(to_voxels[axis, component]) * grid.voxels
    assert values is not None
    return Displacement(values, grid.frame)


def write_jacobian(at_voxels: NDArray[Any], frame: Frame, volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a map of Jacobian determinants.

    Parameters
    ----------
    at_voxels : (*frame.shape) array
        Determinant at voxels.
    frame : Frame
        Where they lie: a box of the image's voxel lattice, which may reach beyond it.
    volume : Volume
        The image on whose grid, as stored, the map is written: float32, and 1 (nothing moves) outside of the box.
    path : path
        .nii or .nii.gz; appears whole or not at all.

    Raises
    ------
    ToposegError
        If it cannot be written.
    ValueError
        If the frame lies on another lattice.
    """
    region = _box_of_frame(frame, volume)
    inside = clip_box(region, volume.shape)
    file_box = volume.box_to_stored(inside)
    values = volume.to_stored(at_voxels[_slices_within(inside, region)])
    file_shape = volume.stored.shape

    def slabs() -> Iterator[NDArray[np.float32]]:
        for number in range(file_shape[-1]):
            slab = np.ones(file_shape[:-1], np.float32)
            low, high = file_box[-1]
            if low <= number < high:
                slab[box_slices(file_box[:-1])] = values[..., number - low]
            yield slab

    header = header_for(volume, np.dtype(np.float32))
    write_nifti_blocks(path, header, slabs())


def _slices_within(inside: Box, region: Box) -> tuple[slice, ...]:
    """The slices that take a box out of an array that covers a larger region."""
    return tuple(slice(low - start, high - start) for (low, high), (start, _) in zip(inside, region, strict=True))


def _box_of_frame(frame: Frame, volume: Volume) -> Box:
    """Which box of the image's canonical voxels a frame is."""
    if frame.ndim != volume.ndim:
        raise ValueError(f"A grid of {frame.ndim} axes is no box of an image of {volume.ndim}.")
    matrix = frame.index_in(volume.frame)
    start = np.round(matrix[: volume.ndim, 3])
    expected = np.eye(4)
    expected[: volume.ndim, 3] = start
    if not np.allclose(matrix, expected, atol=1e-3):
        raise ValueError("The grid does not lie on the image's voxel lattice.")
    return tuple((int(low), int(low) + size) for low, size in zip(start, frame.shape, strict=True))
