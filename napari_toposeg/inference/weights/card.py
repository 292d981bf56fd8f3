"""The card of a trained network: what it is, and what it was made from."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any

from napari_toposeg import __version__
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import NetworkSettings, settings_from_dict, settings_to_dict

FORMAT = 1
"""Version of the two files' layout. It grows when an older program would misread them."""

SYNTHETIC = "synthetic"
"""What the split names where a network was trained on no patient."""


@dataclass(frozen=True)
class TrainedPrior:
    """A template that a network learned to deform.

    Attributes
    ----------
    name : str
        As `toposeg priors` lists it, or what the training called its own.
    betti : tuple of int
        (b0, b1) in 2-D, (b0, b1, b2) in 3-D.
    """

    name: str
    betti: tuple[int, ...]


@dataclass(frozen=True)
class Card:
    """What a person, and the program, must know of a trained network before it is used.

    Attributes
    ----------
    network : str
        One of `NETWORK_NAMES`.
    settings : NetworkSettings
        What the network is built from.
    priors : tuple of TrainedPrior
        One for each of the network's objects, in its order of channels. A pixel-wise network may have none.
    window : Window
        How it sees an image.
    spacing : tuple of float
        (ndim,) of the frames that it was trained on, in mm: their mean where they differ.
    data, licence : str
        What it was trained on, and under which terms those images are.
    split : mapping of str to tuple of str
        Names of the cases, or patients, by what they were used for: "train", "validation", "test".
    seed : int
        Of everything random in the training.
    metrics : mapping of str to (float or None)
        Figures by name. None where one could not be measured; so becomes what is not finite.
    training : mapping
        The training's own config, as plain values.
    version : str
        Of napari-toposeg when it was saved.
    date : str
        When it was saved, YYYY-MM-DD.
    name : str
        How it is asked for: the file's name without its ending. `save_weights` sets it.
    sha256 : str
        Of the file of weights, in hexadecimal. `save_weights` sets it.

    Raises
    ------
    ToposegError
        If the parts contradict each other, or one is out of range.
    """

    network: str
    settings: NetworkSettings
    priors: tuple[TrainedPrior, ...]
    window: Window
    spacing: tuple[float, ...]
    data: str
    licence: str
    split: Mapping[str, tuple[str, ...]]
    seed: int
    metrics: Mapping[str, float | None]
    training: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    name: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        ndim = self.settings.ndim
        if self.window.ndim != ndim:
            raise _wrong("window", f"it is {self.window.ndim}-D, and the network is {ndim}-D")
        if len(self.spacing) != ndim or not all(0 < length < math.inf for length in self.spacing):
            raise _wrong("spacing", f"it is not {ndim} lengths in mm above 0")
        if any(len(prior.betti) != ndim or min(prior.betti) < 0 for prior in self.priors):
            raise _wrong("priors", f"one has not {ndim} Betti numbers")
        objects = getattr(self.settings, "objects", None)
        if objects is not None and len(self.priors) != objects:
            raise _wrong("priors", f"they are {len(self.priors)}, and the network has {objects} object(s)")
        if self.window.places and len(self.window.places) != len(self.priors):
            raise _wrong("window", f"it has {len(self.window.places)} places for {len(self.priors)} prior(s)")
        try:
            date.fromisoformat(self.date)
        except ValueError as error:
            raise _wrong("date", "it is not a day written YYYY-MM-DD") from error
        if self.sha256 and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise _wrong("sha256", "it is not 64 hexadecimal digits")
        kept = {
            key: None if value is None or not math.isfinite(value) else value for key, value in self.metrics.items()
        }
        object.__setattr__(self, "metrics", kept)
        object.__setattr__(self, "split", {part: tuple(cases) for part, cases in self.split.items()})
        # A copy that equals what comes back from the disk: tuples are lists there.
        object.__setattr__(self, "training", json.loads(json.dumps(dict(self.training), allow_nan=False)))


def card_to_dict(card: Card) -> dict[str, Any]:
    """A card as plain values that JSON can hold; `card_from_dict` is the way back."""
    return {
        "format": FORMAT,
        "name": card.name,
        "network": {"name": card.network, "settings": settings_to_dict(card.settings)},
        "priors": [{"name": prior.name, "betti": list(prior.betti)} for prior in card.priors],
        "window": window_to_dict(card.window),
        "spacing": list(card.spacing),
        "data": {"name": card.data, "licence": card.licence},
        "split": {part: list(cases) for part, cases in card.split.items()},
        "seed": card.seed,
        "metrics": dict(card.metrics),
        "training": dict(card.training),
        "version": card.version,
        "date": card.date,
        "sha256": card.sha256,
    }


