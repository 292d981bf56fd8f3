"""Folders of images and labels as cases, and a case as a volume and its label map."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.data.stacks import count_images, read_image, read_label
from napari_toposeg.errors import ToposegError, ToposegWarning, listed
from napari_toposeg.formats import (
    ENDINGS,
    check_finite,
    files_by_name,
    on_grid_of,
    read_mask,
    read_volume,
    split_ending,
)
from napari_toposeg.volume import Volume

IMAGE_ENDINGS = (*ENDINGS, ".npz")
LABEL_SUFFIXES = ("_segmentation", "_seg", "_seg-manual", "_labels", "_label", "_masks", "_mask", "_gt")
"""What the name of a label's file may have behind that of its image."""

_CHANNEL = "_0000"
"""What nnU-Net puts behind the name of every image: the number of its channel."""


@dataclass(frozen=True)
class Case:
    """One image to learn from or to be measured on.

    Attributes
    ----------
    name : str
        What it alone is called: the file's name without its ending, and "/NUMBER" behind it where the file holds a
        stack ("hippocampus_001", "patient001/3").
    patient : str
        Whose it is. Nobody is in two parts of a split.
    image : Path
    label : Path or None
        The file of its label map; that of the image itself for an .npz that holds both. None: not labelled.
    number : int or None
        Which image of a stack in an .npz, counted from 0; None for any other file.
    """

    name: str
    patient: str
    image: Path
    label: Path | None
    number: int | None = None


def find_cases(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    patient: str = "",
    partly: bool = False,
) -> tuple[Case, ...]:
    """Find the cases in a folder.

    Parameters
    ----------
    images : path
        Folder of NIfTI files, pictures or .npz files; folders inside it are not looked at. An .npz holds one image
        ("image", two or three axes) or a stack of them along its first axis ("images"). Where every name ends in
        "_0000", as nnU-Net has it, that is no part of the case's name.
    labels : path, optional
        Folder of the label maps: files of the image's name, with or without one of `LABEL_SUFFIXES` behind it. It may
        be the folder of images, where the suffix tells the two apart. Those of an .npz are in an .npz: the image's own
        file, or one of its name in the other folder. They are "labels", "segs" or "masks", or the same without s, of
        the image's shape. Default: no case is labelled, whatever the files hold.
    patient : str
        Regular expression that finds the patient in a case's name; its first group is the name, or all that it
        matches where it has none. Default: every file is a patient, so that all images of a stack are.
    partly : bool
        Whether images may lack a label: somebody is still at work on the labels. None of them has to have one.

    Returns
    -------
    tuple of Case
        By the files' names; those of a stack in its order.

    Raises
    ------
    ToposegError
        If a folder is missing or has no images, an image has no label (unless `partly`), or two of them, two files are
        the same case, an .npz does not hold what is needed, or the pattern is none or finds nobody in a name.

    Warns
    -----
    ToposegWarning
        Of labels that no image has.

    Notes
    -----
    Of NIfTI files and pictures only the names are looked at here: `read_case` says whether an image and its label lie
    on the same grid. Images without labels, for semi-supervised training, belong in a folder of their own.
    """
    folder = Path(images)
    files = _without_labels(files_by_name(folder, endings=IMAGE_ENDINGS, called="image"))
    label_files: dict[str, Path] = {}
    if labels is not None:
        label_files = _labels_of(files, folder, Path(labels), partly=partly)
    short = all(name.endswith(_CHANNEL) and name != _CHANNEL for name in files)
    pattern = _pattern(patient)
    cases = []
    for stem, file in files.items():
        name = stem.removesuffix(_CHANNEL) if short else stem
        label = label_files.get(stem)
        count = count_images(file, label) if split_ending(file)[1] == ".npz" else None
        for number in [None] if count is None else range(count):
            called = name if number is None else f"{name}/{number}"
            cases.append(Case(called, _patient_in(called, pattern) or name, file, label, number))
    return tuple(cases)


