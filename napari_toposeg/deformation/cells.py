"""One cell of a deformation: does it fold? Compiled; `jacobian_map` and `unfold` ask it of every cell.

A field is passed flat, (ndim, voxels) float32, with the strides of its axes counted in voxels. A cell is named by its
low corner. Arithmetic is in float64: the differences of float32 values are then exact but for the rarest, and what
rounding remains is covered by `ROUNDING`.

Why a few numbers decide
------------------------
2-D. In a cell the bilinear deformation has derivatives X(y) and Y(x), each linear in the other coordinate, with one
and the same mixed difference P: X = X0 + y P, Y = Y0 + x P. The term of the determinant in xy is det(P, P) = 0, so
the determinant is affine in (x, y) and least at a corner. Four positive corners are necessary and sufficient.

3-D. The trilinear deformation has derivatives X(y, z), Y(x, z), Z(x, y), bilinear each, so that the determinant is a
polynomial of degree 2 in x, in y and in z. It can be negative inside a cell whose eight corners are positive (1.7 %
of such random cells are). Written in the Bernstein basis of that degree it is a convex combination of 27 coefficients
at every point: all of them positive proves it positive. With X_bc the edge along x at y = b, z = c, and so on,
coefficient (i, j, k) is the mean of det(X_bc, Y_ac', Z_a'b') over a + a' = i, b + b' = j, c + c' = k. The eight with
i, j, k in {0, 2} are the corners themselves.

Exchanging a and a' in a pair changes the determinant by a term in two mixed differences, so no coefficient lies
further below the least corner than half of |X| |Pxy| |Pxz| + |Y| |Pxy| |Pyz| + |Z| |Pxz| |Pyz|. Where the corners
stay above that the coefficients need not be computed, which in a mild field is nearly everywhere.

Where a coefficient is not positive and yet all corners are, the cell is halved (de Casteljau) until every part is
proven, a corner of a part refutes it, or `HALVINGS` are used up. A cell still undecided counts as folding: its
determinant comes so close to zero that nothing is lost by saying so.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

HALVINGS = 12
"""Halvings of a cell, by turns along each axis, before it counts as undecided: four along each."""

ROUNDING = 1e-12
"""Of the product of a cell's longest edges, one along each axis: what surely exceeds the error of a determinant."""

Vector: TypeAlias = tuple[float, float, float]
Edges: TypeAlias = tuple[Vector, Vector, Vector, Vector]
SquareEdges: TypeAlias = tuple[tuple[float, float], tuple[float, float]]


@njit(cache=True, nogil=True)
def examine(
    field: NDArray[np.float32], cell: int, strides: NDArray[np.int64], least: float, scratch: NDArray[np.float64]
) -> tuple[float, bool]:
    """Whether a cell's determinant exceeds a bound everywhere.

    Parameters
    ----------
    field : (ndim, voxels) float32
        Displacement.
    cell : int
        Flat index of the cell's low corner.
    strides : (ndim,) int64
        Voxels from one neighbour to the next along each axis.
    least : float
        The bound.
    scratch : (HALVINGS + 2, 3, 3, 3) float64
        Overwritten.

    Returns
    -------
    determinant, proven : float, bool
        The least determinant met (of a proven cell the least at its corners) and whether all exceed the bound.
    """
    if field.shape[0] == 2:
        square = square_edges(field, cell, strides[0])
        return examine_square(square, square_corners(square), least)
    edges = cube_edges(field, cell, strides[0], strides[1])
    return examine_cube(edges, cube_corners(edges), least, scratch)


@njit(cache=True, nogil=True)
def square_edges(field: NDArray[np.float32], cell: int, stride: int) -> tuple[SquareEdges, SquareEdges]:
    """A deformed square's two edges along each axis: at the low and the high end of the other."""
    x, y, xy = cell + stride, cell + 1, cell + stride + 1
    return (
        (_edge_2d(field, cell, x, 0), _edge_2d(field, y, xy, 0)),
        (_edge_2d(field, cell, y, 1), _edge_2d(field, x, xy, 1)),
    )


@njit(cache=True, nogil=True)
def square_corners(edges: tuple[SquareEdges, SquareEdges]) -> tuple[float, float, float, float]:
    """Determinants at a square's corners; bit k of the position is the end of axis k."""
    x, y = edges
    return (
        x[0][0] * y[0][1] - x[0][1] * y[0][0],
        x[0][0] * y[1][1] - x[0][1] * y[1][0],
        x[1][0] * y[0][1] - x[1][1] * y[0][0],
        x[1][0] * y[1][1] - x[1][1] * y[1][0],
    )


