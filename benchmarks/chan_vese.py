"""What each part of the fit is worth: the same cases with and without it.

    python benchmarks/chan_vese.py --document

Run on the development cases, on which these choices were made; `segmentation.py` reports other ones.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro
from cases import Case, hippocampi, rings
from documented import write_table
from rich.console import Console
from rich.table import Table

from napari_toposeg.evaluation import dice
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Settings, segment, site_in_box, warm_up
from napari_toposeg.priors import find_prior, signed_distance
from napari_toposeg.steps import last

# Published: the energy's two means over the whole region, nothing said about where the organ lies.
VARIANTS = {
    "the energy over the whole region (as published, with its squares)": (Settings(reach=0.0), False),
    "and the box in which the organ lies": (Settings(reach=0.0), True),
    "and means from near by (the default)": (Settings(), True),
    "without the gradient's weight": (Settings(gradient_weight=0.0), True),
}
HEADINGS = ("what is minimised", "hippocampi: Dice", "median", "rings: Dice", "median", "topology right")


def run(case: Case, settings: Settings, boxed: bool) -> tuple[float, float, bool]:
    """Dice of the template as placed, Dice of the result, and whether its topology is right."""
    volume, reference = case.volume(), case.reference()
    prior, box = find_prior(case.prior), box_of(reference)
    assert prior is not None
    assert box is not None
    site = site_in_box(prior, volume, box, margin=case.margin)
    placed = signed_distance(prior, site.placement, volume.frame).numpy() > 0
    result = last(segment(volume, prior, site if boxed else replace(site, within=None), settings))
    return dice(placed, reference), dice(result.full_mask(), reference), result.certificate.topology_ok


def main(document: bool = False) -> None:
    """Print the ablation of the Chan-Vese fit.

    Parameters
    ----------
    document
        Put the table into docs/results.md.
    """
    warm_up()
    console = Console(width=160)
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        groups = [list(hippocampi("development")), list(rings("development", Path(folder)))]
        for name, (settings, boxed) in VARIANTS.items():
            found = [[run(case, settings, boxed) for case in group] for group in groups]
            if not rows:
                rows.append(["nothing: the template as placed", *_dice_cells(found, 0), ""])
            right = sum(ok for group in found for _, _, ok in group)
            rows.append([name, *_dice_cells(found, 1), f"{right} of {sum(map(len, found))}"])
            console.print(rows[-1], highlight=False)
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if document:
        write_table("chan-vese", HEADINGS, rows)


def _dice_cells(found: list[list[tuple[float, float, bool]]], which: int) -> list[str]:
    cells: list[str] = []
    for group in found:
        values = [row[which] for row in group]
        cells += [f"{np.mean(values):.3f} ± {np.std(values):.3f}", f"{np.median(values):.3f}"]
    return cells


if __name__ == "__main__":
    tyro.cli(main)
