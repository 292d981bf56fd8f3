"""Betti numbers by gudhi: none of our own counting is taken at its word."""

from __future__ import annotations

import gudhi
import numpy as np
from numpy.typing import NDArray


def betti_by_gudhi(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Betti numbers of a mask, foreground 8/26-connected: voxels as closed cubes."""
    # Background beyond the mask's box changes nothing but the time: minutes instead of seconds over a CT's labels.
    for axis in range(mask.ndim):
        filled = np.asarray(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        mask = np.compress(np.logical_or.accumulate(filled) & np.logical_or.accumulate(filled[::-1])[::-1], mask, axis)
    if not mask.size:
        return (0,) * mask.ndim
    complex_ = gudhi.CubicalComplex(top_dimensional_cells=np.where(np.pad(mask, 1), 0.0, 1.0))
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    betti = [*complex_.persistent_betti_numbers(0.5, 0.5), 0, 0, 0]
    return tuple(int(number) for number in betti[: mask.ndim])
