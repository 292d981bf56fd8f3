"""Putting a table into a document of docs/, between the two comments that carry its name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "results.md"


def write_table(name: str, headings: Sequence[str], rows: Sequence[Sequence[str]], document: Path = RESULTS) -> None:
    """Replace what stands between the comments ``table NAME`` and ``end NAME``; machine and day go under it."""
    lines = [headings, ["---"] * len(headings), *rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    made = f"{os.cpu_count()} cores, no GPU, {date.today().isoformat()}."
    text = document.read_text(encoding="utf-8")
    begin, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{document} has no place for the table {name!r}.")
    document.write_text(pattern.sub(lambda _: f"{begin}\n\n{table}\n{made}\n\n{end}", text), encoding="utf-8")
