"""What was tried for the shipped networks, each trained for a while on the same synthetic images.

    python benchmarks/weights_tried.py            # trains what is not there yet, then the table
    python benchmarks/weights_tried.py --document # ... and puts it into docs/results.md

Measured on synthetic images that none was trained on, and on rings of the half on which things may be chosen
(`halves.py`). The trainings lie in .benchmarks/weights_tried, on one core of a CPU.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro
from documented import write_table
from halves import Subject, subjects
from rich.console import Console
from rich.table import Table
from shipped_runs import Measured, predicted, refined
from weights import FLAT, Recipe, Stage, config_of

from napari_toposeg.inference import Settings, trained_network
from napari_toposeg.inference.weights import read_weights
from napari_toposeg.priors import find_prior
from napari_toposeg.steps import last
from napari_toposeg.training import train

OUT = Path(__file__).parents[1] / ".benchmarks" / "weights_tried"
PRIOR = "annulus"
RINGS = 40

SHORT = replace(FLAT, stages=(Stage(2, 3000),))


def changed(**settings: object) -> Recipe:
    """The short recipe with other settings of the network."""
    return replace(SHORT, settings={**SHORT.settings, **settings})


TRIED = {
    "as shipped: three levels of velocities": SHORT,
    "two levels": changed(levels=2),
    "displacements instead of velocities": changed(answer="displacement"),
    "the gradient's length as a further channel": changed(edges=True),
    "a pose before the levels": changed(pose=True),
}
HEADINGS = ("what", "parameters", "Dice, synthetic", "Dice, median", "Dice", "Dice, worst tenth", "without folds", "s")


def row_of(what: str, weights: int, synthetic: float, found: list[Measured]) -> list[str]:
    dices = [one.metrics.dice for one in found]
    return [
        what,
        f"{weights:,}",
        f"{synthetic:.3f}",
        f"{np.median(dices):.3f}",
        f"{np.mean(dices):.3f} ± {np.std(dices):.3f}",
        f"{np.quantile(dices, 0.1):.3f}",
        f"{sum(one.folds == 0 for one in found)} of {len(found)}",
        f"{np.median([one.processor for one in found]):.2f}",
    ]


def rows_of(what: str, recipe: Recipe, chosen: list[Subject]) -> list[list[str]]:
    """Train, and measure; what is shipped also with a few steps of Chan-Vese after it."""
    prior = find_prior(PRIOR)
    assert prior is not None
    folder = OUT / "-".join(f"{key}-{value}" for key, value in sorted(recipe.settings.items()))
    done = last(train(config_of(PRIOR, recipe, 0, ""), folder))
    network, card = read_weights(done.weights.path)
    trained = trained_network(network, card)
    count = sum(parameter.numel() for parameter in network.parameters())
    plain = Settings(device="cpu")
    ways = {what: plain} | ({f"{what}, then steps of Chan-Vese": refined(plain)} if recipe is SHORT else {})
    # Once for nothing: the first run compiles.
    predicted(chosen[0], prior, trained, plain)
    return [
        row_of(
            words, count, card.metrics["validation dice"], [predicted(one, prior, trained, way)[0] for one in chosen]
        )
        for words, way in ways.items()
    ]


def main(document: bool = False) -> None:
    """Train what was tried, and measure it.

    Parameters
    ----------
    document
        Put the table into docs/results.md.
    """
    torch.set_num_threads(1)
    console = Console(width=200)
    chosen = list(subjects("choosing", RINGS, ("rings",)))
    rows = []
    for what, recipe in TRIED.items():
        for row in rows_of(what, recipe, chosen):
            console.print(*row, sep="  ", highlight=False)
            rows.append(row)
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if document:
        write_table("weights-tried", HEADINGS, rows)


if __name__ == "__main__":
    tyro.cli(main)
