"""Two methods on the same cases, and whether one of them is better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError, listed
from napari_toposeg.evaluation.case import CaseMetrics
from napari_toposeg.evaluation.catalogue import METRICS, Metric
from napari_toposeg.evaluation.summary import applies, badness, value_of


@dataclass(frozen=True)
class Difference:
    """One figure of two methods, case by case.

    Attributes
    ----------
    metric : str
        Its name in `METRICS`.
    mean, median : float
        Of the first method's value less the second's.
    first_better, second_better, equal : int
        In how many cases.
    p : float
        Two-sided p-value of Wilcoxon's signed-rank test on how good the two are; 1 where no case differs. Not corrected
        for testing several figures.
    undefined : tuple of str
        Cases that are left out since either method has no such figure there.
    """

    metric: str
    mean: float
    median: float
    first_better: int
    second_better: int
    equal: int
    p: float
    undefined: tuple[str, ...]

    @property
    def better(self) -> Literal["first", "second", "neither"]:
        """Which method is better in more cases."""
        if self.first_better == self.second_better:
            return "neither"
        return "first" if self.first_better > self.second_better else "second"

    def as_dict(self) -> dict[str, Any]:
        """All of it with plain lists and numbers, ready for JSON."""
        return {**asdict(self), "undefined": list(self.undefined), "better": self.better}


def compare(first: Sequence[CaseMetrics], second: Sequence[CaseMetrics]) -> tuple[Difference, ...]:
    """Test each figure of two methods with Wilcoxon's paired signed-rank test.

    Parameters
    ----------
    first, second : sequence of CaseMetrics
        The same cases, in any order; paired by name and label.

    Returns
    -------
    tuple of Difference
        One for each figure that both methods have, in the order of `METRICS`.

    Raises
    ------
    ToposegError
        If a case of one is missing in the other, or comes twice.

    Notes
    -----
    Tested is how bad a value is, so that of a signed error the size counts. Cases that do not differ are left out of
    the ranks (Wilcoxon's own way), and are counted. The p-value is exact where scipy can have it so.
    """
    ones, others = _by_case(first), _by_case(second)
    check_same_names([_said(key) for key in ones], [_said(key) for key in others])
    pairs = [(one, others[key]) for key, one in ones.items()]
    return tuple(
        _difference(pairs, metric)
        for metric in METRICS
        if pairs and applies([one for one, _ in pairs], metric) and applies([other for _, other in pairs], metric)
    )


def check_same_names(first: Iterable[str], second: Iterable[str]) -> None:
    """Refuse two methods of which one has cases that the other lacks.

    Raises
    ------
    ToposegError
        With their names.
    """
    one, other = set(first), set(second)
    lacking = [
        f"the {which} lacks {listed(sorted(names))}"
        for which, names in (("first", other - one), ("second", one - other))
        if names
    ]
    if lacking:
        raise ToposegError(
            f"The two methods have not the same cases: {' and '.join(lacking)}.",
            why="A paired test needs both methods' result on each case.",
            todo="Predict the missing cases, or take the others out.",
        )


def _difference(pairs: Sequence[tuple[CaseMetrics, CaseMetrics]], metric: Metric) -> Difference:
    values = np.array([[value_of(case, metric) for case in pair] for pair in pairs])
    defined = ~np.isnan(values).any(axis=1)
    kept = values[defined]
    worse = np.array([[badness(value, metric) for value in pair] for pair in kept]).reshape(-1, 2)
    gain = worse[:, 1] - worse[:, 0]
    apart = kept[:, 0] - kept[:, 1]
    return Difference(
        metric=metric.name,
        mean=float(apart.mean()) if len(apart) else math.nan,
        median=float(np.median(apart)) if len(apart) else math.nan,
        first_better=int((gain > 0).sum()),
        second_better=int((gain < 0).sum()),
        equal=int((gain == 0).sum()),
        p=_p_value(gain),
        undefined=tuple(one.name for (one, _), there in zip(pairs, defined, strict=True) if not there),
    )


def _p_value(gain: NDArray[np.float64]) -> float:
    from scipy.stats import wilcoxon

    differing = gain[gain != 0]
    if not len(gain):
        return math.nan
    if not len(differing):
        return 1.0
    return float(wilcoxon(differing).pvalue)


def _by_case(cases: Sequence[CaseMetrics]) -> dict[tuple[str, int | None], CaseMetrics]:
    found = {(case.name, case.label): case for case in cases}
    if len(found) < len(cases):
        raise ToposegError("A case comes twice.", why="Cases are paired by name.", todo="Give each a name of its own.")
    return found


def _said(key: tuple[str, int | None]) -> str:
    name, label = key
    return name if label is None else f"{name} (label {label})"
