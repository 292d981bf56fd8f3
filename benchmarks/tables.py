"""The papers' tables, remade on the data at hand.

    python benchmarks/tables.py T1               # what is not there yet is trained and measured; then the table
    python benchmarks/tables.py T1 T5 --document # ... and put into docs/results.md

T1: all systems on the ring of ACDC. T2: weights, levels and templates on the hippocampus. T3: unTPSN on ISIC. T4:
several objects. T5: TEDS-Net's ablations. T6: missing slices. T7: projected pooling. tried: what was tried for the
mlTPSN of T1, on the development seed. Everything runs on one core of a
CPU; what was reduced against the papers stands at the tasks (table_tasks.py). Seeds: 0, 1, 2 for T1, 0 for the others;
the split is drawn by the seed. Seed 100 is the development seed: nothing that is reported was looked at when something
was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import tyro
from documented import write_table
from rich.console import Console
from rich.table import Table
from table_hippocampus import ablations, missing_slices, projected_pooling
from table_lesions import unsupervised
from table_objects import several_objects
from table_ring import ring_systems, ring_tried, tedsnet_ablations
from trained_systems import OUT, one_thread

Made = tuple[tuple[str, ...], list[list[str]]]

TABLES: dict[str, Callable[[Path, Console, Sequence[int] | None], Made]] = {
    "T1": ring_systems,
    "T2": ablations,
    "T3": unsupervised,
    "T4": several_objects,
    "T5": tedsnet_ablations,
    "T6": missing_slices,
    "T7": projected_pooling,
    "tried": ring_tried,
}
NAMES = {
    "T1": "ring-systems",
    "T2": "hippocampus-ablations",
    "T3": "unsupervised",
    "T4": "several-objects",
    "T5": "tedsnet-ablations",
    "T6": "missing-slices",
    "T7": "projected-pooling",
    "tried": "ring-tried",
}


def main(
    tables: tyro.conf.Positional[tuple[Literal["T1", "T2", "T3", "T4", "T5", "T6", "T7", "tried"], ...]],
    out: Path = OUT,
    seeds: tuple[int, ...] = (),
    document: bool = False,
) -> None:
    """Make tables.

    Parameters
    ----------
    tables
        Which.
    out
        Folder of the trainings and their figures.
    seeds
        Instead of a table's own.
    document
        Put them into docs/results.md.
    """
    console = Console(width=200)
    one_thread()
    for name in tables:
        headings, rows = TABLES[name](out, console, seeds or None)
        table = Table(*headings, title=name)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        if document:
            write_table(NAMES[name], headings, rows)


if __name__ == "__main__":
    tyro.cli(main)
