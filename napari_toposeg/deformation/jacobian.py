"""Jacobian determinants of a deformation as tensors that gradients flow through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor


def corner_determinants(displacement: Tensor) -> Tensor:
    """Jacobian determinant of x + u(x) at every corner of every cell.

    A cell is the square or cube between neighbouring voxels; within it the deformation is bilinear or trilinear. At a
    corner its derivatives are the differences along the edges that meet there.

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        u, in voxels of its grid.

    Returns
    -------
    (N, 2**ndim, *cells) tensor
        One cell less than voxels along each axis. Corner number c lies at the high end of axis k where bit k of c is
        set.

    Notes
    -----
    In 2-D four positive corners prove that the cell does not fold; in 3-D eight do not (see `jacobian_map`).
    """
    ndim = displacement.shape[1]
    edges = [_edges(displacement, axis) for axis in range(ndim)]
    corners = []
    for corner in range(2**ndim):
        columns = []
        for axis, edge in enumerate(edges):
            for other in range(ndim):
                if other != axis:
                    start = (corner >> other) & 1
                    edge = edge.narrow(2 + other, start, edge.shape[2 + other] - 1)
            columns.append(edge)
        corners.append(_determinant(columns))
    return torch.stack(corners, dim=1)


def jacobian_determinant(displacement: Tensor, at: Literal["corners", "centres", "central"] = "corners") -> Tensor:
    """Jacobian determinant of x + u(x).

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        u, in voxels of its grid.
    at : str
        ``corners``: as `corner_determinants`. ``centres``: of the multilinear deformation at the centre of each cell.
        ``central``: by central differences at the voxels off the border. That is what is usually reported, and it
        proves nothing: a checkerboard of displacements folds every cell and has central determinants of exactly 1.

    Returns
    -------
    (N, 2**ndim, *cells), (N, *cells) or (N, *(grid - 2)) tensor
    """
    if at == "corners":
        return corner_determinants(displacement)
    ndim = displacement.shape[1]
    columns = []
    for axis in range(ndim):
        if at == "centres":
            column = _edges(displacement, axis)
            for other in range(ndim):
                if other != axis:
                    length = column.shape[2 + other] - 1
                    column = (column.narrow(2 + other, 0, length) + column.narrow(2 + other, 1, length)) * 0.5
        elif at == "central":
            edge = _edges(displacement, axis)
            length = edge.shape[2 + axis] - 1
            column = (edge.narrow(2 + axis, 0, length) + edge.narrow(2 + axis, 1, length)) * 0.5
            for other in range(ndim):
                if other != axis:
                    column = column.narrow(2 + other, 1, column.shape[2 + other] - 2)
        else:
            raise ValueError(f"at must be 'corners', 'centres' or 'central', not {at!r}")
        columns.append(column)
    return _determinant(columns)


def laplacian(displacement: Tensor) -> Tensor:
    """Laplacian of a displacement by second differences.

    Parameters
    ----------
    displacement : (N, ndim, *grid) tensor
        u, in voxels of its grid. The Laplacian of x + u(x) is the same.

    Returns
    -------
    (N, ndim, *(grid - 2)) tensor
        At the voxels off the border, per voxel.
    """
    ndim = displacement.shape[1]
    inner = [slice(None)] * 2 + [slice(1, -1)] * ndim
    total = displacement[tuple(inner)] * (-2.0 * ndim)
    for axis in range(2, ndim + 2):
        for shifted in (slice(None, -2), slice(2, None)):
            total = total + displacement[tuple([*inner[:axis], shifted, *inner[axis + 1 :]])]
    return total


def _edges(displacement: Tensor, axis: int) -> Tensor:
    """The deformation's differences between neighbours along one axis: one shorter there, as long on the others."""
    unit = displacement.new_zeros(displacement.shape[1])
    unit[axis] = 1.0
    return torch.diff(displacement, dim=2 + axis) + unit.reshape(1, -1, *[1] * (displacement.ndim - 2))


def _determinant(columns: Sequence[Tensor]) -> Tensor:
    """Determinant of the matrix with these columns, each (N, ndim, *any)."""
    if len(columns) == 2:
        (a, b), (c, d) = (column.unbind(1) for column in columns)
        return a * d - b * c
    (a, b, c), (d, e, f), (g, h, i) = (column.unbind(1) for column in columns)
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
