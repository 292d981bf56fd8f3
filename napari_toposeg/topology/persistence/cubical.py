"""Cubical persistence of the super-level sets of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gudhi
import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.connectivity import check_connectivity, touches_at_corners
from napari_toposeg.topology.persistence.bars import NO_VOXEL, Barcode


@dataclass(frozen=True, eq=False)
class PersistencePairs:
    """The bars of several maps of one shape in flat arrays, as a loss wants them.

    Sorted by map, then dimension, then length (longest first), then birth.

    Attributes
    ----------
    item : ndarray of int64, shape (n,)
        Number of the map.
    dimension : ndarray of int8, shape (n,)
        Dimension of the bar.
    birth, death : ndarray of float64, shape (n,)
        Levels. The component that never dies has death 0.
    birth_index, death_index : ndarray of int64, shape (n,)
        Flat (C order) index into its map of the voxel that has that value; -1 where there is none.
    """

    item: NDArray[np.int64]
    dimension: NDArray[np.int8]
    birth: NDArray[np.float64]
    death: NDArray[np.float64]
    birth_index: NDArray[np.int64]
    death_index: NDArray[np.int64]


def barcode(
    p: ArrayLike, *, connectivity: int | None = None, min_persistence: float = 0.0, band: float = 0.0
) -> Barcode:
    """All bars of one map, longest first. Same parameters as `persistence_pairs`, for a single map of shape (*spatial)."""
    values = np.asarray(p)
    pairs = persistence_pairs(values[None], connectivity=connectivity, min_persistence=min_persistence, band=band)
    order = np.lexsort((pairs.death_index, pairs.birth_index, pairs.dimension, pairs.death - pairs.birth))

    def places(index: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = np.stack(np.unravel_index(np.maximum(index, 0), values.shape), axis=1).astype(np.int64)
        rows[index < 0] = NO_VOXEL
        return rows

    return Barcode(
        values.shape,
        check_connectivity(connectivity, values.ndim),
        pairs.dimension[order],
        pairs.birth[order],
        pairs.death[order],
        places(pairs.birth_index[order]),
        places(pairs.death_index[order]),
        band,
        min_persistence,
    )


def persistence_pairs(
    maps: ArrayLike, *, connectivity: int | None = None, min_persistence: float = 0.0, band: float = 0.0
) -> PersistencePairs:
    """Interim reference by gudhi; the union-find engine replaces it behind this signature.

    Parameters
    ----------
    maps : array_like, shape (n, *spatial)
        Values in [0, 1].
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.
    min_persistence : float
        Only bars longer than this are returned (the component that never dies always is).
    band : float
        0 <= band < 0.5: the bars are those of ``clip(p, band, 1 - band)``.
    """
    stack = np.asarray(maps)
    ndim = stack.ndim - 1
    connectivity = check_connectivity(connectivity, ndim)
    if np.isnan(stack).any():
        raise ToposegError("The map has voxels that are not a number (NaN).", todo="Replace them, for example by 0.")
    rows: list[tuple[Any, ...]] = []
    for item, one in enumerate(stack.astype(np.float64)):
        p = np.clip(one, band, 1 - band) if band else one
        if touches_at_corners(connectivity):
            cells = gudhi.CubicalComplex(top_dimensional_cells=-p)
        else:
            cells = gudhi.CubicalComplex(vertices=-p)
        cells.compute_persistence(homology_coeff_field=2, min_persistence=0.0)
        found = (
            cells.cofaces_of_persistence_pairs()
            if touches_at_corners(connectivity)
            else cells.vertices_of_persistence_pairs()
        )
        flat = p.ravel()

        def index(i: Any, shape: tuple[int, ...] = p.shape) -> int:
            return int(np.ravel_multi_index(np.unravel_index(int(i), shape, order="F"), shape))

        for dimension, some in enumerate(found[0]):
            for birth, death in some:
                b, d = index(birth), index(death)
                if flat[b] - flat[d] > min_persistence:
                    rows.append((item, dimension, flat[b], flat[d], b, d))
        for birth in found[1][0]:
            b = index(birth)
            rows.append((item, 0, flat[b], 0.0, b, -1))
    table = np.array(rows, np.float64).reshape(-1, 6)
    table = table[np.lexsort((table[:, 4], table[:, 3] - table[:, 2], table[:, 1], table[:, 0]))]
    whole = table.astype(np.int64)
    return PersistencePairs(
        whole[:, 0], whole[:, 1].astype(np.int8), table[:, 2], table[:, 3], whole[:, 4], whole[:, 5]
    )
