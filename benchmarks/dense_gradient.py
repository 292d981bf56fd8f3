"""How many iterations the persistent homology loss needs, by where its gradient is put: plain, spread, pooled.

    python benchmarks/persistence_training.py --seeds 0 1 2 3 4 100    # makes the maps
    python benchmarks/dense_gradient.py --choose-settings    # every setting, on the maps of seed 100
    python benchmarks/dense_gradient.py              # the chosen ones on the maps of seeds 0 to 4
    python benchmarks/dense_gradient.py --document   # ... and the tables into docs/results.md

The logits of each map with a wrong topology follow the gradient of `keep` * mean squared change + L_topo (Eq. 5) until
the Betti numbers at .5 are right, for 100 iterations at most. There are three ways of stepping: Adam, which gives each
voxel its own scale; in proportion, a descent with momentum in which the voxel with the largest gradient moves by the
rate; even, in proportion to the root of the gradient, which is between the two. For each gradient that setting was
chosen which needs the fewest iterations on average (100 where a map is not solved) on every other map of seed 100, if
it loses no Dice there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from documented import write_table
from numpy.typing import NDArray
from persistence_training import OUT, REMOVED, SEEDS
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d

from napari_toposeg.data import BETTI, broken_mask
from napari_toposeg.data.broken_masks import whole_mask
from napari_toposeg.evaluation import dice
from napari_toposeg.inference import RefineSettings, refine
from napari_toposeg.losses import PersistenceLoss, spread_gradient
from napari_toposeg.topology import betti_numbers, correct, signed_distance

LIMIT = 100
MAPS_PER_SEED = 20
DEVELOPMENT_SEED = 100
SUREST = 9.2
"""Logits are cut off here: a probability of 1e-4."""

Mask = NDArray[np.bool_]
Steps = Literal["Adam", "in proportion", "even"]


@dataclass(frozen=True, eq=False)
class Map:
    """Logits (*grid) whose mask at 0 has other Betti numbers than `betti`, and the mask that they should give."""

    logits: NDArray[np.float32]
    reference: Mask
    betti: tuple[int, ...]


@dataclass(frozen=True)
class Way:
    """Where the gradient is put, and how it is followed."""

    gradient: str
    steps: Steps
    rate: float
    keep: float

    @property
    def words(self) -> str:
        return f"{self.steps}, {self.rate:g}, {self.keep:g}"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of each map: its iterations (infinite: not solved), Dice before and after, voxels changed."""

    iterations: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    changed: NDArray[np.float64]

    @property
    def cost(self) -> float:
        """Mean iterations; an unsolved map counts as the limit."""
        return float(np.minimum(self.iterations, LIMIT).mean())


def _pooled(p: Tensor) -> Tensor:
    pool = avg_pool2d if p.ndim == 4 else avg_pool3d
    return pool(p, 3, 1, 1, count_include_pad=False)


GRADIENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain (as published)": torch.sigmoid,
    "of the map averaged over 3 voxels": lambda logits: _pooled(torch.sigmoid(logits)),
    "of p, spread, sigma 1": lambda logits: spread_gradient(torch.sigmoid(logits), 1.0),
    "of p, spread, sigma 2": lambda logits: spread_gradient(torch.sigmoid(logits), 2.0),
    "of p, spread, sigma 3": lambda logits: spread_gradient(torch.sigmoid(logits), 3.0),
    "of the logits, spread, sigma 1": lambda logits: torch.sigmoid(spread_gradient(logits, 1.0)),
    "of the logits, spread, sigma 2": lambda logits: torch.sigmoid(spread_gradient(logits, 2.0)),
    "of the logits, spread, sigma 3": lambda logits: torch.sigmoid(spread_gradient(logits, 3.0)),
}
RATES: tuple[tuple[Steps, float], ...] = (
    ("Adam", 0.5), ("Adam", 1.0), ("Adam", 2.0),
    ("in proportion", 2.0), ("in proportion", 4.0),
    ("even", 2.0), ("even", 4.0),
)  # fmt: skip
KEEPS = (10.0, 100.0)
CHOSEN = (
    Way("plain (as published)", "Adam", 1.0, 10.0),
    Way("of the map averaged over 3 voxels", "Adam", 1.0, 10.0),
    Way("of p, spread, sigma 1", "Adam", 1.0, 10.0),
    Way("of p, spread, sigma 2", "Adam", 0.5, 100.0),
    Way("of p, spread, sigma 3", "in proportion", 4.0, 10.0),
    Way("of the logits, spread, sigma 1", "Adam", 1.0, 10.0),
    Way("of the logits, spread, sigma 2", "in proportion", 4.0, 10.0),
    Way("of the logits, spread, sigma 3", "in proportion", 4.0, 10.0),
)
FIRM_RINGS, FIRM_BODIES = range(220, 250), range(220, 224)


