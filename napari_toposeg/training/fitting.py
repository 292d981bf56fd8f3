"""Lightning's trainer, as a generator of steps that can be stopped and goes on."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing
from napari_toposeg.inference import choose_device
from napari_toposeg.steps import Finish, Step
from napari_toposeg.training.checkpoints import BEST, LAST, where_to_go_on
from napari_toposeg.training.config import TrainingConfig
from napari_toposeg.training.history import best_epoch, write_history
from napari_toposeg.training.in_thread import from_thread
from napari_toposeg.training.module import TrainingModule
from napari_toposeg.training.samples import Batches


def fitted(
    module: TrainingModule,
    samples: Dataset[dict[str, Tensor]],
    batches: Batches,
    config: TrainingConfig,
    folder: Path,
) -> Iterator[Step[Any]]:
    """Train a network.

    Parameters
    ----------
    module : TrainingModule
        Its history is that of the whole training in the end, and its weights those of the last epoch.
    samples : Dataset
        By key, as `Samples` has them.
    batches : Batches
    config : TrainingConfig
    folder : Path
        Where the checkpoints and the history go. Where it has a checkpoint, the training goes on from there.

    Yields
    ------
    Step
        One by batch, while which the training waits. Throwing `Finish` ends it there.

    Raises
    ------
    ToposegError
        If the loss is no number any more, or the checkpoint is damaged.
    """
    wanted = threading.Event()
    start = where_to_go_on(folder)

    def work(put: Callable[[Any], None]) -> None:
        with _quietly(), torch.random.fork_rng(devices=[]):
            trainer = _trainer(config, folder, [_Reporter(put, wanted), _KeptEpochs(folder)])
            loader = DataLoader(samples, batch_sampler=batches)
            # Only tensors and plain values are read back: a checkpoint cannot run code.
            trainer.fit(module, loader, ckpt_path=start, weights_only=True)

    for epoch, number, total, terms in from_thread(work):
        try:
            yield Step(f"epoch {epoch + 1}", number, total, terms)
        except Finish:
            wanted.set()


class _Reporter(Callback):
    """Says what each batch came to, and stops where it is told to."""

    def __init__(self, put: Callable[[Any], None], wanted: threading.Event) -> None:
        self._put = put
        self._wanted = wanted
        self._total = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Count the batches; and do nothing more if the last epoch before a kill was the last one of all."""
        self._total = int(trainer.estimated_stepping_batches)
        trainer.should_stop = pl_module.is_over()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Report; a loss that is no number ends the training."""
        terms = pl_module.last_terms()
        if not np.isfinite(terms["total"]):
            raise ToposegError(
                "The loss is no number any more.",
                why=f"It broke down in epoch {trainer.current_epoch + 1}.",
                todo="Train with a lower learning rate, in another folder.",
            )
        self._put((trainer.current_epoch, trainer.global_step, self._total, terms))
        if self._wanted.is_set():
            pl_module.stop_here()
            trainer.should_stop = True


class _KeptEpochs(Checkpoint):
    """Keeps the best epoch and the last one; which is the best stands in the history and nowhere else.

    Lightning's own ModelCheckpoint and EarlyStopping have states of their own: the one is lost if the folder is moved,
    the other counts on after a kill behind its last epoch. And neither knows that epochs with holes filled are no match
    for those without.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the table and the checkpoints. Being a `Checkpoint`, it is called after the epoch was scored."""
        history, fill = pl_module.history, pl_module.config.fill_epochs
        if not pl_module.scored:
            return
        # The best one first: a kill in between repeats this epoch, and comes to the same.
        if best_epoch(history, fill) == len(history) - 1:
            trainer.save_checkpoint(self._folder / BEST)
        if not pl_module.stopped_within:
            trainer.save_checkpoint(self._folder / LAST)
        if trainer.is_global_zero:
            write_history(history, self._folder / "history.csv")
        trainer.should_stop = trainer.should_stop or pl_module.is_over()


class _AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all, so that a kill while one is written loses one epoch and not all."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write beside the target, then move over it."""
        with replacing(path) as part:
            super().save_checkpoint(checkpoint, part, storage_options)


def _trainer(config: TrainingConfig, folder: Path, callbacks: list[Callback]) -> lightning.Trainer:
    device = choose_device(config.device, ndim=config.window.ndim)
    accelerator = {"cuda": "gpu", "mps": "mps"}.get(device.type, "cpu")
    devices: Any = config.devices
    if device.type == "cuda" and ":" in config.device:
        devices = [device.index]
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
