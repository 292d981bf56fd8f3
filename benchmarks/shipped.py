"""The networks that come with the package, on real images: none of them was trained on any.

    python benchmarks/shipped.py choosing                       # the half on which things may be chosen
    python benchmarks/shipped.py reported aside others prompts sloppy --document --pictures
    python benchmarks/shipped.py choosing --weights ball=FILE --weights annulus=FILE --refine chan-vese

`halves.py` says which images these are. The label's box is what a person is taken to draw, and what may be looked at
reaches 4 mm, or a tenth, beyond it. Topology is counted by gudhi. Seconds are from the volume to the certified mask, in
one process, after everything has run once; the fit's are kept in .benchmarks/ with its figures (`--again`: anew).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Literal

import numpy as np
import tyro
from documented import write_table
from halves import Part, Subject, subjects
from rich.console import Console
from rich.table import Table
from shipped_pictures import draw_worst
from shipped_prompts import HEADINGS as PROMPT_HEADINGS
from shipped_prompts import Clicked, clicked, prompt_rows
from shipped_runs import Measured, fitted, networks, placed, predicted, prior_asked, refined, shown

from napari_toposeg.evaluation import compare
from napari_toposeg.inference import Settings, TrainedNetwork, warm_up
from napari_toposeg.priors import Prior

HEADINGS = (
    "object", "prior", "cases", "what", "Dice, median", "Dice", "Dice, worst tenth", "HD95, median", "right topology",
    "without folds", "seconds", "CPU s", "better than the fit", "p",
)  # fmt: skip
SLOPPY_HEADINGS = (
    "object", "box larger by", "what", "Dice, median", "Dice", "Dice, worst tenth", "right topology", "without folds",
)  # fmt: skip
SLOPPY = (0.0, 0.1, 0.2)
"""By how much of its side the drawn box is larger than the label's, at either end."""

FEWEST = 6
"""Of fewer cases no paired test can be below .05."""

TOGETHER = {"spleen, kidneys, vertebrae": ("spleen", "kidneys", "vertebrae")}
What = Literal["choosing", "reported", "aside", "others", "prompts", "sloppy"]


class Bench:
    """The networks, how they are asked, and where it is said.

    Parameters
    ----------
    known : mapping of str to TrainedNetwork
        By prior.
    refine : bool
        Whether the networks' results are refined too, apart.
    console : Console
    """

    def __init__(self, known: dict[str, TrainedNetwork], refine: bool, console: Console) -> None:
        self.known = known
        self.console = console
        plain = Settings(device="cpu")
        self.ways = (plain, refined(plain)) if refine else (plain,)
        self._warm: set[str] = set()

    def by_network(self, subject: Subject, larger: float = 0.0) -> list[Measured]:
        """The template as the network is shown it, and what the network says in each way; nothing without a network."""
        prior = self._asked(subject)
        if prior is None:
            return []
        network = self.known[prior.name]
        runs = [predicted(subject, prior, network, settings, larger) for settings in self.ways]
        return [shown(subject, prior, runs[0][1]), *(measured for measured, _ in runs)]

    def by_clicks(self, subject: Subject) -> list[Clicked]:
        """What 0, 1, ... clicks of a simulated user make of the network's mask; nothing without a network."""
        prior = self._asked(subject)
        if prior is None:
            return []
        found = clicked(subject, prior, self.known[prior.name], self.ways[-1])
        dices = " ".join(f"{one.dice:.3f}" for one in found)
        self.console.print(f"{subject.task:11} {subject.name:18} {dices}", highlight=False)
        return found

    def _asked(self, subject: Subject) -> Prior | None:
        """The prior of the network that is asked about a subject, which has run once then."""
        prior = prior_asked(subject, self.known)
        if prior is not None and prior.name not in self._warm:
            for settings in self.ways:
                predicted(subject, prior, self.known[prior.name], settings)
            self._warm.add(prior.name)
        return prior

    def say(self, measured: Sequence[Measured]) -> None:
        """One line of a case."""
        for one in measured:
            figures = f"Dice {one.metrics.dice:.3f}  HD95 {one.metrics.hausdorff_95:5.1f}"
            ran = f"{'right' if one.right else 'WRONG'}  folds {one.folds}  {one.seconds:.2f} s" if one.seconds else ""
            self.console.print(f"{one.task:11} {one.name:18} {one.method:42} {figures}  {ran}", highlight=False)


def statistics(found: Sequence[Measured]) -> list[str]:
    dices = [one.metrics.dice for one in found]
    return [
        f"{np.median(dices):.3f}",
        f"{np.mean(dices):.3f} ± {np.std(dices):.3f}",
        f"{np.quantile(dices, 0.1):.3f}",
    ]


def summary(found: Sequence[Measured], fits: Sequence[Measured], prior: str, task: str) -> list[str]:
    """One row of a table: one way over the cases of a task."""
    ran = any(one.seconds for one in found)
    row = [task, prior, str(len(found)), found[0].method, *statistics(found)]
    row.append(f"{np.median([one.metrics.hausdorff_95 for one in found]):.1f}")
    if not ran:
        return [*row, "", "", "", "", "", ""]
    row += [
        f"{sum(one.right for one in found)} of {len(found)}",
        f"{sum(one.folds == 0 for one in found)} of {len(found)}",
        f"{np.median([one.seconds for one in found]):.2f}",
        f"{np.median([one.processor for one in found]):.2f}",
    ]
    if found[0].method == fits[0].method:
        return [*row, "", ""]
    (dice,) = (
        difference
        for difference in compare([one.metrics for one in found], [one.metrics for one in fits])
        if difference.metric == "dice"
    )
    better = f"{dice.first_better} of {len(found)} ({dice.median:+.3f})"
    return [*row, better, f"{dice.p:.1g}" if len(found) >= FEWEST else "too few"]