def _largest(values: Tensor) -> Tensor:
    """Of each map, to divide by."""
    return values.abs().flatten(1).amax(1).clamp_min(1e-12).view(-1, *[1] * (values.ndim - 1))


def _adam(gradient: Tensor, momentum: Tensor, square: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
    momentum, square = 0.9 * momentum + 0.1 * gradient, 0.999 * square + 0.001 * gradient.square()
    return momentum / (1 - 0.9**number) / ((square / (1 - 0.999**number)).sqrt() + 1e-8), momentum, square


def _in_proportion(gradient: Tensor, momentum: Tensor, square: Tensor, _: int) -> tuple[Tensor, Tensor, Tensor]:
    """`ProportionalSteps` of `toposeg refine`, for each map of a batch on its own."""
    momentum = 0.5 * momentum + gradient / _largest(gradient)
    return momentum, momentum, square


def _even(gradient: Tensor, momentum: Tensor, square: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """As Adam with one scale for all voxels of a map, on the root of the gradient."""
    root = gradient.sign() * gradient.abs().sqrt()
    momentum, square = 0.9 * momentum + 0.1 * root, 0.9 * square + 0.1 * _largest(root).square()
    return momentum / (square / (1 - 0.9**number)).sqrt() / (1 - 0.9**number), momentum, square


STEP = {"Adam": _adam, "in proportion": _in_proportion, "even": _even}


def follow(maps: list[Map], way: Way) -> Outcome:
    """Change the logits of maps of one shape and one target, all at once, each until its topology is right."""
    # In 3-D in a band, as `refine` does: these maps have nothing outside of it.
    loss = PersistenceLoss(maps[0].betti, band=0.0 if len(maps[0].betti) == 2 else 0.01)
    first = torch.from_numpy(np.stack([one.logits for one in maps]))[:, None].clamp(-SUREST, SUREST)
    logits, momentum, square = first.clone(), torch.zeros_like(first), torch.zeros_like(first)
    masks = [one.logits > 0 for one in maps]
    iterations = np.full(len(maps), np.inf)
    left = np.arange(len(maps))
    for number in range(1, LIMIT + 1):
        logits.requires_grad_()
        change = (logits.sigmoid() - first.sigmoid()).square().flatten(1).mean(1)
        (way.keep * change.sum() + loss.terms(GRADIENTS[way.gradient](logits)).sum()).backward()
        gradient, logits = logits.grad, logits.detach()
        assert gradient is not None
        step, momentum, square = STEP[way.steps](gradient, momentum, square, number)
        logits = logits - way.rate * step
        wrong = np.ones(len(left), bool)
        for place, which in enumerate(left):
            masks[which] = logits[place, 0].numpy() > 0
            if betti_numbers(masks[which]) == maps[which].betti:
                wrong[place], iterations[which] = False, number
        kept = torch.from_numpy(wrong)
        first, logits, momentum, square = first[kept], logits[kept], momentum[kept], square[kept]
        left = left[wrong]
        if not len(left):
            break
    return outcome(maps, masks, iterations)


def outcome(maps: list[Map], masks: list[Mask], iterations: NDArray[np.float64]) -> Outcome:
    before = [one.logits > 0 for one in maps]
    return Outcome(
        iterations,
        np.array([dice(mask, one.reference) for mask, one in zip(before, maps, strict=True)]),
        np.array([dice(mask, one.reference) for mask, one in zip(masks, maps, strict=True)]),
        np.array([np.count_nonzero(old != new) for old, new in zip(before, masks, strict=True)], float),
    )


def by_group(maps: list[Map], solve: Callable[[list[Map]], Outcome]) -> Outcome:
    """The outcome on maps of several shapes or targets."""
    groups: dict[tuple[object, ...], list[Map]] = {}
    for one in maps:
        groups.setdefault((one.logits.shape, one.betti), []).append(one)
    found = [solve(group) for group in groups.values()]
    return Outcome(
        *(
            np.concatenate([getattr(one, name) for one in found])
            for name in ("iterations", "before", "after", "changed")
        )
    )


def shipped(objective: Literal["ph", "ph-dense"]) -> Callable[[list[Map]], Outcome]:
    """`toposeg refine` as it is, without the correction that would follow where the loss fails."""

    def solve(maps: list[Map]) -> Outcome:
        settings = RefineSettings(objective=objective, iterations=LIMIT, correct=False)
        masks, iterations = [], []
        for one in maps:
            *_, last = refine(one.logits, one.betti, settings, logits=True, previews=False)
            assert last.result is not None
            masks.append(last.result.mask)
            iterations.append(np.inf if last.result.right_at is None else last.result.right_at)
        return outcome(maps, masks, np.array(iterations, float))

    return solve


def correction(maps: list[Map]) -> Outcome:
    """Homotopic correction of the mask, which knows no iterations: 0 where it succeeds."""
    masks, iterations = [], []
    for one in maps:
        mask = one.logits > 0
        found = correct(mask, one.betti) if mask.any() else None
        masks.append(mask if found is None else found.mask)
        iterations.append(np.inf if found is None else 0.0)
    return outcome(maps, masks, np.array(iterations))


def network_maps(out: Path, seed: int, removed: int) -> list[Map]:
    """The U-Net's outputs on test slices whose topology is wrong."""
    arrays = np.load(out / f"outputs_{seed}_{removed}.npz")
    outputs = zip(arrays["logits"], arrays["walls"], strict=True)
    return [Map(logits, wall, (1, 1)) for logits, wall in outputs if betti_numbers(logits > 0) != (1, 1)]


def _spread(maps: list[Map], most: int) -> list[Map]:
    """At most so many of them, evenly spread."""
    return [maps[one] for one in np.unique(np.linspace(0, len(maps) - 1, most).round().astype(int))] if maps else []


def firm_rings(seeds: range) -> list[Map]:
    """Bent rings of 80x80 with a gap of 8 to 14 voxels and an island of radius 4 to 6, both as sure as a map can be."""
    maps = []
    rows, columns = np.mgrid[:80, :80]
    for seed in seeds:
        random = np.random.default_rng([seed, 80])
        clean = whole_mask("annulus", (80, 80), random)
        middle = np.argwhere(clean).mean(0)
        radius = np.sqrt(((np.argwhere(clean) - middle) ** 2).sum(1)).mean()
        away = np.angle(np.exp(1j * (np.arctan2(rows - middle[0], columns - middle[1]) - random.uniform(0, 2 * np.pi))))
        broken = clean & ~(abs(away) * radius < random.uniform(4, 7))
        size = random.uniform(4, 6)
        places = np.argwhere((ndimage.distance_transform_edt(~clean) > size + 2) & (away**2 > 1))
        place = places[random.integers(len(places))]
        broken |= np.hypot(rows - place[0], columns - place[1]) < size
        if betti_numbers(clean) == (1, 1) != betti_numbers(broken):
            maps.append(Map(_firm(broken, random), clean, (1, 1)))
    return maps


def firm_bodies(seeds: range) -> list[Map]:
    """Balls, tori and shells of 48x48x48 with islands, holes, tunnels, handles and cuts, as sure as a map can be."""
    maps = []
    for kind, seed in product(("ball", "torus", "shell"), seeds):
        case = broken_mask(kind, seed, shape=(48, 48, 48))
        maps.append(Map(_firm(case.mask, np.random.default_rng([seed, 48])), case.clean, BETTI[kind]))
    return maps


def _firm(mask: Mask, random: np.random.Generator) -> NDArray[np.float32]:
    """1.5 times the signed distance up to 4 (p = .98), with a little smooth noise: no two voxels are the same."""
    noise = ndimage.gaussian_filter(random.normal(size=mask.shape), 1.0)
    depth = np.clip(1.5 * signed_distance(mask), -4, 4)
    logits: NDArray[np.float32] = (depth + 0.2 * noise / noise.std()).astype(np.float32)
    return logits


def choose(maps: list[Map], console: Console) -> list[Way]:
    """For each way the setting with the fewest iterations among those that lose no Dice; all of them are printed."""
    chosen = []
    for gradient in GRADIENTS:
        best: tuple[float, Way] | None = None
        for way in [Way(gradient, *one, keep) for one in RATES for keep in KEEPS]:
            found = follow(maps, way)
            console.print(f"{gradient:34} {way.words:18}", *_row(found), f"{found.cost:.2f}", sep="  ", highlight=False)
            if found.after.mean() >= found.before.mean() and (best is None or found.cost < best[0]):
                best = found.cost, way
        if best is not None:
            chosen.append(best[1])
            console.print(f"chosen: {best[1]}", highlight=False)
    return chosen


def _row(found: Outcome) -> list[str]:
    if not len(found.iterations):
        return ["", "", "", ""]
    median = float(np.median(found.iterations))
    solved = int(np.isfinite(found.iterations).sum())
    return [
        f"{solved} of {len(found.iterations)}",
        f"{median:g} ({found.cost:.1f})" if np.isfinite(median) else f"over {LIMIT} ({found.cost:.1f})",
        f"{found.after.mean():.3f}",
        f"{np.median(found.changed):.0f}",
    ]


def tabulate(name: str, groups: dict[str, list[Map]], console: Console, document: bool) -> None:
    """One row a way, four columns a group of maps."""
    headings = ["gradient", "steps, rate, keep"]
    for words in groups:
        headings += [f"{words}: solved", "iterations: median (mean)", "Dice", "voxels changed"]
    rows = [["the map as it came", ""]]
    for maps in groups.values():
        rows[0] += [
            f"0 of {len(maps)}",
            "",
            f"{np.mean([dice(one.logits > 0, one.reference) for one in maps]):.3f}",
            "",
        ]
    ways: list[tuple[str, str, Callable[[list[Map]], Outcome]]] = [
        (way.gradient, way.words, partial(follow, way=way)) for way in CHOSEN
    ]
    ways += [(f"`toposeg refine --objective {one}`", "as shipped", shipped(one)) for one in ("ph", "ph-dense")]
    ways += [("none: homotopic correction", "", correction)]
    for words, settings, solve in ways:
        row = [words, settings]
        for maps in groups.values():
            found = _row(by_group(maps, solve))
            row += found if solve is not correction else [found[0], "", *found[2:]]
        rows.append(row)
        console.print(*row, sep=" | ", highlight=False)
    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if document:
        write_table(name, headings, rows)


def main(out: Path = OUT, choose_settings: bool = False, document: bool = False) -> None:
    """Count the iterations of each way and print the tables.

    Parameters
    ----------
    out
        Folder that persistence_training.py has written.
    choose_settings
        Try every setting on the maps of seed 100 instead.
    document
        Put the tables into docs/results.md.
    """
    console = Console(width=220)
    torch.set_num_threads(1)
    if choose_settings:
        choose([one for removed in REMOVED for one in network_maps(out, DEVELOPMENT_SEED, removed)[::2]], console)
        return
    tabulate(
        "dense-gradient",
        {
            f"U-Net, m = {removed}": [
                one for seed in SEEDS for one in _spread(network_maps(out, seed, removed), MAPS_PER_SEED)
            ]
            for removed in REMOVED
        },
        console,
        document,
    )
    tabulate(
        "dense-gradient-firm",
        {"rings": firm_rings(FIRM_RINGS), "3-D bodies": firm_bodies(FIRM_BODIES)},
        console,
        document,
    )


if __name__ == "__main__":
    tyro.cli(main)