def read_case(case: Case) -> tuple[Volume, NDArray[np.integer[Any]] | None]:
    """Read a case's image and its label map.

    Parameters
    ----------
    case : Case
        As `find_cases` found it.

    Returns
    -------
    volume : Volume
        The image, canonical. A flat image of an .npz lies as a picture does (`picture_volume`), so that a network that
        learned from it sees the same slice alike when it comes as a PNG; its pixels are as large as "voxel_size_mm"
        or "spacing" says, else 1 mm. A volume of an .npz has its axes along right, front and head.
    label : (*volume.shape) integer array or None
        On the volume's grid. A JPEG's, whose edges are blurred, is 0 and 1.

    Raises
    ------
    ToposegError
        If a file cannot be read or holds NaN, the label has values between whole numbers, or image and label lie on
        different grids; it says which case.
    """
    packed = split_ending(case.image)[1] == ".npz"
    try:
        volume = read_image(case.image, case.number, name=case.name) if packed else read_volume(case.image)
        # One NaN makes every weight of a network NaN.
        check_finite(volume)
        if case.label is None:
            return volume, None
        if packed:
            source = Volume.from_stored(read_label(case.label, case.number), volume.stored.affine)
            values = _whole(source.voxels, case.label)
        else:
            mask, source = read_mask(case.label)
            blurred = split_ending(case.label)[1] in (".jpg", ".jpeg")
            values = mask.astype(np.uint8) if blurred else _whole(source.voxels, case.label)
        return volume, on_grid_of(values, source, volume, called=("label", "image"))
    except ToposegError as error:
        raise ToposegError(f"{case.name}: {error.what}", why=error.why, todo=error.todo) from error


def _without_labels(files: Mapping[str, Path]) -> dict[str, Path]:
    """The files that are not the label of another one."""
    lying_beside = {called + suffix for name in files for called in _called(name) for suffix in LABEL_SUFFIXES}
    return {name: file for name, file in files.items() if name not in lying_beside}


def _labels_of(files: Mapping[str, Path], images: Path, labels: Path, *, partly: bool) -> dict[str, Path]:
    """The label of each image, by the image's name."""
    there = files_by_name(labels, endings=IMAGE_ENDINGS, called="label")
    same = labels.resolve() == images.resolve()
    found: dict[str, Path] = {}
    for stem, image in files.items():
        packed = split_ending(image)[1] == ".npz"
        suffixes = [""] if packed else LABEL_SUFFIXES if same else ("", *LABEL_SUFFIXES)
        names = [called + suffix for called in _called(stem) for suffix in suffixes]
        candidates = [there[name] for name in names if name in there]
        fitting = [file for file in candidates if (split_ending(file)[1] == ".npz") == packed]
        if len(fitting) > 1:
            raise ToposegError(
                f"{image.name} in {images} has {len(fitting)} labels: {listed([file.name for file in fitting])}.",
                todo="Leave one of them in the folder.",
            )
        if fitting:
            found[stem] = fitting[0]
    lone = [stem for stem in files if stem not in found]
    if lone and not partly:
        raise ToposegError(
            f"Of {len(files)} images in {images}, {len(lone)} have no label in {labels}: {listed(lone)}.",
            why=f"A label has its image's name, and may have one of {', '.join(LABEL_SUFFIXES)} behind it.",
            todo="Rename them, or move images without label to a folder of their own.",
        )
    used = set(found.values())
    over = [name for name, file in there.items() if file not in used and not (same and name in files)]
    if over:
        warnings.warn(
            ToposegWarning(f"{len(over)} label(s) in {labels} have no image and are left out: {listed(over)}."),
            stacklevel=3,
        )
    return found


def _called(stem: str) -> tuple[str, ...]:
    """What the label of an image may be called but for its suffix: as the image, or without the number of a channel."""
    return tuple(dict.fromkeys((stem, stem.removesuffix(_CHANNEL) or stem)))


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise ToposegError(
            f"{text!r} is no regular expression.", why=f"{str(error).capitalize()}.", todo="Try 'patient\\d+'."
        ) from error


def _patient_in(name: str, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return ""
    found = pattern.search(name)
    patient = "" if found is None else found[1] if pattern.groups else found[0]
    if not patient:
        raise ToposegError(
            f"No patient is found in the name {name!r} by {pattern.pattern!r}.",
            why="Every case belongs to somebody, so that nobody is in two parts of a split.",
            todo="Give a regular expression that matches all names, or none: then every file is a patient.",
        )
    return patient


def _whole(values: NDArray[Any], path: Path) -> NDArray[np.integer[Any]]:
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    rounded = np.round(values)
    if not np.array_equal(rounded, values):
        raise ToposegError(
            f"{path} is no label map.",
            why=f"It has values between whole numbers, from {values.min():g} to {values.max():g}.",
            todo="Give the labels; a map of probabilities becomes one where it is cut at a threshold.",
        )
    return rounded.astype(np.int32)
