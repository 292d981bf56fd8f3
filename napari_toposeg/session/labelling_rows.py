"""The volumes of a folder that is being labelled, one row each, and the order in which they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Status = Literal["unlabelled", "proposed", "corrected", "accepted"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""In the order in which a volume goes through them."""

SortBy = Literal["instructive", "name", "status", "disagreement", "uncertainty"]

GIVEN = "given"
BY_HAND = "by hand"


@dataclass(frozen=True)
class LabellingRow:
    """One volume of the folder.

    Attributes
    ----------
    name : str
        What it alone is called: its file's name without the ending.
    image : Path
        Its file.
    given : Path or None
        Its label from the folder of labels; None where it has none there.
    status : {"unlabelled", "proposed", "corrected", "accepted"}
        "proposed": a network's mask waits for somebody. "corrected": the mask was changed, and is not accepted yet.
        "accepted": it is trained on; so is a label that was given.
    origin : str
        Where its mask comes from: "given", "by hand", or the name of the weights that proposed it. Empty where there is
        no mask.
    mask : Path or None
        The file of its mask; the given label's where that counts.
    betti : tuple of int or None
        Betti numbers of that mask, counted; of a given label None, for nobody has read it yet.
    found : tuple of int or None
        Betti numbers of what the network said before it was certified.
    disagreement, uncertainty : int and float, or None
        See `measure`; None where no network was asked.
    note : str
        What has to be said of it; empty where nothing has.
    """

    name: str
    image: Path
    given: Path | None = None
    status: Status = "unlabelled"
    origin: str = ""
    mask: Path | None = None
    betti: tuple[int, ...] | None = None
    found: tuple[int, ...] | None = None
    disagreement: int | None = None
    uncertainty: float | None = None
    note: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it is trained on."""
        return self.status == "accepted"


def in_order(
    rows: Sequence[LabellingRow], sort_by: SortBy = "instructive", *, descending: bool = False
) -> tuple[LabellingRow, ...]:
    """Rows in an order; equal ones by name.

    Parameters
    ----------
    rows : sequence of LabellingRow
    sort_by : {"instructive", "name", "status", "disagreement", "uncertainty"}
        "instructive": what is proposed or corrected, the greatest disagreement first, of equal ones the greatest
        uncertainty; then what no network was asked about; last what is accepted, of which there is no more to learn.
        "disagreement" and "uncertainty": the least first, and where there is no figure last, in either direction.
    descending : bool
        The other way round.
    """
    by_name = sorted(rows, key=lambda row: row.name, reverse=descending and sort_by == "name")
    if sort_by == "name":
        return tuple(by_name)
    if sort_by == "status":
        return tuple(sorted(by_name, key=lambda row: STATUSES.index(row.status), reverse=descending))
    if sort_by == "instructive":
        ordered = sorted(by_name, key=_least_instructive)
        return tuple(reversed(ordered)) if descending else tuple(ordered)
    known = [row for row in by_name if getattr(row, sort_by) is not None]
    unknown = [row for row in by_name if getattr(row, sort_by) is None]
    return (*sorted(known, key=lambda row: getattr(row, sort_by), reverse=descending), *unknown)


def _least_instructive(row: LabellingRow) -> tuple[int, float, float]:
    if row.accepted:
        return 2, 0.0, 0.0
    if row.disagreement is None or row.uncertainty is None:
        return 1, 0.0, 0.0
    return 0, -row.disagreement, -row.uncertainty


def neighbour(rows: Sequence[LabellingRow], name: str | None, step: Literal[1, -1]) -> LabellingRow | None:
    """The next row that is not accepted, or the one before; past the end it begins again at the start.

    Parameters
    ----------
    rows : sequence of LabellingRow
        In the order in which they are looked at.
    name : str or None
        From where. None: from before the first, or behind the last.
    step : {1, -1}
        Forwards or back.

    Returns
    -------
    LabellingRow or None
        Another one than `name`; None where there is none left.
    """
    names = [row.name for row in rows]
    start = names.index(name) if name in names else (-1 if step == 1 else 0)
    for distance in range(1, len(rows) + 1):
        row = rows[(start + step * distance) % len(rows)]
        if not row.accepted and row.name != name:
            return row
    return None
