"""What was measured, as a table that a window shows, a file keeps and a clipboard carries."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import METRICS, CaseMetrics, ShapeFigures
from napari_toposeg.formats import replacing, report_text
from napari_toposeg.topology import betti_words, dual_connectivity

NOTHING = "-"
"""What stands where there is no number."""

SHAPE, COMPARISON = "Shape", "Comparison"
"""The two groups of rows."""

_COMPARED = {
    "dice": "Overlap: 1 where both are the same, 0 where they share nothing.",
    "hausdorff_95": "95 % of either surface lie no further than this from the other.",
    "hausdorff": "The largest distance of a point of either surface to the other.",
    "average_surface_distance": "The mean distance of the two surfaces.",
    "volume_error": "How much larger than the reference; below 0: smaller.",
    "betti_error": "Sum of the differences of the Betti numbers to the reference's.",
    "betti_matching_error": "Components, tunnels and cavities that the other does not have in the same place.",
}
"""Which figures of a comparison are shown, and what they mean."""


@dataclass(frozen=True)
class MeasuredObject:
    """One object, and what was measured on it.

    Attributes
    ----------
    name : str
        What to call it.
    label : int or None
        Its value in the label map; None where it is all that is not background.
    shape : ShapeFigures
        In mm, or in pixels.
    comparison : CaseMetrics or None
        With the reference; None where there is none.
    """

    name: str
    label: int | None
    shape: ShapeFigures
    comparison: CaseMetrics | None


@dataclass(frozen=True)
class Row:
    """One figure of all objects.

    Attributes
    ----------
    group : str
        `SHAPE` or `COMPARISON`.
    what : str
        What was measured.
    texts : tuple of str
        Of each object, as a person reads it.
    values : tuple of (float, int, str or None)
        The same in full; None where there is no number.
    unit : str
        Of the values.
    meaning : str
        A sentence that explains it.
    """

    group: str
    what: str
    texts: tuple[str, ...]
    values: tuple[float | int | str | None, ...]
    unit: str
    meaning: str


@dataclass(frozen=True)
class Measures:
    """All that was measured at once.

    Attributes
    ----------
    image : str
        On whose grid the objects lie.
    mask : str
        What was measured.
    reference : str or None
        What it was compared with.
    unit : str
        Of lengths: "mm", or "px" for a picture, which has no size.
    objects : tuple of MeasuredObject
        At least one.
    """

    image: str
    mask: str
    reference: str | None
    unit: str
    objects: tuple[MeasuredObject, ...]

    def rows(self) -> tuple[Row, ...]:
        """The table, line by line."""
        return (*_shape_rows(self), *_comparison_rows(self))

    def head(self) -> tuple[str, ...]:
        """What stands above the columns."""
        names = ["Value"] if len(self.objects) == 1 else [one.name for one in self.objects]
        return ("What", *names, "Unit")

    def as_dict(self) -> dict[str, Any]:
        """All of it with plain lists and numbers, ready for JSON; lengths in the unit, shares from 0 to 1."""
        from napari_toposeg import __version__

        return {
            "version": __version__,
            "image": self.image,
            "mask": self.mask,
            "reference": self.reference,
            "unit": self.unit,
            "objects": [
                {
                    "name": one.name,
                    "label": one.label,
                    "shape": one.shape.as_dict(),
                    "comparison": None if one.comparison is None else one.comparison.as_dict(),
                }
                for one in self.objects
            ],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table.

        Parameters
        ----------
        path : path
            Ends in .csv (figures in full), .md (as they are shown) or .json (all there is). Appears whole or not at
            all.

        Raises
        ------
        ToposegError
            If it has another ending, or cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending not in _WRITERS:
            raise ToposegError(
                f"{Path(path).name} is no file for a table.",
                why=f"It ends in {ending!r}." if ending else "It has no ending.",
                todo=f"Choose one of {', '.join(_WRITERS)}.",
            )
        text = _WRITERS[ending](self)
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")


def tab_separated(measures: Measures) -> str:
    """The table as it is shown, for a spreadsheet's clipboard; without a line break at its end."""
    lines = [measures.head(), *((row.what, *row.texts, row.unit) for row in measures.rows())]
    return "\n".join("\t".join(line) for line in lines)


