"""T2, T6 and T7: the hippocampus in 3-D."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from table_tasks import hippocampus
from trained_systems import Figures, System, Task, labelled_case, mean_and_error, measure, one_case, test_cases, trained

from napari_toposeg.inference import TrainedNetwork
from napari_toposeg.priors import Prior
from napari_toposeg.training import LossWeights
from napari_toposeg.volume import Volume

Made = tuple[tuple[str, ...], list[list[str]]]
SEED = 0
MLTPSN = System("mltpsn", "mlTPSN", "mltpsn")
UNET = System("unet", "U-Net", "unet")

# Zhang and Lui, Tab. I, on KiTS21 and HAM10000: Dice, HD. Their Betti error is 1.00 wherever nothing folds.
JACOBIAN_WEIGHTS = {0.0: "", 1.0: "", 10.0: "", 100.0: ""}
LEVELS = (1, 2, 3, 4)
TEMPLATES = ("ball", "ellipsoid", "box", "mean")

ABLATION_HEADINGS = (
    "mlTPSN", "Dice", "HD, mm", "HD95, mm", "right topology %", "folding images %", "certified: Dice", "right %",
    "CPU s an image",
)  # fmt: skip


def ablations(out: Path, console: Console, seeds: Sequence[int] | None) -> Made:
    """T2: the weight of the Jacobian term, the number of levels, the template; one seed."""
    systems: list[tuple[str, Task, System]] = [
        (
            f"Jacobian weight {weight:g}",
            hippocampus(),
            replace(MLTPSN, name=f"jacobian-{weight:g}", weights=LossWeights(jacobian=weight)),
        )
        for weight in JACOBIAN_WEIGHTS
    ]
    systems += [
        (f"{levels} levels", hippocampus(), replace(MLTPSN, name=f"levels-{levels}", settings={"levels": levels}))
        for levels in LEVELS
    ]
    systems += [
        (f"template: {prior}", hippocampus(prior=prior), replace(MLTPSN, name=f"template-{prior}"))
        for prior in TEMPLATES
    ]
    rows = []
    for words, task, system in systems:
        seed = (seeds or (SEED,))[0]
        network, prior, folder = trained(task, _same_as_default(system), seed, out, console)
        cases = test_cases(task, folder)
        plain = measure(task, network, prior, cases, folder / "report.json", certify="report")
        strict = measure(task, network, prior, cases, folder / "strict.json", certify="strict")
        rows.append(
            [
                words,
                _mean(plain, "dice"),
                _mean(plain, "hausdorff", 2),
                _mean(plain, "hausdorff_95", 2),
                _mean(plain, "right", 1, 100.0),
                mean_and_error([float(np.mean([bool(one["folds"]) for one in plain]))], 1, 100.0),
                _mean(strict, "dice"),
                _mean(strict, "right", 1, 100.0),
                _mean(strict, "seconds", 2),
            ]
        )
    return ABLATION_HEADINGS, rows


def _same_as_default(system: System) -> System:
    """Three levels, weight 100 and the ellipsoid are one training, and not three."""
    is_default = system.name in ("jacobian-100", "levels-3", "template-ellipsoid")
    return MLTPSN if is_default else system


def _mean(figures: Sequence[Figures], what: str, digits: int = 3, scale: float = 1.0) -> str:
    return mean_and_error([float(np.mean([one[what] for one in figures]))], digits, scale)


MISSING = (0, 2, 4)
MISSING_HEADINGS = ("missing slices", "system", "Dice", "HD95, mm", "right topology %", "components, mean")


def missing_slices(out: Path, console: Console, seeds: Sequence[int] | None) -> Made:
    """T6: slices in the middle of the image set to its least value; nothing is trained for that."""
    task = hippocampus()
    seed = (seeds or (SEED,))[0]
    rows = []
    for system, certify in ((UNET, "report"), (UNET, "strict"), (MLTPSN, "strict")):
        network, prior, folder = trained(task, system, seed, out, console)
        words = {"report": system.words, "strict": f"{system.words}, certified"}[certify]
        for missing in MISSING:
            path = folder / f"missing-{missing}-{certify}.json"
            if not path.exists():
                path.write_text(json.dumps(_with_missing(task, network, prior, folder, missing, certify), indent=1))
            found = json.loads(path.read_text())
            components = mean_and_error([float(np.mean([one["betti_prediction"][0] for one in found]))], 2)
            rows.append(
                [str(missing), words, _mean(found, "dice"), _mean(found, "hausdorff_95", 2),
                 _mean(found, "right", 1, 100.0), components]
            )  # fmt: skip
    return MISSING_HEADINGS, sorted(rows, key=lambda row: int(row[0]))


def _with_missing(
    task: Task, network: TrainedNetwork, prior: Prior, folder: Path, missing: int, certify: str
) -> list[Figures]:
    found = []
    for case in test_cases(task, folder):
        volume, label = labelled_case(task, case)
        found.append({"case": case.name} | one_case(_without(volume, label, missing), label, prior, network, certify))
    return found


def _without(volume: Volume, label: np.ndarray[Any, Any], missing: int) -> Volume:
    """The image without some slices across the axis that runs from back to front, in the middle of the organ."""
    if not missing:
        return volume
    middle = round(float(np.argwhere(label)[:, 1].mean()))
    voxels = volume.voxels.copy()
    voxels[:, middle - missing // 2 : middle - missing // 2 + missing] = voxels.min()
    return replace(volume, voxels=voxels)


POOLING_HEADINGS = (
    "loss", "epochs", "Dice", "HD95, mm", "precision", "recall", "volume error", "absolute", "Pearson's r",
    "2-D CCE", "3-D CCE", "right topology %", "paper: Dice", "HD95", "2-D CCE", "3-D CCE",
)  # fmt: skip
# Fu et al., Tab. 2, hippocampus.
POOLING_PAPER = {
    "dice": ("0.861", "1.368", "0.2", "0.019"),
    "dice-on": ("0.861", "1.339", "0.192", "0.019"),
    "pooling": ("0.853", "1.375", "0.203", "0"),
}


def projected_pooling(out: Path, console: Console, seeds: Sequence[int] | None) -> Made:
    """T7: a U-Net by Dice, and from there on at a tenth of the rate: by Dice, or by Dice and projected pooling."""
    task = hippocampus()
    seed = (seeds or (SEED,))[0]
    dice_alone = LossWeights(cross_entropy=0.0)
    first = System("unet-dice", "Dice", "unet", weights=dice_alone)
    _, prior, folder = trained(task, first, seed, out, console)
    start = str(folder / f"{folder.name}.safetensors")
    optimisation = replace(task.config.optimisation, learning_rate=1e-4)
    further = {"start": start, "optimisation": optimisation}
    systems = {
        "dice": first,
        "dice-on": System("unet-dice-on", "Dice", "unet", weights=dice_alone, changes=further),
        "pooling": System(
            "unet-pooling",
            "Dice and projected pooling",
            "unet",
            weights=replace(dice_alone, projected_pooling=1.0),
            changes=further,
        ),
    }
    epochs = task.config.optimisation.epochs
    rows = []
    for name, system in systems.items():
        network, prior, folder = trained(task, system, seed, out, console)
        cases = test_cases(task, folder)
        found = measure(task, network, prior, cases, folder / "report.json", certify="report")
        volumes = np.array([[one["volume_prediction"], one["volume_label"]] for one in found])
        rows.append(
            [
                system.words,
                str(epochs) if name == "dice" else f"{epochs} + {epochs}",
                *(_mean(found, what) for what in ("dice", "hausdorff_95", "precision", "recall", "volume_error")),
                _mean(found, "absolute_volume_error"),
                f"{np.corrcoef(volumes.T)[0, 1]:.3f}",
                _mean(found, "slice_component_error"),
                _mean(found, "component_error"),
                _mean(found, "right", 1, 100.0),
                *POOLING_PAPER[name],
            ]
        )
    return POOLING_HEADINGS, rows
