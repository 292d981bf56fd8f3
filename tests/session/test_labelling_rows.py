"""The order in which volumes are looked at, and who comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_toposeg.session.labelling_rows import LabellingRow, in_order, neighbour


def row(name: str, status: str = "proposed", **facts: Any) -> LabellingRow:
    return LabellingRow(name, Path(f"{name}.nii.gz"), status=status, **facts)  # type: ignore[arg-type]


ROWS = (
    row("a", "accepted", disagreement=9, uncertainty=0.9),
    row("b", disagreement=0, uncertainty=0.3),
    row("c", "unlabelled"),
    row("d", disagreement=2, uncertainty=0.1),
    row("e", "corrected", disagreement=2, uncertainty=0.4),
    row("f", disagreement=0, uncertainty=0.3),
)


@pytest.mark.parametrize(
    ("by", "descending", "names"),
    [
        ("instructive", False, "edbfca"),
        ("instructive", True, "acfbde"),
        ("name", False, "abcdef"),
        ("name", True, "fedcba"),
        ("status", False, "cbdfea"),
        ("disagreement", False, "bfdeac"),
        ("disagreement", True, "adebfc"),
        ("uncertainty", True, "aebfdc"),
    ],
)
def test_rows_stand_in_the_order_that_was_asked_for(by, descending, names) -> None:
    assert "".join(one.name for one in in_order(ROWS, by, descending=descending)) == names


def test_the_next_one_is_the_next_that_is_not_accepted_and_the_last_leads_to_the_first() -> None:
    rows = in_order(ROWS)
    walked, name = [], None
    for _ in range(6):
        name = neighbour(rows, name, 1).name
        walked.append(name)
    assert "".join(walked) == "edbfce"
    assert neighbour(rows, "e", -1).name == "c"
    assert neighbour(rows, None, -1).name == "c"
    assert neighbour(rows, "a", 1).name == "e"


def test_where_all_others_are_accepted_there_is_no_next_one() -> None:
    rows = (row("a", "accepted"), row("b"))
    assert neighbour(rows, "b", 1) is None
    assert neighbour(rows[:1], "a", 1) is None
    assert neighbour((), None, 1) is None
