"""Small images with labels on disk, and configs of trainings that take a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_toposeg.data import Augmentation
from napari_toposeg.inference.window import Window
from napari_toposeg.training import Data, LossWeights, Optimisation, TrainedObject, TrainingConfig
from napari_toposeg.training.config import Precision

SIDE = 24

SMALL: dict[str, dict[str, Any]] = {
    "unet": {"features": 4, "resolutions": 2},
    "wunet": {"features": 4, "resolutions": 2},
    "tpsn": {"features": 4, "resolutions": 2},
    "mltpsn": {"features": 4, "resolutions": 2, "levels": 2},
    "multi-tpsn": {"features": 4, "resolutions": 2},
    "tedsnet": {"features": 4, "resolutions": 2, "bulk_halvings": 1, "fine_tuning_halvings": 0, "gaussian_sigma": 1.0},
    "voxelmorph": {"encoder": [4, 8], "decoder": [8, 8], "final": [4]},
    "tetris": {"features": 4, "resolutions": 2},
}
"""Settings that make each network small."""


def radii(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float64]:
    """Distance of each voxel from a point near the centre."""
    centre = [size / 2 - 0.5 + generator.uniform(-1.0, 1.0) for size in shape]
    return np.sqrt(sum((axis - middle) ** 2 for axis, middle in zip(np.indices(shape), centre, strict=True)))


def ring_label(generator: np.random.Generator) -> NDArray[np.uint8]:
    """A ring (1) round a blood pool (2), as a slice of ACDC has them."""
    outer = generator.uniform(7.5, 9.0)
    apart = radii((SIDE, SIDE), generator)
    return np.add(apart < outer, apart < outer - 3.5, dtype=np.uint8)


def ball_label(generator: np.random.Generator) -> NDArray[np.uint8]:
    """A ball (1) in 16 x 16 x 16 voxels."""
    return (radii((16, 16, 16), generator) < generator.uniform(5.0, 6.0)).astype(np.uint8)


def tube_label(generator: np.random.Generator) -> NDArray[np.uint8]:
    """A tube (1) along the last axis, in 16 x 16 x 12 voxels; its bore is open at both ends."""
    apart = np.repeat(radii((16, 16), generator)[..., None], 12, axis=2)
    label = ((apart < 6.5) & (apart > 2.5)).astype(np.uint8)
    label[..., [0, 1, -2, -1]] = 0
    return label


def write_cases(folder: Path, make: Callable[[np.random.Generator], NDArray[np.uint8]], count: int) -> Path:
    """Cases "case_0.npz" and so on, with their labels; each image is its label and noise."""
    folder.mkdir(parents=True)
    for number in range(count):
        generator = np.random.default_rng(number)
        label = make(generator)
        image = np.array([0.0, 2.0, 1.0])[label] + 0.2 * generator.standard_normal(label.shape)
        np.savez(folder / f"case_{number}.npz", image=image.astype(np.float32), label=label)
    return folder


@pytest.fixture(scope="session")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight 2-D images of a ring."""
    return write_cases(tmp_path_factory.mktemp("data") / "rings", ring_label, 8)


@pytest.fixture(scope="session")
def balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three 3-D images of a ball."""
    return write_cases(tmp_path_factory.mktemp("data") / "balls", ball_label, 3)


@pytest.fixture(scope="session")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three 3-D images of a tube."""
    return write_cases(tmp_path_factory.mktemp("data") / "tubes", tube_label, 3)


RING = TrainedObject("annulus", (1,))


def _config_of(
    folder: Path,
    network: str = "unet",
    *,
    objects: tuple[TrainedObject, ...] = (RING,),
    window: Window | None = None,
    epochs: int = 2,
    batch: int = 4,
    learning_rate: float = 1e-2,
    patience: int = 0,
    precision: Precision = "float32",
    weights: LossWeights | None = None,
    data: dict[str, Any] | None = None,
    **more: Any,
) -> TrainingConfig:
    """A config of a training that takes a second: two cases to validate, none to test, nothing augmented."""
    told: dict[str, Any] = {"labels": str(folder), "validation": 0.25, "test": 0.0, **(data or {})}
    return TrainingConfig(
        Data(str(folder), **told),
        objects,
        network,
        window or Window((SIDE, SIDE), "image", template=0.6),
        settings=SMALL[network] | more.pop("settings", {}),
        weights=weights or LossWeights(),
        optimisation=Optimisation(
            learning_rate=learning_rate, batch=batch, epochs=epochs, patience=patience, precision=precision
        ),
        **{"augmentation": Augmentation.none(), "device": "cpu", **more},
    )


@pytest.fixture(scope="session")
def config_of() -> Callable[..., TrainingConfig]:
    """(folder, network="unet", ...) to a config; see `_config_of`."""
    return _config_of
