"""How often a deformation has which Jacobian determinant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.deformation.regularity import JacobianMap

_MOST = 4.0
"""Where a histogram ends at the latest: few cells are stretched to more, and each of their bins would be empty."""
_SAMPLE = 200_000
"""Cells of which the ends are taken: a region of 128x128x96 has 1.6 million, and they need not all be sorted."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Cells by their least determinant.

    Attributes
    ----------
    edges : (n + 1,) float64
        Ends of the bins, ascending.
    counts : (n,) int64
        Cells in each. What lies beyond the ends is counted in the first and the last one, so that none is left out.
    log : bool
        Whether the bins are equally wide in the logarithm, where half the size is as far from 1 as twice the size.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    log: bool


def determinant_histogram(
    jacobian: JacobianMap, bins: int = 60, *, log: bool = False, like: Histogram | None = None
) -> Histogram:
    """Count cells by their least Jacobian determinant.

    Parameters
    ----------
    jacobian : JacobianMap
        All its cells are counted.
    bins : int
        How many.
    log : bool
        Whether they are equally wide in the logarithm. Cells that fold are then in the first one.
    like : Histogram, optional
        Its bins are taken, so that the two can be compared.

    Returns
    -------
    Histogram
        Without `log` 0 is an end of a bin where anything folds: no bin holds both what folds and what does not.
    """
    values = jacobian.least.reshape(-1)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (1.0, 1.0)
    seen = values[:: max(values.size // _SAMPLE, 1)]
    edges: NDArray[np.float64]
    if like is not None:
        edges, log = like.edges, like.log
    elif log:
        positive = seen[seen > 0]
        reach = float(np.abs(np.log2(positive)).max(initial=1.0)) if positive.size else 1.0
        reach = min(reach, 6.0)
        edges = np.exp2(np.linspace(-reach, reach, bins + 1, dtype=np.float64))
    else:
        high = max(min(high, _MOST), 1.1)
        # Not as far down as the worst fold: one cell of -30 would leave a bin or two for all the others.
        low = max(low, -0.5 * high)
        if low > 0:
            edges = np.linspace(min(low, 0.9), high, bins + 1, dtype=np.float64)
        else:
            below = min(max(1, round(bins * -low / (high - low))), bins - 1)
            width = high / (bins - below)
            edges = width * np.arange(-below, bins - below + 1, dtype=np.float64)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return Histogram(edges, counts.astype(np.int64), log)
