"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gudhi
import numpy as np
import pytest
from numpy.typing import NDArray

# Before torch is imported: its threads wait for one another by spinning, and one of the cores draws the window.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))

Count = Callable[..., tuple[int, ...]]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real images with labels; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TOPOSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder} (set TOPOSEG_DATA to the folder that holds them)")
    return folder


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
