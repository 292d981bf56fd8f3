"""Training on accepted masks, in a process of its own, round after round."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_toposeg.backends import Command
from napari_toposeg.data import Split, write_split
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_volume, sha256_of, split_ending, write_mask, write_prior
from napari_toposeg.priors import Prior, find_prior
from napari_toposeg.session.labelling_folder import LabellingFolder
from napari_toposeg.session.labelling_rows import GIVEN, LabellingRow
from napari_toposeg.steps import Step, Steps, announced
from napari_toposeg.training import (
    Data,
    Optimisation,
    TrainedObject,
    TrainingConfig,
    config_to_dict,
    write_config,
)

TRAININGS = "trainings"
"""The folder of all rounds, in the folder of masks."""

TEMPLATE = "prior.nii.gz"
"""A prior of one's own, in the folder of masks."""

_LINE = re.compile(r"(.+) \(step (\d+) of (\d+)\)$")
_ERROR = "toposeg: "


@dataclass(frozen=True)
class TrainingProgress:
    """How far the newest training is.

    Attributes
    ----------
    round : int
        Which one it is; 0: nothing was trained yet.
    running : bool
    stage : str
        What is being done: "starting", "read", "epoch 7", "done", "stopped", "failed".
    epochs : int
        How many there will be at most.
    dice : tuple of float
        Dice on the masks that are kept back, by epoch, before any correction; empty where none is kept back.
    done : int
        How many epochs are over.
    resumable : bool
        Whether it was stopped, or killed, and goes on where it was if nothing was accepted since.
    error : str
        The sentence that says why it failed; else empty.
    """

    round: int = 0
    running: bool = False
    stage: str = ""
    epochs: int = 0
    dice: tuple[float, ...] = ()
    done: int = 0
    resumable: bool = False
    error: str = ""


@dataclass(frozen=True)
class Prepared:
    """A round that can be started: its number, its config's file, its folder, how many epochs there will be."""

    number: int
    config: Path
    folder: Path
    epochs: int


