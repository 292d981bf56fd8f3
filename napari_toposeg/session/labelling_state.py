"""What is remembered of a folder that is being labelled: one small JSON file beside the masks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing, report_text
from napari_toposeg.session.labelling_rows import STATUSES, LabellingRow
from napari_toposeg.session.labelling_settings import LabellingSettings

FILE = "labelling.json"
_VERSION = 1
_OF_A_ROW = ("status", "origin", "betti", "found", "disagreement", "uncertainty", "note")


@dataclass(frozen=True)
class LabellingState:
    """What is remembered.

    Attributes
    ----------
    labels : str
        The folder of given labels, from the folder of masks; empty where there is none.
    prior : str
        As `read_prior` takes it: a name, or a file in the folder of masks. Empty where none was chosen yet.
    weights : str
        Who proposes, as `load_weights` takes it, a file from the folder of masks. Empty: nobody yet.
    settings : LabellingSettings
    round : int
        How often training was started anew.
    training : str
        What the newest training was started with, as a hash: the same again goes on with it.
    kept_back : tuple of str
        Names of the volumes that are validated on, in every round.
    rows : mapping of str to mapping
        By name: what of a `LabellingRow` does not follow from the folders.
    """

    labels: str = ""
    prior: str = ""
    weights: str = ""
    settings: LabellingSettings = field(default_factory=LabellingSettings)
    round: int = 0
    training: str = ""
    kept_back: tuple[str, ...] = ()
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_state(folder: Path) -> LabellingState:
    """Read what is remembered; of a folder in which nothing is, an empty one.

    Raises
    ------
    ToposegError
        If the file cannot be read, or is not one of ours. It is never written over then.
    """
    path = folder / FILE
    if not path.exists():
        return LabellingState()
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts.pop("version") != _VERSION:
            raise ValueError("it is of another version of this program")
        settings = facts["settings"]
        facts["settings"] = LabellingSettings(**{**settings, "labels": tuple(settings["labels"])})
        facts["kept_back"] = tuple(facts["kept_back"])
        facts["rows"] = {name: _row_of(row) for name, row in facts["rows"].items()}
        return LabellingState(**facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ToposegError) as error:
        raise ToposegError(
            f"{path} cannot be read, and what was labelled in this folder is not known.",
            why=f"{' '.join(str(error).split()).rstrip('.')}.",
            todo="Bring the file back from a copy, or move it away: accepted masks are taken from the folder again.",
        ) from error


def write_state(state: LabellingState, folder: Path) -> None:
    """Write what is to be remembered; the file appears whole or not at all.

    Raises
    ------
    ToposegError
        If it cannot be written.
    """
    with replacing(folder / FILE) as part:
        part.write_text(report_text({"version": _VERSION, **asdict(state)}), encoding="utf-8")


def remembered(row: LabellingRow) -> dict[str, Any]:
    """What is to be remembered of a row."""
    return {name: getattr(row, name) for name in _OF_A_ROW}


def with_remembered(row: LabellingRow, kept: Mapping[str, Any]) -> LabellingRow:
    """A row with what was remembered of it."""
    return replace(row, **kept)


def _row_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values, checked: a row of a file that a person changed is not to end as a defect somewhere else."""
    kept = {name: facts[name] for name in _OF_A_ROW}
    if kept["status"] not in STATUSES:
        raise ValueError(f"there is no status {kept['status']!r}")
    for name in ("betti", "found"):
        kept[name] = None if kept[name] is None else tuple(int(number) for number in kept[name])
    for name, kind in (("disagreement", int), ("uncertainty", float)):
        kept[name] = None if kept[name] is None else kind(kept[name])
    return kept
