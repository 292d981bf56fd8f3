"""Which real cases are measured, and which were looked at when something was chosen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from napari_toposeg.formats import read_mask, read_volume
from napari_toposeg.frame import box_of
from napari_toposeg.volume import Volume

# Looked at, in alphabetical order, when the fit's weights and its reach were chosen. No reported figure contains them.
DEVELOPMENT_FIRST, DEVELOPMENT_LAST = 8, 12
SEED = 0
REPORTED = 20


@dataclass(frozen=True, eq=False)
class Case:
    """An image on disk with its label, and how much of the label's surroundings is looked at."""

    name: str
    image: Path
    label: Path
    prior: str
    margin: float

    def volume(self) -> Volume:
        return read_volume(self.image)

    def reference(self) -> NDArray[np.bool_]:
        return read_mask(self.label)[0]


def data_folder() -> Path:
    return Path(os.environ.get("TOPOSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))


def development_of(names: list[Path]) -> list[Path]:
    """Those of the sorted names that were looked at when the fit was made."""
    return [*names[:DEVELOPMENT_FIRST], *names[-DEVELOPMENT_LAST:]]


def _choose(names: list[Path], part: str) -> list[Path]:
    names = sorted(names)
    development = development_of(names)
    if part == "development":
        return development
    rest = [name for name in names if name not in development]
    chosen = np.random.default_rng(SEED).choice(len(rest), REPORTED, replace=False)
    return [rest[number] for number in sorted(chosen)]


def hippocampi(part: str) -> Iterator[Case]:
    """Both parts of the hippocampus as one object; 4 mm around the label's box."""
    folder = data_folder() / "msd_hippocampus"
    for image in _choose(list((folder / "images").glob("*.nii.gz")), part):
        yield Case(image.name.split(".")[0], image, folder / "labels" / image.name, "ball", 4.0)


def rings(part: str, scratch: Path) -> Iterator[Case]:
    """The heart's wall in the middle slice of each chosen patient; a tenth of the ring's box around it.

    The slices come as arrays without a spacing: they are written into `scratch` as NIfTI files with voxels of 1 mm.
    """
    for file in _choose(list((data_folder() / "acdc2d").glob("*.npz")), part):
        arrays = np.load(file)
        middle = len(arrays["images"]) // 2
        wall = (arrays["labels"][middle] == 2).astype(np.uint8)
        image, label = scratch / f"{file.stem}.nii", scratch / f"{file.stem}_wall.nii"
        nib.save(nib.Nifti1Image(arrays["images"][middle], np.eye(4)), image)
        nib.save(nib.Nifti1Image(wall, np.eye(4)), label)
        box = box_of(wall > 0)
        assert box is not None
        yield Case(file.stem, image, label, "annulus", 0.1 * float(np.mean([high - low for low, high in box])))
