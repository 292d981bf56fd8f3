"""From a config to what is trained on: cases, split, samples, priors, network."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from napari_toposeg.data import Case, Split, cases_of, draw_split, find_cases, read_case, read_split
from napari_toposeg.errors import ToposegError, ToposegWarning, listed
from napari_toposeg.formats import read_prior, write_prior
from napari_toposeg.inference.weights import SYNTHETIC, load_weights
from napari_toposeg.networks import (
    NETWORK_NAMES,
    PRESET_NAMES,
    DeformationNetwork,
    NetworkSettings,
    build,
    preset,
    settings_from_dict,
    settings_to_dict,
)
from napari_toposeg.priors import Prior, mean_shape
from napari_toposeg.training.config import MEAN_SHAPE, PIXEL_WISE, TrainedObject, TrainingConfig
from napari_toposeg.training.samples import Sample, object_mask, sample_of


@dataclass(frozen=True)
class Divided:
    """Cases by what they are used for.

    Attributes
    ----------
    train, unlabelled, validation, test : tuple of Case
    split : Split
        By patient.
    """

    train: tuple[Case, ...]
    unlabelled: tuple[Case, ...]
    validation: tuple[Case, ...]
    test: tuple[Case, ...]
    split: Split


@dataclass(frozen=True, eq=False)
class SampleSet:
    """What `Divided` looks like through the window."""

    train: tuple[Sample, ...]
    unlabelled: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]


def divided_cases(config: TrainingConfig, split: Split | None = None) -> Divided:
    """Find the cases, and divide them by patient.

    Parameters
    ----------
    config : TrainingConfig
    split : Split, optional
        One that was drawn before, by the same training. Default: the config's file, else a draw by its seed.

    Raises
    ------
    ToposegError
        If a folder cannot be used, nothing is left to train on, or fewer patients are there than are to be labelled.
    """
    data = config.data
    if data.synthetic:
        return Divided((), (), (), (), Split((SYNTHETIC,), (), (), config.seed))
    cases = find_cases(data.images, data.labels or None, patient=data.patient)
    patients = sorted({case.patient for case in cases})
    if split is None:
        split = (
            read_split(data.split)
            if data.split
            else draw_split(patients, validation=data.validation, test=data.test, seed=config.seed)
        )
    train = split.train
    if data.labelled > len(train):
        raise ToposegError(
            f"{data.labelled} patients are to be labelled, and only {len(train)} are trained on.",
            todo="Ask for fewer, or leave it out.",
        )
    labelled = train
    if data.labelled:
        # Drawn, for names may be in an order that means something: those of ACDC are in that of their diseases.
        drawn = np.random.default_rng([config.seed, len(train)]).permutation(len(train))[: data.labelled]
        labelled = tuple(train[place] for place in sorted(drawn))
    unlabelled = cases_of(cases, [patient for patient in train if patient not in labelled])
    if data.unlabelled:
        unlabelled += find_cases(data.unlabelled, None)
    return Divided(
        train=cases_of(cases, labelled),
        unlabelled=unlabelled if config.mode == "semi-supervised" else (),
        validation=cases_of(cases, split.validation) if data.labels else (),
        test=cases_of(cases, split.test) if data.labels else (),
        split=split,
    )


def read_samples(config: TrainingConfig, divided: Divided) -> Generator[tuple[int, int], None, SampleSet]:
    """Read every case.

    Yields
    ------
    number, total : int
        How many cases of how many are read.

    Returns
    -------
    SampleSet
        Without the cases that lack an object.

    Raises
    ------
    ToposegError
        If a case cannot be used; it is named. Or if none is left to train on.

    Warns
    -----
    ToposegWarning
        Of cases that lack an object and are left out.
    """
    with_labels = config.mode != "unsupervised"
    parts = [
        (divided.train, with_labels),
        (divided.unlabelled, False),
        (divided.validation, True),
        (divided.test, True),
    ]
    total = sum(len(cases) for cases, _ in parts)
    number = 0
    read: list[tuple[Sample, ...]] = []
    lacking: list[str] = []
    for cases, labelled in parts:
        samples = []
        for case in cases:
            sample = sample_of(case, config.objects, config.window, labelled=labelled)
            if sample is None:
                lacking.append(case.name)
            else:
                samples.append(sample)
            number += 1
            yield number, total
        read.append(tuple(samples))
    if not read[0]:
        raise ToposegError(
            "There is nothing to train on.",
            why=_why_nothing(config, divided),
            todo="Say other labels, keep fewer patients back, or give more images.",
        )
    if lacking:
        warnings.warn(
            ToposegWarning(f"{len(lacking)} of {total} cases lack an object and are left out: {listed(lacking)}."),
            stacklevel=2,
        )
    return SampleSet(*read)


def _why_nothing(config: TrainingConfig, divided: Divided) -> str:
    if not divided.train or not config.data.labels:
        return "No case is left."
    found = np.unique(read_case(divided.train[0])[1])  # type: ignore[arg-type]  # it has labels
    wanted = [list(one.labels) or "all but 0" for one in config.objects]
    return (
        f"Each of the {len(divided.train)} training cases lacks an object. Wanted are the labels "
        f"{' and '.join(map(str, wanted))}; {divided.train[0].name} has {', '.join(map(str, found))}."
    )


def find_priors(config: TrainingConfig, divided: Divided, template: Path | None) -> tuple[Prior, ...]:
    """The prior of each object; a mean shape is made of the training labels.

    Parameters
    ----------
    config, divided
        What is trained.
    template : Path or None
        A file of an earlier start, or one to come, by object ("template.nii.gz", "template_2.nii.gz"): the mean shape
        as a mask. What is read back is what is written, so that whoever uses the weights can use the same template.
        None: mean shapes are left out, to see whether the others are there.

    Raises
    ------
    ToposegError
        If there is no prior of that name, its dimensions are not the window's, or a mean shape cannot be made.
    """
    priors = []
    for number, wanted in enumerate(config.objects):
        if wanted.prior != MEAN_SHAPE:
            prior = read_prior(wanted.prior)
        elif template is not None:
            place = template if number == 0 else template.with_name(f"template_{number + 1}.nii.gz")
            if not place.exists():
                _write_mean_shape(divided.train, wanted, place)
            prior = replace(read_prior(str(place)), name=MEAN_SHAPE)
        else:
            continue
        if prior.ndim != config.window.ndim:
            raise ToposegError(
                f"The prior {prior.name!r} is {prior.ndim}-D, and the network's window {config.window.ndim}-D.",
                todo="Choose another prior, or a window of as many sides.",
            )
        priors.append(prior)
    return tuple(priors)


def with_network_of_preset(config: TrainingConfig) -> TrainingConfig:
    """The same config, with the network and the settings that a preset's name stands for; other names stay.

    What the config says of settings goes before the preset's. Loss and optimisation stay the config's: what was
    published of them is for other terms (`Preset`).
    """
    if config.network not in PRESET_NAMES:
        return config
    published = preset(config.network, config.window.ndim)
    settings = settings_to_dict(published.settings)
    for told in ("ndim", "objects"):
        settings.pop(told, None)
    return replace(config, network=published.network, settings={**settings, **config.settings})


def make_network(config: TrainingConfig) -> tuple[nn.Module, NetworkSettings]:
    """The network with its first weights: drawn by the seed, or those that the config starts from.

    Raises
    ------
    ToposegError
        If there is no network of that name, its settings make no sense, or the weights to start from are another's.
    """
    if config.network not in NETWORK_NAMES:
        known = ", ".join((*NETWORK_NAMES, *PRESET_NAMES))
        raise ToposegError(f"There is no network {config.network!r}.", todo=f"Choose one of {known}.")
    objects = len(config.objects)
    told = {"inputs": 1, "outputs": objects} if config.network in PIXEL_WISE else {"objects": objects}
    told["ndim"] = config.window.ndim
    settings = settings_from_dict(config.network, {**told, **config.settings})
    for name, number in told.items():
        if getattr(settings, name) != number:
            raise ToposegError(
                f"The settings say {name} {getattr(settings, name)}, and the window and the objects {number}.",
                todo=f"Leave {name} out.",
            )
    if config.start:
        started, card = load_weights(config.start)
        if (card.network, card.settings) != (config.network, settings):
            raise ToposegError(
                f"The training cannot start from {config.start}.",
                why=f"These weights are of a {card.network} with {card.settings}.",
                todo="Say the same network and settings.",
            )
        return started, settings
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return build(config.network, settings), settings


def check_network(network: nn.Module, config: TrainingConfig) -> None:
    """Refuse a window that a network cannot see, such as one that it cannot halve as often as it has to.

    Raises
    ------
    ToposegError
        If it is so.
    """
    shown = [torch.zeros(1, 1, *config.window.shape)]
    if isinstance(network, DeformationNetwork):
        shown.append(torch.zeros(1, len(config.objects), *config.window.shape))
    try:
        with torch.no_grad():
            network(*shown)
    except (ValueError, RuntimeError) as error:
        raise ToposegError(
            f"A {config.network} cannot see a window of {' x '.join(map(str, config.window.shape))} voxels.",
            why=f"{' '.join(str(error).split()).rstrip('.')}.",
            todo="Give a larger window, or other settings.",
        ) from error


def _write_mean_shape(cases: Sequence[Case], wanted: TrainedObject, place: Path) -> None:
    masks, spacings = [], []
    for case in cases:
        volume, label_map = read_case(case)
        assert label_map is not None
        mask = object_mask(label_map, wanted)
        if mask.any():
            masks.append(mask)
            spacings.append(volume.spacing)
    if not masks:
        raise ToposegError(
            "A mean shape cannot be made.", why="The object is in no training label.", todo="Say other labels."
        )
    write_prior(mean_shape(masks, spacings, name=MEAN_SHAPE), place)
