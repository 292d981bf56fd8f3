"""The table of a training's epochs, and what is decided by it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_toposeg.formats import replacing

SCORE = "score"
"""What the best epoch is chosen by: Dice on the validation part; without one, less of the loss."""

History = Sequence[Mapping[str, float]]
"""By epoch: its number from 1 ("epoch"), mean terms of the loss, scores, and the one that counts (`SCORE`)."""


def best_epoch(history: History, fill_epochs: int = 0) -> int:
    """The epoch of the highest score, counted from 0; of several the first.

    Parameters
    ----------
    history : History
        Not empty.
    fill_epochs : int
        How many epochs fill holes first. They are passed over as soon as there are others: with its holes filled, a
        network is not what is wanted, and its loss is another one.
    """
    start = fill_epochs if len(history) > fill_epochs else 0
    return max(range(start, len(history)), key=lambda epoch: history[epoch][SCORE])


def is_exhausted(history: History, fill_epochs: int, patience: int) -> bool:
    """Whether so many epochs have passed without a better one; never while holes are filled, or if patience is 0."""
    if patience == 0 or len(history) <= fill_epochs:
        return False
    return len(history) - 1 - best_epoch(history, fill_epochs) >= patience


def write_history(history: History, path: Path) -> None:
    """Write a line for each epoch, with a column for each term and score; the file appears whole or not at all."""
    columns = list(dict.fromkeys(name for line in history for name in line))
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(history)


def count_epochs(path: Path) -> int:
    """How many epochs are in the file that `write_history` wrote; 0 where there is none."""
    if not path.exists():
        return 0
    with path.open(newline="", encoding="utf-8") as stream:
        return sum(1 for _ in csv.DictReader(stream))
