"""Many cases: mean, spread and median of each figure, and where it is worst."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation.case import CaseMetrics
from napari_toposeg.evaluation.catalogue import METRICS, Metric


@dataclass(frozen=True)
class Statistic:
    """One figure over many cases.

    Attributes
    ----------
    mean, median : float
        Over the cases in which it is defined.
    deviation : float
        Standard deviation of a sample (divided by count - 1); NaN for a single case.
    error : float
        Standard error of the mean: the deviation divided by the root of the count.
    count : int
        Cases in which it is defined.
    undefined : tuple of str
        The names of the others.
    worst : float
        The value furthest from good.
    worst_case : str
        Whose it is; the first where there are several.
    """

    mean: float
    median: float
    deviation: float
    error: float
    count: int
    undefined: tuple[str, ...]
    worst: float
    worst_case: str


@dataclass(frozen=True)
class Summary:
    """All figures over many cases.

    Attributes
    ----------
    count : int
        Number of cases.
    statistics : mapping of str to Statistic
        By the names in `METRICS`. What no case can have is left out: errors in slices in 2-D, and folding where there
        is no field.
    volume_correlation : float
        Pearson's r between the volumes of predictions and labels, over the cases; NaN where there are fewer than two
        cases, or all predictions or all labels have the same volume.
    empty_predictions, empty_labels : tuple of str
        Cases whose mask is empty.
    """

    count: int
    statistics: Mapping[str, Statistic]
    volume_correlation: float
    empty_predictions: tuple[str, ...]
    empty_labels: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it with plain lists and numbers, ready for JSON."""
        return {
            "count": self.count,
            "volume_correlation": self.volume_correlation,
            "empty_predictions": list(self.empty_predictions),
            "empty_labels": list(self.empty_labels),
            **{name: asdict(statistic) for name, statistic in self.statistics.items()},
        }


def summarize(cases: Sequence[CaseMetrics]) -> Summary:
    """Mean, spread and median of each figure over cases.

    Parameters
    ----------
    cases : sequence of CaseMetrics
        At least one.

    Raises
    ------
    ToposegError
        If there is none, or some are 2-D and others 3-D.
    """
    if not cases:
        raise ToposegError("There is no case to summarize.", todo="Give at least one prediction with its label.")
    if len({case.ndim for case in cases}) > 1:
        raise ToposegError(
            "Some cases are 2-D and others 3-D.",
            why="Their figures have other meanings, so that a mean over both says nothing.",
            todo="Evaluate them apart.",
        )
    return Summary(
        count=len(cases),
        statistics={metric.name: _statistic(cases, metric) for metric in METRICS if applies(cases, metric)},
        volume_correlation=_volume_correlation(cases),
        empty_predictions=tuple(case.name for case in cases if case.empty in ("prediction", "both")),
        empty_labels=tuple(case.name for case in cases if case.empty in ("label", "both")),
    )


def applies(cases: Sequence[CaseMetrics], metric: Metric) -> bool:
    """Whether a figure means anything for at least one of the cases."""
    return any(getattr(case, metric.name) is not None for case in cases)


def value_of(case: CaseMetrics, metric: Metric) -> float:
    """A case's figure; NaN where it has none."""
    value = getattr(case, metric.name)
    return math.nan if value is None else float(value)


def badness(value: float, metric: Metric) -> float:
    """How bad a value is: larger is worse."""
    return {"higher": -value, "lower": value, "nearer 0": abs(value)}[metric.better]


def _statistic(cases: Sequence[CaseMetrics], metric: Metric) -> Statistic:
    values = np.array([value_of(case, metric) for case in cases])
    defined = values[~np.isnan(values)]
    undefined = tuple(case.name for case, value in zip(cases, values, strict=True) if np.isnan(value))
    count = len(defined)
    if count == 0:
        nothing = math.nan
        return Statistic(nothing, nothing, nothing, nothing, 0, undefined, nothing, "")
    deviation = float(np.std(defined, ddof=1)) if count > 1 else math.nan
    # Ties go to the first; what is not defined is never the worst.
    place = int(np.argmax([-math.inf if np.isnan(value) else badness(value, metric) for value in values]))
    return Statistic(
        mean=float(defined.mean()),
        median=float(np.median(defined)),
        deviation=deviation,
        error=deviation / math.sqrt(count),
        count=count,
        undefined=undefined,
        worst=float(values[place]),
        worst_case=cases[place].name,
    )


def _volume_correlation(cases: Sequence[CaseMetrics]) -> float:
    predictions, labels = (
        np.array([getattr(case, name) for case in cases]) for name in ("volume_prediction", "volume_label")
    )
    if len(set(predictions)) < 2 or len(set(labels)) < 2:
        return math.nan
    return float(np.corrcoef(predictions, labels)[0, 1])
