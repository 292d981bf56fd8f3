"""Compiling ahead."""

from __future__ import annotations

import numpy as np

from napari_toposeg.deformation import jacobian_map, regularity, unfold, warm_up
from napari_toposeg.deformation.unfold import _folding, _relax


def test_after_warming_up_nothing_is_left_to_compile(folded_field):
    compiled = [regularity._map_squares, regularity._map_cubes, _folding, _relax]
    warm_up()
    before = [len(function.signatures) for function in compiled]
    for grid in ((16, 16), (10, 10, 10)):
        values = folded_field(grid, 0.05).astype(np.float64)
        jacobian_map(values)
        unfold(values)
    assert [len(function.signatures) for function in compiled] == before
    assert all(before)