@njit(cache=True, nogil=True)
def examine_square(edges: tuple[SquareEdges, SquareEdges], corners: Any, least: float) -> tuple[float, bool]:
    """The 2-D case of `examine`, given edges and the corners' determinants."""
    determinant = _least_of(corners)
    x, y = edges
    long_x = max(x[0][0] ** 2 + x[0][1] ** 2, x[1][0] ** 2 + x[1][1] ** 2)
    long_y = max(y[0][0] ** 2 + y[0][1] ** 2, y[1][0] ** 2 + y[1][1] ** 2)
    return determinant, determinant > least + ROUNDING * np.sqrt(long_x * long_y)


@njit(cache=True, nogil=True)
def cube_edges(field: NDArray[np.float32], cell: int, stride_x: int, stride_y: int) -> tuple[Edges, Edges, Edges]:
    """A deformed cube's edges along x, y, z: four each, at 00, 01, 10, 11 of the other two axes in their order."""
    x, y, xy = cell + stride_x, cell + stride_y, cell + stride_x + stride_y
    return (
        (
            _edge(field, cell, x, 0),
            _edge(field, cell + 1, x + 1, 0),
            _edge(field, y, xy, 0),
            _edge(field, y + 1, xy + 1, 0),
        ),
        (
            _edge(field, cell, y, 1),
            _edge(field, cell + 1, y + 1, 1),
            _edge(field, x, xy, 1),
            _edge(field, x + 1, xy + 1, 1),
        ),
        (
            _edge(field, cell, cell + 1, 2),
            _edge(field, y, y + 1, 2),
            _edge(field, x, x + 1, 2),
            _edge(field, xy, xy + 1, 2),
        ),
    )


@njit(cache=True, nogil=True)
def cube_corners(
    edges: tuple[Edges, Edges, Edges],
) -> tuple[float, float, float, float, float, float, float, float]:
    """Determinants at a cube's corners; bit k of the position is the end of axis k."""
    x, y, z = edges
    return (
        _determinant(x[0], y[0], z[0]),
        _determinant(x[0], y[2], z[2]),
        _determinant(x[2], y[0], z[1]),
        _determinant(x[2], y[2], z[3]),
        _determinant(x[1], y[1], z[0]),
        _determinant(x[1], y[3], z[2]),
        _determinant(x[3], y[1], z[1]),
        _determinant(x[3], y[3], z[3]),
    )


@njit(cache=True, nogil=True)
def examine_cube(
    edges: tuple[Edges, Edges, Edges], corners: Any, least: float, scratch: NDArray[np.float64]
) -> tuple[float, bool]:
    """The 3-D case of `examine`, given edges and the corners' determinants."""
    determinant = _least_of(corners)
    x, y, z = edges
    bound = least + ROUNDING * np.sqrt(_longest(x) * _longest(y) * _longest(z))
    if not determinant > bound:
        return determinant, False
    if determinant - greatest_dip(edges) > bound:
        return determinant, True
    bernstein_coefficients(edges, scratch[0])
    return _decide(determinant, bound, scratch)


@njit(cache=True, nogil=True)
def greatest_dip(edges: tuple[Edges, Edges, Edges]) -> float:
    """How far below a cube's least corner determinant a coefficient can lie, at most."""
    x, y, z = edges
    # Squared lengths: of the longest edge along each axis, and of the mixed differences.
    long_x, long_y, long_z = _longest(x), _longest(y), _longest(z)
    mixed_xy = max(_apart(x[0], x[2]), _apart(x[1], x[3]))
    mixed_xz = max(_apart(x[0], x[1]), _apart(x[2], x[3]))
    mixed_yz = max(_apart(y[0], y[1]), _apart(y[2], y[3]))
    return 0.5 * (
        np.sqrt(long_x * mixed_xy * mixed_xz)
        + np.sqrt(long_y * mixed_xy * mixed_yz)
        + np.sqrt(long_z * mixed_xz * mixed_yz)
    )


