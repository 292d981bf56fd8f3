"""Systems that are trained for a table and measured on patients that they never saw.

A run is one system, one task and one seed. Its training lies in a folder of its own, and so do the figures of its test
cases: what was cut off goes on where it was, and what is there is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from oracle import betti_by_gudhi
from rich.console import Console

from napari_toposeg.data import Case, cases_of, find_cases, read_case, read_split
from napari_toposeg.evaluation import evaluate_case
from napari_toposeg.formats import read_prior
from napari_toposeg.frame import box_of
from napari_toposeg.inference import (
    Segmentation,
    Settings,
    TrainedNetwork,
    segment_by_logits,
    segment_by_network,
    site_in_box,
    trained_network,
)
from napari_toposeg.inference.weights import read_weights
from napari_toposeg.priors import Prior
from napari_toposeg.steps import last
from napari_toposeg.training import LossWeights, TrainingConfig, train
from napari_toposeg.training.samples import object_mask
from napari_toposeg.volume import Volume

OUT = Path(__file__).parents[1] / ".benchmarks" / "tables"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is segmented, and how it is divided.

    Attributes
    ----------
    name : str
    config : TrainingConfig
        With the task's data, object, window and length; network, loss and seed are the system's and the run's.
    each : int
        So many cases of every test patient are measured, evenly spread; 0: all.
    most : int
        So many test cases at most; 0: all.
    """

    name: str
    config: TrainingConfig
    each: int = 0
    most: int = 0


@dataclass(frozen=True)
class System:
    """A network and what it is trained with.

    Attributes
    ----------
    name : str
        In file names.
    words : str
        In tables.
    network : str
    settings : mapping
        Of the network, what differs from the defaults.
    weights : LossWeights
    changes : mapping
        Other fields of the config that differ from the task's.
    """

    name: str
    words: str
    network: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: LossWeights = field(default_factory=LossWeights)
    changes: Mapping[str, Any] = field(default_factory=dict)


def config_of(task: Task, system: System, seed: int) -> TrainingConfig:
    """What this run is told."""
    return replace(
        task.config,
        network=system.network,
        settings=dict(system.settings),
        weights=system.weights,
        seed=seed,
        **dict(system.changes),
    )


def trained(task: Task, system: System, seed: int, out: Path, console: Console) -> tuple[TrainedNetwork, Prior, Path]:
    """The trained network, its prior and its folder; trained now, if it is not there yet."""
    folder = out / task.name / f"{system.name}-{seed}"
    begun = perf_counter()
    done = last(train(config_of(task, system, seed), folder))
    if perf_counter() - begun > 5:
        console.print(
            f"  {task.name} {system.name} {seed}: {perf_counter() - begun:.0f} s, {done.weights.card.metrics}"
        )
    network, card = read_weights(done.weights.path)
    name = task.config.objects[0].prior
    mean = folder / "template.nii.gz"
    return trained_network(network, card), read_prior(str(mean) if mean.exists() else name), folder


def parameters(network: TrainedNetwork) -> int:
    """How many numbers were learnt."""
    return sum(parameter.numel() for parameter in network.network.parameters())


def test_cases(task: Task, folder: Path) -> list[Case]:
    """The test cases of a run's own split."""
    data = task.config.data
    cases = cases_of(find_cases(data.images, data.labels, patient=data.patient), read_split(folder / "split.json").test)
    if task.each:
        by_patient: dict[str, list[Case]] = {}
        for case in cases:
            by_patient.setdefault(case.patient, []).append(case)
        cases = tuple(
            some[number]
            for some in by_patient.values()
            for number in sorted({*np.linspace(0, len(some) - 1, task.each).round().astype(int).tolist()})
        )
    return list(cases[: task.most or None])


def measure(
    task: Task,
    network: TrainedNetwork,
    prior: Prior,
    cases: Sequence[Case],
    path: Path,
    *,
    certify: str,
    hybrid: TrainedNetwork | None = None,
) -> list[Figures]:
    """Segment and measure test cases, or read what was measured before.

    The box of the label says where the organ is, as the box that a person draws would. Topology is counted by gudhi.
    Seconds are of the processor, on one core: other work on the machine does not count.
    """
    if path.exists():
        found: list[Figures] = json.loads(path.read_text(encoding="utf-8"))
        return found
    figures = []
    for case in cases:
        volume, label = labelled_case(task, case)
        figures.append({"case": case.name} | one_case(volume, label, prior, network, certify, hybrid))
    path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return figures


def labelled_case(task: Task, case: Case) -> tuple[Volume, NDArray[np.bool_]]:
    """A case's image, and where its object is."""
    volume, label_map = read_case(case)
    assert label_map is not None
    return volume, object_mask(label_map, task.config.objects[0])


def one_case(
    volume: Volume,
    label: NDArray[np.bool_],
    prior: Prior,
    network: TrainedNetwork,
    certify: str,
    hybrid: TrainedNetwork | None = None,
) -> Figures:
    """Segment and measure one image; as `measure`."""
    settings = Settings(certify=certify, device="cpu")  # type: ignore[arg-type]
    box = box_of(label)
    assert box is not None
    site = site_in_box(prior, volume, box)
    begun = process_time()
    result: Any
    if network.deforms:
        result = last(segment_by_network(volume, prior, site, network, settings, hybrid=hybrid))
    else:
        result = last(segment_by_logits(volume, prior, site, network, settings))
    seconds = process_time() - begun
    mask = np.zeros(volume.shape, bool)
    mask[tuple(slice(low, high) for low, high in result.box)] = result.mask
    field = result.displacement.values if isinstance(result, Segmentation) else None
    metrics = evaluate_case(mask, label, volume.spacing, betti_expected=prior.betti, displacement=field)
    folds = result.jacobian.folding if isinstance(result, Segmentation) else None
    return {
        **{name: value for name, value in metrics.as_dict().items() if name not in ("name", "label")},
        "right": betti_by_gudhi(mask) == prior.betti,
        "folds": folds,
        "seconds": seconds,
    }


def one_thread() -> None:
    """Measure on one core: a second thread gains little on such small grids, and the tables' times mean one core."""
    torch.set_num_threads(1)


def mean_and_error(by_seed: Sequence[float], digits: int = 3, scale: float = 1.0) -> str:
    """Mean ± standard error over seeds; the mean alone where there is one."""
    mean = scale * float(np.mean(by_seed))
    if len(by_seed) < 2:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {scale * float(np.std(by_seed, ddof=1)) / len(by_seed) ** 0.5:.{digits}f}"


def short(task: Task, **changes: Any) -> Task:
    """The same task with another optimisation."""
    return replace(task, config=replace(task.config, optimisation=replace(task.config.optimisation, **changes)))