class LabellingTraining:
    """The rounds of one folder, of which at most one is under way.

    Parameters
    ----------
    folder : LabellingFolder
        What is labelled.
    tell : callable
        Called when the progress is another one; in any thread.
    trained : callable
        Given the weights of a round that is complete, in a thread of its own.
    failed : callable
        Given the sentence that says why a round failed.
    """

    def __init__(
        self,
        folder: LabellingFolder,
        tell: Callable[[], None],
        trained: Callable[[Path], None],
        failed: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._tell = tell
        self._trained = trained
        self._failed = failed
        self._written: Prior | None = None
        self._command: Command | None = None
        self._lock = threading.Lock()
        self._progress = self._as_left()

    @property
    def progress(self) -> TrainingProgress:
        """How far it is."""
        return self._progress

    @property
    def process(self) -> int | None:
        """The id of the process that trains; None where none does."""
        command = self._command
        return command.id if command is not None and command.running else None

    def prepared(self, prior: Prior) -> Steps[Prepared]:
        """Gather what is trained on in a folder of its own: links to the images, and copies of the accepted masks.

        Parameters
        ----------
        prior : Prior
            What topology the organ has.

        Yields
        ------
        Step[Prepared]
            One by volume; the last carries the result. What was accepted since the last round makes a new one;
            otherwise the last one goes on, if it is not complete.

        Raises
        ------
        ToposegError
            If nothing is accepted, or a file cannot be read or written.
        """
        folder, state = self._folder, self._folder.state
        accepted = [row for row in folder.rows if row.accepted]
        rest = [row for row in folder.rows if not row.accepted] if state.settings.unlabelled else []
        if not accepted:
            raise ToposegError(
                "There is nothing to train on.",
                why="No volume of the folder has an accepted mask.",
                todo="Accept some first, or give a folder of labels.",
            )
        names = [row.name for row in accepted]
        kept_back = self._kept_back(names)
        text = self.prior_text(prior)
        total = len(accepted) + len(rest) + 1
        number = state.round
        place = self._place(number)
        config = self._config(text, prior.ndim, number, bool(rest))
        asked = _fingerprint(config, accepted, rest, kept_back)
        if asked != state.training or self._weights(number).exists() or not place.is_dir():
            number = self._next_number()
            place = self._place(number)
            config = self._config(text, prior.ndim, number, bool(rest))
            for part in ("images", "labels", "unlabelled"):
                (place / part).mkdir(parents=True)
            for count, row in enumerate((*accepted, *rest)):
                yield from announced(Step("gather", count + 1, total))
                _link(row, place / ("images" if row.accepted else "unlabelled"))
                if row.accepted:
                    self._copy_label(row, place / "labels")
            trained_on = tuple(name for name in names if name not in kept_back)
            write_split(Split(trained_on, kept_back, (), state.settings.seed), place / "split.json")
            write_config(config, place / "config.yaml")
            asked = _fingerprint(config, accepted, rest, kept_back)
            folder.update(round=number, training=asked, kept_back=kept_back, prior=folder.short(text))
        result = Prepared(number, place / "config.yaml", self._weights(number).parent, state.settings.epochs)
        yield Step("gather", total, total, result=result)

    def start(self, prepared: Prepared) -> None:
        """Train, or go on, in a process of its own; nobody is told of the start itself."""
        self._end()
        dice, done = _dice_of(prepared.folder), _epochs_of(prepared.folder)
        with self._lock:
            self._progress = TrainingProgress(prepared.number, True, "starting", prepared.epochs, dice, done)
            try:
                self._command = Command(
                    ["train", str(prepared.config), "--out", str(prepared.folder)],
                    prepared.config.parent,
                    on_line=lambda line: self._heard(prepared, line),
                    on_end=lambda code: self._ended(prepared, code),
                )
            except OSError as error:
                why = f"The training could not be started: {error.strerror or error}."
                self._progress = replace(self._progress, running=False, stage="failed", resumable=True, error=why)

    def stop(self) -> None:
        """Stop it; the epochs that are complete are kept, and it can go on after them."""
        if self._end():
            with self._lock:
                self._progress = self._as_left()
            self._tell()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end; whether it came in time."""
        command = self._command
        return True if command is None else command.wait(timeout)

    # What the process says

    def _heard(self, prepared: Prepared, line: str) -> None:
        found = _LINE.match(line)
        with self._lock:
            if line.startswith(_ERROR):
                self._progress = replace(self._progress, error=line.removeprefix(_ERROR))
            elif found is not None:
                self._progress = replace(
                    self._progress,
                    stage=found[1],
                    dice=_dice_of(prepared.folder),
                    done=_epochs_of(prepared.folder),
                )
            else:
                return
        self._tell()

    def _ended(self, prepared: Prepared, code: int) -> None:
        weights = self._weights(prepared.number)
        good = code == 0 and weights.exists()
        with self._lock:
            progress = replace(
                self._progress,
                running=False,
                stage="done" if good else "failed",
                dice=_dice_of(prepared.folder),
                done=_epochs_of(prepared.folder),
                resumable=not good,
            )
            if not good and not progress.error:
                progress = replace(progress, error=f"The training ended with the code {code} and said nothing.")
            self._progress = progress
        if good:
            self._trained(weights)
        else:
            self._failed(progress.error)
        self._tell()

    def _end(self) -> bool:
        """End the one that is under way; whether there was one."""
        with self._lock:
            command, self._command = self._command, None
        if command is None or not command.running:
            return False
        # Without the lock: its reader may wait for it, to tell a last line.
        command.stop()
        return True

    # Its files

    def _next_number(self) -> int:
        """Of a new round: one that no folder has, whatever is remembered."""
        there = [path.name.removeprefix("cases-") for path in self._place(0).parent.glob("cases-*")]
        return 1 + max([self._folder.state.round, *(int(number) for number in there if number.isdecimal())])

    def _place(self, number: int) -> Path:
        """What a round is trained on."""
        return self._folder.masks / TRAININGS / f"cases-{number}"

    def _weights(self, number: int) -> Path:
        name = f"{self._folder.images.name}-{number}"
        return self._folder.masks / TRAININGS / name / f"{name}.safetensors"

    def _as_left(self) -> TrainingProgress:
        """The progress of the newest round as the disk has it, where none is under way."""
        state = self._folder.state
        if not state.round:
            return TrainingProgress()
        weights = self._weights(state.round)
        done = weights.exists()
        return TrainingProgress(
            state.round,
            False,
            "done" if done else "stopped",
            state.settings.epochs,
            _dice_of(weights.parent),
            _epochs_of(weights.parent),
            resumable=not done,
        )

    def _kept_back(self, names: Sequence[str]) -> tuple[str, ...]:
        """Who is validated on: those who were before, and as many more as the share asks for, drawn by the seed."""
        settings = self._folder.state.settings
        wanted = settings.kept_back(len(names))
        kept = [name for name in self._folder.state.kept_back if name in names][:wanted]
        others = [name for name in names if name not in kept]
        drawn = np.random.default_rng([settings.seed, len(names)]).permutation(len(others))
        return tuple(sorted([*kept, *(others[place] for place in drawn[: wanted - len(kept)])]))

    def _config(self, prior: str, ndim: int, number: int, unlabelled: bool) -> TrainingConfig:
        settings, place = self._folder.state.settings, self._place(number)
        return TrainingConfig(
            Data(
                str(place / "images"),
                str(place / "labels"),
                unlabelled=str(place / "unlabelled") if unlabelled else "",
                split=str(place / "split.json"),
                name=f"accepted masks of {self._folder.images.name}, round {number}",
            ),
            (TrainedObject(prior),),
            settings.network,
            settings.window(ndim),
            settings={"features": settings.features, "resolutions": settings.resolutions},
            mode="semi-supervised" if unlabelled else "supervised",
            optimisation=Optimisation(epochs=settings.epochs, batch=settings.batch),
            seed=settings.seed,
            device=settings.device,
        )

    def prior_text(self, prior: Prior) -> str:
        """What a config calls a prior: a built-in one by its name, another one by a file in the folder of masks."""
        if find_prior(prior.name) is prior:
            return prior.name
        path = self._folder.masks / TEMPLATE
        if prior is not self._written:
            write_prior(prior, path)
            self._written = prior
        return str(path)

    def _copy_label(self, row: LabellingRow, place: Path) -> None:
        assert row.mask is not None  # it is accepted
        # A copy: what is corrected later on must not change a round that goes on.
        target = place / f"{row.name}{split_ending(row.mask)[1]}"
        if row.origin == GIVEN and self._folder.state.settings.labels:
            volume = read_volume(row.image)
            written = self._folder.mask_path(row, accepted=True)
            write_mask(self._folder.read_mask_of(row, volume), volume, place / written.name)
            return
        for file in _files_of(row.mask):
            shutil.copyfile(file, target.with_name(f"{row.name}{split_ending(file)[1]}"))


def _link(row: LabellingRow, place: Path) -> None:
    """Put a link to an image into a folder, and a copy where the system makes no links."""
    for file in _files_of(row.image):
        target = place / f"{row.name}{split_ending(file)[1]}"
        try:
            os.symlink(file, target)
        except OSError:
            shutil.copyfile(file, target)


def _files_of(path: Path) -> list[Path]:
    """A file, and the second one of a .hdr/.img pair."""
    other = path.with_suffix(".img")
    return [path, other] if path.suffix.lower() == ".hdr" and other.exists() else [path]


def _fingerprint(
    config: TrainingConfig, accepted: Sequence[LabellingRow], rest: Sequence[LabellingRow], kept_back: Sequence[str]
) -> str:
    """What a round is told and learns from; of two that are the same the second goes on with the first."""
    told = {
        "config": config_to_dict(config),
        "template": sha256_of(prior) if Path(prior := config.objects[0].prior).is_file() else prior,
        "labels": {row.name: sha256_of(row.mask) for row in accepted if row.mask is not None},
        "rest": [row.name for row in rest],
        "kept back": list(kept_back),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _history(folder: Path) -> list[dict[str, str]]:
    path = folder / "history.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _dice_of(folder: Path) -> tuple[float, ...]:
    lines = _history(folder)
    return tuple(float(line["validation dice"]) for line in lines if line.get("validation dice"))


def _epochs_of(folder: Path) -> int:
    return len(_history(folder))
