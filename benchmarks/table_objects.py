"""T4: several objects of one image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from cases import data_folder
from numpy.typing import NDArray
from oracle import betti_by_gudhi
from rich.console import Console
from table_tasks import hippocampus
from trained_systems import Figures, System, Task, mean_and_error, test_cases, trained

from napari_toposeg.data import read_case
from napari_toposeg.evaluation import evaluate_case
from napari_toposeg.formats import read_mask, read_volume
from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.inference import (
    Segmentation,
    Settings,
    TrainedNetwork,
    resolve_overlaps,
    segment,
    segment_objects,
    site_in_box,
)
from napari_toposeg.priors import find_prior
from napari_toposeg.steps import last
from napari_toposeg.topology import signed_distance
from napari_toposeg.training import LossWeights, TrainedObject
from napari_toposeg.volume import Volume

SEED = 0
PARTS = ("anterior", "posterior")
ORGANS = {
    1: "spleen", 2: "right kidney", 3: "left kidney", 4: "gallbladder", 5: "liver", 6: "stomach",
    8: "right adrenal gland", 9: "left adrenal gland",
}  # fmt: skip
"""The eight of Zhang and Lui, Tab. IV."""

HEADINGS = ("system", "object", "Dice", "HD, mm", "right topology %", "before: right %", "contested voxels, mean")
SYSTEMS = (
    System("unet-parts", "U-Net", "unet"),
    System("tpsn-parts-no-jacobian", "TPSN, no Jacobian term", "multi-tpsn", weights=LossWeights(jacobian=0.0)),
    System("tpsn-parts", "TPSN", "multi-tpsn"),
    System("mltpsn-parts", "mlTPSN", "mltpsn"),
)


def several_objects(
    out: Path, console: Console, seeds: Sequence[int] | None
) -> tuple[tuple[str, ...], list[list[str]]]:
    """T4: the two parts of the hippocampus by trained networks, and eight organs of one CT by the fit."""
    whole = hippocampus()
    parts = (TrainedObject("ball", (1,)), TrainedObject("ball", (2,)))
    task = Task("parts", replace(whole.config, objects=parts), most=whole.most)
    rows = []
    for system in SYSTEMS:
        network, _, folder = trained(task, system, (seeds or (SEED,))[0], out, console)
        path = folder / "objects.json"
        if not path.exists():
            path.write_text(json.dumps(_measured(task, network, folder), indent=1))
        found = json.loads(path.read_text())
        for number, part in enumerate(PARTS):
            rows.append([system.words, part, *_columns([one[number] for one in found])])
    path = out / "organs.json"
    if not path.exists():
        path.write_text(json.dumps(_organs(), indent=1))
    for name, figures in json.loads(path.read_text()).items():
        rows.append(["fit in the organ's box, one CT", name, *_columns([figures])])
    return HEADINGS, rows


def _columns(figures: list[Figures]) -> list[str]:
    def mean(what: str, digits: int, scale: float = 1.0) -> str:
        return mean_and_error([float(np.mean([one[what] for one in figures]))], digits, scale)

    return [
        mean("dice", 3),
        mean("hausdorff", 1),
        mean("right", 1, 100.0),
        mean("right_before", 1, 100.0),
        mean("contested", 1),
    ]


def _measured(task: Task, network: TrainedNetwork, folder: Path) -> list[list[Figures]]:
    """By test case and object: certified, and before."""
    ball = find_prior("ball")
    assert ball is not None
    found = []
    for case in test_cases(task, folder):
        volume, label_map = read_case(case)
        assert label_map is not None
        box = box_of(label_map)
        assert box is not None
        site = site_in_box(ball, volume, box)
        results = [
            last(segment_objects(volume, [ball, ball], site, network, Settings(certify=how, device="cpu")))
            for how in ("strict", "report")
        ]
        strict, before = (result.full_labels() for result in results)
        contested = results[0].contested_voxels
        found.append(
            [_figures(strict == number, before == number, label_map == number, volume, contested) for number in (1, 2)]
        )
    return found


def _organs() -> dict[str, Figures]:
    """Each organ fitted by itself in the box of its label (as in the paper), then every voxel given one owner."""
    folder = data_folder() / "totalsegmentator_ct"
    volume = read_volume(folder / "example_ct.nii.gz")
    ball = find_prior("ball")
    assert ball is not None
    labels = [read_mask(folder / "example_ct_labels.nii.gz", label=number, volume=volume)[0] for number in ORGANS]
    masks = []
    for label in labels:
        box = box_of(label)
        assert box is not None
        result = last(segment(volume, ball, site_in_box(ball, volume, box), Settings(device="cpu"), previews=False))
        masks.append(_whole(result, volume))
    sureness = np.stack([signed_distance(mask, tuple(volume.spacing)) for mask in masks]).astype(np.float32)
    resolved = resolve_overlaps(np.stack(masks), sureness, [ball.betti] * len(masks))
    return {
        name: _figures(resolved.labels == number, mask, label, volume, resolved.contested_voxels)
        for number, (name, mask, label) in enumerate(zip(ORGANS.values(), masks, labels, strict=True), start=1)
    }


def _whole(result: Segmentation, volume: Volume) -> NDArray[np.bool_]:
    mask = np.zeros(volume.shape, bool)
    mask[box_slices(result.box)] = result.mask
    return mask


def _figures(
    mask: NDArray[np.bool_], before: NDArray[np.bool_], label: NDArray[np.bool_], volume: Volume, contested: int
) -> Figures:
    metrics = evaluate_case(mask, label, volume.spacing, betti_expected=(1, 0, 0))
    return {
        "dice": metrics.dice,
        "hausdorff": metrics.hausdorff,
        "right": betti_by_gudhi(mask) == (1, 0, 0),
        "right_before": betti_by_gudhi(before) == (1, 0, 0),
        "contested": contested,
    }
