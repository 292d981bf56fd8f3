"""Volumes: voxels with a place in the world, canonical inside, and the way back to how their file had them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, Frame, box_slices


@dataclass(frozen=True, eq=False)
class Stored:
    """How an array lay in its file, before it was made canonical.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape in the file: three axes, of which one may hold a single voxel, or two.
    affine : (4, 4) float64
        From the file's voxel indices to RAS mm.
    orientation : (3, 2) float64
        nibabel's orientation: for each axis of the file (a missing third one counted), the canonical axis and the sign.
    dropped : int or None
        The canonical axis that a 2-D image lacks.
    header : object
        The format's own header, kept to be written back; None where there is none.
    """

    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    orientation: NDArray[np.float64]
    dropped: int | None
    header: Any = None


@dataclass(frozen=True, eq=False)
class Volume:
    """An image in canonical orientation.

    Attributes
    ----------
    voxels : (I, J, K) or (I, J) array
        Intensities. The axes point, as nearly as the file's grid allows, to the patient's right, front and head (RAS);
        a 2-D image has the two of them that it spans.
    affine : (4, 4) float64
        From voxel indices to RAS mm; for a 2-D image the third column is the normal of its plane.
    name : str
        What to call it (the file's name without its ending).
    stored : Stored
        How it lay in its file.
    path : str or None
        Where it came from.
    frame_number : int or None
        Which of several frames it is there; None where there is one.

    Notes
    -----
    A NIfTI slice of shape (I, J, 1) is a 2-D image. The voxels may be a view of a memory map and are never written to.
    """

    voxels: NDArray[Any]
    affine: NDArray[np.float64]
    name: str
    stored: Stored
    path: str | None = field(default=None)
    frame_number: int | None = None

    @property
    def ndim(self) -> int:
        return self.voxels.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        return self.voxels.shape

    @cached_property
    def frame(self) -> Frame:
        """Where the voxels lie in the world."""
        return Frame(self.affine, self.voxels.shape)

    @property
    def spacing(self) -> NDArray[np.float64]:
        """(ndim,) mm between neighbouring voxels."""
        return self.frame.spacing

    @classmethod
    def from_stored(
        cls,
        array: NDArray[Any],
        affine: NDArray[Any],
        *,
        name: str = "image",
        header: Any = None,
        path: str | None = None,
        frame_number: int | None = None,
    ) -> Volume:
        """Make a volume of an array as it lies in a file.

        Parameters
        ----------
        array : (I, J) or (I, J, K) array
            Values in the file's axis order.
        affine : (4, 4) array
            From the file's voxel indices to RAS mm.
        name, header, path, frame_number
            Kept with the volume.

        Raises
        ------
        ToposegError
            If the array has not two or three axes, is empty or a single line of voxels, or the affine is singular.
        """
        affine = np.asarray(affine, np.float64)
        if array.ndim not in (2, 3):
            raise ToposegError(
                f"The image has {array.ndim} axes.",
                why="Only 2-D and 3-D images can be segmented.",
                todo="Take one frame or channel out of it first.",
            )
        if 0 in array.shape:
            raise ToposegError("The image holds no voxels.", todo="Check that the file was written to its end.")
        if sum(size > 1 for size in array.shape) < 2:
            raise ToposegError(
                f"The image is a line of {array.size} voxels.",
                why="Only 2-D and 3-D images can be segmented.",
                todo="Check that the right file was given.",
            )
        # Relative to the lengths of the columns: an electron microscope's voxels measure 1e-6 mm.
        volume_of_voxel = np.prod(np.linalg.norm(affine[:3, :3], axis=0))
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) <= 1e-6 * volume_of_voxel:
            raise ToposegError(
                "The image's place in the world is not defined.",
                why="Its affine is singular or not finite.",
                todo="Repair the file's sform or qform with the tool that wrote it.",
            )
        shape = array.shape
        cube = array[..., None] if array.ndim == 2 else array
        orientation = io_orientation(affine)
        canonical = apply_orientation(cube, orientation)
        canonical_affine = affine @ inv_ornt_aff(orientation, cube.shape)
        dropped = None
        singles = [axis for axis, size in enumerate(canonical.shape) if size == 1]
        if array.ndim == 2:
            dropped = int(orientation[2, 0])
        elif len(singles) == 1:
            dropped = singles[0]
        if dropped is not None:
            canonical = np.squeeze(canonical, axis=dropped)
            kept = [axis for axis in range(3) if axis != dropped]
            canonical_affine = canonical_affine[:, [*kept, dropped, 3]]
        stored = Stored(shape, affine, orientation, dropped, header)
        return cls(canonical, canonical_affine, name, stored, path, frame_number)

    def to_stored(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn an array on this volume's canonical grid, or on a box of it, into the file's own axis order.

        Parameters
        ----------
        array : (*grid) or (*grid, components) array
            Values on the canonical grid, or on a box of it. A trailing axis of components is carried along unchanged.

        Returns
        -------
        array
            A view of the same values with as many axes as the file has (and the components).
        """
        if self.stored.dropped is not None:
            array = np.expand_dims(array, self.stored.dropped)
        canonical_to_file = np.empty((3, 2))
        for file_axis, (canonical_axis, sign) in enumerate(self.stored.orientation):
            canonical_to_file[int(canonical_axis)] = file_axis, sign
        array = apply_orientation(array, canonical_to_file)
        return array if len(self.stored.shape) == 3 else array[:, :, 0]

    def box_to_stored(self, box: Box) -> Box:
        """Turn a box of canonical voxels into one in the file's voxels: the way back from `box_from_stored`.

        Parameters
        ----------
        box : Box
            Ranges by canonical axis, end exclusive. May reach beyond the image.

        Returns
        -------
        Box
            One range for each axis that the file has.
        """
        spans = list(box)
        if self.stored.dropped is not None:
            spans.insert(self.stored.dropped, (0, 1))
        file_box = []
        for size, (canonical_axis, sign) in zip(self.stored.shape, self.stored.orientation, strict=False):
            low, high = spans[int(canonical_axis)]
            file_box.append((low, high) if sign > 0 else (size - high, size - low))
        return tuple(file_box)

    def index_to_stored(self, index: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Turn indices of canonical voxels into those of the same voxels in the file.

        Parameters
        ----------
        index : (n, ndim) integer array
            Canonical indices.

        Returns
        -------
        (n, file axes) int64 array
            One index for each axis that the file has.
        """
        index = np.asarray(index, np.int64)
        if self.stored.dropped is not None:
            index = np.insert(index, self.stored.dropped, 0, axis=1)
        columns = []
        for size, (canonical_axis, sign) in zip(self.stored.shape, self.stored.orientation, strict=False):
            along = index[:, int(canonical_axis)]
            columns.append(along if sign > 0 else size - 1 - along)
        return np.stack(columns, axis=1)

    def box_from_stored(self, box: Box) -> Box:
        """Turn a box in the file's voxels into one in canonical voxels.

        Parameters
        ----------
        box : Box
            Ranges by axis of the file, end exclusive: as many as the file has axes, or two for a 2-D image.

        Raises
        ------
        ToposegError
            If the number of ranges does not fit, a range is empty, or the box leaves the image.
        """
        file_shape = self.stored.shape
        ranges = list(box)
        if len(ranges) == 2 and len(file_shape) == 3 and self.ndim == 2:
            single = file_shape.index(1)
            ranges.insert(single, (0, 1))
        if len(ranges) != len(file_shape):
            raise ToposegError(
                f"The region has {len(box)} ranges and the image {len(file_shape)} axes.",
                todo="Give one range I0:I1 for each axis.",
            )
        for axis, ((low, high), size) in enumerate(zip(ranges, file_shape, strict=True)):
            if low >= high:
                raise ToposegError(
                    f"The region's range {low}:{high} on axis {axis} is empty.",
                    why="Ranges count voxels from 0, and their end is not included.",
                    todo="Give a start below the end.",
                )
            if low < 0 or high > size:
                raise ToposegError(
                    f"The region's range {low}:{high} on axis {axis} leaves the image.",
                    why=f"That axis has {size} voxels, counted as stored in the file.",
                    todo=f"Choose a range within 0:{size}.",
                )
        if len(ranges) == 2:
            ranges.append((0, 1))
            file_shape = (*file_shape, 1)
        canonical: list[tuple[int, int]] = [(0, 1)] * 3
        for file_axis, (canonical_axis, sign) in enumerate(self.stored.orientation):
            low, high = ranges[file_axis]
            size = file_shape[file_axis]
            canonical[int(canonical_axis)] = (low, high) if sign > 0 else (size - high, size - low)
        return tuple(span for axis, span in enumerate(canonical) if axis != self.stored.dropped)


def check_finite(volume: Volume, box: Box | None = None) -> None:
    """Refuse a volume that holds NaN or infinite voxels.

    Parameters
    ----------
    volume : Volume
        The image.
    box : Box, optional
        Look only at these canonical voxels; default all. Must lie within the image.

    Raises
    ------
    ToposegError
        If there are any; it says how many.
    """
    voxels = volume.voxels if box is None else volume.voxels[box_slices(box)]
    if voxels.dtype.kind != "f":
        return
    # Slab by slab: a mask of a whole 512x512x300 volume would cost 79 MB, twice.
    missing = sum(int(np.count_nonzero(np.isnan(slab))) for slab in voxels)
    infinite = sum(int(np.count_nonzero(np.isinf(slab))) for slab in voxels)
    if missing or infinite:
        counted = [f"{missing} are NaN"] * bool(missing) + [f"{infinite} are infinite"] * bool(infinite)
        raise ToposegError(
            f"Of the image's {voxels.size} voxels {' and '.join(counted)}.",
            why="An energy over them is not a number.",
            todo="Replace them, for example by the background's intensity, or choose a region without them.",
        )
