"""Paper 002, section 4.2, on ACDC: what the persistent homology loss is worth where two patients are labelled.

    python benchmarks/persistence_training.py               # what is not there yet, then the tables: an hour
    python benchmarks/persistence_training.py --document    # ... and puts them into docs/results.md

For each seed and number of removed lines: a U-Net trained on 20 slices; the same with a closing, with the least change
of its weights that gives the topology (Eq. 5) and with homotopic correction; and trained on with the topology of 400
more slices (Eq. 6), or without. Each run leaves a JSON file of figures and an npz of the U-Net's outputs (for
dense_gradient.py), so that what was cut off goes on where it was. Topology is counted by gudhi. Seed 100 is the
development seed.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
import tyro
from documented import write_table
from heart_slices import BETTI, draw_split
from numpy.typing import NDArray
from oracle import betti_by_gudhi
from rich.console import Console
from rich.table import Table
from wall_training import post_process, predict, semi_supervised, supervised

from napari_toposeg.evaluation import dice
from napari_toposeg.inference import refine
from napari_toposeg.topology import betti_numbers, correct

SEEDS = (0, 1, 2, 3, 4)
REMOVED = (20, 60)
OUT = Path(__file__).parents[1] / ".benchmarks" / "persistence"
CLOSING_RADIUS = 7
TOPOLOGY_WEIGHT = 0.2
"""Chosen on the validation slices of seed 100; it is the paper's lambda of .01, see `semi_supervised`."""

METHODS = {
    "supervised": "supervised",
    "closing": "supervised + closing, radius 7",
    "longer": "supervised, trained on by Dice alone",
    "semi-supervised": "semi-supervised by persistent homology (Eq. 6)",
    "post-processing": "supervised + post-processing (Eq. 5)",
    "correction": "supervised + homotopic correction (ours)",
    "refine": "supervised + `toposeg refine` as it is (ours)",
}
PAPER = {
    "supervised": ("76.3 ± 0.7", "59.8 ± 3.1", "70.8 ± 0.7", "58.3 ± 5.3"),
    "closing": ("76.2 ± 0.6", "71.3 ± 3.2", "70.8 ± 0.6", "66.9 ± 5.0"),
    "semi-supervised": ("79.1 ± 0.4", "80.5 ± 2.3", "74.3 ± 0.6", "75.6 ± 2.4"),
}
HEADINGS = (
    "method", "m = 20: Dice", "right topology %", "paper: Dice", "right %",
    "m = 60: Dice", "right topology %", "paper: Dice", "right %",
)  # fmt: skip
DIFFERENCES = (
    "less the supervised U-Net, seed by seed", "m = 20: Dice", "right topology", "m = 60: Dice", "right topology",
)  # fmt: skip

Mask = NDArray[np.bool_]
Figures = dict[str, dict[str, float]]


def closed(mask: Mask) -> Mask:
    """Closing with a disk of 7 pixels; what lies beyond the border is background."""
    from skimage.morphology import closing, disk

    wide = np.pad(mask, CLOSING_RADIUS)
    return np.asarray(closing(wide, disk(CLOSING_RADIUS))[(slice(CLOSING_RADIUS, -CLOSING_RADIUS),) * 2], np.bool_)


def corrected(mask: Mask) -> Mask:
    """Homotopic correction; a mask that cannot be corrected stays as it is."""
    correction = correct(mask, BETTI) if mask.any() else None
    return mask if correction is None else correction.mask


def refined(logits: NDArray[np.float32]) -> Mask:
    """What `toposeg refine` makes of an output, correction included."""
    if logits.min() == logits.max():
        return logits > 0
    *_, last = refine(logits, BETTI, logits=True, previews=False)
    assert last.result is not None
    return last.result.mask


def figures(masks: list[Mask], walls: Mask) -> dict[str, float]:
    overlaps = [dice(mask, wall) for mask, wall in zip(masks, walls, strict=True)]
    return {
        "dice": float(np.mean(overlaps)),
        "right": float(np.mean([betti_by_gudhi(mask) == BETTI for mask in masks])),
    }


