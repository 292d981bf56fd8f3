"""The task of paper 002, section 4.2, on ACDC: the heart's wall in slices from which lines of k-space are missing.

Slices are cropped to 80x80 around the label's own centroid, training and test alike: the paper's are cropped around the
left ventricle, without saying how. A patient whose wall does not fit into the crop is left out (one of 80).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from cases import data_folder
from numpy.typing import NDArray

from napari_toposeg.data import remove_lines

SIDE = 80
MYOCARDIUM, LEFT_VENTRICLE = 2, 3
BETTI = (1, 1)
LABELLED, VALIDATION, UNLABELLED = 2, 10, 40
TESTED_SLICES = 4


@dataclass(frozen=True, eq=False)
class Slices:
    """Cropped slices and where the wall is in them.

    Attributes
    ----------
    images : (n, 1, 80, 80) float32
        From 0 to 1, with lines of k-space missing.
    walls : (n, 1, 80, 80) bool
        The myocardium.
    """

    images: NDArray[np.float32]
    walls: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Split:
    """One draw of the patients; nobody is in two parts."""

    labelled: Slices
    validation: Slices
    unlabelled: Slices
    test: Slices


@cache
def _patients() -> dict[int, tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    found = {}
    for file in sorted((data_folder() / "acdc2d").glob("patient*.npz")):
        arrays = np.load(file)
        crops = [_crop(image, label) for image, label in zip(arrays["images"], arrays["labels"], strict=True)]
        whole = all(
            wall.sum() == (label == MYOCARDIUM).sum() for (_, wall), label in zip(crops, arrays["labels"], strict=True)
        )
        if whole:
            images, walls = zip(*crops, strict=True)
            found[int(file.stem.removeprefix("patient"))] = np.stack(images), np.stack(walls)
    return found


def _crop(image: NDArray[np.uint8], label: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    middle = np.argwhere((label == MYOCARDIUM) | (label == LEFT_VENTRICLE)).mean(0).round().astype(int)
    window = tuple(slice(centre, centre + SIDE) for centre in middle)
    half = SIDE // 2
    return np.pad(image, half)[window], np.pad(label, half)[window] == MYOCARDIUM


def _slices(patients: NDArray[np.int64], removed: int, each: int | None = None) -> Slices:
    """The slices of some patients; `each`: so many of every one, evenly spread. A slice loses the same lines always."""
    images, walls = [], []
    for patient in patients:
        whole, wall = _patients()[int(patient)]
        numbers = range(len(whole)) if each is None else np.linspace(0, len(whole) - 1, each).round().astype(int)
        for number in numbers:
            images.append(remove_lines(whole[number], removed, seed=[int(patient), int(number), removed]))
            walls.append(wall[number])
    return Slices(np.stack(images)[:, None].astype(np.float32), np.stack(walls)[:, None])


@cache
def draw_split(seed: int, removed: int) -> Split:
    """2 patients labelled, 10 for validation, 40 unlabelled, the others (27) for the test, 4 slices of each."""
    drawn = np.random.default_rng(seed).permutation(sorted(_patients()))
    labelled, validation, unlabelled, test = np.split(drawn, np.cumsum([LABELLED, VALIDATION, UNLABELLED]))
    return Split(
        _slices(labelled, removed),
        _slices(validation, removed),
        _slices(unlabelled, removed),
        _slices(test, removed, TESTED_SLICES),
    )