@njit(cache=True, nogil=True)
def bernstein_coefficients(edges: tuple[Edges, Edges, Edges], coefficients: NDArray[np.float64]) -> None:
    """The 27 coefficients of a cube's determinant, written to a (3, 3, 3) array."""
    x, y, z = edges
    coefficients[:] = 0.0
    # Along each axis two of the three edges vary; `first` is the end of the earlier one, `second` that of the later.
    for first_z in range(2):
        for first_y in range(2):
            for first_x in range(2):
                for second_z in range(2):
                    for second_y in range(2):
                        for second_x in range(2):
                            coefficients[first_x + second_x, first_y + second_y, first_z + second_z] += _determinant(
                                x[2 * first_y + first_z], y[2 * first_x + second_z], z[2 * second_x + second_y]
                            )
    # The middle one of three gathers two of the 64 where the outer ones gather one.
    coefficients[1, :, :] *= 0.5
    coefficients[:, 1, :] *= 0.5
    coefficients[:, :, 1] *= 0.5


@njit(cache=True, nogil=True)
def _decide(determinant: float, bound: float, scratch: NDArray[np.float64]) -> tuple[float, bool]:
    """Whether the polynomial whose coefficients are scratch[0] exceeds a bound on the whole cell."""
    depths = np.zeros(scratch.shape[0], np.int64)
    waiting = 1
    while waiting > 0:
        top = scratch[waiting - 1]
        depth = depths[waiting - 1]
        lowest = np.inf
        for value in top.flat:
            lowest = min(lowest, value)
        if lowest > bound:
            waiting -= 1
            continue
        lowest_corner = np.inf
        for i in range(0, 3, 2):
            for j in range(0, 3, 2):
                for k in range(0, 3, 2):
                    lowest_corner = min(lowest_corner, top[i, j, k])
        if lowest_corner <= bound:
            return min(determinant, lowest_corner), False
        if depth == HALVINGS:
            return min(determinant, lowest), False
        _halve(top, scratch[waiting], depth % 3)
        depths[waiting - 1] = depths[waiting] = depth + 1
        waiting += 1
    return determinant, True


@njit(cache=True, nogil=True)
def _halve(coefficients: NDArray[np.float64], upper: NDArray[np.float64], axis: int) -> None:
    """Cut a box across an axis: its lower half replaces it, the upper half is written beside it."""
    for i in range(3):
        for j in range(3):
            if axis == 0:
                line, other = coefficients[:, i, j], upper[:, i, j]
            elif axis == 1:
                line, other = coefficients[i, :, j], upper[i, :, j]
            else:
                line, other = coefficients[i, j, :], upper[i, j, :]
            low, high = 0.5 * (line[0] + line[1]), 0.5 * (line[1] + line[2])
            middle = 0.5 * (low + high)
            other[0], other[1], other[2] = middle, high, line[2]
            line[1], line[2] = low, middle


@njit(cache=True, nogil=True)
def _edge(field: NDArray[np.float32], start: int, end: int, axis: int) -> Vector:
    x = np.float64(field[0, end]) - np.float64(field[0, start])
    y = np.float64(field[1, end]) - np.float64(field[1, start])
    z = np.float64(field[2, end]) - np.float64(field[2, start])
    if axis == 0:
        return x + 1.0, y, z
    if axis == 1:
        return x, y + 1.0, z
    return x, y, z + 1.0


@njit(cache=True, nogil=True)
def _edge_2d(field: NDArray[np.float32], start: int, end: int, axis: int) -> tuple[float, float]:
    x = np.float64(field[0, end]) - np.float64(field[0, start])
    y = np.float64(field[1, end]) - np.float64(field[1, start])
    if axis == 0:
        return x + 1.0, y
    return x, y + 1.0


@njit(cache=True, nogil=True)
def _determinant(x: Vector, y: Vector, z: Vector) -> float:
    return x[0] * (y[1] * z[2] - y[2] * z[1]) - x[1] * (y[0] * z[2] - y[2] * z[0]) + x[2] * (y[0] * z[1] - y[1] * z[0])


@njit(cache=True, nogil=True)
def _apart(first: Vector, second: Vector) -> float:
    x, y, z = first[0] - second[0], first[1] - second[1], first[2] - second[2]
    return x * x + y * y + z * z


@njit(cache=True, nogil=True)
def _longest(edges: Edges) -> float:
    longest = 0.0
    for edge in edges:
        longest = max(longest, edge[0] * edge[0] + edge[1] * edge[1] + edge[2] * edge[2])
    return longest


@njit(cache=True, nogil=True)
def _least_of(values: Any) -> float:
    """The least of a tuple, NaN if any is NaN."""
    least = values[0]
    for value in values:
        if value < least or value != value:
            least = value
    return least