def card_from_dict(facts: Any) -> Card:
    """A card from plain values, each of them checked.

    Parameters
    ----------
    facts : mapping
        As `card_to_dict` makes it. No key may be missing, and none is passed over.

    Returns
    -------
    Card

    Raises
    ------
    ToposegError
        If the format is another version's, a key is missing or unknown, or a value cannot be.
    """
    if isinstance(facts, dict) and "format" in facts and facts["format"] != FORMAT:
        raise ToposegError(
            f"The card is of format {facts['format']!r}, and this version reads format {FORMAT}.",
            todo="Use the version of napari-toposeg that wrote it, or a newer one.",
        )
    top = _object("card", facts, tuple(_KEYS))
    for key, (kind, wanted) in _KEYS.items():
        if not isinstance(top[key], kind) or isinstance(top[key], bool):
            raise _wrong(key, f"it is not {wanted}")
    network = _texts("network", _object("network", top["network"], ("name", "settings")), "name")
    if not isinstance(network["settings"], dict):
        raise _wrong("network", "its settings are no object")
    data = _texts("data", _object("data", top["data"], ("name", "licence")), "name", "licence")
    priors = [_texts("priors", _object("priors", one, ("name", "betti")), "name") for one in top["priors"]]
    for prior in priors:
        if not isinstance(prior["betti"], list) or not all(_is_whole(number) for number in prior["betti"]):
            raise _wrong("priors", "Betti numbers are a list of whole numbers")
    if not all(_is_number(length) for length in top["spacing"]):
        raise _wrong("spacing", "it is not a list of numbers")
    if not all(
        isinstance(cases, list) and all(isinstance(case, str) for case in cases) for cases in top["split"].values()
    ):
        raise _wrong("split", "each part is a list of names")
    if not all(value is None or _is_number(value) for value in top["metrics"].values()):
        raise _wrong("metrics", "each is a number or null")
    return Card(
        network=network["name"],
        settings=settings_from_dict(network["name"], network["settings"]),
        priors=tuple(TrainedPrior(prior["name"], tuple(prior["betti"])) for prior in priors),
        window=_window(top["window"]),
        spacing=tuple(map(float, top["spacing"])),
        data=data["name"],
        licence=data["licence"],
        split=top["split"],
        seed=top["seed"],
        metrics=top["metrics"],
        training=top["training"],
        version=top["version"],
        date=top["date"],
        name=top["name"],
        sha256=top["sha256"],
    )


_KEYS: dict[str, tuple[type, str]] = {
    "format": (int, "a whole number"),
    "name": (str, "a text"),
    "network": (dict, "an object"),
    "priors": (list, "a list"),
    "window": (dict, "an object"),
    "spacing": (list, "a list"),
    "data": (dict, "an object"),
    "split": (dict, "an object"),
    "seed": (int, "a whole number"),
    "metrics": (dict, "an object"),
    "training": (dict, "an object"),
    "version": (str, "a text"),
    "date": (str, "a text"),
    "sha256": (str, "a text"),
}


def window_to_dict(window: Window) -> dict[str, Any]:
    """A window as plain values that JSON can hold."""
    places = [[list(side) for side in place] for place in window.places]
    return {**asdict(window), "shape": list(window.shape), "spacing": list(window.spacing), "places": places}


def _window(facts: Any) -> Window:
    """A window from plain values, each of them checked."""
    values = _object("window", facts, tuple(one.name for one in fields(Window)))
    _texts("window", values, "around", "axis")
    shape, spacing = values["shape"], values["spacing"]
    if not isinstance(shape, list) or not all(_is_whole(size) for size in shape):
        raise _wrong("window", "its shape is not a list of whole numbers")
    if not isinstance(spacing, list) or not all(_is_number(length) for length in spacing):
        raise _wrong("window", "its spacing is not a list of numbers")
    if not all(_is_number(values[key]) for key in ("margin", "template")):
        raise _wrong("window", "its margin or its template is not a number")
    numbers = {key: float(values[key]) for key in ("margin", "template")}
    try:
        places = tuple(tuple((float(low), float(high)) for low, high in place) for place in values["places"])
    except (TypeError, ValueError) as error:
        raise _wrong("window", "its places are not lists of pairs of numbers") from error
    lists = {"shape": tuple(shape), "spacing": tuple(map(float, spacing)), "places": places}
    try:
        return Window(**{**values, **numbers, **lists})
    except ToposegError as error:
        raise _wrong("window", error.why.removesuffix(".") or error.what.removesuffix(".")) from error


def _object(what: str, facts: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    """An object that has these keys and no others."""
    if not isinstance(facts, dict):
        raise _wrong(what, "it is no object")
    unknown = sorted(set(facts) - set(keys))
    missing = [key for key in keys if key not in facts]
    if unknown or missing:
        said = f"it has no {missing[0]!r}" if missing else f"nothing is known of its {unknown[0]!r}"
        raise _wrong(what, said)
    return facts


def _texts(what: str, facts: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The same object, if what stands under these keys is text."""
    for key in keys:
        if not isinstance(facts[key], str):
            raise _wrong(what, f"its {key} is no text")
    return facts


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(what: str, why: str) -> ToposegError:
    whose = "The card" if what == "card" else f"The card's {what!r}"
    return ToposegError(f"{whose} makes no sense: {why}.")
