"""Who is trained on, who is validated on and who is tested on: drawn by patient, and written to disk."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from napari_toposeg.data.cases import Case
from napari_toposeg.errors import ToposegError, listed
from napari_toposeg.formats import replacing, report_text
from napari_toposeg.formats.paths import existing_file

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """A division of patients.

    Attributes
    ----------
    train, validation, test : tuple of str
        Names of patients (`Case.patient`). Nobody is in two parts, or twice in one. Only train must have somebody.
    seed : int
        What it was drawn by.

    Raises
    ------
    ToposegError
        If somebody is named twice, or nobody is left to train on.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    seed: int

    def __post_init__(self) -> None:
        counted = Counter(name for part in PARTS for name in getattr(self, part))
        twice = sorted(name for name, times in counted.items() if times > 1)
        if twice:
            raise ToposegError(
                f"The split names patients more than once: {listed(twice)}.",
                why="Whoever is trained on cannot show how well the network does.",
                todo="Leave each of them in one part.",
            )
        if not self.train:
            raise ToposegError("The split has nobody to train on.", todo="Give fewer to validation and test.")


def draw_split(patients: Iterable[str], *, validation: float, test: float, seed: int) -> Split:
    """Divide patients at random.

    Parameters
    ----------
    patients : iterable of str
        Their names; one that comes again counts once, and the order does not matter.
    validation, test : float
        Shares of the patients, 0 up to 1, together below 1. Rounded to whole patients, but at least one where the share
        is above 0; the rest is trained on.
    seed : int
        The same seed draws the same split, of the same patients.

    Returns
    -------
    Split

    Raises
    ------
    ToposegError
        If a share is out of range, or there are too few patients for all parts.
    """
    names = sorted(set(patients))
    if not (0.0 <= validation < 1.0 and 0.0 <= test < 1.0 and validation + test < 1.0):
        raise ToposegError(
            f"The split cannot have shares of {validation:g} for validation and {test:g} for test.",
            why="Each is 0 or more, and together they are below 1, so that somebody is left to train on.",
            todo="Give 0.15 each, for example.",
        )
    if seed < 0:
        raise ToposegError(f"A split cannot be drawn by the seed {seed}.", todo="Give 0 or more.")
    held = [max(1, round(share * len(names))) if share > 0 else 0 for share in (validation, test)]
    if sum(held) >= len(names):
        parts = 1 + sum(number > 0 for number in held)
        raise ToposegError(
            f"{len(names)} patient{'' if len(names) == 1 else 's'} cannot be divided into {parts} parts as asked.",
            why=f"{held[0]} for validation and {held[1]} for test leave nobody to train on.",
            todo="Give more images, or smaller shares; a share of 0 leaves a part out.",
        )
    drawn = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    ends = len(names) - sum(held), len(names) - held[1]
    return Split(
        tuple(sorted(drawn[: ends[0]])),
        tuple(sorted(drawn[ends[0] : ends[1]])),
        tuple(sorted(drawn[ends[1] :])),
        seed,
    )


def write_split(split: Split, path: str | os.PathLike[str]) -> None:
    """Write a split as JSON: its seed, and a list of names for each part.

    Parameters
    ----------
    split : Split
    path : path
        Appears whole or not at all.

    Raises
    ------
    ToposegError
        If it cannot be written.
    """
    facts = {"seed": split.seed, **{part: list(getattr(split, part)) for part in PARTS}}
    with replacing(path) as written:
        written.write_text(report_text(facts), encoding="utf-8")


def read_split(path: str | os.PathLike[str]) -> Split:
    """Read a split that `write_split`, or a person, wrote.

    Parameters
    ----------
    path : path
        JSON: one object with "seed", a whole number, and "train", "validation" and "test", lists of names.

    Returns
    -------
    Split

    Raises
    ------
    ToposegError
        If it cannot be read, lacks a part or has one too many, or names somebody twice.
    """
    file = existing_file(path)
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _no_split(path, f"{error}") from error
    wrong = _what_is_wrong(facts)
    if wrong:
        raise _no_split(path, wrong)
    try:
        return Split(seed=facts["seed"], **{part: tuple(facts[part]) for part in PARTS})
    except ToposegError as error:
        raise ToposegError(f"{path}: {error.what}", why=error.why, todo=error.todo) from error


def cases_of(cases: Sequence[Case], patients: Iterable[str]) -> tuple[Case, ...]:
    """The cases of some patients, in their order; those of others are left out.

    Parameters
    ----------
    cases : sequence of Case
        As `find_cases` finds them.
    patients : iterable of str
        One part of a split.

    Raises
    ------
    ToposegError
        If a patient has no case; it says who.
    """
    wanted = list(patients)
    there = {case.patient for case in cases}
    missing = [patient for patient in wanted if patient not in there]
    if missing:
        raise ToposegError(
            f"Of {len(wanted)} patients of the split {len(missing)} have no image: {listed(missing)}.",
            why=f"The patients of the images are {listed(sorted(there), 3) or 'none'}.",
            todo="Check the folder, and the pattern that finds a patient in a name; or draw the split anew.",
        )
    chosen = set(wanted)
    return tuple(case for case in cases if case.patient in chosen)


def _what_is_wrong(facts: Any) -> str:
    if not isinstance(facts, dict):
        return "It is not one object"
    known = {field.name for field in fields(Split)}
    if facts.keys() != known:
        lacking, strange = sorted(known - facts.keys()), sorted(facts.keys() - known)
        return f'It {"lacks" if lacking else "knows no"} "{(lacking or strange)[0]}"'
    for part in PARTS:
        names = facts[part]
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            return f'Its "{part}" is not a list of names'
    if not isinstance(facts["seed"], int) or isinstance(facts["seed"], bool):
        return 'Its "seed" is not a whole number'
    return ""


def _no_split(path: str | os.PathLike[str], why: str) -> ToposegError:
    return ToposegError(
        f"{path} cannot be read as a split.",
        why=f"{why.rstrip('.')}.",
        todo='It is JSON: {"seed": 0, "train": [...], "validation": [...], "test": [...]}.',
    )
