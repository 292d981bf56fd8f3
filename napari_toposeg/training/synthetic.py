"""Samples that are drawn while a network trains."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor
from torch.utils.data import Dataset

from napari_toposeg.data.synthetic import SyntheticSample, SyntheticSettings, synthetic_priors, synthetic_sample
from napari_toposeg.errors import ToposegError
from napari_toposeg.training.config import TrainingConfig
from napari_toposeg.training.prepare import SampleSet
from napari_toposeg.training.samples import Key, Sample

_TRAINED, _VALIDATION = 0, 1
"""The first number behind the seed: what is trained on and what is validated on are drawn apart."""

_VALIDATED = 96
"""How many images are validated on."""


class SyntheticSamples(Dataset[dict[str, Tensor]]):
    """Samples by key, drawn when they are asked for: for the same key the same.

    Parameters
    ----------
    config : TrainingConfig
        Its seed, its prior and its window.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._config = config

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """An image and its label."""
        _, epoch, number = key
        sample = _drawn(self._config, _TRAINED, epoch, number)
        return {"image": torch.from_numpy(sample.image), "label": torch.from_numpy(sample.label)}


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
    settings = SyntheticSettings(margin=config.window.margin)
    return synthetic_sample(wanted.prior, config.window.shape, (config.seed, *numbers), settings)
