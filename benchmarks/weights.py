"""The shipped networks, made again from nothing: `make weights`.

    python benchmarks/weights.py                  # trains what is not there yet, and puts all into resources/weights
    python benchmarks/weights.py annulus --out F  # one of them, somewhere else

Each is trained on synthetic images alone (docs/synthetic_samples.md), on one core of a CPU. What was cut off goes on
where it was: the trainings lie in .benchmarks/weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import Any

import torch
import tyro
from rich.console import Console

from napari_toposeg.data.synthetic import SyntheticSettings
from napari_toposeg.inference import Window
from napari_toposeg.inference.weights import read_weights, save_weights
from napari_toposeg.steps import last
from napari_toposeg.training import Data, Optimisation, TrainedObject, TrainingConfig, train
from napari_toposeg.training.config import Precision

ROOT = Path(__file__).parents[1]
TRAININGS = ROOT / ".benchmarks" / "weights"
SHIPPED = ROOT / "resources" / "weights"


@dataclass(frozen=True)
class Stage:
    """Some epochs of a training; the next stage begins with the weights of its best one.

    Attributes
    ----------
    epochs, images : int
        How many epochs, and synthetic images that each of them shows.
    rate : float
        Learning rate.
    seed : int
        Of everything random.
    drawn : SyntheticSettings
        What its images are drawn from.
    """

    epochs: int
    images: int
    rate: float = 2e-3
    seed: int = 0
    drawn: SyntheticSettings = field(default_factory=SyntheticSettings)


@dataclass(frozen=True)
class Recipe:
    """How the network of a prior is trained.

    Attributes
    ----------
    network : str
    shape : tuple of int
        Voxels of its window.
    stages : tuple of Stage
    settings : dict
        Of the network, what differs from its defaults.
    precision : str
        In what it computes while it is trained.
    """

    network: str
    shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    precision: Precision = "float32"


FLAT = Recipe("mltpsn", (96, 96), (Stage(6, 4000),), {"features": 16})
BOX_COUNTS = {"slack": (-0.01, 0.05), "slack_spread": 0.03}
"""A box that is drawn so closely says where the object ends."""
RING = SyntheticSettings(wall=(0.1, 0.85), **BOX_COUNTS)
ROUND = SyntheticSettings(
    thinness=(0.45, 1.0), bend=(0.0, 0.2), blur=(0.5, 3.0), contrast=0.1, fading=0.6, **BOX_COUNTS
)
RECIPES = {
    "annulus": replace(FLAT, stages=(Stage(6, 4000, drawn=RING), Stage(8, 4000, seed=1, drawn=RING))),
    # Rounder, paler and more blurred at last: seen on photographs of skin lesions, of which there is no choosing half.
    "disk": replace(
        FLAT, stages=(Stage(8, 4000, drawn=SyntheticSettings(**BOX_COUNTS)), Stage(6, 4000, seed=1, drawn=ROUND))
    ),
    # Seen on the choosing half: images that end close to a hippocampus, are blurred on so coarse a window, and pale.
    # What is shipped began its second stage with the first one's weights as float16.
    "ball": Recipe(
        "unet",
        (32, 32, 32),
        (
            Stage(6, 5000, 3e-3, drawn=SyntheticSettings(beyond=0.3)),
            Stage(4, 5000, seed=1, drawn=SyntheticSettings(beyond=0.3, blur=(0.5, 1.9))),
            Stage(4, 5000, seed=1, drawn=SyntheticSettings(beyond=0.3, blur=(0.6, 2.6), core=0.15, contrast=0.1)),
        ),
        precision="bfloat16",
    ),
}
"""Sizes that a core trains in an hour; docs/results.md says what was tried."""


def config_of(prior: str, recipe: Recipe, number: int, start: str) -> TrainingConfig:
    """What one stage of the training of a prior's network is told."""
    stage = recipe.stages[number]
    return TrainingConfig(
        Data(synthetic=stage.images, drawn=stage.drawn, name="synthetic images of napari-toposeg", licence="CC0"),
        (TrainedObject(prior),),
        recipe.network,
        Window(recipe.shape, "box"),
        settings=recipe.settings,
        start=start,
        optimisation=Optimisation(
            batch=8, epochs=stage.epochs, patience=0, learning_rate=stage.rate, precision=recipe.precision
        ),
        seed=stage.seed,
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
        start = ""
        for number in range(len(RECIPES[prior].stages)):
            done = last(train(config_of(prior, RECIPES[prior], number, start), TRAININGS / f"{name}-{number + 1}"))
            start = str(done.weights.path)
        network, card = read_weights(start)
        # A path says nothing to anybody else.
        card = replace(card, training={**card.training, "start": Path(card.training["start"]).stem})
        stored = save_weights(network, card, out / f"{name}.safetensors", half=True)
        size = stored.path.stat().st_size / 2**20
        console.print(f"{name}: {process_time() - begun:.0f} CPU s, {size:.1f} MiB, {dict(card.metrics)}")


if __name__ == "__main__":
    tyro.cli(main)
