from __future__ import annotations

import json
import subprocess
import sys

import pytest

from napari_toposeg.topology import betti, components, distance, homotopy, painting, refusals, simple_points
from napari_toposeg.topology.persistence import loops, merging, reduction

# Those that Python calls; the others are compiled into them.
KERNELS = (
    betti._euler,
    betti._changes,
    components.bounding_box,
    components.find_runs,
    components._paint,
    distance._runs_to_distances,
    distance._across,
    homotopy._flip,
    painting._spread,
    refusals.classify_refused,
    simple_points._mark_simple,
    merging._join_plateau,
    merging._make_highest_the_root,
    merging._join_in_order,
    loops._mark_joining,
    loops._pair_apparent,
    reduction.reduce_edges,
)

SCRIPT = """
import json
import numpy as np
from napari_toposeg.topology import betti, components, distance, homotopy, painting, refusals, simple_points
from napari_toposeg.topology import barcode, betti_numbers, correct, mark_simple_points, path_snap, signed_distance
from napari_toposeg.topology import paint, stroke_footprint, warm_up
from napari_toposeg.topology import persistence
from napari_toposeg.topology.persistence import loops, merging, reduction

names = {names}
modules = betti, components, distance, homotopy, painting, refusals, simple_points, loops, merging, reduction
kernels = [getattr(module, name) for module in modules
           for name in names if hasattr(module, name) and getattr(module, name).py_func.__module__ == module.__name__]
warm_up()
persistence.warm_up()
warm = [len(kernel.signatures) for kernel in kernels]
for shape in ((14, 15), (14, 15, 16)):
    mask = np.zeros(shape, bool)
    mask[(slice(2, 10),) * len(shape)] = True
    mask[(5,) * len(shape)] = False
    frozen = mask.copy()
    frozen.flags.writeable = False
    kinds = mask, np.asfortranarray(mask), mask[::-1], mask.T, frozen, mask.astype(np.int16), mask.astype(float)
    for kind in kinds:
        for connectivity in (8, 4) if len(shape) == 2 else (26, 6):
            betti_numbers(kind, connectivity=connectivity)
            mark_simple_points(kind, connectivity=connectivity)
            path_snap(kind, [signed_distance(kind), 1.0 - kind], connectivity=connectivity)
            footprint = stroke_footprint([[4] * len(shape), [12] * len(shape)], 3.0, kind.shape)
            for erase in (False, True):
                paint(kind, footprint, erase=erase, connectivity=connectivity)
            correct(kind, (1, 0, 0)[: len(shape)], connectivity=connectivity, spacing=[1, 2, 3][: len(shape)])
            correct(kind, (1, 1, 0)[: len(shape)], connectivity=connectivity, starts=[kind])
            for band in (0, 0.1):
                barcode(kind, connectivity=connectivity, band=band)
                barcode(kind.astype(np.float32), connectivity=connectivity, band=band)
print(json.dumps([len(kernels), warm, [len(kernel.signatures) for kernel in kernels]]))
"""


def test_warm_up_compiles_all_that_is_ever_needed_and_each_kernel_once():
    script = SCRIPT.replace("{names}", repr([kernel.py_func.__name__ for kernel in KERNELS]))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    count, warm, later = json.loads(done.stdout)
    assert count == len(KERNELS)
    assert warm == [1] * count
    assert later == warm


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.py_func.__name__)
def test_every_kernel_leaves_the_window_free_and_is_cached(kernel):
    assert kernel.targetoptions["nogil"]
    assert kernel._cache.cache_path
