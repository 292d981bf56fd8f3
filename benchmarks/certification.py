"""`toposeg certify` on masks that were broken on purpose: islands, holes, tunnels, handles, cut rings.

    python benchmarks/certification.py --document

Ten masks of each kind, seeds 100 to 109 (the tests use others). Topology is counted by gudhi.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from time import perf_counter

import nibabel as nib
import numpy as np
import tyro
from documented import write_table
from oracle import betti_by_gudhi
from rich.console import Console
from rich.table import Table

from napari_toposeg.cli import main as toposeg
from napari_toposeg.data import BETTI, broken_mask
from napari_toposeg.formats import read_mask
from napari_toposeg.inference import warm_up

KINDS = ("disk", "annulus", "ball", "torus", "shell")
SEEDS = range(100, 110)
HEADINGS = ("prior", "masks", "right by gudhi", "changed: mean", "changed: most", "seconds: median", "seconds: most")


def certify(kind: str, seed: int, folder: Path) -> tuple[bool, float, float]:
    """Whether the topology came out right, the share of the foreground that changed, and seconds on and off disk."""
    case = broken_mask(kind, seed)
    before, after = folder / f"{kind}_{seed}.nii.gz", folder / f"{kind}_{seed}_fixed.nii.gz"
    nib.save(nib.Nifti1Image(case.mask.astype(np.uint8), np.eye(4)), before)
    said = io.StringIO()
    begun = perf_counter()
    with contextlib.redirect_stdout(said):
        code = toposeg(["certify", str(before), "--prior", kind, "-o", str(after), "--json", "--quiet"])
    seconds = perf_counter() - begun
    json.loads(said.getvalue())
    if code != 0:
        return False, float("nan"), seconds
    mask, source = read_mask(after)[0], read_mask(before)[0]
    return betti_by_gudhi(mask) == BETTI[kind], float((mask != source).sum() / source.sum()), seconds


def main(document: bool = False) -> None:
    """Certify fifty broken masks and print a table.

    Parameters
    ----------
    document
        Put the table into docs/results.md.
    """
    warm_up()
    table, rows = Table(*HEADINGS), []
    everything: list[tuple[bool, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            found = [certify(kind, seed, Path(folder)) for seed in SEEDS]
            rows.append(_row(kind, found))
            everything += found
    rows.append(_row("all", everything))
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)
    if document:
        write_table("certification", HEADINGS, rows)


def _row(name: str, found: list[tuple[bool, float, float]]) -> list[str]:
    right, changed, seconds = (np.array(column, float) for column in zip(*found, strict=True))
    return [
        name,
        str(len(found)),
        f"{int(right.sum())} of {len(found)}",
        f"{100 * changed.mean():.2f} %",
        f"{100 * changed.max():.2f} %",
        f"{np.median(seconds):.2f}",
        f"{seconds.max():.2f}",
    ]


if __name__ == "__main__":
    tyro.cli(main)
