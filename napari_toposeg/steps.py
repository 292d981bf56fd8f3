"""Long work is a generator of steps: the one way in which progress is reported."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from numpy.typing import NDArray

Result = TypeVar("Result")


class Finish(Exception):
    """Thrown into a generator of steps: stop iterating and make a result of the best state so far.

    ``steps.throw(Finish())`` returns the next step, and the generator goes on to its last one, whose `result` is set.
    ``steps.close()`` instead drops everything.
    """


@dataclass(frozen=True)
class Step(Generic[Result]):
    """One step of a long job.

    Attributes
    ----------
    stage : str
        What is being done, in a word or two that a progress bar can show ("fit", "certify").
    number, total : int
        Steps done, of how many, over the whole job (not within the stage).
    losses : mapping of str to float
        The terms of the objective at this step, by name; empty where nothing is minimised.
    preview : (*grid) bool or None
        The mask as it would be now, where one is due.
    result : Result or None
        Set on the last step only.
    """

    stage: str
    number: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict)
    preview: NDArray[Any] | None = None
    result: Result | None = None


Steps: TypeAlias = Generator[Step[Result], None, None]


def announced(step: Step[Result]) -> Steps[Result]:
    """One step of a job that has nothing to end early: `Finish` lets it go on to its result."""
    with suppress(Finish):
        yield step


def last(steps: Steps[Result]) -> Result:
    """Run a job to its end and return its result.

    Parameters
    ----------
    steps : generator of Step
        The job.

    Returns
    -------
    Result
        The result that the last step carries.

    Raises
    ------
    ValueError
        If the job ended without a result.
    """
    result: Result | None = None
    for step in steps:
        result = step.result
    if result is None:
        raise ValueError("The job ended without a result.")
    return result
