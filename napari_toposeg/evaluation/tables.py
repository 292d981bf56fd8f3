"""One method's figures, or two methods' side by side, as facts for JSON, rows for CSV and a Markdown table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from napari_toposeg.errors import listed
from napari_toposeg.evaluation.case import CaseMetrics
from napari_toposeg.evaluation.catalogue import METRICS, Metric
from napari_toposeg.evaluation.comparison import Difference, compare
from napari_toposeg.evaluation.summary import Statistic, Summary, summarize
from napari_toposeg.topology import betti_words, dual_connectivity

NOTHING = "-"
"""What stands where there is no number."""
WORST = "worst case"
"""What stands above the cases whose figures are the worst."""
_VOLUME_CORRELATION = "Pearson's r of volumes"
_LISTED = 4


@dataclass(frozen=True)
class Method:
    """What one method did.

    Attributes
    ----------
    name : str
        What to call it.
    cases : tuple of CaseMetrics
        All cases, of all labels.
    """

    name: str
    cases: tuple[CaseMetrics, ...]


@dataclass(frozen=True)
class LabelTable:
    """The figures of one label.

    Attributes
    ----------
    label : int or None
        None for all that is not background.
    cases : tuple of tuple of CaseMetrics
        Of each method.
    summaries : tuple of Summary
        Of each method.
    differences : tuple of Difference
        Between the two methods; empty where there is one.
    """

    label: int | None
    cases: tuple[tuple[CaseMetrics, ...], ...]
    summaries: tuple[Summary, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Evaluation:
    """All that was measured.

    Attributes
    ----------
    methods : tuple of Method
        One, or two that are compared.
    unit : str
        Of lengths: "mm" or "px".
    prior : str or None
        The name of the prior whose Betti numbers are expected; None where they are the label's.
    labels_without_prediction : tuple of str
        Cases that nothing was predicted for.
    tables : tuple of LabelTable
        One for each label.
    """

    methods: tuple[Method, ...]
    unit: str
    prior: str | None
    labels_without_prediction: tuple[str, ...]
    tables: tuple[LabelTable, ...]


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    group : str
        What kind of figure it is; lines of a kind stand together.
    cells : tuple of str
    """

    group: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table as text.

    Attributes
    ----------
    head : tuple of str
        What stands above the columns.
    rows : tuple of Row
    """

    head: tuple[str, ...]
    rows: tuple[Row, ...]


def tabulate(
    methods: Sequence[Method],
    *,
    unit: str = "mm",
    prior: str | None = None,
    labels_without_prediction: Sequence[str] = (),
) -> Evaluation:
    """Summarize what one or two methods did, label by label, and compare them.

    Raises
    ------
    ToposegError
        If two methods have not the same cases, or there is no case.
    """
    labels = dict.fromkeys(case.label for method in methods for case in method.cases)
    tables = []
    for label in labels:
        cases = tuple(tuple(case for case in method.cases if case.label == label) for method in methods)
        differences = compare(*cases) if len(cases) == 2 else ()
        tables.append(LabelTable(label, cases, tuple(summarize(one) for one in cases), differences))
    return Evaluation(tuple(methods), unit, prior, tuple(labels_without_prediction), tuple(tables))


def facts(evaluation: Evaluation) -> dict[str, Any]:
    """All of it with plain lists and numbers, ready for JSON; lengths in the unit, shares from 0 to 1."""
    return {
        "unit": evaluation.unit,
        "prior": evaluation.prior,
        "labels_without_prediction": list(evaluation.labels_without_prediction),
        "methods": [
            {
                "name": method.name,
                "summaries": [
                    {"label": table.label, **table.summaries[number].as_dict()} for table in evaluation.tables
                ],
                "cases": [case.as_dict() for case in method.cases],
            }
            for number, method in enumerate(evaluation.methods)
        ],
        "differences": [
            {"label": table.label, **difference.as_dict()}
            for table in evaluation.tables
            for difference in table.differences
        ],
    }


def csv_text(evaluation: Evaluation) -> str:
    """A row for each case of each method, as CSV: what has no number is left empty, Betti numbers are like "1 0 0"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [field.name for field in fields(CaseMetrics)]
    writer.writerow(["method", *columns])
    for method in evaluation.methods:
        for case in method.cases:
            writer.writerow([method.name, *(_csv_cell(getattr(case, column)) for column in columns)])
    return text.getvalue()