def run(seed: int, removed: int, out: Path, console: Console) -> Figures:
    """One seed: everything of the tables, on the slices of 27 patients that nothing else has seen."""
    split = draw_split(seed, removed)
    found: Figures = {}
    begun = perf_counter()

    def report(name: str, masks: list[Mask], **more: float) -> None:
        nonlocal begun
        found[name] = figures(masks, split.test.walls[:, 0]) | {"seconds": perf_counter() - begun} | more
        console.print(
            f"  {name:16}", "  ".join(f"{key} {value:.4g}" for key, value in found[name].items()), highlight=False
        )
        begun = perf_counter()

    console.print(f"seed {seed}, {removed} lines removed: {len(split.test)} test slices")
    network, steps = supervised(split.labelled, split.validation, seed)
    logits = predict(network, split.test.images)[:, 0].numpy()
    masks = list(logits > 0)
    np.savez_compressed(out / f"outputs_{seed}_{removed}.npz", logits=logits, walls=split.test.walls[:, 0])
    report("supervised", masks, steps=steps)
    report("closing", [closed(mask) for mask in masks])
    report("correction", [corrected(mask) for mask in masks])
    for name, weight in (("semi-supervised", TOPOLOGY_WEIGHT), ("longer", 0.0)):
        tuned, steps = semi_supervised(network, split.labelled, split.unlabelled, split.validation, seed, weight)
        report(name, list(predict(tuned, split.test.images)[:, 0].numpy() > 0), steps=steps)
    wrong = [number for number, mask in enumerate(masks) if betti_numbers(mask) != BETTI]
    iterations = []
    for number in wrong:
        masks[number], needed = post_process(network, split.test.images[number])
        iterations.append(np.inf if needed is None else needed)
    report(
        "post-processing",
        masks,
        wrong=len(wrong),
        solved=int(np.isfinite(iterations).sum()),
        iterations=float(np.median(iterations)) if wrong else 0.0,
    )
    return found


def gather(out: Path, seeds: tuple[int, ...], removed: tuple[int, ...]) -> dict[tuple[int, int], Figures]:
    """What stands in the folder, and what `toposeg refine` makes of the outputs there: it may have changed since."""
    gathered = {}
    for key in product(seeds, removed):
        file = out / "figures_{}_{}.json".format(*key)
        if file.exists():
            arrays = np.load(out / "outputs_{}_{}.npz".format(*key))
            masks = [refined(logits) for logits in arrays["logits"]]
            gathered[key] = json.loads(file.read_text()) | {"refine": figures(masks, arrays["walls"])}
    return gathered


def _statistics(values: list[float]) -> str:
    if not values:
        return ""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{100 * np.mean(values):.1f} ± {100 * error:.1f}"


def rows(found: dict[tuple[int, int], Figures]) -> list[list[str]]:
    """Mean ± standard error over the seeds, the paper's beside it."""
    table = []
    for name, words in METHODS.items():
        paper = PAPER.get(name, ("", "", "", ""))
        row = [words]
        for number, removed in enumerate(REMOVED):
            some = [figures for (_, lines), figures in found.items() if lines == removed]
            row += [_statistics([one[name][what] for one in some]) for what in ("dice", "right")]
            row += paper[2 * number : 2 * number + 2]
        table.append(row)
    return table


def differences(found: dict[tuple[int, int], Figures]) -> list[list[str]]:
    """Mean ± standard error of what a method has more than the supervised network of its seed; in how many it has."""
    table = []
    for name, words in METHODS.items():
        if name == "supervised":
            continue
        row = [words]
        for removed in REMOVED:
            some = [figures for (_, lines), figures in found.items() if lines == removed]
            for what in ("dice", "right"):
                more = [one[name][what] - one["supervised"][what] for one in some]
                row.append(f"{_statistics(more)} ({sum(value > 0 for value in more)} of {len(more)} better)")
        table.append(row)
    return table


def main(
    out: Path = OUT, seeds: tuple[int, ...] = SEEDS, removed: tuple[int, ...] = REMOVED, document: bool = False
) -> None:
    """Train and measure what the folder does not hold yet, and print the tables.

    Parameters
    ----------
    out
        Folder for the figures and the outputs of each run.
    seeds
        Draws of the patients.
    removed
        Lines of k-space removed.
    document
        Put the tables into docs/results.md.
    """
    console = Console(width=200)
    # A second thread gains little on such small images.
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for lines in removed:
            file = out / f"figures_{seed}_{lines}.json"
            if not file.exists():
                found = run(seed, lines, out, console)
                file.write_text(json.dumps(found, indent=1))
    gathered = gather(out, seeds, removed)
    for headings, lines_of in ((HEADINGS, rows(gathered)), (DIFFERENCES, differences(gathered))):
        table = Table(*headings)
        for line in lines_of:
            table.add_row(*line)
        console.print(table)
    if document:
        write_table("persistence-training", HEADINGS, rows(gathered))
        write_table("persistence-training-differences", DIFFERENCES, differences(gathered))


if __name__ == "__main__":
    tyro.cli(main)
