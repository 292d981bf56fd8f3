"""Samples that are drawn while a network trains."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from napari_toposeg.data.synthetic import SyntheticSample, synthetic_priors, synthetic_sample
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.window import Window
from napari_toposeg.priors import axis_number
from napari_toposeg.training.config import TrainingConfig
from napari_toposeg.training.prepare import SampleSet
from napari_toposeg.training.samples import Key, Sample

_TRAINED, _VALIDATION = 0, 1
"""The first number behind the seed: what is trained on and what is validated on are drawn apart."""

_VALIDATED = 96
"""How many images are validated on."""


class SyntheticSamples(Dataset[dict[str, Tensor]]):
    """Samples by key: drawn when they are first asked for, and seen otherwise in each epoch.

    In each epoch an image is mirrored, turned by right angles and inverted as the seed, the epoch and its number say:
    drawing a 3-D sample anew takes two thirds as long as learning from it.

    Parameters
    ----------
    config : TrainingConfig
        Its seed, its prior and its window.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._config = config
        # Half as large as the network sees them: 3,000 of 48x48x48 take up a GiB.
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """An image and its label."""
        _, epoch, number = key
        if number not in self._kept:
            sample = _drawn(self._config, _TRAINED, number)
            image, label = torch.from_numpy(sample.image), torch.from_numpy(sample.label)
            self._kept[number] = (image.half(), label.bool())
        image, label = self._kept[number]
        random = np.random.default_rng((self._config.seed, epoch, number))
        axes, mirrored = _turn(self._config.window, random)
        image, label = (one.permute(0, *axes).flip(mirrored) for one in (image, label))
        sign = random.choice((-1.0, 1.0))
        return {"image": image.float() * sign, "label": label.float()}


def _turn(window: Window, random: np.random.Generator) -> tuple[list[int], list[int]]:
    """The order of the axes, and which are mirrored, counted behind the channel; the prior's axis stays where it is."""
    shape = window.shape
    order = list(range(window.ndim))
    fixed = axis_number(window.axis) if window.ndim == 3 else window.ndim
    for one in order:
        others = [other for other in order[: one + 1] if shape[other] == shape[one] and fixed not in (one, other)]
        if others:
            other = int(random.choice(others))
            order[one], order[other] = order[other], order[one]
    mirrored = [axis + 1 for axis in range(window.ndim) if random.random() < 0.5]
    return [axis + 1 for axis in order], mirrored


def draw_validation(config: TrainingConfig) -> Generator[tuple[int, int], None, SampleSet]:
    """Draw what each epoch is scored on: always the same images, and none of them is trained on.

    Yields
    ------
    number, total : int
        How many are drawn.

    Returns
    -------
    SampleSet
        With a validation part alone.
    """
    samples = []
    for number in range(_VALIDATED):
        sample = _drawn(config, _VALIDATION, number)
        spacing = (1.0,) * config.window.ndim
        image, label = torch.from_numpy(sample.image), torch.from_numpy(sample.label)
        samples.append(Sample(f"synthetic {number}", image, label, spacing))
        yield number + 1, _VALIDATED
    return SampleSet((), (), tuple(samples), ())


def check_synthetic(config: TrainingConfig) -> None:
    """Refuse a prior, or a window, that no samples can be drawn of; files are not looked at.

    Raises
    ------
    ToposegError
        If it is so.
    """
    if not config.data.synthetic:
        return
    (wanted,) = config.objects
    if wanted.prior not in synthetic_priors():
        raise ToposegError(
            f"There are no synthetic images of the prior {wanted.prior!r}.",
            todo=f"Choose one of {', '.join(synthetic_priors())}, or train on images.",
        )
    _drawn(config, _VALIDATION, 0)


def _drawn(config: TrainingConfig, *numbers: int) -> SyntheticSample:
    (wanted,) = config.objects
    settings = replace(config.data.drawn, margin=config.window.margin)
    return synthetic_sample(wanted.prior, config.window.shape, (config.seed, *numbers), settings)
