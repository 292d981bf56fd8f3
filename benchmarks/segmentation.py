"""The whole way on real cases: `toposeg segment` in a process of its own for each, and a table of what came out.

    python benchmarks/segmentation.py                       # the reported cases
    python benchmarks/segmentation.py --part development    # those that were looked at when the fit was made
    python benchmarks/segmentation.py --document            # ... and puts the table into docs/results.md

Topology is counted by gudhi, not by us. Seconds are those of the run, without the start of Python; memory is the
process's peak. `placed` is the Dice of the template where it was placed, before anything ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from cases import Case, hippocampi, rings
from documented import write_table
from oracle import betti_by_gudhi
from rich.console import Console
from rich.table import Table

from napari_toposeg.evaluation import betti_error, dice, hausdorff_distance
from napari_toposeg.formats import read_mask
from napari_toposeg.frame import box_of
from napari_toposeg.priors import find_prior, place_in_box, signed_distance


@dataclass(frozen=True)
class Row:
    """What came out of one case."""

    name: str
    prior: str
    placed: float
    dice: float
    hausdorff: float
    betti_error: int
    topology_ok: bool
    folding: int
    repaired: int
    seconds: float
    peak_mib: float


def measure(case: Case, scratch: Path) -> Row:
    output, report = scratch / f"{case.name}_mask.nii.gz", scratch / f"{case.name}.json"
    command = [sys.executable, "-m", "napari_toposeg", "segment", str(case.image), "-o", str(output)]
    command += ["--prior", case.prior, "--roi-from", str(case.label), "--margin", f"{case.margin:.3f}"]
    process = subprocess.Popen([*command, "--report", str(report), "--quiet"])
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    if code not in (0, 1):
        raise SystemExit(f"{case.name}: toposeg segment ended with code {code}.")
    facts = json.loads(report.read_text())
    volume, reference = case.volume(), case.reference()
    mask = read_mask(output)[0]
    prior = find_prior(case.prior)
    box = box_of(reference)
    assert prior is not None
    assert box is not None
    placed = signed_distance(prior, place_in_box(prior, volume.frame, box), volume.frame).numpy() > 0
    betti = betti_by_gudhi(mask)
    return Row(
        case.name,
        case.prior,
        dice(placed, reference),
        dice(mask, reference),
        hausdorff_distance(mask, reference, [float(step) for step in volume.spacing]),
        betti_error(betti, prior.betti),
        facts["topology_ok"] and betti == prior.betti,
        facts["folding_voxels"],
        facts["repaired_voxels"],
        facts["seconds"]["total"],
        usage.ru_maxrss / 1024,
    )


HEADINGS = (
    "prior", "cases", "placed: Dice", "Dice", "Dice, median", "Hausdorff (mm)", "Betti error", "topology right",
    "without folds", "repaired voxels", "seconds", "peak MiB",
)  # fmt: skip


def summary(rows: list[Row]) -> list[str]:
    def mean(name: str, digits: int) -> str:
        values = [float(getattr(row, name)) for row in rows]
        return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"

    return [
        rows[0].prior,
        str(len(rows)),
        mean("placed", 3),
        mean("dice", 3),
        f"{np.median([row.dice for row in rows]):.3f}",
        mean("hausdorff", 1),
        f"{np.mean([row.betti_error for row in rows]):.2f}",
        f"{sum(row.topology_ok for row in rows)} of {len(rows)}",
        f"{sum(row.folding == 0 for row in rows)} of {len(rows)}",
        f"{np.mean([row.repaired for row in rows]):.1f}",
        f"{np.median([row.seconds for row in rows]):.1f}",
        f"{max(row.peak_mib for row in rows):.0f}",
    ]


def main(part: Literal["reported", "development"] = "reported", document: bool = False) -> None:
    """Segment hippocampi and rings by Chan-Vese and print a table.

    Parameters
    ----------
    part
        Which cases; see cases.py.
    document
        Put the table into docs/results.md.
    """
    console = Console(width=200)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        # Compiles the kernels, or finds them compiled, before anything is timed.
        warm = next(rings(part, scratch))
        measure(warm, scratch)
        for case in chain(hippocampi(part), rings(part, scratch)):
            rows.append(measure(case, scratch))
            row = rows[-1]
            console.print(
                f"{row.name:20} Dice {row.dice:.3f} (placed {row.placed:.3f})  Hausdorff {row.hausdorff:5.1f}  "
                f"Betti error {row.betti_error}  folds {row.folding}  {row.seconds:.1f} s  {row.peak_mib:.0f} MiB",
                highlight=False,
            )
    groups = [[row for row in rows if row.prior == prior] for prior in ("ball", "annulus")]
    table = Table(*HEADINGS, title=f"toposeg segment, {part} cases, {os.cpu_count()} cores")
    for group in groups:
        table.add_row(*summary(group))
    console.print(table)
    if document:
        write_table(f"segmentation-{part}", HEADINGS, [summary(group) for group in groups])


if __name__ == "__main__":
    tyro.cli(main)
