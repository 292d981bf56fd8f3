"""`toposeg evaluate`: how good predictions are, and which of two methods is better."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from napari_toposeg.cli.arguments import check_outputs, choose_prior
from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from napari_toposeg.evaluation import Evaluation

_ENDINGS = (".json", ".csv", ".md")


def evaluate(
    predictions: Annotated[Positional[str], arg(metavar="PREDICTIONS[:LABEL]")],
    labels: Annotated[Positional[str], arg(metavar="LABELS[:LABEL]")],
    *,
    against: Annotated[str | None, arg(metavar="PREDICTIONS[:LABEL]", help_behavior_hint="")] = None,
    label: Annotated[str | None, arg(metavar="N|all", help_behavior_hint="(default: all but 0 as one)")] = None,
    prior: Annotated[str | None, arg(metavar="NAME|FILE", help_behavior_hint="(default: as the label)")] = None,
    connectivity: Annotated[int | None, arg(metavar="26|6|8|4", help_behavior_hint="(default: 26, in 2-D 8)")] = None,
    prediction_suffix: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = "",
    label_suffix: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = "",
    output: Annotated[Path | None, arg(aliases=("-o",), metavar="FILE", help_behavior_hint="")] = None,
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
    csv: Annotated[bool, arg(help_behavior_hint="")] = False,
    markdown: Annotated[bool, arg(help_behavior_hint="")] = False,
    quiet: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Measure predictions against labels: overlap, surfaces in mm, volume, topology, and folding of the fields.

    Two files are one case. In two folders files belong together that have the same name but for the ending. A
    displacement field NAME_field.nii.gz beside the prediction NAME is measured, too.

    Parameters
    ----------
    predictions
        A mask, or a folder of masks: NIfTI or pictures.
    labels
        What they should be: a mask or a folder, likewise.
    against
        Another method's predictions for the same cases: which one is better, by Wilcoxon's paired test.
    label
        Which label is meant in both; `all` is each for itself. DIR:LABEL says it for one of the two.
    prior
        Whose Betti numbers are right: a name that `toposeg priors` lists, a mask file, or a folder of masks.
    connectivity
        Of the foreground. Whether the topology is right is counted with the other one of its kind as well.
    prediction_suffix
        What the predictions' names have behind that of the case: _pred. The other method's, too.
    label_suffix
        What the labels' names have behind it: _segmentation.
    output
        Where the figures go: .json has all, .csv a row for each case, .md the table.
    json
        Print all figures to standard output as JSON instead of a table.
    csv
        Print a row for each case instead.
    markdown
        Print the table in Markdown instead.
    quiet
        Show neither progress nor table.
    """
    from napari_toposeg.formats import split_label

    printed = [name for name, wanted in (("--json", json), ("--csv", csv), ("--markdown", markdown)) if wanted]
    if len(printed) > 1:
        raise ToposegError(
            f"{' and '.join(printed)} exclude each other.",
            why="Each of them is what goes to standard output.",
            todo="Leave all but one of them out; -o FILE writes another kind to a file.",
        )
    folder, reference_label = split_label(labels)
    sources = [split_label(text) for text in (predictions, against) if text is not None]
    chosen = _chosen_label(label, [reference_label, *(number for _, number in sources)])
    check_outputs([(output, _ENDINGS)], [folder, *(place for place, _ in sources), prior])

    from napari_toposeg.cli.running import compile_once, run
    from napari_toposeg.cli.show_evaluation import show_evaluation
    from napari_toposeg.evaluation import (
        Method,
        check_same_cases,
        evaluate_files,
        labels_in,
        match_files,
        tabulate,
        unit_of,
    )
    from napari_toposeg.formats import read_volume, replacing

    suffixes = {"prediction_suffix": prediction_suffix, "label_suffix": label_suffix}
    matched = [match_files(Path(place), Path(folder), **suffixes) for place, _ in sources]
    if len(matched) == 2:
        check_same_cases(*matched)
    wanted_prior = (
        None if prior is None else choose_prior(prior, read_volume(matched[0].cases[0].label).ndim, of="label")
    )
    compile_once(quiet=quiet)
    wanted: tuple[int | None, ...] = (reference_label if chosen is None else chosen,) if chosen != "all" else ()
    if chosen == "all":
        wanted = labels_in([case for one in matched for case in one.cases])
    methods = []
    for name, (_, number), one in zip(_names([place for place, _ in sources]), sources, matched, strict=True):
        # --label is for both; without it, what stands behind the predictions' own name.
        stands: int | Literal["same"] | None = "same" if chosen is not None else number
        steps = evaluate_files(
            one.cases,
            labels=wanted,
            prediction_label=stands,
            betti_expected=None if wanted_prior is None else wanted_prior.betti,
            connectivity=connectivity,
        )
        methods.append(Method(name, run(steps, quiet=quiet)))
    found = tabulate(
        methods,
        unit=unit_of(matched[0].cases),
        prior=None if wanted_prior is None else wanted_prior.name,
        labels_without_prediction=matched[0].labels_without_prediction,
    )
    if output is not None:
        with replacing(output) as part:
            part.write_text(_text(found, output.suffix.lower()), encoding="utf-8")
    if printed:
        sys.stdout.write(_text(found, {"--json": ".json", "--csv": ".csv", "--markdown": ".md"}[printed[0]]))
    elif not quiet:
        show_evaluation(found, output)
    return 0


def _chosen_label(text: str | None, given: Sequence[int | None]) -> int | Literal["all"] | None:
    """The label that --label names; refused where one behind a file's or folder's name says it, too."""
    if text is None:
        return None
    if text != "all" and not re.fullmatch(r"-?\d+", text):
        raise ToposegError(
            f"--label {text} cannot be read.", why="A label is a whole number.", todo="Give a number, or `all`."
        )
    if any(number is not None for number in given):
        raise ToposegError(
            "Labels are given twice: by --label and behind a name.",
            todo="Leave out --label, or what is behind the name.",
        )
    return "all" if text == "all" else int(text)


def _names(places: Sequence[str]) -> list[str]:
    """What to call the methods: the last part of their paths where that tells them apart."""
    from napari_toposeg.formats import split_ending

    short = [split_ending(Path(place).resolve())[0] for place in places]
    return short if len(set(short)) == len(short) else list(places)


def _text(found: Evaluation, ending: str) -> str:
    from napari_toposeg.evaluation import csv_text, facts, markdown_text
    from napari_toposeg.formats import report_text

    if ending == ".json":
        return report_text(facts(found))
    return csv_text(found) if ending == ".csv" else markdown_text(found)
