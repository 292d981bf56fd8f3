"""How far two barcodes lie apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.persistence.bars import Barcode

_FEW = 200
"""Points of both diagrams up to which pairs are assigned exactly: from some small ones hera's search, which is for
large ones, did not come back (gudhi 3.13)."""


def bottleneck_distance(
    first: Barcode, second: Barcode, dimension: int | None = None, *, relative_error: float = 0.0
) -> float:
    """The bottleneck distance: the least level by which ends must move to make one barcode of the other.

    Parameters
    ----------
    first, second : Barcode
        The maps that they come from need not have the same shape.
    dimension : int, optional
        Compare the bars of this dimension. Default: all; the distance is the largest over the dimensions.
    relative_error : float
        0 is exact. With 0.01 the answer is at most 1 % too large.

    Returns
    -------
    float
        In levels. Infinite where one barcode has an everlasting component and the other has none: one that
        was filtered away.

    Raises
    ------
    ToposegError
        If neither barcode can have bars of that dimension.

    Notes
    -----
    Bars are matched one to one, or with the diagonal at half their length; a pair costs the larger of the differences
    of its births and of its deaths. An everlasting component is matched with an everlasting component, at the
    difference of the births: that both are said to die at 0 is a convention, no property of the maps.

    For two maps on one grid the distance is at most the largest difference of their values (the stability theorem:
    D. Cohen-Steiner, H. Edelsbrunner and J. Harer, Stability of persistence diagrams, 2007). Bars of a length up to *L*
    that are left out change it by *L*/2 at most, so `Barcode.longer_than` makes large barcodes quick: in an exact run
    10,000 bars each took 12 s on one core, 1,000 took 0.2 s.
    """
    # gudhi.hera and not gudhi.bottleneck_distance, which builds on CGAL: gudhi is under the MIT licence, but some parts
    # of its wheel are under the GPL, as each says in its __license__. hera, by M. Kerber, D. Morozov and A. Nigmetov,
    # is under the BSD licence. Imported here, as `import gudhi` loads all parts.
    from gudhi.hera import bottleneck_distance as by_hera

    return max(
        max(float(by_hera(one, other, relative_error)), apart)
        for one, other, apart in (_diagrams(first, second, k) for k in _dimensions(first, second, dimension))
    )


def wasserstein_distance(
    first: Barcode,
    second: Barcode,
    dimension: int | None = None,
    *,
    order: float = 1.0,
    relative_error: float = 0.01,
) -> float:
    """The Wasserstein distance: all the movement that makes one barcode of the other.

    Parameters
    ----------
    first, second : Barcode
        The maps that they come from need not have the same shape.
    dimension : int, optional
        Compare the bars of this dimension. Default: all; the distances of the dimensions are put together as
        ``sum(distance**order)**(1/order)``.
    order : float
        The exponent, at least 1. The larger it is, the more the longest movement counts; in the limit the distance is
        the bottleneck's.
    relative_error : float
        The answer is at most this share too large; more than 0.

    Returns
    -------
    float
        In levels. Infinite where one barcode has an everlasting component and the other has none.

    Raises
    ------
    ToposegError
        If neither barcode can have bars of that dimension, or the order is below 1.

    Notes
    -----
    A pair costs as much as in `bottleneck_distance` (the norm within a pair is that of the maximum).
    """
    if not 1.0 <= order < float("inf"):
        raise ToposegError(
            f"There is no Wasserstein distance of order {order:g}.",
            todo="Give an order of at least 1, or take the bottleneck distance.",
        )
    from gudhi.hera import wasserstein_distance as by_hera

    total = 0.0
    for k in _dimensions(first, second, dimension):
        one, other, apart = _diagrams(first, second, k)
        if len(one) + len(other) <= _FEW:
            total += _assigned(one, other, order)
        else:
            total += float(by_hera(one, other, order=order, internal_p=np.inf, delta=relative_error)) ** order
        total += apart**order
    return float(total ** (1.0 / order))


def _assigned(one: NDArray[np.float64], other: NDArray[np.float64], order: float) -> float:
    """The least sum of costs of pairing points with each other or with the diagonal, exactly."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    costs = np.zeros((len(one) + len(other),) * 2)
    costs[: len(one), : len(other)] = cdist(one, other, "chebyshev") ** order
    costs[: len(one), len(other) :] = (np.diff(one, axis=1) / 2.0) ** order
    costs[len(one) :, : len(other)] = (np.diff(other, axis=1).T / 2.0) ** order
    return float(costs[linear_sum_assignment(costs)].sum())


def _dimensions(first: Barcode, second: Barcode, dimension: int | None) -> range:
    there = max(first.ndim, second.ndim)
    if dimension is None:
        return range(there)
    if not 0 <= dimension < there:
        raise ToposegError(
            f"There are no bars of dimension {dimension}.",
            why=f"A {there}-D map has bars of the dimensions 0 to {there - 1}.",
            todo="Choose one of these.",
        )
    return range(dimension, dimension + 1)


def _diagrams(
    first: Barcode, second: Barcode, dimension: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """The points of two barcodes that end, and how far the births of their everlasting components lie apart."""
    # hera takes points at infinity too, but its Wasserstein distance did not come back from some such diagrams (3.13).
    one, other = (barcode.birth[barcode.everlasting] for barcode in (first, second))
    apart = 0.0
    if dimension == 0 and len(one) + len(other):
        apart = float(abs(one[0] - other[0])) if len(one) == len(other) else float("inf")
    return _diagram(first, dimension), _diagram(second, dimension), apart


def _diagram(barcode: Barcode, dimension: int) -> NDArray[np.float64]:
    """(n, 2) points as hera wants them: ascending, none on the diagonal."""
    points = np.stack([-barcode.birth, -barcode.death], axis=1)
    return points[(barcode.dimension == dimension) & ~barcode.everlasting & (points[:, 0] < points[:, 1])]
