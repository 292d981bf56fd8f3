"""The room's compiled kernels, made ready before a person has to wait for them."""

from __future__ import annotations

import numpy as np

from napari_toposeg.topology.betti import betti_numbers, euler_changes
from napari_toposeg.topology.components import fill_cavities, largest_components
from napari_toposeg.topology.distance import signed_distance
from napari_toposeg.topology.homotopy import snap
from napari_toposeg.topology.painting import paint, stroke_footprint
from napari_toposeg.topology.simple_points import mark_simple_points


def warm_up() -> None:
    """Compile every kernel of this room but the barcodes', or load it from the cache of an earlier run.

    Call it in the compute thread when the application starts, never in the window's thread. Each kernel has one
    specialisation only, for 2-D and 3-D and all connectivities, so that nothing is compiled later.
    """
    for shape in ((5, 5), (5, 5, 5)):
        mask = np.ones(shape, np.bool_)
        betti_numbers(mask)
        euler_changes(mask, mask.astype(np.int32), 1, 8)
        largest_components(mask)
        fill_cavities(mask)
        mark_simple_points(mask)
        signed_distance(mask)
        snap(mask, np.full(shape, -1.0, np.float32))
        paint(mask, stroke_footprint(np.zeros((1, len(shape))), 2.0, shape), erase=True)
        paint(mask, stroke_footprint(np.full((1, len(shape)), 2.0), 1.0, shape), erase=True)
