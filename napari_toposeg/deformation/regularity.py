"""Where a deformation folds: the strict test, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.deformation.cells import (
    HALVINGS,
    cube_corners,
    cube_edges,
    examine_cube,
    examine_square,
    square_corners,
    square_edges,
)
from napari_toposeg.frame import Box, box_slices, clip_box


@dataclass(frozen=True, eq=False)
class JacobianMap:
    """Jacobian determinant of a deformation, and where it is not proven positive.

    Attributes
    ----------
    least : (*cells) float32
        Least determinant met in each cell: that of its corners, or one from within it where only the strict test
        finds it too low.
    folding_cells : (*cells) bool
        Cells whose determinant is not proven positive everywhere. A cell that twelve halvings leave undecided is among
        them.
    at_voxels : (*grid) float32
        At each voxel the least of the corner determinants there of the cells that meet at it (four in 2-D, eight in
        3-D, fewer on the border).
    """

    least: NDArray[np.float32]
    folding_cells: NDArray[np.bool_]
    at_voxels: NDArray[np.float32]

    @cached_property
    def folding(self) -> int:
        """Number of cells that are not proven regular."""
        return int(np.count_nonzero(self.folding_cells))

    @cached_property
    def least_determinant(self) -> float:
        """Least determinant met in any cell."""
        return float(self.least.min())

    @property
    def folding_voxels(self) -> NDArray[np.bool_]:
        """(*grid) voxels at the corners of folding cells."""
        voxels: NDArray[np.bool_] = np.zeros(self.at_voxels.shape, np.bool_)
        for corner in np.ndindex(*(2,) * voxels.ndim):
            ends = tuple(slice(end, size - 1 + end) for end, size in zip(corner, voxels.shape, strict=True))
            voxels[ends] |= self.folding_cells
        return voxels


def jacobian_map(values: NDArray[Any]) -> JacobianMap:
    """Test whether a deformation folds anywhere, strictly.

    Parameters
    ----------
    values : (ndim, *grid) array
        Displacement in voxels of its grid; tested as float32, the precision in which it is used.

    Returns
    -------
    JacobianMap
        Folding counts 0 exactly where the multilinear deformation is proven to have a positive determinant
        everywhere. In 2-D the corners of each cell decide; in 3-D the Bernstein coefficients of its determinant, a
        polynomial of degree (2, 2, 2).

    Raises
    ------
    ValueError
        If the array is not a displacement, or its grid has fewer than two voxels along an axis.

    Notes
    -----
    A voxel that is not a number makes its cells fold. Together with the identity on the border a regular deformation
    is a homeomorphism of the box; without it, it need not be.
    """
    field = flat_field(values)
    grid = values.shape[1:]
    cells = tuple(size - 1 for size in grid)
    least = np.empty(cells, np.float32)
    folding = np.empty(cells, np.bool_)
    at_voxels = np.full(grid, np.inf, np.float32)
    if len(grid) == 2:
        _map_squares(field, least, folding, at_voxels.reshape(-1))
    else:
        _map_cubes(field, least, folding, at_voxels.reshape(-1))
    return JacobianMap(least, folding, at_voxels)


def worst_cells(
    jacobian: JacobianMap, number: int, *, within: Box | None = None, apart: int = 0
) -> list[tuple[tuple[int, ...], float]]:
    """The cells with the least determinants, worst first.

    Parameters
    ----------
    jacobian : JacobianMap
        Where to look.
    number : int
        How many are wanted; fewer come where there are fewer cells.
    within : Box, optional
        Only cells whose voxels all lie in this box are looked at, for example those of the image, which the field may
        reach beyond. Default: all.
    apart : int
        Only cells that have no worse one within so many cells along every axis: places rather than cells, where the
        worst ones lie side by side. Default: all.

    Returns
    -------
    list of (index, least)
        Index of the cell's low corner, and its least determinant.
    """
    shape = jacobian.least.shape
    box = clip_box(
        tuple((0, size) for size in shape) if within is None else tuple((a, b - 1) for a, b in within), shape
    )
    least = jacobian.least[box_slices(box)]
    flat = least.reshape(-1)
    if apart > 0 and flat.size:
        from scipy.ndimage import minimum_filter

        flat = np.where(minimum_filter(least, 2 * apart + 1, mode="nearest") == least, least, np.inf).reshape(-1)
        number = min(number, int(np.count_nonzero(flat < np.inf)))
    number = min(number, flat.size)
    if number == 0:
        return []
    worst = np.argpartition(flat, number - 1)[:number]
    worst = worst[np.argsort(flat[worst], kind="stable")]
    indices = np.stack(np.unravel_index(worst, least.shape), axis=1) + [low for low, _ in box]
    return [(tuple(map(int, index)), float(flat[cell])) for index, cell in zip(indices, worst, strict=True)]


def flat_field(values: NDArray[Any]) -> NDArray[np.float32]:
    """A displacement as the compiled code takes it: (ndim, voxels) float32, contiguous; a view where it can be."""
    if values.ndim not in (3, 4) or values.shape[0] != values.ndim - 1:
        raise ValueError(f"a displacement has shape (2, I, J) or (3, I, J, K), not {values.shape}")
    if min(values.shape[1:]) < 2:
        raise ValueError(f"a grid of shape {values.shape[1:]} has no cells")
    return np.ascontiguousarray(values, np.float32).reshape(values.shape[0], -1)


@njit(cache=True, nogil=True)
def _map_squares(
    field: NDArray[np.float32],
    least: NDArray[np.float32],
    folding: NDArray[np.bool_],
    at_voxels: NDArray[np.float32],
) -> None:
    stride = least.shape[1] + 1
    for i in range(least.shape[0]):
        for j in range(least.shape[1]):
            cell = i * stride + j
            edges = square_edges(field, cell, stride)
            corners = square_corners(edges)
            determinant, proven = examine_square(edges, corners, 0.0)
            least[i, j] = determinant
            folding[i, j] = not proven
            for corner in range(4):
                voxel = cell + (corner & 1) * stride + (corner >> 1)
                # What is not a number stays.
                if corners[corner] < at_voxels[voxel] or corners[corner] != corners[corner]:
                    at_voxels[voxel] = corners[corner]


@njit(cache=True, nogil=True)
def _map_cubes(
    field: NDArray[np.float32],
    least: NDArray[np.float32],
    folding: NDArray[np.bool_],
    at_voxels: NDArray[np.float32],
) -> None:
    scratch = np.empty((HALVINGS + 2, 3, 3, 3))
    stride_y = least.shape[2] + 1
    stride_x = (least.shape[1] + 1) * stride_y
    for i in range(least.shape[0]):
        for j in range(least.shape[1]):
            for k in range(least.shape[2]):
                cell = i * stride_x + j * stride_y + k
                edges = cube_edges(field, cell, stride_x, stride_y)
                corners = cube_corners(edges)
                determinant, proven = examine_cube(edges, corners, 0.0, scratch)
                least[i, j, k] = determinant
                folding[i, j, k] = not proven
                for corner in range(8):
                    voxel = cell + (corner & 1) * stride_x + ((corner >> 1) & 1) * stride_y + (corner >> 2)
                    if corners[corner] < at_voxels[voxel] or corners[corner] != corners[corner]:
                        at_voxels[voxel] = corners[corner]
