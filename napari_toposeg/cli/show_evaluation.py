"""What `toposeg evaluate` prints: a table for each label, and what has to be known to read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from napari_toposeg.cli.show import results, show_written

if TYPE_CHECKING:
    from napari_toposeg.evaluation import Evaluation

_BETWEEN = 2
"""Columns of the terminal between two of the table."""
_LEAST_NAME = 12


def show_evaluation(found: Evaluation, written: Path | None) -> None:
    """Print all tables."""
    from napari_toposeg.evaluation.tables import WORST, grid_of, notes

    console = results()
    for label_table in found.tables:
        grid = grid_of(found, label_table)
        label = label_table.label
        table = Table(
            title=None if label is None or len(found.tables) == 1 else f"Label {label}",
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="bold",
        )
        names = [method.name for method in found.methods]
        lines = [[heading if heading not in names else "" for heading in grid.head], *(row.cells for row in grid.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for heading, width in zip(grid.head, widths, strict=True):
            # The long name of a method breaks, figures do not.
            table.add_column(
                heading,
                justify="left" if heading in ("", WORST) else "right",
                min_width=None if heading == WORST else width,
                no_wrap=heading not in names,
                overflow="fold",
            )
        room = console.width - sum(widths[:-1]) - _BETWEEN * len(widths)
        for number, row in enumerate(grid.rows):
            ends = number + 1 < len(grid.rows) and grid.rows[number + 1].group != row.group
            last = _shortened(row.cells[-1], room) if grid.head[-1] == WORST else row.cells[-1]
            table.add_row(*row.cells[:-1], last, end_section=ends)
        console.print(table)
        for sentence in notes(found, label_table):
            console.print(sentence, style="dim")
    if written is not None:
        show_written([written])


def _shortened(name: str, room: int) -> str:
    """A name's beginning and end, where it is too long: cases of one study differ in one or the other."""
    room = max(room, _LEAST_NAME)
    if len(name) <= room:
        return name
    end = room // 3
    return f"{name[: room - end - 1]}…{name[-end:]}"
