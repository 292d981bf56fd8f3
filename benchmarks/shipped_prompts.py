"""A simulated user who clicks into the largest error of a network's mask, and looks at what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from halves import Subject
from oracle import betti_by_gudhi
from shipped_runs import site_of, way

from napari_toposeg.evaluation import dice
from napari_toposeg.evaluation.simulated_user import next_prompt
from napari_toposeg.inference import Prompts, Settings, TrainedNetwork, segment_by_network
from napari_toposeg.priors import Prior
from napari_toposeg.steps import last

POINTS = 3
HEADINGS = (
    "object", "cases", "what", "points", "Dice, median", "Dice", "gain, median", "gain", "better", "points kept",
    "right topology", "without folds", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Clicked:
    """What came of a subject after so many clicks."""

    task: str
    name: str
    way: str
    points: int
    dice: float
    satisfied: int
    right: bool
    folds: int
    seconds: float


def clicked(subject: Subject, prior: Prior, network: TrainedNetwork, settings: Settings) -> list[Clicked]:
    """Click `POINTS` times; one more than that many results, fewer where nothing is wrong any more."""
    prompts: Prompts = ()
    found: list[Clicked] = []
    site = site_of(subject, prior)
    while True:
        begun = perf_counter()
        result = last(segment_by_network(subject.volume, prior, site, network, settings, prompts=prompts))
        seconds = perf_counter() - begun
        mask = result.full_mask()
        kept = sum(bool(mask[prompt.voxel]) == prompt.include for prompt in prompts)
        right, folds = betti_by_gudhi(mask) == prior.betti, result.jacobian.folding
        overlap = dice(mask, subject.label)
        words = way(subject, prior, settings)
        found.append(Clicked(subject.task, subject.name, words, len(prompts), overlap, kept, right, folds, seconds))
        prompt = next_prompt(mask, subject.label, [float(step) for step in subject.volume.spacing])
        if len(prompts) == POINTS or prompt is None:
            return found
        prompts = (*prompts, prompt)


def prompt_rows(found: Sequence[Sequence[Clicked]]) -> list[list[str]]:
    """A row for each task and number of points; who had nothing left to click at stays as he was."""
    rows = []
    for task in dict.fromkeys(clicks[0].task for clicks in found):
        chosen = [clicks for clicks in found if clicks[0].task == task]
        before = np.array([clicks[0].dice for clicks in chosen])
        for points in range(POINTS + 1):
            now = [clicks[min(points, len(clicks) - 1)] for clicks in chosen]
            dices = np.array([one.dice for one in now])
            gain = dices - before
            rows.append(
                [
                    task,
                    str(len(now)),
                    now[0].way,
                    str(points),
                    f"{np.median(dices):.3f}",
                    f"{dices.mean():.3f} ± {dices.std():.3f}",
                    f"{np.median(gain):+.3f}" if points else "",
                    f"{gain.mean():+.3f}" if points else "",
                    f"{(gain > 0).sum()} of {len(now)}" if points else "",
                    f"{sum(one.satisfied for one in now)} of {sum(one.points for one in now)}" if points else "",
                    f"{sum(one.right for one in now)} of {len(now)}",
                    f"{sum(one.folds == 0 for one in now)} of {len(now)}",
                    f"{np.median([one.seconds for one in now]):.2f}",
                ]
            )
    return rows
