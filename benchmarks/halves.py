"""The real images on which shipped networks are measured: on one half things may be chosen, the other is reported.

Hippocampi (by image) and hearts (by patient) are sorted by name and drawn by a seed. Half of them, none of which was
looked at when the fit was made (`cases.development_of`), is the reported half: 40 hippocampi and 20 patients of it are
"reported", as many others "aside", on which the same is looked at. All others may be chosen on; as many of these are
"choosing". Of a patient 5 slices count, evenly spread over those in which the heart's wall is a closed ring.

The photographs, the CT and the spinal cord are "others": all of them are reported, and nothing is chosen on them but
which of two networks of the disk is shipped, on the first 12 photographs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from cases import data_folder, development_of
from numpy.typing import NDArray
from oracle import betti_by_gudhi

from napari_toposeg.formats import read_mask, read_volume
from napari_toposeg.frame import box_of
from napari_toposeg.volume import Volume

Part = Literal["choosing", "reported", "aside", "others"]
SEED = 5
HIPPOCAMPI, PATIENTS, SLICES = 40, 20, 5
MYOCARDIUM = 2
MARGIN_MM, MARGIN_SHARE = 4.0, 0.1
"""What is looked at beyond the box: of a hippocampus in mm, of all others as a share of the box's mean side."""

ORGANS = {
    "spleen": ("spleen",),
    "kidneys": ("kidney_left", "kidney_right"),
    "vertebrae": tuple(f"vertebrae_L{number}" for number in range(1, 6)),
}
"""Labels of the CT, which are a model's. Of the vertebrae those that are whole in it. The spleen is cut by its end."""

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Subject:
    """An image and where its object is.

    Attributes
    ----------
    task : str
        "hippocampi", "rings", "lesions", "spleen", "kidneys", "vertebrae" or "cord".
    name : str
    prior : str
    volume : Volume
    label : (*volume.shape) bool
    margin : float
        What is looked at beyond the box, in mm.
    """

    task: str
    name: str
    prior: str
    volume: Volume
    label: NDArray[np.bool_]
    margin: float


def drawn(names: Sequence[Path], part: str, count: int) -> list[Path]:
    """So many of the names for a part, fewer where there are fewer; the parts have none in common."""
    known = sorted(names)
    development = development_of(known)
    rest = [name for name in known if name not in development]
    generator = np.random.default_rng(SEED)
    rest = [rest[number] for number in generator.permutation(len(rest))]
    reported, choosing = rest[: len(known) // 2], [*rest[len(known) // 2 :], *development]
    choosing = [choosing[number] for number in generator.permutation(len(choosing))]
    count = min(count, len(reported) // 2)
    if part == "choosing":
        return sorted(choosing[:count])
    return sorted(reported[:count] if part == "reported" else reported[count : 2 * count])


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many, evenly spread over all; 0: all."""
    if not 0 < most < len(items):
        return list(items)
    return [items[number] for number in np.linspace(0, len(items) - 1, most).round().astype(int)]


def subjects(part: Part, most: int = 0, only: Sequence[str] = ()) -> Iterator[Subject]:
    """The cases of a part, one after the other; `most`: so many of each kind, 0: all; `only`: of these tasks."""
    makers = (_photographs, _organs, _cords) if part == "others" else (_hippocampi, _rings)
    for maker in makers:
        for make in evenly(maker(part), most):
            subject = make()
            if not only or subject.task in only:
                yield subject


def _hippocampi(part: str) -> list[Callable[[], Subject]]:
    """Both parts of the hippocampus as one object."""
    folder = data_folder() / "msd_hippocampus"

    def make(image: Path) -> Subject:
        volume = read_volume(image)
        label = read_mask(folder / "labels" / image.name, volume=volume)[0]
        return Subject("hippocampi", image.name.split(".")[0], "ball", volume, label, MARGIN_MM)

    names = drawn(list((folder / "images").glob("*.nii.gz")), part, HIPPOCAMPI)
    return [lambda image=image: make(image) for image in names]  # type: ignore[misc]


def _rings(part: str) -> list[Callable[[], Subject]]:
    """The heart's wall; no spacing is known, and 1 mm is taken."""

    def make(file: Path, number: int) -> Subject:
        arrays = np.load(file)
        volume, wall = (
            Volume.from_stored(array, np.eye(4), name=file.stem)
            for array in (arrays["images"][number], arrays["labels"][number] == MYOCARDIUM)
        )
        return _shared_out("rings", f"{file.stem}-{number}", "annulus", volume, wall.voxels)

    chosen = []
    for file in drawn(list((data_folder() / "acdc2d").glob("*.npz")), part, PATIENTS):
        labels = np.load(file)["labels"]
        closed = [number for number, label in enumerate(labels) if betti_by_gudhi(label == MYOCARDIUM) == (1, 1)]
        chosen += [(file, number) for number in evenly(closed, SLICES)]
    return [lambda file=file, number=number: make(file, number) for file, number in chosen]  # type: ignore[misc]


def _photographs(part: str) -> list[Callable[[], Subject]]:
    """Skin lesions, as they are: about 1024 x 700 pixels, in grey."""
    folder = data_folder() / "isic2017"

    def make(image: Path) -> Subject:
        volume = read_volume(image)
        label = read_mask(folder / f"{image.stem}_segmentation.png", volume=volume)[0]
        return _shared_out("lesions", image.stem, "disk", volume, label)

    return [lambda image=image: make(image) for image in sorted(folder.glob("*.jpg"))]  # type: ignore[misc]


def _organs(part: str) -> list[Callable[[], Subject]]:
    """Organs of the one CT. A vertebra with its arch is a ring: a ball can come no nearer than its body."""

    def make(task: str, name: str) -> Subject:
        volume, numbers = _ct()
        path = data_folder() / "totalsegmentator_ct" / "example_ct_labels.nii.gz"
        label = read_mask(path, label=numbers[name], volume=volume)[0]
        return _shared_out(task, name, "ball", volume, label)

    return [lambda task=task, name=name: make(task, name) for task in ORGANS for name in ORGANS[task]]  # type: ignore[misc]


@cache
def _ct() -> tuple[Volume, dict[str, int]]:
    folder = data_folder() / "totalsegmentator_ct"
    names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return read_volume(folder / "example_ct.nii.gz"), {name: int(number) for number, name in names.items()}


def _cords(part: str) -> list[Callable[[], Subject]]:
    """A spinal cord, which the image's ends cut: Betti numbers (1, 0, 0), a solid cylinder along the body's axis."""
    folder = data_folder() / "spinalcord_sct"

    def make() -> Subject:
        volume = read_volume(folder / "t2.nii.gz")
        label = read_mask(folder / "t2_seg-manual.nii.gz", volume=volume)[0]
        return _shared_out("cord", "t2", "cylinder", volume, label)

    return [make]


def _shared_out(task: str, name: str, prior: str, volume: Volume, label: NDArray[np.bool_]) -> Subject:
    """A subject of whose surroundings a share of the box is looked at."""
    box = box_of(label)
    assert box is not None
    sides = [(high - low) * step for (low, high), step in zip(box, volume.spacing, strict=True)]
    return Subject(task, name, prior, volume, label, MARGIN_SHARE * float(np.mean(sides)))
