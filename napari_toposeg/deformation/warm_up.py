"""Compile what this room compiles, ahead of its first use."""

from __future__ import annotations

import numpy as np

from napari_toposeg.deformation.regularity import jacobian_map
from napari_toposeg.deformation.unfold import unfold


def warm_up() -> None:
    """Compile the strict test and the repair for 2-D and 3-D, or load them from the cache.

    Takes about 15 s on the first run of an installation and a fraction of a second from then on. Not for the window's
    thread.
    """
    for ndim in (2, 3):
        values = np.zeros((ndim, *(5,) * ndim), np.float32)
        values[(0, *(2,) * ndim)] = 2.0
        jacobian_map(values)
        unfold(values)
