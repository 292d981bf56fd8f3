"""Which bars of two maps are the same feature at the same place: the Betti matching.

N. Stucki, J. C. Paetzold, S. Shit, B. Menze, U. Bauer, "Topologically faithful image segmentation via induced
matching of persistence barcodes", ICML 2023; in 3-D: N. Stucki, V. Buergin, J. C. Paetzold, U. Bauer, "Efficient
Betti matching enables topology-aware 3D segmentation via persistent homology", 2024. Both maps are compared with the
larger of the two, voxel by voxel: their level sets lie in its level sets, and a feature of one is a feature of the
other where both are the same feature of the union.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.connectivity import check_connectivity, touches_at_corners
from napari_toposeg.topology.persistence.bars import NO_VOXEL, Barcode
from napari_toposeg.topology.persistence.filtration import Filtration, as_levels, filtration, grid_of
from napari_toposeg.topology.persistence.image import CellPairs, cell_pairs, last_corner


@dataclass(frozen=True, eq=False)
class BettiMatching:
    """The bars of two maps, and which of them belong together.

    Attributes
    ----------
    prediction, reference : Barcode
        All bars of each map, longest first. The component that never dies has death 0 and no death voxel.
    pairs : ndarray of int64, shape (m, 2)
        Numbers of the bars that are matched: of the prediction's, of the reference's. Sorted by the first.
    """

    prediction: Barcode
    reference: Barcode
    pairs: NDArray[np.int64]

    @property
    def matched_prediction(self) -> Barcode:
        """The prediction's bars that have a partner; row by row those of `matched_reference` are theirs."""
        return self.prediction.select(self.pairs[:, 0])

    @property
    def matched_reference(self) -> Barcode:
        return self.reference.select(self.pairs[:, 1])

    @property
    def unmatched_prediction(self) -> Barcode:
        return self.prediction.select(_all_but(len(self.prediction), self.pairs[:, 0]))

    @property
    def unmatched_reference(self) -> Barcode:
        return self.reference.select(_all_but(len(self.reference), self.pairs[:, 1]))


def match_bars(
    prediction: ArrayLike, reference: ArrayLike, *, connectivity: int | None = None, overlapping: bool = False
) -> BettiMatching:
    """Match the bars of two maps by the induced matching of both with their larger one.

    Parameters
    ----------
    prediction, reference : array_like, shape (*spatial)
        Two maps of one shape, 2-D or 3-D, with values in [0, 1]. Super-level sets, as everywhere in this package.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.
    overlapping : bool
        False: two bars are partners wherever the authors' program says so. True: only where the image of each in the
        union is a feature that lasts: the feature is there before the union fills it. That is the induced matching in
        the strict sense (Bauer and Lesnick), and never has more partners. For masks the two are the same.

    Returns
    -------
    BettiMatching

    Raises
    ------
    ToposegError
        If the shapes differ or are neither 2-D nor 3-D, values are not in [0, 1] or not numbers, or that connectivity
        does not exist.

    Notes
    -----
    With foreground 4 or 6 a bar is named by the cell that makes it, and the pair (maker in the map, filler in the
    union) carries it over. With 8 or 26 the background is 4- or 6-connected, the bars are those of the background's
    complex with birth and death exchanged (Alexander duality), and the pair is (filler in the map, maker in the union).

    Where a voxel makes or fills several features at once, cells in array order decide which of them is which; where
    voxels have equal levels, their array order does. The numbers of matched bars may depend on that, the bars do not.
    """
    values = [as_levels(one).astype(np.float64) for one in (prediction, reference)]
    if values[0].shape != values[1].shape:
        raise ToposegError(
            f"A map of shape {values[0].shape} has no matching with one of shape {values[1].shape}.",
            why="Bars are matched by where they are, voxel by voxel.",
            todo="Resample one of them on to the grid of the other.",
        )
    ndim = values[0].ndim
    connectivity = check_connectivity(connectivity, ndim)
    dual = touches_at_corners(connectivity)
    maps = [_complex(one, dual) for one in values]
    larger = _complex(np.maximum(*values), dual)
    found: list[list[_Bars]] = [[], []]
    pairs: list[NDArray[np.int64]] = []
    for dimension in range(ndim):
        bars, partners = _match_dimension(maps, larger, dimension, overlapping)
        before = [sum(len(one.birth) for one in side) for side in found]
        pairs.append(partners + np.array(before, np.int64))
        for side, some in zip(found, bars, strict=True):
            side.append(some)
    codes, ranks = zip(*(_barcode(side, values[0].shape, connectivity) for side in found), strict=True)
    matched = np.concatenate(pairs)
    matched = np.stack([ranks[0][matched[:, 0]], ranks[1][matched[:, 1]]], axis=1)
    return BettiMatching(codes[0], codes[1], matched[np.argsort(matched[:, 0])])


@dataclass(frozen=True, eq=False)
class _Bars:
    """Bars of one map and one dimension: levels, and flat indices of voxels (-1: none)."""

    dimension: int
    birth: NDArray[np.float64]
    death: NDArray[np.float64]
    birth_index: NDArray[np.int64]
    death_index: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Complex:
    """A map as points of a cell complex: the foreground's voxels, or (`dual`) the background's and all that is outside.

    `level` and `index` (flat, into the map) are by place; 0 and -1 where the map has no voxel.
    """

    filtration: Filtration
    level: NDArray[np.float64]
    index: NDArray[np.int64]
    dual: bool


