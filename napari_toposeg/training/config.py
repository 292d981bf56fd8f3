"""What a training is told: one frozen object, and the YAML file that says the same."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from napari_toposeg.data import Augmentation
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing
from napari_toposeg.inference.window import Window
from napari_toposeg.priors import prior_names

Mode = Literal["supervised", "unsupervised", "semi-supervised"]
UnlabelledLoss = Literal["topology", "chan-vese"]
Optimizer = Literal["adam", "rmsprop"]

PIXEL_WISE = ("unet", "wunet")
"""Networks that answer with logits instead of deforming a template."""

MEAN_SHAPE = "mean"
"""The prior that is made of the training labels."""


@dataclass(frozen=True)
class TrainedObject:
    """One object that the network learns to segment.

    Attributes
    ----------
    prior : str
        Its template: a name that `toposeg priors` lists, a mask file, a folder of masks, or "mean" for the mean shape
        of the training labels.
    labels : tuple of int
        The values of the label map that are the object. Empty: all but 0.
    """

    prior: str
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Data:
    """What is trained on, and how it is divided.

    Attributes
    ----------
    images : str
        Folder of images: NIfTI, pictures or npz.
    labels : str
        Folder of their label maps; may be the same. Empty where nothing is labelled.
    unlabelled : str
        Folder of further images without labels, for the mode "semi-supervised".
    patient : str
        Regular expression that finds the patient in a case's name; nobody is in two parts of the split. Empty: each
        file is a patient.
    split : str
        A split that was written before. Empty: it is drawn by the seed.
    validation, test : float
        Shares of the patients that are kept back.
    labelled : int
        Of how many of the training patients the labels are used; the others count as unlabelled. 0: of all.
    name, licence : str
        What stands on the card: what these images are, and under which terms.
    """

    images: str
    labels: str = ""
    unlabelled: str = ""
    patient: str = ""
    split: str = ""
    validation: float = 0.15
    test: float = 0.15
    labelled: int = 0
    name: str = "images of the user's own"
    licence: str = "unknown"


@dataclass(frozen=True)
class LossWeights:
    """LossWeights of the terms of the loss; one that is 0 is not computed.

    Attributes
    ----------
    jacobian : float
        Of the mean ReLU-Jacobian of the whole deformation (`relu_jacobian`). Published: 1, of a sum, which stops
        learning; of a mean 1 does nothing, and 100 did best (docs/results.md).
    laplacian : float
        Of the mean absolute Laplacian of each level.
    gradient : float
        Of the mean squared gradient of each level: TEDS-Net's and VoxelMorph's term.
    cross_entropy : float
        Of the binary cross entropy beside the Dice loss, for networks that answer with logits.
    projected_pooling : float
        Of the projected pooling loss (Fu et al.) beside the Dice loss, for networks that answer with logits. They
        train with it at a tenth of the learning rate, from weights that were trained without (`start`).
    topology : float
        Of the persistent homology loss on unlabelled images (Clough et al., Eq. 6).
    chan_vese : float
        Of the Chan-Vese energy where it stands in for the Dice loss.
    """

    jacobian: float = 100.0
    laplacian: float = 0.01
    gradient: float = 0.0
    cross_entropy: float = 1.0
    projected_pooling: float = 0.0
    topology: float = 0.2
    chan_vese: float = 1.0


@dataclass(frozen=True)
class Optimisation:
    """How the loss is minimised.

    Attributes
    ----------
    optimizer : {"adam", "rmsprop"}
        Published for TPSN: RMSprop at 1e-5, which takes 300 epochs of two GPUs. In 150 iterations on synthetic disks it
        reached a Dice of .726, Adam at 1e-3 .927.
    learning_rate : float
        After a warm-up of 20 batches it falls to a fiftieth along a cosine.
    batch : int
        Images in a batch.
    epochs : int
        How often each training image is seen, at most.
    patience : int
        Training ends after so many epochs without a better score on the validation part; 0: never.
    """

    optimizer: Optimizer = "adam"
    learning_rate: float = 1e-3
    batch: int = 8
    epochs: int = 50
    patience: int = 20


@dataclass(frozen=True)
class TrainingConfig:
    """All that a training is told.

    Attributes
    ----------
    data : Data
    objects : tuple of TrainedObject
        What is segmented. A pixel-wise network may have one without caring for its prior; topology is counted by it.
    network : str
        One of `NETWORK_NAMES`.
    window : Window
        How the network sees an image.
    settings : mapping
        Of the network, what differs from its defaults. Dimensions, objects and channels need not be said.
    start : str
        Weights to begin with, a file or a name: of the same network and settings. Empty: random ones.
    mode : {"supervised", "unsupervised", "semi-supervised"}
        Dice against labels; Chan-Vese without any; or the two in turn, batch by batch.
    unlabelled_loss : {"topology", "chan-vese"}
        What unlabelled images are asked for, in the mode "semi-supervised".
    fill_first : float
        Fill First, Dig Second: for this share of the epochs templates and labels have their holes filled. 0: never.
    weights : LossWeights
    optimisation : Optimisation
    augmentation : Augmentation
    seed : int
        Of everything random: split, first weights, order, augmentation, dropout.
    device : str
        "auto", "cpu", "cuda", "cuda:N" or "mps".
    devices : int
        How many of them.
    strategy : str
        Lightning's strategy for several devices ("auto", "ddp", ...).

    Raises
    ------
    ToposegError
        If the parts contradict each other, or a value is out of range.
    """

    data: Data
    objects: tuple[TrainedObject, ...]
    network: str
    window: Window
    settings: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    mode: Mode = "supervised"
    unlabelled_loss: UnlabelledLoss = "topology"
    fill_first: float = 0.0
    weights: LossWeights = LossWeights()
    optimisation: Optimisation = Optimisation()
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    strategy: str = "auto"

    def __post_init__(self) -> None:
        unlabelled = bool(self.data.unlabelled) or self.data.labelled > 0
        wrong = ""
        if not self.objects:
            wrong = "no object is named"
        elif self.mode not in get_args(Mode):
            wrong = f"there is no mode {self.mode!r}; there are {', '.join(get_args(Mode))}"
        elif self.mode != "unsupervised" and not self.data.labels:
            wrong = f"the mode {self.mode!r} needs labels"
        elif self.mode == "semi-supervised" and not unlabelled:
            wrong = "the mode 'semi-supervised' needs unlabelled images, or fewer labelled patients than there are"
        elif self.mode == "unsupervised" and self.network in PIXEL_WISE:
            wrong = f"a {self.network} without labels learns no object: it has no template"
        elif self.unlabelled_loss == "chan-vese" and self.mode == "semi-supervised" and self.network in PIXEL_WISE:
            wrong = f"a {self.network} has no template that the Chan-Vese energy could move"
        elif not 0.0 <= self.fill_first < 1.0:
            wrong = f"fill_first is {self.fill_first:g}, not a share from 0 to below 1"
        elif min(self.optimisation.batch, self.optimisation.epochs) < 1 or not self.optimisation.learning_rate > 0:
            wrong = "batch and epochs are at least 1, and the learning rate is above 0"
        elif min(dataclasses.astuple(self.weights)) < 0:
            wrong = "a weight of the loss is below 0"
        if wrong:
            raise ToposegError("The training cannot be done like this.", why=f"{wrong[0].upper()}{wrong[1:]}.")


def config_to_dict(config: TrainingConfig) -> dict[str, Any]:
    """A config as plain values that YAML and JSON can hold; `config_from_dict` is the way back."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def config_from_dict(values: Any) -> TrainingConfig:
    """A config from plain values, each of them checked.

    Parameters
    ----------
    values : mapping
        As in the YAML file. What has a default may be left out.

    Returns
    -------
    TrainingConfig

    Raises
    ------
    ToposegError
        If a key is unknown or missing, or a value is of the wrong kind or out of range; it says which.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        # By way of JSON, which has lists but no tuples: only so is a strict check possible.
        config = TypeAdapter(TrainingConfig).validate_json(json.dumps(values, default=str), strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ToposegError(
            f"The training's config is wrong{f' at {place!r}' if place else ''}.",
            why=f"{first['msg']}.",
            todo="docs/training.md describes every field.",
        ) from error
    return config


def read_config(path: str | os.PathLike[str]) -> TrainingConfig:
    """Read a config from YAML; paths in it count from the file's own folder.

    Raises
    ------
    ToposegError
        If the file cannot be read, is no YAML, or `config_from_dict` refuses it.
    """
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ToposegError(
            f"{path} cannot be read as a training's config.", why=f"{' '.join(str(error).split())}."
        ) from error
    return with_whole_paths(config_from_dict(values), Path(path).resolve().parent)


def with_whole_paths(config: TrainingConfig, folder: Path) -> TrainingConfig:
    """The same config, with paths that hold from anywhere; so far they counted from a folder."""
    places: dict[str, Any] = {
        name: str(folder / place) if (place := getattr(config.data, name)) else ""
        for name in ("images", "labels", "unlabelled", "split")
    }
    objects = tuple(
        replace(one, prior=str(folder / one.prior))
        if one.prior not in (MEAN_SHAPE, *prior_names()) and (folder / one.prior).exists()
        else one
        for one in config.objects
    )
    # Not a name of known weights, but a file.
    start = str(folder / config.start) if config.start and (folder / config.start).exists() else config.start
    return replace(config, data=replace(config.data, **places), objects=objects, start=start)


def write_config(config: TrainingConfig, path: str | os.PathLike[str]) -> None:
    """Write a config as YAML, whole or not at all."""
    import yaml

    with replacing(path) as part:
        part.write_text(yaml.safe_dump(config_to_dict(config), sort_keys=False), encoding="utf-8")
