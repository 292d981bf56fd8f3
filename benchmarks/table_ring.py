"""T1 and T5: the ring of ACDC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from table_tasks import PIXEL_WISE_SYSTEMS, PUBLISHED_SMOOTHNESS, RING_SYSTEMS, SMOOTH_ONLY, ring
from trained_systems import Figures, System, mean_and_error, measure, parameters, test_cases, trained

from napari_toposeg.networks import preset, settings_to_dict

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
    "before certification: Dice", "right %", "folding %", "paper: Dice", "HD", "right %",
)  # fmt: skip

Runs = dict[str, dict[int, list[Figures]]]


def ring_systems(out: Path, console: Console, seeds: Sequence[int] | None) -> tuple[tuple[str, ...], list[list[str]]]:
    """T1: every system, and the hybrid of mlTPSN and U-Net; means over cases, then over seeds."""
    task = ring()
    strict: Runs = {}
    plain: Runs = {}
    size: dict[str, int] = {}
    for seed in seeds or SEEDS:
        networks = {}
        # The two of the hybrid first.
        order = sorted((*PIXEL_WISE_SYSTEMS, *RING_SYSTEMS), key=lambda one: one.name not in ("unet", "mltpsn"))
        for system in order:
            network, prior, folder = trained(task, system, seed, out, console)
            networks[system.name] = network
            size[system.name] = parameters(network)
            cases = test_cases(task, folder)
            for certify, runs in (("report", plain), ("strict", strict)):
                found = measure(task, network, prior, cases, folder / f"{certify}.json", certify=certify)
                runs.setdefault(system.name, {})[seed] = found
            if system.name in ("unet", "mltpsn") and {"unet", "mltpsn"} <= networks.keys():
                path = folder.with_name(f"hybrid-{seed}.json")
                deforming = networks["mltpsn"]
                found = measure(task, deforming, prior, cases, path, certify="strict", hybrid=networks["unet"])
                strict.setdefault("hybrid", {})[seed] = found
                size["hybrid"] = size["unet"] + size["mltpsn"]
    rows = []
    for system in (*PIXEL_WISE_SYSTEMS, *RING_SYSTEMS, System("hybrid", "hybrid: mlTPSN, then U-Net", "")):
        deforms = system.network not in ("unet", "wunet")
        rows.append(
            [
                system.words,
                f"{size[system.name]:,}",
                *columns(strict[system.name], folds=deforms),
                *(columns(plain[system.name], folds=deforms)[i] for i in (1, 3, 4) if system.name in plain),
                *([] if system.name in plain else ["", "", ""]),
                *PAPER.get(system.name, ("", "", "")),
            ]
        )
    return HEADINGS, rows


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
