"""What is drawn of a displacement: arrays in, arrays out, in the axis order of the layers that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray

from napari_toposeg.deformation import Displacement
from napari_toposeg.docks.display import Layout
from napari_toposeg.frame import Box, Frame
from napari_toposeg.volume import Volume


@dataclass(frozen=True, eq=False)
class FieldView:
    """A displacement as its layers see it.

    Attributes
    ----------
    vectors : (ndim, *grid) float32
        u in voxels of its grid; components and grid in the layers' order. Views.
    inside : Box
        The part of the grid, in the layers' order, that lies within the image: overlays beyond it would stretch the
        viewer's sliders.
    """

    vectors: NDArray[np.float32]
    inside: Box

    @classmethod
    def of(cls, displacement: Displacement, volume: Volume, layout: Layout) -> FieldView:
        """See a displacement of this volume."""
        inside = inside_image(displacement.frame, volume)
        shape = displacement.frame.shape
        if layout.flipped:
            inside = tuple((size - high, size - low) for (low, high), size in zip(inside, shape, strict=True))
        return cls(layout.vectors(displacement.values), tuple(reversed(inside)))

    @property
    def ndim(self) -> int:
        return len(self.inside)

    def arrows(self, stride: int, length: float, *, axes: Sequence[int], at: int) -> NDArray[np.float32]:
        """Displacement vectors on a lattice.

        Parameters
        ----------
        stride : int
            Voxels between them.
        length : float
            By how much they are drawn longer than they are.
        axes : sequence of int
            The axes that are seen. Where that is one fewer than there are, `at` is the slice along the other, and the
            vectors are projected into it.
        at : int
            The slice; ignored where all axes are seen.

        Returns
        -------
        (N, 2, ndim) float32
            Starts and directions, in data indices; none where the slice lies outside.
        """
        ranges = self._lattice(stride, axes, at)
        if ranges is None:
            return np.zeros((0, 2, self.ndim), np.float32)
        mesh = np.stack(np.meshgrid(*ranges, indexing="ij")).reshape(self.ndim, -1)
        directions = self.vectors[(slice(None), *mesh)] * np.float32(length)
        for axis in range(self.ndim):
            if axis not in axes:
                directions[axis] = 0.0
        return np.stack([mesh.T.astype(np.float32), directions.T], axis=1)

    def lengths(self, arrows: NDArray[np.float32], spacing: NDArray[np.float64]) -> NDArray[np.float32]:
        """Lengths (N,) in mm of the displacement where arrows start, whether or not they lie in the slice.

        Parameters
        ----------
        arrows : (N, 2, ndim) float32
            As `arrows` gives them.
        spacing : (ndim,) array
            Of the displacement's grid, in mm, in canonical order.
        """
        there = self.vectors[(slice(None), *arrows[:, 0].astype(np.intp).T)]
        found: NDArray[np.float32] = np.linalg.norm(there * spacing[::-1, None], axis=0).astype(np.float32)
        return found

    def grid_lines(self, stride: int, *, axes: Sequence[int], at: int, share: float = 1.0) -> NDArray[np.float32]:
        """The template's own grid, as the deformation lays it on to the image.

        The deformation says for each voxel x which place x + u(x) of the template it shows: the template's grid lines
        are where a component of that is a multiple of `stride`, contours that need no inverse.

        Parameters
        ----------
        stride : int
            Voxels between the lines, in the template.
        axes : (2,) sequence of int
            The axes that are seen.
        at : int
            The slice along the other axis, in 3-D.
        share : float
            What the displacement is multiplied by: at 0 the lines are straight.

        Returns
        -------
        (N, 2, ndim) float32
            Starts and directions of short straight pieces, in data indices.
        """
        slices = self._plane(axes, at)
        if slices is None:
            return np.zeros((0, 2, self.ndim), np.float32)
        pieces = [np.zeros((0, 2, self.ndim), np.float32)]
        first, second = sorted(axes)
        for axis in (first, second):
            low, high = self.inside[axis]
            along = [1, 1]
            along[0 if axis == first else 1] = -1
            place = np.arange(low, high, dtype=np.float32).reshape(along) + share * self.vectors[axis][slices]
            levels = np.arange(np.ceil(place.min() / stride), np.floor(place.max() / stride) + 1) * stride
            pieces.append(contour_pieces(place, levels, [first, second], at, [low for low, _ in self.inside]))
        return np.concatenate(pieces)

    def _lattice(self, stride: int, axes: Sequence[int], at: int) -> list[NDArray[np.intp]] | None:
        ranges = []
        for axis, (low, high) in enumerate(self.inside):
            if axis in axes:
                ranges.append(np.arange(low + (high - low - 1) % stride // 2, high, stride))
            elif low <= at < high:
                ranges.append(np.array([at]))
            else:
                return None
        return ranges

    def _plane(self, axes: Sequence[int], at: int) -> tuple[slice | int, ...] | None:
        slices: list[slice | int] = []
        for axis, (low, high) in enumerate(self.inside):
            if axis in axes:
                if high - low < 2:
                    return None
                slices.append(slice(low, high))
            elif low <= at < high:
                slices.append(at)
            else:
                return None
        return tuple(slices)


def contour_pieces(
    plane: NDArray[np.float32],
    levels: Sequence[float] | NDArray[np.float64],
    axes: Sequence[int],
    at: float,
    origin: Sequence[int],
) -> NDArray[np.float32]:
    """Where values of a slice are at certain levels.

    Parameters
    ----------
    plane : (rows, columns) float32
        The slice.
    levels : sequence of float
        At which of them.
    axes : (2,) sequence of int
        Which axes of the layer the rows and the columns run along; ascending.
    at : float
        Where the slice lies along the other axis, in 3-D.
    origin : (ndim,) sequence of int
        The layer's index of the first row and column, by axis.

    Returns
    -------
    (N, 2, ndim) float32
        Starts and directions of short straight pieces, in data indices.
    """
    rows, columns = axes
    pieces = [np.zeros((0, 2, len(origin)), np.float32)]
    if min(plane.shape) >= 2:
        contours = contour_generator(z=plane, line_type=LineType.Separate)
        for level in levels:
            for line in contours.lines(float(level)):
                points = np.full((len(line), len(origin)), float(at), np.float32)
                # contourpy gives columns before rows.
                points[:, columns] = np.asarray(line)[:, 0] + origin[columns]
                points[:, rows] = np.asarray(line)[:, 1] + origin[rows]
                pieces.append(np.stack([points[:-1], np.diff(points, axis=0)], axis=1))
    return np.concatenate(pieces)


def inside_image(frame: Frame, volume: Volume) -> Box:
    """The voxels of a displacement's grid, by canonical axis, whose centres lie within the image."""
    matrix = frame.index_in(volume.frame)
    box = []
    for axis, (size, image_size) in enumerate(zip(frame.shape, volume.shape, strict=True)):
        places = matrix[axis, 3] + matrix[axis, axis] * np.arange(size)
        within = np.flatnonzero((places > -0.5) & (places < image_size - 0.5))
        box.append((int(within[0]), int(within[-1]) + 1) if len(within) else (0, 0))
    return tuple(box)
