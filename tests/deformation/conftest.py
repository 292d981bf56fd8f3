"""Random deformations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_toposeg.deformation import border_window, jacobian_map

RandomField = Callable[..., NDArray[np.float32]]


@pytest.fixture(scope="session")
def random_field() -> RandomField:
    """Make a displacement (ndim, *grid) of greatest length `amplitude`, zero on the border."""

    def make(
        grid: tuple[int, ...], *, seed: int = 0, smoothness: float = 2.5, amplitude: float = 3.0
    ) -> NDArray[np.float32]:
        generator = np.random.default_rng(seed)
        noise = generator.normal(size=(len(grid), *grid)).astype(np.float32)
        field = np.stack([gaussian_filter(component, smoothness) for component in noise])
        field *= border_window(grid)[0].numpy()
        return field * np.float32(amplitude / np.linalg.norm(field, axis=0).max())

    return make


@pytest.fixture(scope="session")
def folded_field(random_field: RandomField) -> RandomField:
    """Make a displacement of which at least a given share of the cells folds, and hardly more."""

    def make(grid: tuple[int, ...], share: float, *, seed: int = 0, smoothness: float = 1.5) -> NDArray[np.float32]:
        field = random_field(grid, seed=seed, smoothness=smoothness, amplitude=1.0)
        low, high = np.float32(0.0), np.float32(60.0)
        for _ in range(12):
            middle = (low + high) / 2
            if jacobian_map(field * middle).folding_cells.mean() >= share:
                high = middle
            else:
                low = middle
        return field * high

    return make
