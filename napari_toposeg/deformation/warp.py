"""Deformations on a grid of voxels: sample, warp, compose, resize, invert.

A displacement u is a tensor (N, ndim, *grid) in voxels of its own grid, component k along axis k of the grid. It
stands for the deformation phi(x) = x + u(x), linear between the voxels. A warped image is I(phi(x)): phi says for
each voxel of the answer where in the image to look (Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 1
and 2; their grid runs from -1 to 1, ours counts voxels, so that a determinant or a Laplacian means the same on every
grid).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor


def identity_grid(
    shape: Sequence[int], *, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Each voxel's own coordinates.

    Parameters
    ----------
    shape : sequence of int
        Voxels by axis.
    device, dtype
        Of the answer.

    Returns
    -------
    (1, ndim, *shape) tensor
    """
    axes = [torch.arange(size, device=device, dtype=dtype) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def sample(image: Tensor, positions: Tensor) -> Tensor:
    """Values of an image at any positions, linear between its voxels.

    Parameters
    ----------
    image : (N, C, *grid) tensor
        Values at the voxels.
    positions : (N, ndim, *out) tensor
        Coordinates in voxels of `grid`; whole numbers are the voxels' centres. A batch of one serves every image.

    Returns
    -------
    (N, C, *out) tensor
        Of the image's type. Beyond the grid the nearest border value holds.
    """
    grid = image.shape[2:]
    # Coordinates in half precision would be off by up to half a voxel at 512.
    dtype = torch.promote_types(torch.promote_types(image.dtype, positions.dtype), torch.float32)
    # grid_sample wants -1 to 1, the last axis first. Doubled and then divided, the ends of an axis come out as
    # exactly -1 and 1, and displacements that are zero on the border compose to one that is.
    normalised = [
        2.0 * positions[:, axis].to(dtype) / max(grid[axis] - 1, 1) - 1.0 for axis in reversed(range(len(grid)))
    ]
    points = torch.stack(normalised, dim=-1)
    if points.shape[0] != image.shape[0]:
        points = points.expand(image.shape[0], *points.shape[1:])
    values = functional.grid_sample(image.to(dtype), points, mode="bilinear", padding_mode="border", align_corners=True)
    return values.to(image.dtype)


def warp(image: Tensor, displacement: Tensor) -> Tensor:
    """The image seen through a deformation: I(x + u(x)).

    Parameters
    ----------
    image : (N, C, *grid) tensor
        What is warped.
    displacement : (N, ndim, *grid) tensor
        u, on the image's grid.

    Returns
    -------
    (N, C, *grid) tensor
    """
    return sample(image, _deformation(displacement))


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The displacement of one deformation after another: x -> outer(inner(x)).

    Parameters
    ----------
    outer, inner : (N, ndim, *grid) tensors
        Displacements on one grid; `inner` acts first.

    Returns
    -------
    (N, ndim, *grid) tensor
        Exact at the voxels. Between them it is interpolated, so that the composition of two deformations that do not
        fold can fold a little: test the result.
    """
    return inner + warp(outer, inner)


def resize(displacement: Tensor, shape: Sequence[int]) -> Tensor:
    """The same deformation on a coarser or finer grid that spans the same region.

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        In voxels of `grid`.
    shape : sequence of int
        Voxels by axis of the new grid, whose corner voxels have the same centres as the old one's.

    Returns
    -------
    (N, ndim, *shape) tensor
        In voxels of the new grid.
    """
    grid = displacement.shape[2:]
    mode = "bilinear" if len(grid) == 2 else "trilinear"
    resized = functional.interpolate(displacement, size=tuple(shape), mode=mode, align_corners=True)
    factor = [(new - 1) / max(old - 1, 1) for old, new in zip(grid, shape, strict=True)]
    return resized * resized.new_tensor(factor).reshape(1, -1, *[1] * len(grid))


@dataclass(frozen=True, eq=False)
class Inverse:
    """An inverted deformation, and how nearly it is one.

    Attributes
    ----------
    displacement : (N, ndim, *grid) tensor
        v with x + v(x) = y where y + u(y) = x.
    residual : (N,) tensor
        Greatest distance, in voxels, by which going there and back misses the start.
    """

    displacement: Tensor
    residual: Tensor


def invert(displacement: Tensor, iterations: int = 30) -> Inverse:
    """The deformation that undoes another, by fixed point: v <- -u(x + v).

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        u; the identity on the border.
    iterations : int
        Each shrinks the error by the greatest slope of u.

    Returns
    -------
    Inverse
        Where a slope of u is 1 or more the iteration need not converge: look at the residual. A residual of zero does
        not prove u invertible; where it folds, one of several answers is found. For a deformation that was integrated
        from a velocity, integrate the negative velocity instead.
    """
    inverse = -displacement
    for _ in range(iterations):
        inverse = -warp(displacement, inverse)
    miss = compose(displacement, inverse)
    return Inverse(inverse, torch.linalg.vector_norm(miss, dim=1).flatten(1).amax(1))


def _deformation(displacement: Tensor) -> Tensor:
    dtype = torch.promote_types(displacement.dtype, torch.float32)
    return identity_grid(displacement.shape[2:], device=displacement.device, dtype=dtype) + displacement
