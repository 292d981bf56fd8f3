"""Training a network, from a config to weights with a card; what was killed goes on where it was."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from napari_toposeg.data import read_split, write_split
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import choose_device
from napari_toposeg.inference.weights import Card, TrainedPrior, Weights, read_card, read_weights, save_weights
from napari_toposeg.networks import NetworkSettings
from napari_toposeg.priors import Prior
from napari_toposeg.steps import Step, Steps
from napari_toposeg.training.checkpoints import BEST, LAST, read_checkpoint
from napari_toposeg.training.config import TrainingConfig
from napari_toposeg.training.config_file import config_to_dict, read_config, with_whole_paths, write_config
from napari_toposeg.training.history import count_epochs, write_history
from napari_toposeg.training.prepare import (
    Divided,
    SampleSet,
    check_network,
    divided_cases,
    find_priors,
    make_network,
    read_samples,
    with_network_of_preset,
)
from napari_toposeg.training.samples import Batches, Samples
from napari_toposeg.training.synthetic import SyntheticSamples, check_synthetic, draw_validation
from napari_toposeg.training.templates import shown_templates

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import Dataset

    from napari_toposeg.training.module import TrainingModule

_CONFIG, _SPLIT, _HISTORY, _TEMPLATE = "config.yaml", "split.json", "history.csv", "template.nii.gz"
_LOCK = ".lock"


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes
    ----------
    folder : Path
        Where everything lies: config.yaml, split.json, history.csv, the checkpoints, the weights.
    weights : Weights
        Those of the best epoch, and their card.
    epochs : int
        How many there were.
    """

    folder: Path
    weights: Weights
    epochs: int


def train(config: TrainingConfig, folder: Path) -> Steps[Trained]:
    """Train a network, or go on with a training that was stopped.

    Parameters
    ----------
    config : TrainingConfig
    folder : Path
        Where everything goes; made where it is missing. The weights are NAME.safetensors in it, with the folder's NAME.

    Yields
    ------
    Step[Trained]
        One by case that is read, then one by batch, with the terms of the loss. Throwing `Finish` ends after the
        batch, and the best epoch so far becomes the weights. Closed or killed, it goes on after the last complete
        epoch when it is started again; what comes of it is the same as if it had never stopped.

    Raises
    ------
    ToposegError
        If the data cannot be used, the folder holds another training or is being trained in, or the loss is no number
        any more.
    """
    config = with_network_of_preset(with_whole_paths(config, Path.cwd()))
    weights_path = folder / f"{folder.resolve().name}.safetensors"
    _refuse_what_is_taken(config, folder, weights_path)
    if _is_sound(weights_path):
        done = Trained(folder, Weights(weights_path, read_card(weights_path)), count_epochs(folder / _HISTORY))
        yield Step("train", 1, 1, result=done)
        return
    # Whatever can be refused is, before a folder is made or a case is read.
    choose_device(config.device, ndim=config.window.ndim)
    network, settings = make_network(config)
    check_network(network, config)
    check_synthetic(config)
    split_path = folder / _SPLIT
    divided = divided_cases(
        config, read_split(split_path) if _is_ours(config, folder) and split_path.exists() else None
    )
    find_priors(config, divided, None)
    with _claimed(config, folder):
        write_split(divided.split, split_path)
        reading = draw_validation(config) if config.data.synthetic else read_samples(config, divided)
        while True:
            try:
                number, total = next(reading)
            except StopIteration as end:
                samples: SampleSet = end.value
                break
            yield Step("read", number, total)
        priors = find_priors(config, divided, folder / _TEMPLATE)
        # Here, since Lightning takes 9 s to import, which a refusal need not wait for.
        from napari_toposeg.training.fitting import fitted
        from napari_toposeg.training.module import TrainingModule

        templates = shown_templates(priors, config.window)
        module = TrainingModule(network, templates, [prior.betti for prior in priors], config, samples.validation)
        count = config.data.synthetic or len(samples.train)
        batches = Batches(count, len(samples.unlabelled), config.optimisation.batch, config.seed)
        shown: Dataset[dict[str, Tensor]] = (
            SyntheticSamples(config)
            if config.data.synthetic
            else Samples(samples.train, samples.unlabelled, config.augmentation, config.seed)
        )
        yield from fitted(module, shown, batches, config, folder)
        write_history(module.history, folder / _HISTORY)
        best = read_checkpoint(folder / BEST)
        module.load_state_dict(best["state_dict"])
        card = _card(config, settings, priors, divided, samples, module, len(best["history"]))
        weights = save_weights(module.network.cpu(), card, weights_path)
        yield Step("train", 1, 1, result=Trained(folder, weights, len(module.history)))


