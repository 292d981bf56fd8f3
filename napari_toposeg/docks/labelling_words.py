"""What is said of a folder that is being labelled."""

from __future__ import annotations

from collections.abc import Sequence

from napari_toposeg.docks import colours
from napari_toposeg.session.labelling_rows import GIVEN, STATUSES, LabellingRow, Status
from napari_toposeg.session.labelling_training import TrainingProgress
from napari_toposeg.topology import betti_words
from napari_toposeg.topology.words import FEATURES, counted

COLOURS: dict[Status, str] = {
    "unlabelled": colours.NEUTRAL,
    "proposed": colours.ACCENT,
    "corrected": colours.DOUBTFUL,
    "accepted": colours.GOOD,
}


def excess_words(found: Sequence[int], wanted: Sequence[int]) -> str:
    """What a mask has too much or too little of: "two pieces and one tunnel too many"; empty where it is right."""

    def listed(sign: int, behind: str) -> str:
        parts = [
            counted(sign * (one - other), names)
            for one, other, names in zip(found, wanted, FEATURES[len(wanted)], strict=True)
            if sign * (one - other) > 0
        ]
        return f"{' and '.join(parts)} {behind}" if parts else ""

    return ", ".join(part for part in (listed(1, "too many"), listed(-1, "too few")) if part)


def summary_words(rows: Sequence[LabellingRow]) -> str:
    """How many volumes stand where: "4 accepted, 1 corrected, 7 proposed"."""
    counts = {status: sum(row.status == status for row in rows) for status in reversed(STATUSES)}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def row_words(row: LabellingRow, wanted: Sequence[int] | None) -> str:
    """One volume in a sentence or two, for the line below the list.

    Parameters
    ----------
    row : LabellingRow
    wanted : (ndim,) sequence of int or None
        Betti numbers of the prior, if one is chosen.
    """
    if row.note:
        return f"{row.name}: {row.note}"
    if row.status == "unlabelled":
        return f"{row.name}: no mask yet."
    by = {"proposed": f"proposed by {row.origin}", "corrected": "corrected by hand", "accepted": "accepted"}[row.status]
    if row.origin == GIVEN:
        by = "its label was given"
    counted_words = "" if row.betti is None else f": {betti_words(row.betti)}"
    said = f"{row.name}, {by}{counted_words}."
    known = wanted is not None and len(wanted) == len(row.betti or wanted)
    if known and row.betti is not None and wanted is not None and tuple(row.betti) != tuple(wanted):
        said += f" That is {excess_words(row.betti, wanted)}."
    if row.status == "proposed" and known and row.found is not None and wanted is not None:
        excess = excess_words(row.found, wanted)
        said += f" Before it was certified: {excess}." if excess else " The network was right about that by itself."
    return said


def progress_words(progress: TrainingProgress) -> str:
    """How far a training is, for its bar."""
    best = f", best Dice {max(progress.dice):.3f}" if progress.dice else ""
    if progress.running:
        if progress.stage == "starting":
            return f"Round {progress.round}: starting"
        if progress.stage == "read":
            return f"Round {progress.round}: reading the volumes"
        return f"Round {progress.round}: epoch {min(progress.done + 1, progress.epochs)} of {progress.epochs}{best}"
    if progress.stage == "failed":
        return f"Round {progress.round} failed"
    if progress.resumable:
        return f"Round {progress.round} was stopped after {progress.done} of {progress.epochs} epochs{best}"
    if progress.round:
        return f"Round {progress.round} is done{best}"
    return "Nothing was trained yet"
