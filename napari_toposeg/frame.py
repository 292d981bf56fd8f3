"""Frames: where a grid lies in the world. All resampling goes through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Box: TypeAlias = tuple[tuple[int, int], ...]
"""Voxel ranges by axis, end exclusive: ``((i0, i1), (j0, j1)[, (k0, k1)])``. May reach beyond the grid."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A grid of voxels and its place in the world.

    Attributes
    ----------
    affine : (4, 4) float64
        From voxel indices to RAS millimetres. A 2-D grid is the plane ``k = 0`` of its affine, whose third
        column is the plane's normal.
    shape : tuple of int
        Voxels by axis; two or three.
    """

    affine: NDArray[np.float64]
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @cached_property
    def spacing(self) -> NDArray[np.float64]:
        """(ndim,) distance between neighbouring voxels along each axis, in mm."""
        return np.linalg.norm(self.affine[:3, : self.ndim], axis=0)

    @property
    def box(self) -> Box:
        """The box that holds the whole grid."""
        return tuple((0, size) for size in self.shape)

    def crop(self, box: Box) -> Frame:
        """The frame of a box of this grid; the box may reach beyond the grid.

        Parameters
        ----------
        box : Box
            Voxel ranges by axis, end exclusive.
        """
        start = np.array([low for low, _ in box] + [0.0] * (3 - self.ndim) + [1.0])
        affine = self.affine.copy()
        affine[:, 3] = self.affine @ start
        return Frame(affine, tuple(high - low for low, high in box))

    def resized(self, shape: Sequence[int]) -> Frame:
        """The frame with another number of voxels whose corner voxels have the same centres as this one's.

        Parameters
        ----------
        shape : sequence of int
            Voxels by axis.

        Raises
        ------
        ValueError
            If an axis has, or is asked to have, fewer than two voxels: it has no two corners to keep.
        """
        if min(*self.shape, *shape) < 2:
            raise ValueError(f"A grid of {self.shape} voxels cannot be resized to {tuple(shape)}: an axis needs two.")
        factor = np.ones(4)
        factor[: self.ndim] = [(old - 1) / (new - 1) for old, new in zip(self.shape, shape, strict=True)]
        return Frame(self.affine * factor, tuple(shape))

    def index_in(self, other: Frame) -> NDArray[np.float64]:
        """(4, 4) from this frame's voxel indices to the other's (not rounded)."""
        return np.linalg.inv(other.affine) @ self.affine

    def world(self, index: NDArray[Any]) -> NDArray[np.float64]:
        """World coordinates of voxel indices.

        Parameters
        ----------
        index : (..., ndim) array
            Voxel indices, not necessarily whole.

        Returns
        -------
        (..., 3) float64
            RAS millimetres.
        """
        index = np.asarray(index, float)
        return index @ self.affine[:3, : self.ndim].T + self.affine[:3, 3]

    def coordinates(self, matrix: NDArray[Any] | None = None, *, device: torch.device | str = "cpu") -> torch.Tensor:
        """Coordinates of every voxel of the grid.

        Parameters
        ----------
        matrix : (4, 4) array, optional
            Applied to the voxel indices, for example `index_in` another frame. Default: the indices themselves.
        device : torch.device
            Where the answer is wanted.

        Returns
        -------
        (ndim, *shape) float32 tensor
        """
        import torch

        axes = [torch.arange(size, dtype=torch.float32, device=device) for size in self.shape]
        if matrix is None:
            return torch.stack(torch.meshgrid(*axes, indexing="ij"))
        rows = []
        for component in range(self.ndim):
            row = torch.full((1,) * self.ndim, float(matrix[component, 3]), device=device)
            for axis, values in enumerate(axes):
                along = [-1 if k == axis else 1 for k in range(self.ndim)]
                row = row + float(matrix[component, axis]) * values.reshape(along)
            rows.append(row.expand(self.shape))
        return torch.stack(rows)


def clip_box(box: Box, shape: Sequence[int]) -> Box:
    """The part of a box that lies within a grid of this shape; empty, not inside out, where there is none."""
    starts = [min(max(low, 0), size) for (low, _), size in zip(box, shape, strict=True)]
    return tuple(
        (start, max(min(high, size), start)) for start, (_, high), size in zip(starts, box, shape, strict=True)
    )


def grow_box(box: Box, margin: Sequence[float]) -> Box:
    """The box with a margin added on every side.

    Parameters
    ----------
    box : Box
        Voxel ranges by axis.
    margin : sequence of float
        Voxels to add at both ends of each axis; rounded up.
    """
    return tuple(
        (low - int(np.ceil(extra)), high + int(np.ceil(extra))) for (low, high), extra in zip(box, margin, strict=True)
    )


def box_slices(box: Box) -> tuple[slice, ...]:
    """The slices that take a box out of an array; the box must lie within it."""
    return tuple(slice(low, high) for low, high in box)


def box_of(mask: NDArray[Any]) -> Box | None:
    """The smallest box that holds every voxel of a mask, or None where the mask is empty."""
    ranges = []
    for axis in range(mask.ndim):
        filled = np.flatnonzero(mask.any(axis=tuple(k for k in range(mask.ndim) if k != axis)))
        if filled.size == 0:
            return None
        ranges.append((int(filled[0]), int(filled[-1]) + 1))
    return tuple(ranges)


def resample(array: NDArray[Any], source: Frame, target: Frame, *, order: int = 1) -> NDArray[Any]:
    """Values of an image on another grid.

    Parameters
    ----------
    array : (*source.shape) array
        Values on `source`.
    source, target : Frame
        Where the values lie, and where they are wanted.
    order : int
        0 for labels (nearest), 1 for intensities (linear). With 1, an image that is made coarser is smoothed first
        (a Gaussian whose sigma is half of what the spacing grows by), so that detail does not alias.

    Returns
    -------
    (*target.shape) array
        float32 for order 1, the array's type for order 0. Beyond the source its border values are repeated.
    """
    from scipy.ndimage import affine_transform, gaussian_filter

    matrix = target.index_in(source)
    ndim = source.ndim
    if order == 0:
        return affine_transform(
            array, matrix[:ndim, :ndim], matrix[:ndim, 3], output_shape=target.shape, order=0, mode="nearest"
        )
    # Only the part that the target looks at is converted and smoothed: a 512x512x300 volume stays as it is.
    reach = np.linalg.norm(matrix[:ndim, :ndim], axis=1)
    sigma = np.maximum(reach - 1.0, 0.0) / 2.0
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in target.shape], indexing="ij")).reshape(ndim, -1)
    seen = matrix[:ndim, :ndim] @ corners + matrix[:ndim, 3:4]
    margin = np.ceil(4 * sigma) + 2
    box = clip_box(
        tuple(
            (int(np.floor(low - extra)), int(np.ceil(high + extra)) + 1)
            for low, high, extra in zip(seen.min(axis=1), seen.max(axis=1), margin, strict=True)
        ),
        source.shape,
    )
    # A target wholly beyond the source still sees the source's nearest border.
    box = tuple((min(low, size - 1), max(high, 1)) for (low, high), size in zip(box, source.shape, strict=True))
    part = np.asarray(array[box_slices(box)], np.float32)
    if (sigma > 0).any():
        part = gaussian_filter(part, sigma, mode="nearest")
    offset = matrix[:ndim, 3] - [low for low, _ in box]
    return affine_transform(
        part, matrix[:ndim, :ndim], offset, output_shape=target.shape, order=1, mode="nearest", output=np.float32
    )
