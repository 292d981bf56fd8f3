"""Betti numbers counted by gudhi, and masks that are broken on purpose."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import gudhi
import numpy as np
import pytest
from numpy.typing import NDArray

Count = Callable[..., tuple[int, ...]]


def _by_gudhi(mask: NDArray[Any], connectivity: int | None = None) -> tuple[int, ...]:
    mask = np.asarray(mask, bool)
    found = np.argwhere(mask)
    if not len(found):
        return (0,) * mask.ndim
    box = tuple(slice(low, high + 1) for low, high in zip(found.min(0), found.max(0), strict=True))
    values = np.where(np.pad(mask[box], 1), 0.0, 1.0)
    # Voxels as closed cubes touch at their corners; voxels as points touch along edges of the grid only.
    if connectivity in (None, 8, 26):
        complex_ = gudhi.CubicalComplex(top_dimensional_cells=values)
    else:
        complex_ = gudhi.CubicalComplex(vertices=values)
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    betti = [*complex_.persistent_betti_numbers(0.5, 0.5), 0, 0, 0]
    return tuple(int(number) for number in betti[: mask.ndim])


@pytest.fixture(scope="session")
def gudhi_betti() -> Count:
    """Betti numbers of a mask by gudhi: (mask, connectivity=None) to a tuple."""
    return _by_gudhi


@pytest.fixture(scope="session")
def broken() -> ModuleType:
    """The module of masks that are broken on purpose. A test folder is no package, so it is loaded by its place."""
    name = "napari_toposeg_broken_masks"
    if name not in sys.modules:
        specification = spec_from_file_location(name, Path(__file__).with_name("broken.py"))
        assert specification is not None
        assert specification.loader is not None
        sys.modules[name] = module_from_spec(specification)
        specification.loader.exec_module(sys.modules[name])
    return sys.modules[name]