def _is_sound(weights_path: Path) -> bool:
    """Whether the weights are written, both files of them: a kill may have come in between."""
    if not weights_path.exists():
        return False
    try:
        read_weights(weights_path)
    except ToposegError:
        return False
    return True


def _is_ours(config: TrainingConfig, folder: Path) -> bool:
    path = folder / _CONFIG
    return path.exists() and not _differences(config_to_dict(read_config(path)), config_to_dict(config))


def _refuse_what_is_taken(config: TrainingConfig, folder: Path, weights_path: Path) -> None:
    """Refuse a folder with another training in it, unless that one has not completed an epoch."""
    path = folder / _CONFIG
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ToposegError(f"{folder} is a file.", todo="Give the name of a folder.")
    if path.exists():
        differences = _differences(config_to_dict(read_config(path)), config_to_dict(config))
        if differences and any(kept.exists() for kept in (folder / LAST, folder / BEST, weights_path)):
            raise ToposegError(
                f"{folder} holds another training.",
                why=f"There, {'; '.join(differences[:3])}.",
                todo="Choose another folder, or delete this one.",
            )
    # What starts with a dot may be a file of ours that was just being written.
    elif any(not there.name.startswith(".") for there in folder.iterdir()):
        raise ToposegError(
            f"{folder} is not empty, and holds no training.", todo="Choose a folder that is empty or not there yet."
        )


@contextmanager
def _claimed(config: TrainingConfig, folder: Path) -> Iterator[None]:
    """Make the folder this training's own, without what a kill or a training that came to nothing has left."""
    lock = FileLock(folder / _LOCK, blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The other processes of a training on several devices are this training's own.
        if not int(os.environ.get("LOCAL_RANK", "0")):
            lock.acquire()
        leftovers = list(folder.glob(".toposeg-*"))
        if not _is_ours(config, folder):
            leftovers += [folder / _SPLIT, folder / _HISTORY, *folder.glob("template*.nii.gz")]
        for left in leftovers:
            left.unlink(missing_ok=True)
    except Timeout:
        raise ToposegError(
            f"{folder} is being trained in by another process.", todo="Wait for its end, or choose another folder."
        ) from None
    except OSError as error:
        raise ToposegError(
            f"{folder} cannot be written.",
            why=f"{error.strerror or error}.",
            todo="Choose a folder that you may write to.",
        ) from error
    try:
        write_config(config, folder / _CONFIG)
        yield
    finally:
        lock.release()


def _differences(there: Mapping[str, Any], asked: Mapping[str, Any], place: str = "") -> list[str]:
    """Where two configs differ, in words."""
    found: list[str] = []
    for key in dict.fromkeys((*there, *asked)):
        one, other = there.get(key), asked.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += _differences(one, other, f"{place}{key}.")
        elif one != other:
            found.append(f"{place}{key} is {one!r} instead of {other!r}")
    return found


def _card(
    config: TrainingConfig,
    settings: NetworkSettings,
    priors: tuple[Prior, ...],
    divided: Divided,
    samples: SampleSet,
    module: TrainingModule,
    best: int,
) -> Card:
    size = config.optimisation.batch
    metrics = {f"validation {name}": value for name, value in module.scores_of(samples.validation, size).items()}
    metrics |= {f"test {name}": value for name, value in module.scores_of(samples.test, size).items()}
    metrics |= {"best epoch": float(best)}
    parts = {part: getattr(divided.split, part) for part in ("train", "validation", "test")}
    labelled = {case.patient for case in divided.train} or set(divided.split.train)
    parts["train"] = tuple(patient for patient in divided.split.train if patient in labelled)
    if config.mode == "semi-supervised" and config.data.labelled:
        parts["unlabelled"] = tuple(patient for patient in divided.split.train if patient not in labelled)
    # What is drawn has no size in the world.
    steps = [sample.spacing for sample in samples.train] or [(1.0,) * config.window.ndim]
    spacing = np.mean(steps, axis=0)
    return Card(
        network=config.network,
        settings=settings,
        priors=tuple(TrainedPrior(prior.name, prior.betti) for prior in priors),
        window=config.window,
        spacing=tuple(float(step) for step in spacing),
        data=config.data.name,
        licence=config.data.licence,
        split=parts,
        seed=config.seed,
        metrics=metrics,
        training=_told(config),
    )


def _told(config: TrainingConfig) -> dict[str, Any]:
    """What the training was told, without the names of this computer's folders."""
    told = config_to_dict(config)
    for name in ("images", "labels", "unlabelled", "split"):
        del told["data"][name]
    for one in told["objects"]:
        one["prior"] = Path(one["prior"]).name
    told["start"] = Path(config.start).stem
    return told
