"""Training a network, from a config to weights with a card; what was killed goes on where it was."""

from __future__ import annotations

import logging
import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader

from napari_toposeg.data import read_split, write_split
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing
from napari_toposeg.inference import choose_device
from napari_toposeg.inference.weights import Card, TrainedPrior, Weights, read_card, save_weights
from napari_toposeg.networks import NetworkSettings
from napari_toposeg.priors import Prior
from napari_toposeg.steps import Finish, Step, Steps
from napari_toposeg.training.config import TrainingConfig, config_to_dict, read_config, with_whole_paths, write_config
from napari_toposeg.training.module import SCORE, TrainingModule
from napari_toposeg.training.prepare import Divided, SampleSet, divided_cases, find_priors, make_network, read_samples
from napari_toposeg.training.samples import Batches, Samples
from napari_toposeg.training.templates import shown_templates


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
        If the data cannot be used, the folder holds another training, or the loss is no number any more.
    """
    config = with_whole_paths(config, Path.cwd())
    name = folder.resolve().name
    weights_path = folder / f"{name}.safetensors"
    _claim(config, folder)
    if weights_path.exists():
        card = read_card(weights_path)
        yield Step("train", 1, 1, result=Trained(folder, Weights(weights_path, card), _epochs_in(folder)))
        return
    split_path = folder / "split.json"
    divided = divided_cases(config, read_split(split_path) if split_path.exists() else None)
    if not divided.train:
        raise ToposegError("There is nothing to train on.", todo="Keep fewer patients back, or give more images.")
    write_split(divided.split, split_path)
    samples: SampleSet | None = None
    for read, total, answer in _reading(config, divided):
        samples = answer
        yield Step("read", read, total)
    assert samples is not None
    priors = find_priors(config, divided, folder / "template.nii.gz")
    network, settings = make_network(config)
    batches = Batches(len(samples.train), len(samples.unlabelled), config.optimisation.batch, config.seed)
    module = TrainingModule(
        network,
        shown_templates(priors, config.window),
        [prior.betti for prior in priors],
        config,
        len(batches) * config.optimisation.epochs,
        samples.validation,
    )
    yield from _fitted(module, samples, batches, config, folder)
    best = _best(folder)
    module.load_state_dict(best["state_dict"])
    card = _card(config, settings, priors, divided, samples, module, best)
    weights = save_weights(module.network.cpu(), card, weights_path)
    total = len(batches) * config.optimisation.epochs
    yield Step("train", total, total, result=Trained(folder, weights, len(module.history)))


def _claim(config: TrainingConfig, folder: Path) -> None:
    """Make the folder this training's own, or refuse one that is another's."""
    path = folder / "config.yaml"
    if path.exists():
        if config_to_dict(read_config(path)) != config_to_dict(config):
            raise ToposegError(
                f"{folder} holds another training.",
                why="Its config.yaml is not the one that is asked for.",
                todo="Choose another folder, or delete this one.",
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise ToposegError(
            f"{folder} is not empty, and holds no training.", todo="Choose a folder that is empty or not there yet."
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_config(config, path)


def _reading(config: TrainingConfig, divided: Divided) -> Iterator[tuple[int, int, SampleSet | None]]:
    """Read all samples in a thread of its own, and say how far it is."""
    answer: list[SampleSet] = []

    def work(put: Callable[[Any], None]) -> None:
        answer.append(read_samples(config, divided, lambda number, total: put((number, total))))

    number, total = 0, 1
    for number, total in _from_thread(work):
        yield number, total, None
    yield number, total, answer[0]


def _fitted(
    module: TrainingModule, samples: SampleSet, batches: Batches, config: TrainingConfig, folder: Path
) -> Iterator[Step[Trained]]:
    """Run Lightning's trainer in a thread; a step after each batch, while which it waits."""
    total = len(batches) * config.optimisation.epochs
    wanted = threading.Event()

    def work(put: Callable[[Any], None]) -> None:
        trainer = _trainer(config, folder, _Reporter(put, wanted))
        loader = DataLoader(
            Samples(samples.train, samples.unlabelled, config.augmentation, config.seed), batch_sampler=batches
        )
        last = folder / "last.ckpt"
        with _quietly():
            # Only tensors and plain values are read back: a checkpoint cannot run code.
            trainer.fit(module, loader, ckpt_path=last if last.exists() else None, weights_only=True)

    steps = _from_thread(work)
    for epoch, number, terms in steps:
        try:
            yield Step(f"epoch {epoch + 1}", number, total, terms)
        except Finish:
            wanted.set()


class _Reporter(Callback):
    """Says what each batch came to, writes the history, and stops where it is told to."""

    def __init__(self, put: Callable[[Any], None], wanted: threading.Event) -> None:
        self._put = put
        self._wanted = wanted

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Report; a loss that is no number ends the training."""
        terms = pl_module.last_terms()
        if not np.isfinite(terms["total"]):
            raise ToposegError(
                "The loss is no number any more.",
                why=f"It broke down in epoch {trainer.current_epoch + 1}.",
                todo="Give a lower learning rate in another folder.",
            )
        self._put((trainer.current_epoch, trainer.global_step, terms))
        if self._wanted.is_set():
            trainer.should_stop = True

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Write the table of all epochs so far: the module scores an epoch only after the callbacks' end of it."""
        write_history(pl_module.history, Path(trainer.default_root_dir) / "history.csv")


