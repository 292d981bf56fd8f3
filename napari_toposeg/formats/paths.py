"""What a path says: its ending, its label, whether there is anything to read."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from napari_toposeg.errors import ToposegError

NIFTI_ENDINGS = (".nii", ".nii.gz", ".hdr", ".img")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
NRRD_ENDINGS = (".nrrd", ".nhdr")
METAIMAGE_ENDINGS = (".mha", ".mhd")
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
ENDINGS = NIFTI_ENDINGS + NRRD_ENDINGS + METAIMAGE_ENDINGS + PICTURE_ENDINGS
"""The kinds that are told by a file's name. DICOM is told by its content: many of its files have no ending."""


def split_ending(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Split a file's name into what to call it and its ending.

    Parameters
    ----------
    path : path
        Need not exist.

    Returns
    -------
    stem, ending : str
        The ending in lower case, with its dot; ".nii.gz" is one ending.
    """
    name = Path(path).name
    if name.lower().endswith(".nii.gz"):
        return name[: -len(".nii.gz")], ".nii.gz"
    stem, ending = os.path.splitext(name)
    return stem, ending.lower()


def files_by_name(
    folder: str | os.PathLike[str], *, suffix: str = "", endings: tuple[str, ...] = ENDINGS, called: str = "mask"
) -> dict[str, Path]:
    """The files of a folder by what each is called.

    Parameters
    ----------
    folder : path
        Its own files count, not those in folders inside.
    suffix : str
        What names have behind that of the case ("_segmentation"). Files without it are not looked at.
    endings : tuple of str
        The kinds of file that count. Of a .hdr/.img pair the first alone does; names that begin with a dot do not.
    called : str
        What an error calls them.

    Returns
    -------
    dict of str to Path
        By the file's name without suffix and ending, in order.

    Raises
    ------
    ToposegError
        If there is no such folder, none of its files counts, or two have the same name but for their ending.
    """
    place = Path(folder)
    if not place.is_dir():
        raise ToposegError(f"There is no folder {folder}.", todo="Check the name and where it is.")
    found: dict[str, Path] = {}
    for file in sorted(place.iterdir()):
        stem, ending = split_ending(file)
        # Of a .hdr/.img pair one file is enough; names with a dot in front are leftovers of the system.
        if ending not in endings or ending == ".img" or stem.startswith(".") or not stem.endswith(suffix):
            continue
        name = stem.removesuffix(suffix)
        if name in found:
            raise ToposegError(
                f"{found[name].name} and {file.name} in {folder} are both case {name!r}.",
                todo="Move one of them elsewhere.",
            )
        found[name] = file
    if not found:
        behind = f" whose name ends in {suffix!r}" if suffix else ""
        raise ToposegError(
            f"There is no {called}{behind} in {folder}.",
            why=f"{called.capitalize()}s end in {', '.join(endings)}.",
            todo="Check the folder.",
        )
    return found


def split_label(text: str) -> tuple[str, int | None]:
    """Split "MASK:LABEL" into the file and the label.

    Parameters
    ----------
    text : str
        A path, with a colon and a whole number behind it where one label is meant. A file of exactly this name wins
        ("scan:2"), and so does a drive's letter ("C:3").

    Returns
    -------
    path : str
    label : int or None
        None where no label is given.
    """
    found = re.fullmatch(r"(.+):(-?\d+)", text, re.DOTALL)
    if found is None or re.fullmatch("[A-Za-z]", found[1]) or os.path.exists(text):
        return text, None
    return found[1], int(found[2])


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Refuse a path that leads to nothing, to a folder, or to an empty file.

    Raises
    ------
    ToposegError
        With what is there instead.
    """
    file = Path(path)
    if file.is_dir():
        raise ToposegError(f"{path} is a folder.", why="One file is read at a time.", todo="Give a file in it.")
    if not file.is_file():
        raise ToposegError(f"There is no file {path}.", todo="Check the name and the folder.")
    if file.stat().st_size == 0:
        raise ToposegError(
            f"{path} is empty.", why="It holds not a single byte.", todo="Copy or export it again from its source."
        )
    return file


def unknown_ending(path: str | os.PathLike[str], endings: tuple[str, ...]) -> ToposegError:
    """The error for a file whose kind cannot be told by its ending."""
    ending = split_ending(path)[1]
    return ToposegError(
        f"{path} has {f'the ending {ending}' if ending else 'no ending'}, which is of no kind known here.",
        why=f"Known are {', '.join(endings)}.",
        todo="Convert the file, or name it after its kind.",
    )


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; read in pieces.

    Raises
    ------
    ToposegError
        If there is no such file.
    """
    with existing_file(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
