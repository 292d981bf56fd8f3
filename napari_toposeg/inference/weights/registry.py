"""Weights by name: the user's own, shipped ones, and those that are retrieved when they are asked for."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing, report_text
from napari_toposeg.inference.weights.card import Card, card_from_dict, card_to_dict
from napari_toposeg.inference.weights.storage import (
    ENDING,
    PICKLE_ENDINGS,
    card_path,
    read_card,
    read_weights,
)

if TYPE_CHECKING:
    from torch import nn

_APPLICATION = "napari-toposeg"
FOLDER_VARIABLE = "TOPOSEG_WEIGHTS"
"""The environment variable that names the folder of the user's own weights."""

Place = Literal["own", "shipped", "retrieved", "online"]


@dataclass(frozen=True)
class KnownWeights:
    """Weights that can be asked for by name.

    Attributes
    ----------
    name : str
        How they are asked for.
    place : {"own", "shipped", "retrieved", "online"}
        In the user's folder, in the package, in the cache, or not yet on this computer.
    path : Path
        Where the file is; where it will be, if it is online.
    card : Card or None
        None where the card cannot be read.
    trouble : str
        Why not.
    url : str
        Where it is retrieved from; empty for what is the user's own or shipped.
    """

    name: str
    place: Place
    path: Path
    card: Card | None
    trouble: str = ""
    url: str = ""


def load_weights(source: str | os.PathLike[str]) -> tuple[nn.Module, Card]:
    """Load a trained network by file or by name.

    Parameters
    ----------
    source : str or path
        A file: what ends in .safetensors, has a folder in it, or is a path object. All other text is a name, looked up
        by `find_weights` and retrieved where it is not on this computer yet.

    Returns
    -------
    network : Module
        On the CPU, in evaluation mode.
    card : Card

    Raises
    ------
    ToposegError
        If the file is refused (see `read_weights`), the name is unknown or ambiguous, or it cannot be retrieved.
    """
    return read_weights(weights_path(source))


def weights_path(source: str | os.PathLike[str]) -> Path:
    """The file that a source of `load_weights` stands for; retrieved where it is not on this computer yet.

    Raises
    ------
    ToposegError
        If a name is unknown or ambiguous, or it cannot be retrieved.
    """
    if not isinstance(source, str) or _is_file(source):
        return Path(source)
    found = find_weights(source)
    return _retrieve(found) if found.url else found.path


def template_path(weights: Path, number: int = 0) -> Path | None:
    """The template that lies beside weights in the folder of their training, for one of their objects.

    Parameters
    ----------
    weights : Path
        NAME/NAME.safetensors: only a folder that is named like its weights is theirs alone.
    number : int
        Which object.

    Returns
    -------
    Path or None
        None where there is none.
    """
    if weights.resolve().parent.name != weights.stem:
        return None
    path = weights.with_name("template.nii.gz" if number == 0 else f"template_{number + 1}.nii.gz")
    return path if path.is_file() else None


def find_weights(name: str) -> KnownWeights:
    """Look a name up; nothing is retrieved.

    Parameters
    ----------
    name : str
        Without ending.

    Returns
    -------
    KnownWeights
        From the user's own folder, or the folder of a training in it, else a shipped one, else one to retrieve.

    Raises
    ------
    ToposegError
        If there is none of that name, or there are several that are not the same file.
    """
    found = [known for known in known_weights() if known.name == name]
    if not found:
        raise ToposegError(
            f"There are no weights {name!r}.",
            why=f"They are neither shipped nor in {own_folder()}.",
            todo=f"`toposeg models` lists the names; a file is given with its ending {ENDING}.",
        )
    if len(found) > 1 and (
        any(known.card is None for known in found)
        or len({known.card.sha256 for known in found if known.card is not None}) > 1
    ):
        raise ToposegError(
            f"The name {name!r} is ambiguous.",
            why=f"Different weights of that name are {' and '.join(known.url or str(known.path) for known in found)}.",
            todo="Give the file instead of the name.",
        )
    return found[0]


def known_weights() -> tuple[KnownWeights, ...]:
    """All weights that have a name: the user's own, then shipped ones, then those to retrieve; each by name.

    Only cards are read: whether a file is the one that its card describes is found when it is loaded.
    """
    return (*_in_folder(own_folder(), "own"), *shipped_weights(), *_in_index())


def shipped_weights() -> tuple[KnownWeights, ...]:
    """The weights that come with the package, by name; only their cards are read."""
    return tuple(_in_folder(Path(str(files("napari_toposeg.resources").joinpath("weights"))), "shipped"))


def own_folder() -> Path:
    """The folder of the user's own weights; it need not exist.

    Returns
    -------
    Path
        What TOPOSEG_WEIGHTS says; else a folder where the system keeps the user's data.
    """
    given = os.environ.get(FOLDER_VARIABLE, "")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path(_APPLICATION, appauthor=False) / "weights"


def _is_file(source: str) -> bool:
    return bool(re.search(r"[/\\]", source)) or source.lower().endswith((ENDING, *PICKLE_ENDINGS))


def _in_folder(folder: Path, place: Place) -> list[KnownWeights]:
    if not folder.is_dir():
        return []
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ToposegError(
            f"The folder of weights {folder} cannot be listed.",
            why=f"{error.strerror or error}.",
            todo=f"Change its rights, or set {FOLDER_VARIABLE} to another folder.",
        ) from error
    found = []
    for path in paths:
        if path.is_dir():
            path = path / f"{path.name}{ENDING}"  # the folder of a training
            if not path.is_file():
                continue
        # What starts with a dot is a file that is just being written.
        if path.suffix.lower() != ENDING or path.name.startswith("."):
            continue
        try:
            found.append(KnownWeights(path.stem, place, path, read_card(path)))
        except ToposegError as error:
            found.append(KnownWeights(path.stem, place, path, None, trouble=str(error)))
    return found


def _in_index() -> list[KnownWeights]:
    """What can be retrieved: name to {"url": .., "card": ..}. The card is shipped, so its hash can be trusted."""
    index = json.loads(files("napari_toposeg.resources").joinpath("weights.json").read_text(encoding="utf-8"))
    if not index:
        return []
    folder = _cache()
    found = []
    for name, entry in sorted(index.items()):
        path = folder / f"{name}{ENDING}"
        place: Place = "retrieved" if path.is_file() else "online"
        found.append(KnownWeights(name, place, path, card_from_dict(entry["card"]), url=entry["url"]))
    return found


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path(_APPLICATION, appauthor=False) / "weights"


def _retrieve(known: KnownWeights) -> Path:
    """Bring weights of the index, and their card, into the cache, unless they are there undamaged."""
    import pooch

    assert known.card is not None
    # Its line for each file would stand between our own on standard error.
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(known.url, f"sha256:{known.card.sha256}", fname=known.path.name, path=known.path.parent)
    except OSError as error:
        raise ToposegError(
            f"The weights {known.name!r} could not be retrieved from {known.url}.",
            why="There is no connection, the server has not got them, or the cache cannot be written.",
            todo=f"Try again online, or put {known.path.name} into {known.path.parent} by hand.",
        ) from error
    except ValueError as error:
        raise ToposegError(
            f"What came from {known.url} is not the weights {known.name!r}.",
            why="Its SHA-256 is not the one that is expected.",
            todo="Try again; if it stays so, do not use it and report it.",
        ) from error
    with replacing(card_path(known.path)) as part:
        part.write_text(report_text(card_to_dict(known.card)), encoding="utf-8")
    return known.path