def csv_text(measures: Measures) -> str:
    """The table with all digits, as CSV; what has no number is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([one.lower() if one in ("What", "Value", "Unit") else one for one in measures.head()])
    for row in measures.rows():
        writer.writerow([row.what, *("" if value is None else value for value in row.values), row.unit])
    return text.getvalue()


def markdown_text(measures: Measures) -> str:
    """The table as it is shown, as Markdown, and above it what was measured."""
    head, *lines = (line.split("\t") for line in tab_separated(measures).split("\n"))
    rows = [head, ["---", *["---:"] * (len(head) - 2), "---"], *lines]
    said = f"{measures.image}: {measures.mask}"
    said += "." if measures.reference is None else f", compared with {measures.reference}."
    return "\n".join([said, "", *(f"| {' | '.join(row)} |" for row in rows), ""])


_WRITERS: dict[str, Callable[[Measures], str]] = {
    ".csv": csv_text,
    ".md": markdown_text,
    ".json": lambda measures: report_text(measures.as_dict()),
}


def _shape_rows(measures: Measures) -> list[Row]:
    shapes = [one.shape for one in measures.objects]
    unit, ndim = measures.unit, shapes[0].ndim
    squared = f"{unit}²"
    rows = []

    def add(what: str, values: Sequence[float], unit: str, meaning: str) -> None:
        rows.append(Row(SHAPE, what, tuple(map(number_text, values)), tuple(values), unit, meaning))

    if ndim == 2:
        add("Area", [one.volume for one in shapes], squared, "Number of pixels times the size of one.")
        add("Perimeter", [one.surface for one in shapes], unit, f"Of outer and inner outlines. {_BY_LINES}")
    else:
        # A millilitre is 1000 cubic millimetres.
        size = 1000.0 if unit == "mm" else 1.0
        add(
            "Volume",
            [one.volume / size for one in shapes],
            "ml" if unit == "mm" else f"{unit}³",
            "Number of voxels times the size of one.",
        )
        add("Surface", [one.surface for one in shapes], squared, f"Outer and inner surfaces. {_BY_LINES}")
    add(
        "Largest diameter", [one.feret_diameter for one in shapes], unit, "Feret's: the largest distance of two points."
    )
    names = ("longest", "shortest") if ndim == 2 else ("longest", "middle", "shortest")
    for number, name in enumerate(names):
        add(
            f"Principal axis, {name}",
            [one.axis_lengths[number] for one in shapes],
            unit,
            f"Of the {'ellipse' if ndim == 2 else 'ellipsoid'} with the same moments.",
        )
    add("Share of the image", [100.0 * one.share for one in shapes], "%", "Of its voxels.")
    connectivity = shapes[0].connectivity
    convention = f"{connectivity}/{dual_connectivity(connectivity)}"
    meaning = f"Foreground {connectivity}-connected, background {dual_connectivity(connectivity)}-connected."
    words = tuple(betti_words(one.betti) for one in shapes)
    numbers = tuple(", ".join(map(str, one.betti)) for one in shapes)
    rows.append(Row(SHAPE, "Topology", words, words, "", meaning))
    rows.append(Row(SHAPE, "Betti numbers", numbers, numbers, convention, meaning))
    return rows


def _comparison_rows(measures: Measures) -> list[Row]:
    cases = [one.comparison for one in measures.objects if one.comparison is not None]
    if not cases:
        return []
    metrics = {metric.name: metric for metric in METRICS}
    rows = []
    for name, meaning in _COMPARED.items():
        metric = metrics[name]
        scale = 100 if metric.unit == "share" else 1
        values = tuple(_value(case, name, scale) for case in cases)
        texts = tuple(NOTHING if value is None else _rounded(value, metric.digits) for value in values)
        unit = {"length": measures.unit, "share": "%"}.get(metric.unit, "")
        rows.append(Row(COMPARISON, metric.title[0].upper() + metric.title[1:], texts, values, unit, meaning))
    return rows


def _value(case: CaseMetrics, name: str, scale: int) -> float | None:
    value = getattr(case, name)
    # Where only one of them is empty there is no distance: `CaseMetrics` has the grid's diagonal, for means over cases.
    apart = name in ("hausdorff", "hausdorff_95", "average_surface_distance") and case.empty in ("prediction", "label")
    return None if apart or math.isnan(value) else value * scale


def _rounded(value: float, digits: int) -> str:
    if isinstance(value, int):
        return str(value)
    text = f"{value:.{digits}f}"
    return text[1:] if float(text) == 0.0 and text.startswith("-") else text


def number_text(value: float) -> str:
    """A size with four digits, or all before the point."""
    if value == 0 or isinstance(value, int):
        return f"{value:g}"
    if value < 0.1:
        return f"{value:.3g}"
    return f"{value:.{max(3 - max(math.floor(math.log10(value)), 0), 0)}f}"


_BY_LINES = "By how often lines in all directions cross it."