class _AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all, so that a kill while one is written loses one epoch and not all."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write beside the target, then move over it."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            super().save_checkpoint(checkpoint, part, storage_options)


def _trainer(config: TrainingConfig, folder: Path, reporter: Callback) -> lightning.Trainer:
    device = choose_device(config.device, ndim=config.window.ndim)
    accelerator = {"cuda": "gpu", "mps": "mps"}.get(device.type, "cpu")
    devices: Any = config.devices
    if device.type == "cuda" and ":" in config.device:
        devices = [device.index]
    kept: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    callbacks: list[Callback] = [
        reporter,
        ModelCheckpoint(folder, "best", monitor=SCORE, mode="max", **kept),
        # Every epoch's, in one file: to go on from.
        ModelCheckpoint(folder, "last", **kept),
    ]
    if config.optimisation.patience:
        callbacks.append(
            EarlyStopping(SCORE, mode="max", patience=config.optimisation.patience, check_on_train_epoch_end=True)
        )
    with _quietly():
        return lightning.Trainer(
            accelerator=accelerator,
            devices=devices,
            strategy=config.strategy,
            max_epochs=config.optimisation.epochs,
            callbacks=callbacks,
            plugins=[_AtomicCheckpoints()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            # Each process takes its own batches; see Batches.
            use_distributed_sampler=False,
            default_root_dir=folder,
        )


def write_history(history: list[dict[str, float]], path: Path) -> None:
    """A table of all epochs: one line each, a column for each term and score."""
    import csv

    columns = list(dict.fromkeys(name for line in history for name in line))
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(history)


def _epochs_in(folder: Path) -> int:
    history = folder / "history.csv"
    return max(0, len(history.read_text(encoding="utf-8").splitlines()) - 1) if history.exists() else 0


def _best(folder: Path) -> dict[str, Any]:
    path = folder / "best.ckpt"
    if not path.exists():
        raise ToposegError("The training ended before its first epoch did.", todo="Start it again; it goes on.")
    best: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return best


def _card(
    config: TrainingConfig,
    settings: NetworkSettings,
    priors: tuple[Prior, ...],
    divided: Divided,
    samples: SampleSet,
    module: TrainingModule,
    best: dict[str, Any],
) -> Card:
    size = config.optimisation.batch
    metrics = {f"validation {name}": value for name, value in module.scores_of(samples.validation, size).items()}
    metrics |= {f"test {name}": value for name, value in module.scores_of(samples.test, size).items()}
    metrics |= {"best epoch": float(best["epoch"] + 1)}
    spacing = np.mean([sample.spacing for sample in samples.train], axis=0)
    return Card(
        network=config.network,
        settings=settings,
        priors=tuple(TrainedPrior(prior.name, prior.betti) for prior in priors),
        window=config.window,
        spacing=tuple(float(step) for step in spacing),
        data=config.data.name,
        licence=config.data.licence,
        split={part: getattr(divided.split, part) for part in ("train", "validation", "test")},
        seed=config.seed,
        metrics=metrics,
        training=_told(config),
    )


def _told(config: TrainingConfig) -> dict[str, Any]:
    """What the training was told, without the names of this computer's folders."""
    told = config_to_dict(config)
    for name in ("images", "labels", "unlabelled", "split"):
        del told["data"][name]
    told["start"] = Path(config.start).stem
    return told


def _from_thread(work: Callable[[Callable[[Any], None]], None]) -> Iterator[Any]:
    """What a job in a thread of its own puts out, one by one; the job waits until each is asked for.

    Lightning's loop calls back and gives nothing in between, while all long work here is a generator of steps. Closing
    the generator ends the job at its next word.
    """
    words: queue.Queue[Any] = queue.Queue()
    go = threading.Semaphore(0)
    dropped = threading.Event()
    end = object()

    def put(word: Any) -> None:
        words.put(word)
        go.acquire()
        if dropped.is_set():
            raise _Dropped

    def job() -> None:
        try:
            work(put)
        except _Dropped:
            pass
        except BaseException as error:  # noqa: BLE001  it is raised again, in the thread that asked
            words.put(error)
        words.put(end)

    thread = threading.Thread(target=job, name="toposeg-training", daemon=True)
    thread.start()
    try:
        while (word := words.get()) is not end:
            if isinstance(word, BaseException):
                raise word
            yield word
            go.release()
    finally:
        dropped.set()
        go.release()
        thread.join()


class _Dropped(Exception):  # noqa: N818  not an error: nobody wants the rest
    """The generator was closed."""


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Lightning's own words: what it says of devices and workers is not for whoever trains here."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