def markdown_text(evaluation: Evaluation) -> str:
    """The tables of means as Markdown, with what is to be said about them below."""
    parts = []
    for table in evaluation.tables:
        if len(evaluation.tables) > 1:
            parts.append(f"### Label {table.label}")
        grid = grid_of(evaluation, table)
        lines = [" | ".join(grid.head), " | ".join(["---", *["---:"] * (len(grid.head) - 1)])]
        lines += [" | ".join(row.cells) for row in grid.rows]
        parts.append("\n".join(f"| {line} |" for line in lines))
        parts += notes(evaluation, table)
    return "\n\n".join(parts) + "\n"


def grid_of(evaluation: Evaluation, table: LabelTable) -> Grid:
    """The table of one label as text: of one method, or of two side by side."""
    return _comparison(evaluation, table) if table.differences else _summary(evaluation, table)


def _summary(evaluation: Evaluation, table: LabelTable) -> Grid:
    (summary,) = table.summaries
    single = summary.count == 1
    head = ("", table.cases[0][0].name) if single else ("", "mean ± sd", "se", "median", "worst", WORST)
    rows = []
    for metric in METRICS:
        statistic = summary.statistics.get(metric.name)
        if statistic is None:
            continue
        title = title_of(metric, evaluation, table)
        if single:
            if metric.name.startswith("right_topology"):
                cells = (title.removesuffix(" (%)"), "yes" if statistic.mean else "no")
            else:
                cells = (title, shown(metric, statistic.mean))
            rows.append(Row(metric.group, cells))
            continue
        numbers = [shown(metric, value) for value in (statistic.error, statistic.median, statistic.worst)]
        # Where nothing is wrong anywhere, no case is the worst.
        perfect = statistic.worst == (1.0 if metric.better == "higher" else 0.0)
        case = NOTHING if perfect or not statistic.worst_case else statistic.worst_case
        rows.append(Row(metric.group, (title, _with_spread(metric, statistic), *numbers, case)))
        if metric.name == "absolute_volume_error":
            correlation = _number(summary.volume_correlation, 3)
            rows.append(Row(metric.group, (_VOLUME_CORRELATION, correlation, *[NOTHING] * 4)))
    return Grid(head, tuple(rows))


def _comparison(evaluation: Evaluation, table: LabelTable) -> Grid:
    one, other = (method.name for method in evaluation.methods)
    rows = []
    differences = {difference.metric: difference for difference in table.differences}
    for metric in METRICS:
        statistics = [summary.statistics.get(metric.name) for summary in table.summaries]
        if not any(statistics):
            continue
        cells = [NOTHING if statistic is None else _with_spread(metric, statistic) for statistic in statistics]
        difference = differences.get(metric.name)
        if difference is None:
            # Only one of the two has fields: its figures stand alone.
            tested = (NOTHING, NOTHING)
        else:
            counts = f"{difference.first_better}:{difference.second_better}:{difference.equal}"
            tested = (counts, p_text(difference.p))
        rows.append(Row(metric.group, (title_of(metric, evaluation, table), *cells, *tested)))
        if metric.name == "absolute_volume_error" and table.summaries[0].count > 1:
            cells = [_number(summary.volume_correlation, 3) for summary in table.summaries]
            rows.append(Row(metric.group, (_VOLUME_CORRELATION, *cells, NOTHING, NOTHING)))
    return Grid(("", one, other, "+ : - : =", "p"), tuple(rows))


