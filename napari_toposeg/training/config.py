"""What a training is told."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from napari_toposeg.data import Augmentation
from napari_toposeg.data.synthetic.settings import SyntheticSettings
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.window import Window

Mode = Literal["supervised", "unsupervised", "semi-supervised"]
UnlabelledLoss = Literal["topology", "chan-vese"]
Optimizer = Literal["adam", "rmsprop"]
Precision = Literal["float32", "bfloat16"]

PIXEL_WISE = ("unet", "wunet")
"""Networks that answer with logits instead of deforming a template."""

MEAN_SHAPE = "mean"
"""The prior that is made of the training labels."""


def _refuse(wrong: str) -> None:
    if wrong:
        raise ToposegError("The training cannot be done like this.", why=f"{wrong[0].upper()}{wrong[1:]}.")


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

    Raises
    ------
    ToposegError
        If the prior has no name, or 0, which is no object, is among the labels.
    """

    prior: str
    labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        wrong = ""
        if not self.prior:
            wrong = "an object has no prior"
        elif any(value < 1 for value in self.labels):
            wrong = f"the labels of an object are {list(self.labels)}, not whole numbers from 1"
        _refuse(wrong)


@dataclass(frozen=True)
class Data:
    """What is trained on, and how it is divided.

    Attributes
    ----------
    images : str
        Folder of images: NIfTI, pictures or npz. Empty where images are drawn.
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
        Of how many of the training patients, drawn by the seed, the labels are used; the others count as unlabelled.
        0: of all.
    synthetic : int
        So many images are drawn instead of read (`synthetic_sample`): objects of the prior's topology in random
        surroundings, which hold nobody's data. Each epoch shows each of them, turned and inverted at random. 0: none.
    drawn : SyntheticSettings
        What they are drawn from. Its margin does not count: the window's does.
    name, licence : str
        What stands on the card: what these images are, and under which terms.

    Raises
    ------
    ToposegError
        If no folder is named, or a number is out of range.
    """

    images: str = ""
    labels: str = ""
    unlabelled: str = ""
    patient: str = ""
    split: str = ""
    validation: float = 0.15
    test: float = 0.15
    labelled: int = 0
    synthetic: int = 0
    drawn: SyntheticSettings = field(default_factory=SyntheticSettings)
    name: str = "images of the user's own"
    licence: str = "unknown"

    def __post_init__(self) -> None:
        wrong = ""
        if self.synthetic < 0:
            wrong = f"data.synthetic is {self.synthetic}, not a number of images"
        elif self.synthetic and (self.images or self.labels or self.unlabelled):
            wrong = "images are either drawn (data.synthetic) or read from folders"
        elif not (self.images or self.synthetic):
            wrong = "data.images names no folder"
        elif self.labelled < 0:
            wrong = f"data.labelled is {self.labelled}, not a number of patients"
        elif not (0.0 <= self.validation < 1.0 and 0.0 <= self.test < 1.0 and self.validation + self.test < 1.0):
            wrong = (
                f"data.validation and data.test are {self.validation:g} and {self.test:g}, "
                "not shares that leave some to train on"
            )
        _refuse(wrong)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of the loss beside Dice, which has 1; a term whose weight is 0 is not computed.

    Attributes
    ----------
    jacobian : float
        Of the mean ReLU-Jacobian of the whole deformation (`relu_jacobian`). Published: 1, of a sum, which stops
        learning; of a mean 1 does nothing, and 100 did best (docs/results.md).
    laplacian : float
        Of the mean absolute Laplacian of each level.
    gradient : float
        Of the mean squared gradient of each level: TEDS-Net's and VoxelMorph's term.
    hausdorff : float
        Of the mean squared error of the mask, each voxel's times its squared distances to the borders of the label and
        of the mask: it asks for the farthest error rather than for the area, of whatever answers.
    cross_entropy : float
        Of the binary cross entropy beside the Dice loss, for networks that answer with logits.
    projected_pooling : float
        Of the projected pooling loss (Fu et al.) beside the Dice loss, for networks that answer with logits. They
        train with it at a tenth of the learning rate, from weights that were trained without (`start`).
    topology : float
        Of the persistent homology loss on unlabelled images (Clough et al., Eq. 6).
    chan_vese : float
        Of the Chan-Vese energy where it stands in for the Dice loss.

    Raises
    ------
    ToposegError
        If a weight is below 0, or not finite.
    """

    jacobian: float = 100.0
    laplacian: float = 0.01
    gradient: float = 0.0
    hausdorff: float = 0.0
    cross_entropy: float = 1.0
    projected_pooling: float = 0.0
    topology: float = 0.2
    chan_vese: float = 1.0

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):
            weight = getattr(self, one.name)
            _refuse("" if 0.0 <= weight < math.inf else f"weights.{one.name} is {weight:g}, not 0 or more")


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
    precision : {"float32", "bfloat16"}
        In what a pixel-wise network computes while it is trained; its weights and its loss are float32 either way. On a
        processor with instructions for bfloat16, a batch of 8 windows of 32x32x32 took a U-Net .32 s instead of .50.

    Raises
    ------
    ToposegError
        If a value is out of range.
    """

    optimizer: Optimizer = "adam"
    learning_rate: float = 1e-3
    batch: int = 8
    epochs: int = 50
    patience: int = 20
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        wrong = ""
        if not 0.0 < self.learning_rate < math.inf:
            wrong = f"optimisation.learning_rate is {self.learning_rate:g}, not above 0"
        elif min(self.batch, self.epochs) < 1:
            wrong = f"optimisation.batch and .epochs are {self.batch} and {self.epochs}, and have to be at least 1"
        elif self.patience < 0:
            wrong = f"optimisation.patience is {self.patience}, not 0 or more"
        elif self.precision not in get_args(Precision):
            wrong = f"there is no precision {self.precision!r}; there are {', '.join(get_args(Precision))}"
        _refuse(wrong)


