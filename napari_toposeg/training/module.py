"""A network in training, as Lightning wants it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor, nn

from napari_toposeg.losses import PersistenceLoss
from napari_toposeg.networks import DeformationNetwork, Deformed, WUNet
from napari_toposeg.training.config import PIXEL_WISE, TrainingConfig
from napari_toposeg.training.history import SCORE, is_exhausted
from napari_toposeg.training.objectives import Terms, deformation_terms, pixel_wise_terms
from napari_toposeg.training.samples import Sample
from napari_toposeg.training.scores import Scores, mean_scores, sample_scores
from napari_toposeg.training.templates import filled

_WARM_UP = 20
_LAST_RATE = 0.02


class TrainingModule(lightning.LightningModule):
    """A network, its templates and its loss.

    Parameters
    ----------
    network : Module
        As `build` makes it.
    templates : (1, q, *window) tensor
        Soft masks.
    betti : sequence of q tuples of int
        Of each object's prior.
    config : TrainingConfig
    validation : sequence of Sample
        Labelled samples on which each epoch is scored.

    Attributes
    ----------
    history : list of dict of str to float
        As `History` says. It travels in the checkpoint.
    stopped_within : bool
        Whether the training was ended in the middle of its last epoch.
    scored : bool
        Whether the last epoch is in the history.
    """

    def __init__(
        self,
        network: nn.Module,
        templates: Tensor,
        betti: Sequence[tuple[int, ...]],
        config: TrainingConfig,
        validation: Sequence[Sample] = (),
    ) -> None:
        super().__init__()
        if config.window.ndim == 3 and config.network in PIXEL_WISE:
            # On a CPU a U-Net's batch takes .50 s instead of .63.
            network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.network = network
        self.betti = tuple(betti)
        self.config = config
        solid = filled(templates, betti, config.window.axis)
        self.register_buffer("templates", templates, persistent=False)
        self.register_buffer("solid_templates", solid, persistent=False)
        by_topology = config.mode == "semi-supervised" and config.unlabelled_loss == "topology"
        self._topology = PersistenceLoss(list(betti) if len(betti) > 1 else betti[0]) if by_topology else None
        self._validation = validation
        self._terms: dict[str, float] = {}
        self._sums: dict[str, list[float]] = {}
        self.history: list[dict[str, float]] = []
        self.stopped_within = False
        self.scored = False

    @property
    def fills(self) -> bool:
        """Whether this epoch still fills the holes (Fill First, Dig Second)."""
        return self.current_epoch < self.config.fill_epochs

    def configure_optimizers(self) -> Any:
        """Adam or RMSprop; a warm-up, then a cosine."""
        settings = self.config.optimisation
        parameters = self.network.parameters()
        optimizer: torch.optim.Optimizer
        if settings.optimizer == "adam":
            optimizer = torch.optim.Adam(parameters, settings.learning_rate)
        else:
            # With the momentum of the public code (its paper does not say).
            optimizer = torch.optim.RMSprop(parameters, settings.learning_rate, momentum=0.9)

        batches = self.trainer.estimated_stepping_batches

        def rate(batch: int) -> float:
            cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, batch / batches)))
            return min(1.0, (batch + 1) / _WARM_UP) * (_LAST_RATE + (1.0 - _LAST_RATE) * cosine)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Mapping[str, Tensor], number: int) -> Tensor:
        """The loss of a batch."""
        # What is dropped out hangs on the batch alone, so that what was killed goes on alike. Not on the epoch's start:
        # Lightning draws a number of its own behind it, but none where it goes on.
        torch.manual_seed((self.config.seed * 1_000_003 + self.global_step) * 1_009 + self.global_rank)
        terms = self.loss_terms(batch["image"], batch.get("label"))
        loss = torch.stack(list(terms.values())).sum()
        self._terms = {name: float(term.detach()) for name, term in terms.items()} | {"total": float(loss.detach())}
        # Labelled and unlabelled batches have different terms.
        kind = "unlabelled" if self.config.mode == "semi-supervised" and "label" not in batch else "train"
        for name, value in self._terms.items():
            self._sums.setdefault(f"{kind} {name}", []).append(value)
        return loss

    def on_train_epoch_end(self) -> None:
        """Score the epoch, and write it down; part of one only where there is nothing better."""
        self.scored = not (self.stopped_within and self.history)
        if not self.scored:
            return
        scores = self.scores_of(self._validation, self.config.optimisation.batch)
        terms = {name: float(np.mean(values)) for name, values in self._sums.items()}
        self._sums = {}
        # The same in all processes: by it they decide what is kept, and when it is over.
        score = self.trainer.strategy.broadcast(scores.get("dice", -terms["train total"]))
        line = {"epoch": self.current_epoch + 1} | terms | {f"validation {name}": one for name, one in scores.items()}
        self.history.append(line | {SCORE: score})

    def stop_here(self) -> None:
        """The training ends with this batch, which may be in the middle of an epoch."""
        self.stopped_within = not self.trainer.fit_loop.epoch_loop.batch_progress.is_last_batch

    def is_over(self) -> bool:
        """Whether so many epochs have passed without a better one that the training ends."""
        return is_exhausted(self.history, self.config.fill_epochs, self.config.optimisation.patience)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the history in."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history out."""
        self.history = checkpoint["history"]

    def last_terms(self) -> Mapping[str, float]:
        """The terms of the last batch, and their "total"."""
        return self._terms

    def loss_terms(self, image: Tensor, label: Tensor | None) -> Terms:
        """The terms of the loss of images (N, 1, *window), and of labels (N, q, *window) if they have any."""
        weights = self.config.weights
        label = self.asked_label(label)
        if isinstance(self.network, DeformationNetwork):
            deformed: Deformed = self.network(image, self.shown_templates())
            return deformation_terms(deformed, image, label, weights, self._topology)
        coarse = self.config.optimisation.precision == "bfloat16"
        with torch.autocast(image.device.type, torch.bfloat16, enabled=coarse):
            passes = self.network.passes(image) if isinstance(self.network, WUNet) else (self.network(image),)
        return pixel_wise_terms([logits.float() for logits in passes], label, weights, self._topology)

    def asked_label(self, label: Tensor | None) -> Tensor | None:
        """What is asked for in this epoch, where a label is known: the label, or the same with its holes filled."""
        if label is None or self.config.mode == "unsupervised":
            return None
        return filled(label, self.betti, self.config.window.axis) if self.fills else label

    def shown_templates(self) -> Tensor:
        """What the network is shown in this epoch."""
        shown = self.solid_templates if self.fills else self.templates
        assert isinstance(shown, Tensor)
        return shown

    def predict(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, q, *window) masks of images as bool, and the displacements (N, q, ndim, *window) that made them."""
        if isinstance(self.network, DeformationNetwork):
            assert isinstance(self.templates, Tensor)
            deformed: Deformed = self.network(image, self.templates)
            fields = deformed.displacement.reshape(*deformed.mask.shape[:2], *deformed.displacement.shape[1:])
            return deformed.mask > 0.5, fields
        return self.network(image) > 0, None

    def scores_of(self, samples: Sequence[Sample], size: int) -> dict[str, float]:
        """Mean scores on labelled samples, as they are: not augmented, and before any certification."""
        found: list[Scores] = []
        trained = self.training
        self.eval()
        with torch.inference_mode():
            for start in range(0, len(samples), size):
                some = samples[start : start + size]
                masks, fields = self.predict(torch.stack([one.image for one in some]).to(self.device))
                for number, sample in enumerate(some):
                    assert sample.label is not None
                    found.append(
                        sample_scores(
                            masks[number].numpy(force=True),
                            sample.label.numpy() > 0.5,
                            sample.spacing,
                            self.betti,
                            () if fields is None else list(np.asarray(fields[number].numpy(force=True))),
                        )
                    )
        self.train(trained)
        return mean_scores(found)
