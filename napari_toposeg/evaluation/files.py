"""Predictions and labels on disk: which belong together, and all of them measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError, listed
from napari_toposeg.evaluation.case import CaseMetrics, evaluate_case
from napari_toposeg.evaluation.comparison import check_same_names
from napari_toposeg.formats import (
    PICTURE_ENDINGS,
    files_by_name,
    on_grid_of,
    read_displacement,
    read_mask,
    read_volume,
    split_ending,
)
from napari_toposeg.steps import Step, Steps
from napari_toposeg.volume import Volume

FIELD, JACOBIAN = "_field", "_jacobian"
"""What the name of a prediction's displacement field, or Jacobian map, has behind the name of the case."""


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case.

    Attributes
    ----------
    name : str
        What both files are called, without ending and suffix.
    prediction, label : Path
    field : Path or None
        The displacement that made the prediction: ``NAME_field.nii.gz`` beside it, where there is one.
    """

    name: str
    prediction: Path
    label: Path
    field: Path | None


@dataclass(frozen=True)
class MatchedFiles:
    """Predictions with their labels.

    Attributes
    ----------
    cases : tuple of CaseFiles
        By name.
    labels_without_prediction : tuple of str
        Cases that are not evaluated since nothing was predicted for them.
    """

    cases: tuple[CaseFiles, ...]
    labels_without_prediction: tuple[str, ...]


def match_files(
    predictions: Path, labels: Path, *, prediction_suffix: str = "", label_suffix: str = ""
) -> MatchedFiles:
    """Find out which prediction belongs to which label.

    Parameters
    ----------
    predictions, labels : Path
        Two files, which then belong together; or two folders, whose files belong together where they have the same name
        but for the ending.
    prediction_suffix, label_suffix : str
        What names have behind that of the case ("_segmentation"). Files without it are not looked at.

    Returns
    -------
    MatchedFiles

    Raises
    ------
    ToposegError
        If there is nothing, one is a folder and the other a file, a prediction has no label, or two files are the same
        case.
    """
    for path in (predictions, labels):
        if not path.exists():
            raise ToposegError(f"There is no file or folder {path}.", todo="Check the name and where it is.")
    if predictions.is_dir() != labels.is_dir():
        folder, file = (predictions, labels) if predictions.is_dir() else (labels, predictions)
        raise ToposegError(
            f"{folder} is a folder and {file} a file.",
            why="Either two files are compared, or the files of two folders that have the same names.",
            todo="Give two files or two folders.",
        )
    if predictions.is_file():
        name = split_ending(predictions)[0].removesuffix(prediction_suffix)
        return MatchedFiles((_case(name, predictions, labels),), ())
    found, expected = files_by_name(predictions, suffix=prediction_suffix), files_by_name(labels, suffix=label_suffix)
    # What `toposeg segment` wrote beside a prediction is no prediction.
    beside = {name + ending for name in found for ending in (FIELD, JACOBIAN)}
    found = {name: file for name, file in found.items() if name not in beside}
    lone = sorted(found.keys() - expected.keys())
    if lone:
        raise ToposegError(
            f"Of {len(found)} predictions in {predictions}, {len(lone)} have no label in {labels}: {listed(lone)}.",
            why=f"A label has its prediction's name; the labels are called {listed(sorted(expected), 2)}.",
            todo="Rename or remove them, or say with --prediction-suffix and --label-suffix what names have behind "
            "that of the case.",
        )
    cases = tuple(_case(name, file, expected[name]) for name, file in sorted(found.items()))
    return MatchedFiles(cases, tuple(sorted(expected.keys() - found.keys())))


def check_same_cases(first: MatchedFiles, second: MatchedFiles) -> None:
    """Refuse, before anything is measured, two methods that cannot be compared since one lacks cases of the other."""
    check_same_names([case.name for case in first.cases], [case.name for case in second.cases])


def labels_in(cases: Sequence[CaseFiles]) -> tuple[int, ...]:
    """All labels but 0 that any of the cases' predictions and labels has, in order.

    Raises
    ------
    ToposegError
        If a file cannot be read, holds a value that is no whole number, or there is no label at all.
    """
    values: set[float] = set()
    for case in cases:
        for path in (case.prediction, case.label):
            here = np.unique(read_volume(path).voxels)
            if len(here) > 256 or (here != np.round(here)).any():
                raise ToposegError(
                    f"{path} is no label map.",
                    why=f"It has {len(here):,} values, from {here.min():g} to {here.max():g}.",
                    todo="Check that the right file was given.",
                )
            values.update(here.tolist())
    found = tuple(sorted(int(value) for value in values if value != 0))
    if not found:
        raise ToposegError("No file has any label.", why="All of them are background.", todo="Check the folders.")
    return found


def evaluate_files(
    cases: Sequence[CaseFiles],
    *,
    labels: Sequence[int | None] = (None,),
    prediction_label: int | Literal["same"] | None = "same",
    betti_expected: Sequence[int] | None = None,
    connectivity: int | None = None,
) -> Steps[tuple[CaseMetrics, ...]]:
    """Measure all cases.

    Parameters
    ----------
    cases : sequence of CaseFiles
        What is measured.
    labels : sequence of int or None
        Which labels of the label files, each for itself; None is all that is not background.
    prediction_label : int, None or "same"
        Which label of the predictions stands for it; "same" is that of the label file.
    betti_expected, connectivity
        As for `evaluate_case`.

    Yields
    ------
    Step
        One for each case; the last has the figures of all cases, label by label.

    Raises
    ------
    ToposegError
        If a file cannot be read, two of a case lie on different grids, or not one of the files has a label.
    """
    found: list[CaseMetrics] = []
    met = dict.fromkeys(labels, False)
    for number, files in enumerate(cases, start=1):
        label_voxels, reference = _read(files.label)
        prediction_voxels, source = _read(files.prediction)
        field = None if files.field is None else read_displacement(files.field).values
        for label in labels:
            wanted = label if prediction_label == "same" else prediction_label
            expected = label_voxels if label is None else reference.voxels == label
            predicted = prediction_voxels if wanted is None else source.voxels == wanted
            # A label that only predictions have counts as well, unless it is another one that stands for it there.
            met[label] |= bool(expected.any() or (prediction_label == "same" and predicted.any()))
            try:
                predicted = on_grid_of(predicted, source, reference, called=("prediction", "label"))
                measured = evaluate_case(
                    predicted,
                    expected,
                    reference.spacing,
                    betti_expected=betti_expected,
                    connectivity=connectivity,
                    displacement=field,
                    name=files.name,
                    label_value=label,
                )
            except ToposegError as error:
                raise ToposegError(f"{files.name}: {error.what}", why=error.why, todo=error.todo) from error
            found.append(measured)
        if number < len(cases):
            yield Step("measure", number, len(cases))
    nowhere = [label for label, there in met.items() if label is not None and not there]
    if nowhere:
        raise ToposegError(
            f"No file has a voxel of label {nowhere[0]}.",
            why=f"The labels there are {', '.join(map(str, labels_in(cases)))}.",
            todo="Choose one of them, or --label all.",
        )
    found.sort(key=lambda case: -1 if case.label is None else case.label)
    yield Step("measure", len(cases), len(cases), result=tuple(found))


def unit_of(cases: Sequence[CaseFiles]) -> str:
    """The unit of lengths: "px" where the labels are pictures, which have no size, else "mm"."""
    return "px" if all(split_ending(case.label)[1] in PICTURE_ENDINGS for case in cases) else "mm"


def _read(path: Path) -> tuple[NDArray[np.bool_], Volume]:
    """All of a file that is not background, and its values."""
    mask, source = read_mask(path)
    if source.voxels.dtype.kind == "f" and not np.array_equal(source.voxels, np.round(source.voxels)):
        raise ToposegError(
            f"{path} is no mask.",
            why=f"It has values between whole numbers, from {source.voxels.min():g} to {source.voxels.max():g}.",
            todo="Give the mask; a map of probabilities becomes one where it is cut at a threshold.",
        )
    return mask, source


def _case(name: str, prediction: Path, label: Path) -> CaseFiles:
    beside = (prediction.with_name(f"{split_ending(prediction)[0]}{FIELD}{ending}") for ending in (".nii.gz", ".nii"))
    return CaseFiles(name, prediction, label, next((path for path in beside if path.is_file()), None))
