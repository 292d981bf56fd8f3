"""The forest of a union-find: each place points to a parent, the root of a component to itself."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(inline="always")
def root_of(parent: NDArray[np.int32], place: int) -> int:
    """The root of a place's component; the way to it becomes half as long."""
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place
