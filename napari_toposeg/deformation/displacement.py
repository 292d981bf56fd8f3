"""A displacement and the grid that it lives on: what is kept, resampled and written to disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Box, Frame, box_slices, clip_box

_EDGE = 1e-3
"""Voxels by which a position may miss the grid and still count as on its border: flips and rotations round."""


@dataclass(frozen=True, eq=False)
class Displacement:
    """A deformation x -> x + u(x) of a frame's grid; the identity beyond it.

    Attributes
    ----------
    values : (ndim, *grid) float32
        u at the voxels, in voxels of the frame, component k along axis k.
    frame : Frame
        Where the grid lies in the world.
    """

    values: NDArray[np.float32]
    frame: Frame

    def __post_init__(self) -> None:
        expected = (self.frame.ndim, *self.frame.shape)
        if self.values.shape != expected or self.values.dtype != np.float32:
            raise ValueError(
                f"a displacement on this frame is float32 of shape {expected}, "
                f"not {self.values.dtype} of shape {self.values.shape}"
            )

    @classmethod
    def identity(cls, frame: Frame) -> Displacement:
        """The deformation that moves nothing."""
        return cls(np.zeros((frame.ndim, *frame.shape), np.float32), frame)

    @property
    def ndim(self) -> int:
        return self.frame.ndim

    def in_millimetres(self) -> NDArray[np.float32]:
        """Displacement vectors in the world.

        Returns
        -------
        (*grid, 3) float32
            RAS millimetres. Those of a 2-D displacement lie in its plane.
        """
        matrix = self.frame.affine[:3, : self.ndim].astype(np.float32)
        return np.moveaxis(np.tensordot(matrix, self.values, axes=1), 0, -1)

    def scaled(self, factor: float) -> Displacement:
        """The displacement times a factor: 0 is the identity, 1 the displacement itself."""
        return Displacement(self.values * np.float32(factor), self.frame)

    def crop(self, box: Box) -> Displacement:
        """The displacement in a box of its grid.

        Parameters
        ----------
        box : Box
            Voxel ranges by axis. May reach beyond the grid, where the displacement is zero.

        Returns
        -------
        Displacement
            On the frame of the box.
        """
        frame = self.frame.crop(box)
        values = np.zeros((self.ndim, *frame.shape), np.float32)
        within = clip_box(box, self.frame.shape)
        if all(low < high for low, high in within):
            shifted = tuple((low - start, high - start) for (low, high), (start, _) in zip(within, box, strict=True))
            values[(slice(None), *box_slices(shifted))] = self.values[(slice(None), *box_slices(within))]
        return Displacement(values, frame)

    def resampled(self, frame: Frame) -> Displacement:
        """The same displacement of the world, on another grid.

        Parameters
        ----------
        frame : Frame
            The grid wanted, with as many axes. A 2-D one must lie in the same plane.

        Returns
        -------
        Displacement
            In voxels of `frame`: linear between this grid's voxels, zero beyond them.

        Raises
        ------
        ValueError
            If the frames differ in their number of axes.

        Notes
        -----
        A regular displacement need not be regular on another grid, whose cells straddle this one's: test it there.
        """
        from scipy.ndimage import affine_transform

        if frame.ndim != self.ndim:
            raise ValueError(f"a displacement of {self.ndim} axes cannot be resampled on to {frame.ndim}")
        position = frame.index_in(self.frame)
        vectors = self.frame.index_in(frame)[: self.ndim, : self.ndim].astype(np.float32)
        there = np.tensordot(vectors, self.values, axes=1)
        values = np.empty((self.ndim, *frame.shape), np.float32)
        for component in range(self.ndim):
            affine_transform(
                there[component],
                position[: self.ndim, : self.ndim],
                position[: self.ndim, 3],
                output_shape=frame.shape,
                output=values[component],
                order=1,
                mode="nearest",
            )
        for axis, size in enumerate(self.frame.shape):
            coordinate = position[axis, 3].astype(np.float32)
            for other, length in enumerate(frame.shape):
                along = [-1 if k == other else 1 for k in range(self.ndim)]
                coordinate = coordinate + np.float32(position[axis, other]) * np.arange(
                    length, dtype=np.float32
                ).reshape(along)
            values[:, (coordinate < -_EDGE) | (coordinate > size - 1 + _EDGE)] = 0.0
        return Displacement(values, frame)