@dataclass(frozen=True)
class TrainingConfig:
    """All that a training is told.

    Attributes
    ----------
    data : Data
    objects : tuple of TrainedObject
        What is segmented. A pixel-wise network may have one without caring for its prior; topology is counted by it.
    network : str
        One of `NETWORK_NAMES`, or of `PRESET_NAMES`: the network as a paper published it.
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
        data = self.data
        known = bool(data.labels or data.synthetic)
        wrong = ""
        if not self.objects:
            wrong = "no object is named"
        elif self.mode not in get_args(Mode):
            wrong = f"there is no mode {self.mode!r}; there are {', '.join(get_args(Mode))}"
        elif data.synthetic and (self.mode != "supervised" or len(self.objects) > 1 or self.window.around != "box"):
            wrong = "what is drawn is one object in a window around its box, and its label is known"
        elif self.mode != "unsupervised" and not known:
            wrong = f"the mode {self.mode!r} needs labels"
        elif self.mode == "semi-supervised" and not (data.unlabelled or data.labelled):
            wrong = "the mode 'semi-supervised' needs unlabelled images, or fewer labelled patients than there are"
        elif self.mode == "unsupervised" and self.network in PIXEL_WISE:
            wrong = f"a {self.network} without labels learns no object: it has no template"
        elif self.unlabelled_loss == "chan-vese" and self.mode == "semi-supervised" and self.network in PIXEL_WISE:
            wrong = f"a {self.network} has no template that the Chan-Vese energy could move"
        elif self.optimisation.precision != "float32" and self.network not in PIXEL_WISE:
            wrong = f"a {self.network} deforms in float32: {self.optimisation.precision} is not fine enough for places"
        elif self.window.around == "box" and (data.unlabelled or not known):
            wrong = "a window around the organ's box needs labels, which say where that is; centre and image do without"
        elif MEAN_SHAPE in (one.prior for one in self.objects) and not data.labels:
            wrong = "a mean shape is made of labels"
        elif self.window.places and len(self.window.places) != len(self.objects):
            wrong = f"window.places has {len(self.window.places)} places for {len(self.objects)} objects"
        elif not 0.0 <= self.fill_first < 1.0:
            wrong = f"fill_first is {self.fill_first:g}, not a share from 0 to below 1"
        elif self.seed < 0:
            wrong = f"the seed is {self.seed}, not 0 or more"
        elif self.devices < 1:
            wrong = f"devices is {self.devices}, not 1 or more"
        _refuse(wrong)

    @property
    def fill_epochs(self) -> int:
        """How many epochs fill holes first: at least one if any is asked for, and never all."""
        epochs = self.optimisation.epochs
        return min(max(1, round(self.fill_first * epochs)), epochs - 1) if self.fill_first else 0
