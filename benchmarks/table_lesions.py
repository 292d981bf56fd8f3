"""T3: unTPSN against the optimisation of every image by itself, on skin lesions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np
from cases import data_folder
from oracle import betti_by_gudhi
from rich.console import Console
from trained_systems import Figures, System, Task, mean_and_error, one_case, trained

from napari_toposeg.data import Case, cases_of, find_cases, read_case, read_split
from napari_toposeg.evaluation import evaluate_case
from napari_toposeg.frame import box_slices, resample
from napari_toposeg.inference import Settings, Window, segment, site_in_image
from napari_toposeg.priors import Prior, find_prior
from napari_toposeg.steps import last
from napari_toposeg.training import Data, LossWeights, Optimisation, TrainedObject, TrainingConfig
from napari_toposeg.volume import Volume

SHAPE = (256, 192)
"""Pixels to which every image is brought before anything is done with it."""

HEADINGS = (
    "method", "CPU s an image", "Dice", "HD, pixels", "right topology %", "folding images %",
    "paper: s", "Dice %", "HD",
)  # fmt: skip
UNTPSN = System("untpsn", "unTPSN", "tpsn", weights=LossWeights(), changes={"mode": "unsupervised"})
MLTPSN = System("unmltpsn", "the same with an mlTPSN (ours)", "mltpsn", changes={"mode": "unsupervised"})


def lesions() -> Task:
    """30 photographs: 12 to train on without their labels, the others for the test."""
    folder = str(data_folder() / "isic2017")
    config = TrainingConfig(
        Data(folder, validation=0.0, test=0.6, name="ISIC 2017, 30 photographs", licence="CC0"),
        (TrainedObject("disk"),),
        "tpsn",
        Window((96, 72), "image"),
        mode="unsupervised",
        optimisation=Optimisation(batch=4, epochs=120, patience=0),
    )
    return Task("lesions", config)


def unsupervised(out: Path, console: Console, seeds: Sequence[int] | None) -> tuple[tuple[str, ...], list[list[str]]]:
    """T3: a network that was trained by the Chan-Vese energy alone, and the fit of every image."""
    task = lesions()
    seed = (seeds or (0,))[0]
    rows = []
    disk = find_prior("disk")
    assert disk is not None
    for system, paper in ((UNTPSN, ("0.02", "88.15", "9.94")), (MLTPSN, ("", "", ""))):
        network, prior, folder = trained(task, system, seed, out, console)
        path = folder / "strict.json"
        if not path.exists():
            found = [
                {"case": case.name} | one_case(*_small(case), prior, network, "strict") for case in _tested(folder)
            ]
            path.write_text(json.dumps(found, indent=1))
        rows.append(_row(system.words, json.loads(path.read_text()), paper))
    path = folder.with_name(f"fit-{seed}.json")
    if not path.exists():
        path.write_text(json.dumps([{"case": case.name} | _fitted(case, disk) for case in _tested(folder)], indent=1))
    rows.append(
        _row("`toposeg segment`, each image by itself", json.loads(path.read_text()), ("2.87", "87.99", "9.69"))
    )
    return HEADINGS, rows


def _tested(folder: Path) -> tuple[Case, ...]:
    images = data_folder() / "isic2017"
    return cases_of(find_cases(images, images), read_split(folder / "split.json").test)


def _small(case: Case) -> tuple[Volume, np.ndarray]:
    volume, label = read_case(case)
    assert label is not None
    frame = volume.frame.resized(SHAPE)
    small = Volume.from_stored(resample(volume.voxels, volume.frame, frame), np.eye(4))
    return small, resample((label != 0).astype(np.float32), volume.frame, frame) > 0.5


def _fitted(case: Case, prior: Prior) -> Figures:
    volume, label = _small(case)
    begun = process_time()
    result = last(segment(volume, prior, site_in_image(prior, volume), Settings(device="cpu"), previews=False))
    seconds = process_time() - begun
    mask = np.zeros(volume.shape, bool)
    mask[box_slices(result.box)] = result.mask
    metrics = evaluate_case(mask, label, volume.spacing, betti_expected=prior.betti)
    return {
        "dice": metrics.dice,
        "hausdorff": metrics.hausdorff,
        "right": betti_by_gudhi(mask) == prior.betti,
        "folds": result.jacobian.folding,
        "seconds": seconds,
    }


def _row(words: str, found: list[Figures], paper: tuple[str, str, str]) -> list[str]:
    def mean(what: str, digits: int, scale: float = 1.0) -> str:
        values = [one[what] > 0 if what == "folds" else one[what] for one in found]
        return mean_and_error([float(np.mean(values))], digits, scale)

    return [
        words,
        mean("seconds", 3),
        mean("dice", 3),
        mean("hausdorff", 1),
        mean("right", 1, 100.0),
        mean("folds", 1, 100.0),
        *paper,
    ]
