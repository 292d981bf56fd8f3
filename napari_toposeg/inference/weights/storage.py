"""Weights and their card as two files side by side: NAME.safetensors and NAME.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing, report_text
from napari_toposeg.formats.paths import existing_file
from napari_toposeg.inference.weights.card import Card, card_from_dict, card_to_dict
from napari_toposeg.networks import build

if TYPE_CHECKING:
    from torch import Tensor

ENDING = ".safetensors"
PICKLE_ENDINGS = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin", ".joblib")


@dataclass(frozen=True)
class Weights:
    """A trained network on disk.

    Attributes
    ----------
    path : Path
        The .safetensors file; its card lies beside it.
    card : Card
        What it says of itself.
    """

    path: Path
    card: Card


def save_weights(network: nn.Module, card: Card, path: str | os.PathLike[str], *, half: bool = False) -> Weights:
    """Write a network's weights and their card.

    Parameters
    ----------
    network : Module
        As `build` makes it from the card's network and settings; left as it is.
    card : Card
        Its name and hash are set here, whatever they were.
    path : path
        NAME.safetensors. NAME.json is written beside it.
    half : bool
        Store float16 in place of float32, half as large; `read_weights` gives float32 back. Each number keeps 11
        significant bits, and none below 6e-8 is told from zero.

    Returns
    -------
    Weights
        With the complete card.

    Raises
    ------
    ToposegError
        If the network is not the one of the card, a number is too large for float16, or the files cannot be written.

    Notes
    -----
    Each file appears whole or not at all. Both are complete before the first one moves to its place: what a kill
    between the two moves leaves is a file whose hash is not the card's, or that has no card, and is refused.
    """
    from safetensors.torch import save

    target = Path(path)
    _check_ending(target)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    _check_fit(tensors, _empty(card), "The network")
    if half:
        tensors = {key: _halved(key, value) for key, value in tensors.items()}
    content = save(tensors)
    complete = dataclasses.replace(card, name=target.stem, sha256=hashlib.sha256(content).hexdigest())
    with replacing(card_path(target)) as card_part, replacing(target) as part:
        part.write_bytes(content)
        card_part.write_text(report_text(card_to_dict(complete)), encoding="utf-8")
    return Weights(target, complete)


def read_weights(path: str | os.PathLike[str]) -> tuple[nn.Module, Card]:
    """Read a network, if its file is exactly the one that its card describes.

    Parameters
    ----------
    path : path
        NAME.safetensors, with NAME.json beside it.

    Returns
    -------
    network : Module
        On the CPU, in evaluation mode. torch's random numbers are left as they were.
    card : Card

    Raises
    ------
    ToposegError
        If the file is of another kind, damaged, renamed or without its card, or its tensors do not fit the network.

    Notes
    -----
    Nothing is unpickled: safetensors holds numbers and names only, so a file can be wrong but cannot run code.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    file = Path(path)
    _check_ending(file)
    card = read_card(file)
    try:
        # Read once: what is hashed is what is used, even if the file is replaced meanwhile.
        content = file.read_bytes()
    except OSError as error:
        raise _refused(path, f"{error.strerror or error}.", "Check the file and its rights.") from error
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise _refused(
            path,
            "It is damaged, cut short, or another card's: its SHA-256 is not the one on its card.",
            "Copy or save both files again.",
        )
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise _refused(path, f"It is no safetensors file ({error}).", "Save the weights again.") from error
    network = _empty(card)
    wanted = network.state_dict()
    # float16 is how a network is stored, never how it computes.
    tensors = {
        key: value.float()
        if value.dtype == torch.float16 and key in wanted and wanted[key].dtype == torch.float32
        else value
        for key, value in tensors.items()
    }
    _check_fit(tensors, network, str(path))
    network.load_state_dict(tensors, assign=True)
    return network.eval(), card


