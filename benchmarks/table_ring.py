"""T1 and T5: the ring of ACDC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from table_tasks import (
    DEFORMING,
    PIXEL_WISE_SYSTEMS,
    PUBLISHED_SMOOTHNESS,
    RING_LENGTH,
    RING_SYSTEMS,
    SMOOTH_ONLY,
    WIDE,
    ring,
)
from trained_systems import Figures, System, Task, mean_and_error, measure, parameters, test_cases, trained

from napari_toposeg.formats import read_prior
from napari_toposeg.inference import TrainedNetwork
from napari_toposeg.inference.weights import default_weights, read_card
from napari_toposeg.networks import preset, settings_to_dict
from napari_toposeg.priors import find_prior
from napari_toposeg.training import LossWeights

SEEDS = (0, 1, 2)

# Zhang and Lui, Tab. III (Dice in %, HD, Betti error) and Wyburd et al., Tab. 1 (Dice, HD, wrong topologies).
PAPER = {
    "unet": ("84.3; .87", "2.46; 5.25", "90"),
    "wunet": ("86.1", "2.26", ""),
    "voxelmorph": ("-; .79", "-; 3.0", "94"),
    "tetris": ("80.3", "3.54", ""),
    "tedsnet": ("81.5; .86", "3.47; 2.76", "100"),
    "tpsn": ("82.8", "2.37", ""),
    "mltpsn": ("85.2", "2.04", ""),
}
HEADINGS = (
    "system", "parameters", "CPU ms an image", "Dice", "HD, pixels", "right topology %", "folding images %",
    "before certification: Dice", "HD", "right %", "folding %", "paper: Dice", "HD", "right %",
)  # fmt: skip

Runs = dict[str, dict[int, list[Figures]]]

AGAIN = tuple(system for system in (*PIXEL_WISE_SYSTEMS, *RING_SYSTEMS) if system.name in ("unet", "mltpsn"))
"""Systems that are also trained for as long again: a deformation takes longer to learn than a mask."""

HYBRIDS = {"hybrid": ("mltpsn", "unet"), "hybrid-again": ("mltpsn-again", "unet-again")}


def from_shipped(name: str = "mltpsn-shipped", words: str = "mlTPSN, from the shipped weights") -> System:
    """An mlTPSN that has learnt to deform a ring on synthetic images before it sees the first real one."""
    prior = find_prior("annulus")
    assert prior is not None
    shipped = default_weights(prior)
    assert shipped is not None
    return System(name, words, "mltpsn", WIDE, changes={**DEFORMING, "fill_first": 0.0, "start": str(shipped.path)})


def second_cycle(system: System, first: Path) -> System:
    """A system trained for as many epochs again, from its weights, along a second cosine from 1e-3."""
    changes = {"start": str(first), "optimisation": RING_LENGTH}
    words = f"{system.words}, trained as long again"
    return System(f"{system.name}-again", words, system.network, system.settings, system.weights, changes)


def ring_systems(out: Path, console: Console, seeds: Sequence[int] | None) -> tuple[tuple[str, ...], list[list[str]]]:
    """T1: every system, and the hybrid of mlTPSN and U-Net; means over cases, then over seeds."""
    task = ring()
    shipped = from_shipped()
    gathered = _Gathered({}, {}, {})
    for seed in seeds or SEEDS:
        networks: dict[str, TrainedNetwork] = {}
        files: dict[str, Path] = {}
        for system in (*PIXEL_WISE_SYSTEMS, *RING_SYSTEMS):
            networks[system.name], files[system.name] = _run(task, system, seed, out, console, gathered)
        networks[shipped.name], files[shipped.name] = _run(task, shipped, seed, out, console, gathered)
        for first in (*AGAIN, shipped):
            system = second_cycle(first, files[first.name])
            networks[system.name], files[system.name] = _run(task, system, seed, out, console, gathered)
        for hybrid, (deforming, pixel_wise) in HYBRIDS.items():
            folder = files[deforming].parent
            gathered.strict.setdefault(hybrid, {})[seed] = measure(
                task,
                networks[deforming],
                read_prior(task.config.objects[0].prior),
                test_cases(task, folder),
                folder.with_name(f"{hybrid}-{seed}.json"),
                certify="strict",
                hybrid=networks[pixel_wise],
            )
            gathered.parameters[hybrid] = gathered.parameters[deforming] + gathered.parameters[pixel_wise]
    again = [second_cycle(system, Path()) for system in (*AGAIN, shipped)]
    hybrids = [
        System("hybrid", "hybrid: mlTPSN, then U-Net", "hybrid"),
        System("hybrid-again", "hybrid of the last two", "hybrid"),
    ]
    rows = []
    for system in (*PIXEL_WISE_SYSTEMS, *RING_SYSTEMS, hybrids[0], *again[:2], hybrids[1], shipped, again[2]):
        deforms = system.network not in ("unet", "wunet")
        before = columns(gathered.plain[system.name], folds=deforms) if system.name in gathered.plain else [""] * 5
        rows.append(
            [
                system.words,
                f"{gathered.parameters[system.name]:,}",
                *columns(gathered.strict[system.name], folds=deforms),
                *before[1:],
                *PAPER.get(system.name, ("", "", "")),
            ]
        )
    return HEADINGS, rows


@dataclass(frozen=True)
class _Gathered:
    """Figures by system and seed, certified and before, and parameters by system."""

    strict: Runs
    plain: Runs
    parameters: dict[str, int]


def _run(
    task: Task, system: System, seed: int, out: Path, console: Console, gathered: _Gathered
) -> tuple[TrainedNetwork, Path]:
    """Train and measure one system; what it came to is added, the network and its file are given back."""
    network, prior, folder = trained(task, system, seed, out, console)
    gathered.parameters[system.name] = parameters(network)
    cases = test_cases(task, folder)
    for certify, runs in (("report", gathered.plain), ("strict", gathered.strict)):
        found = measure(task, network, prior, cases, folder / f"{certify}.json", certify=certify)
        runs.setdefault(system.name, {})[seed] = found
    return network, folder / f"{folder.name}.safetensors"


def columns(runs: dict[int, list[Figures]], *, folds: bool) -> list[str]:
    """CPU ms, Dice, HD, share of right topologies and of images with a fold: mean ± standard error over the seeds."""

    def over_seeds(what: str) -> list[float]:
        return [float(np.mean([one[what] for one in figures])) for figures in runs.values()]

    folding = [float(np.mean([bool(one["folds"]) for one in figures])) for figures in runs.values()]
    return [
        mean_and_error(over_seeds("seconds"), 0, 1000.0),
        mean_and_error(over_seeds("dice")),
        mean_and_error(over_seeds("hausdorff"), 2),
        mean_and_error(over_seeds("right"), 1, 100.0),
        mean_and_error(folding, 1, 100.0) if folds else "",
    ]


ABLATIONS = {
    "tedsnet-published": ("as published", (".86 ± .12", "2.76 ± 2.13", "100")),
    "tedsnet-a1": ("A1: no smoothing, gradient term, super-upsampling", (".82 ± .19", "4.26 ± 5.76", "83")),
    "tedsnet-a2": ("A2: no smoothing", (".86 ± .13", "3.73 ± 8.34", "97")),
    "tedsnet-a3": ("A3: no gradient term", (".85 ± .14", "2.77 ± 2.01", "65")),
    "tedsnet-a4": ("A4: no super-upsampling", (".85 ± .11", "2.89 ± 1.61", "100")),
    "tedsnet-a5": ("A5: bulk branch alone", (".77 ± .15", "3.86 ± 3.50", "100")),
    "tedsnet-a6": ("A6: fine-tuning branch alone", (".85 ± .14", "3.01 ± 2.16", "100")),
}
ABLATION_HEADINGS = (
    "TEDS-Net", "Dice", "HD, pixels", "right topology %", "folding cells %",
    "certified: Dice", "right %", "paper: Dice", "HD", "right %",
)  # fmt: skip


def tedsnet_ablations(
    out: Path, console: Console, seeds: Sequence[int] | None
) -> tuple[tuple[str, ...], list[list[str]]]:
    """T5: TEDS-Net as published, its ablations A1 to A6, and our defaults; one seed."""
    task = ring()
    rows = []
    for name, (words, paper) in ABLATIONS.items():
        published = preset(name, 2)
        settings = settings_to_dict(published.settings)
        weights = PUBLISHED_SMOOTHNESS if published.gradient_weight else replace(PUBLISHED_SMOOTHNESS, gradient=0.0)
        system = System(name, words, "tedsnet", settings, weights, {"fill_first": 0.3})
        rows.append(_ablation(system, paper, out, console, seeds, task))
    ours = System("tedsnet-ours", "our defaults", "tedsnet", weights=SMOOTH_ONLY, changes={"fill_first": 0.3})
    rows.append(_ablation(ours, ("", "", ""), out, console, seeds, task))
    return ABLATION_HEADINGS, rows


def _ablation(
    system: System, paper: tuple[str, str, str], out: Path, console: Console, seeds: Sequence[int] | None, task: Any
) -> list[str]:
    plain, strict = {}, {}
    for seed in seeds or SEEDS[:1]:
        network, prior, folder = trained(task, system, seed, out, console)
        cases = test_cases(task, folder)
        plain[seed] = measure(task, network, prior, cases, folder / "report.json", certify="report")
        strict[seed] = measure(task, network, prior, cases, folder / "strict.json", certify="strict")
    before, after = columns(plain, folds=True), columns(strict, folds=True)
    cells = [float(np.mean([one["folding_share"] for one in figures])) for figures in plain.values()]
    return [system.words, before[1], before[2], before[3], mean_and_error(cells, 3, 100.0), after[1], after[3], *paper]


DEVELOPMENT_SEED = 100
TRIED = (
    System("base", "mlTPSN", "mltpsn", WIDE, changes=DEFORMING),
    System("h05", "with the Hausdorff term, .05", "mltpsn", WIDE, LossWeights(hausdorff=0.05), DEFORMING),
    System("h5", "with the Hausdorff term, .5", "mltpsn", WIDE, LossWeights(hausdorff=0.5), DEFORMING),
    System("pose", "with a pose before the levels", "mltpsn", {**WIDE, "pose": True}, changes=DEFORMING),
    System("full", "velocities at full resolution", "mltpsn", {**WIDE, "halvings": 0}, changes=DEFORMING),
    from_shipped("start", "from the shipped weights"),
)
TRIED_HEADINGS = ("mlTPSN", "parameters", "Dice", "HD95, pixels", "right topology %", "folding cells %")


def ring_tried(out: Path, console: Console, seeds: Sequence[int] | None) -> tuple[tuple[str, ...], list[list[str]]]:
    """What was tried for the mlTPSN: the validation slices of the development seed, before certification."""
    rows = []
    for system in TRIED:
        for seed in seeds or (DEVELOPMENT_SEED,):
            network, _, folder = trained(ring(), system, seed, out, console)
            scores = read_card(folder / f"{folder.name}.safetensors").metrics
            told = [scores[f"validation {name}"] for name in ("dice", "hd95", "right_topology", "folding")]
            shown = [f"{told[0]:.3f}", f"{told[1]:.2f}", f"{100 * told[2]:.1f}", f"{100 * told[3]:.4f}"]
            rows.append([system.words, f"{parameters(network):,}", *shown])
    return TRIED_HEADINGS, rows