def grouped(measured: Sequence[Measured]) -> list[tuple[str, list[Measured]]]:
    """By task and way, in the order in which they came; tasks that stand together once more."""
    ways = list(dict.fromkeys(one.method for one in measured))
    tasks: dict[str, tuple[str, ...]] = {task: (task,) for task in dict.fromkeys(one.task for one in measured)}
    for name, members in TOGETHER.items():
        if set(members) & set(tasks):
            tasks[name] = members
    groups = [(name, [one for one in measured if one.task in tasks[name] and one.method == way])
              for name in tasks for way in ways]  # fmt: skip
    return [(name, group) for name, group in groups if group]


def rows_of(measured: Sequence[Measured], priors: dict[str, str]) -> list[list[str]]:
    """A table of everything that was measured of a part."""
    rows = []
    groups = grouped(measured)
    for name, group in groups:
        fits = next(other for task, other in groups if task == name and other[0].method == "Chan-Vese fit")
        rows.append(summary(group, fits, priors[group[0].task], name))
    return rows


def sloppy_rows(bench: Bench, chosen: Sequence[Subject]) -> list[list[str]]:
    """What larger boxes cost."""
    rows = []
    for larger in SLOPPY:
        measured = [one for subject in chosen for one in (placed(subject, larger), *bench.by_network(subject, larger))]
        rows += [
            [name, f"{100 * larger:.0f} %", group[0].method, *statistics(group), *_right(group)]
            for name, group in grouped(measured)
        ]
    return sorted(rows, key=lambda row: list(dict.fromkeys(row[0] for row in rows)).index(row[0]))


def _right(group: Sequence[Measured]) -> list[str]:
    if not any(one.seconds for one in group):
        return ["", ""]
    return [
        f"{sum(one.right for one in group)} of {len(group)}",
        f"{sum(one.folds == 0 for one in group)} of {len(group)}",
    ]


def main(
    what: tyro.conf.Positional[tuple[What, ...]],
    weights: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    refine: Literal["none", "chan-vese"] = "none",
    on: Literal["choosing", "reported", "aside"] = "reported",
    drawn_larger: float = 0.0,
    only: tuple[str, ...] = (),
    most: int = 0,
    again: bool = False,
    pictures: bool = False,
    document: bool = False,
) -> None:
    """Measure the shipped networks on real images.

    Parameters
    ----------
    what
        Parts of the images, and two experiments: prompts (a simulated user clicks into the largest errors) and sloppy
        (boxes that are drawn too large).
    weights
        PRIOR=FILE instead of the shipped weights.
    refine
        Also measure the networks' masks with a few steps of Chan-Vese after them; prompts are then given to these.
    on
        The images of the two experiments.
    drawn_larger
        By how much of its side, at either end, the drawn box is larger than the label's.
    only
        These tasks alone: hippocampi, rings, lesions, spleen, kidneys, vertebrae, cord.
    most
        So many cases of each task, evenly spread; 0: all.
    again
        Fit anew what was fitted before.
    pictures
        Draw the five worst of each task into .benchmarks/shipped; with `document` their outlines into docs/pictures.
    document
        Put the tables into docs/results.md.
    """
    if document and (weights or only or most or drawn_larger or on != "reported"):
        raise SystemExit("What is documented is of the shipped weights, of all reported cases, in the label's box.")
    console = Console(width=220)
    warm_up()
    bench = Bench(networks(weights), refine != "none", console)
    for prior, network in bench.known.items():
        console.print(f"{prior}: {network.weights} {network.sha256[:12]}", highlight=False)
    headings: tuple[str, ...]
    for one in what:
        if one == "prompts":
            done = [bench.by_clicks(subject) for subject in subjects(on, most, only)]
            headings, rows = PROMPT_HEADINGS, prompt_rows([clicks for clicks in done if clicks])
        elif one == "sloppy":
            headings, rows = SLOPPY_HEADINGS, sloppy_rows(bench, list(subjects(on, most, only)))
        else:
            headings, rows = (
                HEADINGS,
                measured_rows(bench, one, subjects(one, most, only), drawn_larger, again, pictures, document),
            )
        table = Table(*headings, title=one)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        if document and one != "choosing":
            write_table(f"shipped-{one}", headings, rows)


def measured_rows(
    bench: Bench, part: Part, chosen: Iterable[Subject], larger: float, again: bool, pictures: bool, document: bool
) -> list[list[str]]:
    """Measure a part in every way."""
    measured: list[Measured] = []
    priors: dict[str, str] = {}
    kept: dict[tuple[str, str], Subject] = {}
    for subject in chosen:
        found = [placed(subject, larger), fitted(subject, larger, again=again), *bench.by_network(subject, larger)]
        bench.say(found)
        # Masks are kept for pictures alone.
        measured += found if pictures else [replace(one, mask=None) for one in found]
        priors[subject.task] = subject.prior
        if pictures:
            kept[subject.task, subject.name] = subject
    if pictures:
        alone = {task: (task,) for task in priors if task not in chain(*TOGETHER.values())}
        for name, tasks in (alone | TOGETHER).items():
            drawn = [one for one in measured if one.task in tasks]
            if drawn:
                draw_worst(f"{part}-{name.replace(', ', '-')}", drawn, kept, document=document)
    return rows_of(measured, priors)


if __name__ == "__main__":
    tyro.cli(main)