def read_card(path: str | os.PathLike[str]) -> Card:
    """Read the card of a file of weights; the weights themselves are not looked into.

    Parameters
    ----------
    path : path
        NAME.safetensors; it has to be there.

    Returns
    -------
    Card

    Raises
    ------
    ToposegError
        If there is no such file, or its card is missing, unreadable or of another name.
    """
    file = existing_file(path)
    beside = card_path(file)
    if not beside.is_file():
        raise _refused(
            path,
            f"Its card {beside.name} is not beside it.",
            "Keep the two files together, under the names that they were saved with.",
        )
    try:
        text = beside.read_text(encoding="utf-8")
        card = card_from_dict(json.loads(text, parse_constant=_refuse_constant))
    except ToposegError as error:
        raise ToposegError(
            f"{beside} cannot be used.",
            why=" ".join(filter(None, (error.what, error.why))),
            todo=error.todo or "Save the weights again.",
        ) from error
    except (OSError, ValueError, OverflowError, RecursionError) as error:
        raise ToposegError(
            f"{beside} cannot be used.",
            why=f"It cannot be read as a card ({error}).",
            todo="Copy or save both files again.",
        ) from error
    if card.name != file.stem:
        raise _refused(
            path,
            f"It was renamed, or the card is another's: its card is that of {card.name!r}.",
            "Give both files the name that they were saved with.",
        )
    if not card.sha256:
        raise _refused(path, "Its card has no SHA-256.", "Save the weights again.")
    return card


def card_path(path: Path) -> Path:
    """Where the card of a file of weights lies."""
    return path.with_suffix(".json")


def _check_ending(path: Path) -> None:
    ending = path.suffix.lower()
    if ending in PICKLE_ENDINGS:
        raise _refused(
            path,
            f"A {ending} file may hold pickled objects, which run code when they are read.",
            f"Use weights that were saved as {ENDING}.",
        )
    if ending != ENDING:
        raise _refused(path, f"Its ending is not {ENDING}.", f"Give a {ENDING} file with its card beside it.")


def _empty(card: Card) -> nn.Module:
    """The card's network without memory or random numbers: shapes only, whatever sizes a card may claim."""
    with torch.device("meta"):
        try:
            return build(card.network, card.settings)
        except (RuntimeError, OverflowError, TypeError) as error:
            raise ToposegError(
                f"A {card.network} cannot be built from the card's settings.",
                why=f"{str(error).splitlines()[0].rstrip('.')}.",
                todo="Save the weights again.",
            ) from error


def _check_fit(tensors: Mapping[str, Tensor], network: nn.Module, whose: str) -> None:
    """Refuse tensors that are not, by name, shape and type, those of a network."""
    wanted = network.state_dict()
    why = ""
    for key in [*wanted, *tensors]:
        if key not in tensors:
            why = f"{key} is missing."
        elif key not in wanted:
            why = f"{key} is not one of its tensors."
        elif tensors[key].shape != wanted[key].shape:
            why = f"{key} has shape {tuple(tensors[key].shape)} instead of {tuple(wanted[key].shape)}."
        elif tensors[key].dtype != wanted[key].dtype:
            why = f"{key} is of {tensors[key].dtype} instead of {wanted[key].dtype}."
        if why:
            raise ToposegError(
                f"{whose} does not fit the network on the card.",
                why=why,
                todo="Take the card that was saved with these weights.",
            )


def _halved(key: str, tensor: Tensor) -> Tensor:
    """A float32 tensor as float16; any other as it is."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    if bool((torch.isinf(half) & torch.isfinite(tensor)).any()):
        raise ToposegError(
            "The weights cannot be stored as float16.",
            why=f"{key} has numbers above 65,504.",
            todo="Store them as float32.",
        )
    return half


def _refused(path: str | os.PathLike[str], why: str, todo: str) -> ToposegError:
    return ToposegError(f"{path} cannot be used as weights.", why=why, todo=todo)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
