"""The shipped networks, made again from nothing: `make weights`.

    python benchmarks/weights.py                  # trains what is not there yet, and puts all into resources/weights
    python benchmarks/weights.py annulus --out F  # one of them, somewhere else

Each is trained on synthetic images alone (docs/synthetic_samples.md), on one core of a CPU. What was cut off goes on
where it was: the trainings lie in .benchmarks/weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import torch
import tyro
from rich.console import Console

from napari_toposeg.inference import Window
from napari_toposeg.inference.weights import read_weights, save_weights
from napari_toposeg.steps import last
from napari_toposeg.training import Data, Optimisation, TrainedObject, TrainingConfig, train

ROOT = Path(__file__).parents[1]
TRAININGS = ROOT / ".benchmarks" / "weights"
SHIPPED = ROOT / "resources" / "weights"


@dataclass(frozen=True)
class Recipe:
    """How the network of a prior is trained.

    Attributes
    ----------
    shape : tuple of int
        Voxels of its window.
    epochs, images : int
        How many epochs, and synthetic images in each.
    settings : dict
        Of the mlTPSN, what differs from its defaults.
    """

    shape: tuple[int, ...]
    epochs: int
    images: int
    settings: dict[str, Any] = field(default_factory=dict)


RECIPES = {
    "annulus": Recipe((96, 96), 12, 2000, {"features": 16}),
    "disk": Recipe((96, 96), 8, 2000, {"features": 16}),
    "ball": Recipe((48, 48, 48), 10, 800),
}
"""Sizes that a core trains in half an hour to an hour. More features, images and epochs would do better; see
docs/results.md for what was tried."""


def config_of(prior: str, recipe: Recipe) -> TrainingConfig:
    """What the training of a prior's network is told."""
    return TrainingConfig(
        Data(synthetic=recipe.images, name="synthetic images of napari-toposeg", licence="CC0"),
        (TrainedObject(prior),),
        "mltpsn",
        Window(recipe.shape, "box"),
        settings=recipe.settings,
        optimisation=Optimisation(batch=8, epochs=recipe.epochs, patience=0, learning_rate=2e-3),
        device="cpu",
    )


def main(priors: tyro.conf.Positional[tuple[str, ...]] = tuple(RECIPES), out: Path = SHIPPED) -> None:
    """Train the networks of priors and store them as float16.

    Parameters
    ----------
    priors
        Of which.
    out
        Where the weights go.
    """
    console = Console()
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    for prior in priors:
        name = f"synthetic-{prior}"
        begun = process_time()
        done = last(train(config_of(prior, RECIPES[prior]), TRAININGS / name))
        network, card = read_weights(done.weights.path)
        stored = save_weights(network, card, out / f"{name}.safetensors", half=True)
        size = stored.path.stat().st_size / 2**20
        console.print(f"{name}: {process_time() - begun:.0f} CPU s, {size:.1f} MiB, {dict(card.metrics)}")


if __name__ == "__main__":
    tyro.cli(main)