def _complex(values: NDArray[np.float64], dual: bool) -> _Complex:
    """The points of a map in the order in which they enter.

    Points of one level have one time, so that ties are broken among cells, as in the authors' program. What is
    outside the map enters first.
    """
    rank = np.pad(-values, 1, constant_values=np.inf) if dual else values
    numbers = np.arange(values.size).reshape(values.shape)
    numbers = np.pad(numbers, 1, constant_values=-1) if dual else numbers
    grid = grid_of(rank.shape)
    strict = filtration(rank, grid, -np.inf, np.inf)
    index = np.full(strict.time.size, -1, np.int64)
    index[grid.places] = numbers.reshape(-1)
    level = np.append(values.reshape(-1), 0.0)[index]
    key = np.full(strict.time.size, np.inf)
    key[grid.places] = rank.reshape(-1)
    ordered = key[strict.order]
    time = strict.time.copy()
    time[strict.order[:1]] = 0
    time[strict.order[1:]] = np.cumsum(ordered[1:] != ordered[:-1])
    return _Complex(replace(strict, time=time), level, index, dual)


def _match_dimension(
    maps: list[_Complex], union: _Complex, dimension: int, overlapping: bool
) -> tuple[list[_Bars], NDArray[np.int64]]:
    """The bars of one dimension of prediction and reference, and the numbers of those that are matched."""
    dual = union.dual
    ndim = 2 if union.filtration.grid.padded[0] == 1 else 3
    size = ndim - 1 - dimension if dual else dimension
    cells = 3 * union.index.size
    bars, partners = [], []
    for one in maps:
        own = cell_pairs(one.filtration, one.filtration, size)
        some, lasting = _bars(own, one, one, dimension)
        own = own.select(lasting)
        smaller, larger = (union, one) if dual else (one, union)
        # With what is outside, which enters first and has no tunnels, the lowest level is the second.
        image = cell_pairs(smaller.filtration, larger.filtration, size, first_levels=1 + dual)
        if overlapping:
            _, lasting = _bars(image, smaller, larger, dimension)
            image = image.select(lasting)
        # A bar and its image have one cell in common; the image's other cell is that of a bar of the union.
        if dual:
            number, at = _common(own.death, image.death, cells)
            partners.append((number, image.birth[at]))
        else:
            number, at = _common(own.birth, image.birth, cells)
            partners.append((number, image.death[at]))
        bars.append(some)
    (first, cell_of_first), (second, cell_of_second) = partners
    if not overlapping:
        both = cell_pairs(union.filtration, union.filtration, size)
        _, lasting = _bars(both, union, union, dimension)
        known = (both.birth if dual else both.death)[lasting]
        kept, _ = _common(cell_of_first, known, cells)
        first, cell_of_first = first[kept], cell_of_first[kept]
    at_first, at_second = _common(cell_of_first, cell_of_second, cells)
    matched = np.stack([first[at_first], second[at_second]], axis=1)
    if dimension == 0 and not dual:
        # The components that never die have no pair of cells; the one is carried to the other.
        bars = [_with_everlasting(some, one) for some, one in zip(bars, maps, strict=True)]
        matched = np.concatenate([matched, [[len(some.birth) - 1 for some in bars]]])
    return bars, matched


def _common(
    one: NDArray[np.int64], other: NDArray[np.int64], cells: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where two lists of cells, none twice in a list, have the same; of so many cells that there are."""
    number = np.full(cells, -1, np.int32)
    number[one] = np.arange(len(one), dtype=np.int32)
    found = number[other]
    second = np.flatnonzero(found >= 0)
    return found[second].astype(np.int64), second


def _bars(pairs: CellPairs, births: _Complex, deaths: _Complex, dimension: int) -> tuple[_Bars, NDArray[np.bool_]]:
    """The bars that have a length, and which pairs they are of; births in one complex, deaths perhaps in another."""
    begin = last_corner(births.filtration, pairs.birth, pairs.sizes[0])
    end = last_corner(deaths.filtration, pairs.death, pairs.sizes[1])
    if births.dual:
        begin, end, births, deaths = end, begin, deaths, births
    # What dies outside the map never dies.
    lasting = (births.level[begin] > deaths.level[end]) | (deaths.index[end] < 0)
    lasting &= births.index[begin] >= 0
    begin, end = begin[lasting], end[lasting]
    return _Bars(dimension, births.level[begin], deaths.level[end], births.index[begin], deaths.index[end]), lasting


def _with_everlasting(bars: _Bars, one: _Complex) -> _Bars:
    """Add the component that never dies, last."""
    first = one.filtration.order[:1]
    return _Bars(
        bars.dimension,
        np.concatenate([bars.birth, one.level[first]]),
        np.concatenate([bars.death, [0.0]]),
        np.concatenate([bars.birth_index, one.index[first]]),
        np.concatenate([bars.death_index, [-1]]),
    )


def _barcode(bars: list[_Bars], shape: tuple[int, ...], connectivity: int) -> tuple[Barcode, NDArray[np.int64]]:
    """All bars of a map, longest first, and where each went."""
    dimension = np.concatenate([np.full(len(some.birth), some.dimension, np.int8) for some in bars])
    birth, death = np.concatenate([some.birth for some in bars]), np.concatenate([some.death for some in bars])
    births = np.concatenate([some.birth_index for some in bars])
    deaths = np.concatenate([some.death_index for some in bars])
    order = np.lexsort((deaths, births, dimension, death - birth))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    code = Barcode(
        shape,
        connectivity,
        dimension[order],
        birth[order],
        death[order],
        _voxels(births[order], shape),
        _voxels(deaths[order], shape),
    )
    return code, rank


def _voxels(index: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    rows = np.stack(np.unravel_index(np.maximum(index, 0), shape), axis=1).astype(np.int64)
    rows[index < 0] = NO_VOXEL
    return rows


def _all_but(size: int, taken: NDArray[np.int64]) -> NDArray[np.int64]:
    left = np.ones(size, np.bool_)
    left[taken] = False
    return np.flatnonzero(left)