def notes(evaluation: Evaluation, table: LabelTable) -> list[str]:
    """What a reader of the table has to know, sentence by sentence."""
    case = table.cases[0][0]
    count = table.summaries[0].count
    said = []
    if table.label is not None and len(evaluation.tables) == 1:
        said.append(f"Of label {table.label}.")
    if count > 1:
        error = "" if table.differences else "; se is the standard error of the mean"
        said.append(f"{count} cases, mean ± standard deviation{error}.")
    if table.differences:
        one, other = (method.name for method in evaluation.methods)
        said.append(
            f"+ : - : = counts the cases in which {one} is better than {other}, worse, and as good. "
            "p is of Wilcoxon's paired signed-rank test, two-sided, not corrected for the number of figures."
        )
    counted = f", counted {case.connectivity}- and {dual_connectivity(case.connectivity)}-connected"
    if evaluation.prior is not None:
        said.append(f"Right topology: {betti_words(case.betti_expected)}, as the prior {evaluation.prior}{counted}.")
    else:
        said.append(f"Right topology: the label's Betti numbers{counted}.")
    for method, cases, summary in zip(evaluation.methods, table.cases, table.summaries, strict=True):
        whose = f"{method.name}: " if len(evaluation.methods) > 1 else ""
        wrong = [f"{one.name} ({_wrong(one, evaluation)})" for one in cases if not one.right_topology]
        if wrong and count == 1:
            said.append(f"{whose}The prediction is wrong ({_wrong(cases[0], evaluation)}).")
        elif wrong:
            said.append(f"{whose}{len(wrong)} of {count} wrong: {_listed(wrong)}.")
        said += [whose + sentence for sentence in _about_empty(summary)]
        lacking = [one.name for one in cases if one.folding_share is None]
        if 0 < len(lacking) < count:
            said.append(f"{whose}No displacement field, and no figure of folding, for {_listed(lacking)}.")
    lone = evaluation.labels_without_prediction
    if lone:
        labels = "label has" if len(lone) == 1 else "labels have"
        said.append(f"Not evaluated: {len(lone)} {labels} no prediction ({_listed(lone)}).")
    return said


def title_of(metric: Metric, evaluation: Evaluation, table: LabelTable) -> str:
    """What a figure is called in a table, with its unit."""
    connectivity = table.cases[0][0].connectivity
    title = metric.title
    if metric.name == "right_topology":
        title += f", {connectivity}"
    elif metric.name == "right_topology_dual":
        title += f", {dual_connectivity(connectivity)}"
    return title + {"length": f" ({evaluation.unit})", "share": " (%)", "thousandth": " (1e-3)", "": ""}[metric.unit]


def shown(metric: Metric, value: float) -> str:
    """A figure as it is shown, without its unit: shares in per cent."""
    return _number(value * {"share": 100.0, "thousandth": 1000.0}.get(metric.unit, 1.0), metric.digits)


def _with_spread(metric: Metric, statistic: Statistic) -> str:
    mean = shown(metric, statistic.mean)
    return mean if math.isnan(statistic.deviation) else f"{mean} ± {shown(metric, statistic.deviation)}"


def p_text(p: float) -> str:
    """A p-value as it is shown."""
    return NOTHING if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def _wrong(case: CaseMetrics, evaluation: Evaluation) -> str:
    """What a prediction of the wrong topology has, and, where that is not said already, what it should have."""
    found = betti_words(case.betti_prediction, absent=False)
    if evaluation.prior is not None:
        return found
    return f"{found}; the label {betti_words(case.betti_expected, absent=False)}"


def _about_empty(summary: Summary) -> list[str]:
    said = []
    for names, one, many in (
        (summary.empty_predictions, "prediction is", "predictions are"),
        (summary.empty_labels, "label is", "labels are"),
    ):
        if names:
            said.append(f"{len(names)} {one if len(names) == 1 else many} empty ({_listed(names)}).")
    if said:
        said.append(
            "Where one of the two masks is empty, overlap is 0 and distances are the diagonal of the grid; "
            "where both are, 1 and 0."
        )
    undefined = summary.statistics["volume_error"].undefined
    if undefined:
        said.append(f"To an empty label there is no volume error: its mean is without {_listed(undefined)}.")
    return said


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return NOTHING
    text = f"{value:.{digits}f}"
    return text[1:] if float(text) == 0.0 and text.startswith("-") else text


def _listed(names: Sequence[str]) -> str:
    return listed(names, _LISTED)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return int(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value
