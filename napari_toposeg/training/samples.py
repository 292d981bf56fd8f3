"""Cases as a network sees them, kept in memory, and the order in which a training looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from napari_toposeg.data import Augmentation, Case, augmented, read_case
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of, resample
from napari_toposeg.inference.window import Window, shown_image, window_frame
from napari_toposeg.training.config import TrainedObject

Key = tuple[bool, int, int]
"""Whether with its label, in which epoch (below 0: as it is, not augmented), and which one."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One case in its window.

    Attributes
    ----------
    name : str
        Of the case.
    image : (1, *window) float32 tensor
        Of mean 0 and deviation 1.
    label : (q, *window) float32 tensor or None
        Which share of each voxel is each object.
    spacing : tuple of float
        Of the window's voxels, in mm.
    """

    name: str
    image: Tensor
    label: Tensor | None
    spacing: tuple[float, ...]


def sample_of(case: Case, objects: Sequence[TrainedObject], window: Window, *, labelled: bool = True) -> Sample | None:
    """Read a case and look at it through the window.

    Parameters
    ----------
    case : Case
    objects : sequence of TrainedObject
        Which values of the label map are which object.
    window : Window
        Where it goes round the organ, the organ is the box of all objects together.
    labelled : bool
        Whether the label is kept. Where it is not, the window may still go by it: it stands for the box that a person
        draws.

    Returns
    -------
    Sample or None
        None where an object is not in the label map: a deformed template is never empty, so there is nothing to learn.

    Raises
    ------
    ToposegError
        If the files cannot be used, or do not fit the window; it says which case.
    """
    volume, label_map = read_case(case)
    if volume.ndim != window.ndim:
        raise ToposegError(
            f"{case.name} is {volume.ndim}-D, and the network's window {window.ndim}-D.",
            todo=f"Give a window, and a prior, of {volume.ndim} dimensions.",
        )
    masks = None if label_map is None else np.stack([object_mask(label_map, one) for one in objects])
    if masks is not None and not masks.reshape(len(objects), -1).any(axis=1).all():
        return None
    box = None if masks is None else box_of(np.any(masks, axis=0))
    try:
        frame = window_frame(window, volume.frame, box)
        image = shown_image(volume, frame)[0]
    except ToposegError as error:
        raise ToposegError(f"{case.name}: {error.what}", why=error.why, todo=error.todo) from error
    label = None
    if labelled and masks is not None:
        seen = [resample(mask.astype(np.float32), volume.frame, frame) for mask in masks]
        label = torch.from_numpy(np.stack(seen))
    return Sample(case.name, image, label, tuple(float(step) for step in frame.spacing))


def object_mask(label_map: NDArray[np.integer], wanted: TrainedObject) -> NDArray[np.bool_]:
    """(*grid) where a label map is this object."""
    return np.isin(label_map, wanted.labels) if wanted.labels else label_map != 0


class Samples(Dataset[dict[str, Tensor]]):
    """Samples by key, augmented by the seed, the epoch and their number: whenever they are asked for, the same.

    Parameters
    ----------
    labelled, unlabelled : sequence of Sample
    augmentation : Augmentation
    seed : int
    """

    def __init__(
        self,
        labelled: Sequence[Sample],
        unlabelled: Sequence[Sample] = (),
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self._parts = {True: labelled, False: unlabelled}
        self._augmentation = augmentation
        self._seed = seed

    def __getitem__(self, key: Key) -> dict[str, Tensor]:
        """The image, and its label if it has one."""
        with_label, epoch, number = key
        sample = self._parts[with_label][number]
        image, label = sample.image, sample.label
        if self._augmentation is not None and epoch >= 0:
            shown = label if label is not None else image.new_zeros(1, *image.shape[1:])
            seed = (self._seed, int(with_label), epoch, number)
            image, shown = augmented(image, shown, self._augmentation, seed, spacing=sample.spacing)
            label = None if label is None else shown
        return {"image": image} if label is None else {"image": image, "label": label}


class Batches(Sampler[list[Key]]):
    """Batches of keys: all labelled samples once, in an order drawn by seed and epoch; unlabelled ones in between.

    Parameters
    ----------
    labelled, unlabelled : int
        How many of each. With both, every labelled batch is followed by an unlabelled one: a turn of two (Clough et
        al., Eq. 6).
    size : int
        Of a batch.
    seed : int

    Notes
    -----
    The order hangs on the epoch alone, so that a training that was killed goes on as if it had not been. Of several
    processes each takes every so-manieth turn; turns that are left over are left out in this epoch.
    """

    def __init__(self, labelled: int, unlabelled: int, size: int, seed: int) -> None:
        super().__init__()
        self._counts = (labelled, unlabelled)
        self._size = size
        self._seed = seed
        self._epoch = 0

    @property
    def sampler(self) -> Batches:
        """Itself: Lightning tells the epoch to a batch sampler's sampler only, never to the batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Draw this epoch's order; Lightning calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._kinds) * self._turns_of_each()

    def __iter__(self) -> Iterator[list[Key]]:
        generator = np.random.default_rng([self._seed, self._epoch])
        orders = {kind: self._order(kind, generator) for kind in self._kinds}
        first, step = _process_number(), _process_count()
        for turn in range(first, first + self._turns_of_each() * step, step):
            for kind in self._kinds:
                yield [(kind, self._epoch, number) for number in orders[kind][turn % self._turns]]

    @property
    def _kinds(self) -> list[bool]:
        """Labelled, unlabelled, or both in turn."""
        return [kind for kind, count in zip((True, False), self._counts, strict=True) if count]

    @property
    def _turns(self) -> int:
        return -(-(self._counts[0] or self._counts[1]) // self._size)

    def _turns_of_each(self) -> int:
        """How many turns each process takes: all of them as many, for they wait for one another."""
        return max(1, self._turns // _process_count())

    def _order(self, kind: bool, generator: np.random.Generator) -> list[list[int]]:
        """Batches enough for every turn; where there are too few samples they come again."""
        count = self._counts[not kind]
        wanted = self._turns * self._size if not kind and self._counts[0] else count
        order: list[int] = []
        while len(order) < wanted:
            order += generator.permutation(count).tolist()
        order = order[:wanted]
        return [order[start : start + self._size] for start in range(0, len(order), self._size)]


def _process_count() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def _process_number() -> int:
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
