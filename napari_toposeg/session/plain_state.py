"""A session's values as plain ones for a file, and back: known kinds by their fields, and what is shared once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.deformation import Displacement, JacobianMap, Unfolded
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.inference import Outcome, PixelwiseSegmentation, Prompt, PromptOutcome, Segmentation, Settings, Site
from napari_toposeg.inference.waypoints import Waypoint
from napari_toposeg.priors import Placement, Prior, find_prior
from napari_toposeg.session.history import Change
from napari_toposeg.session.mask import MaskState, ResultState, Standing
from napari_toposeg.session.mask_delta import MaskDelta
from napari_toposeg.session.placing import PlacedState
from napari_toposeg.session.prompts import Mark, MarksState
from napari_toposeg.session.session_object import ObjectsState, SessionObject
from napari_toposeg.topology import Certificate
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    import torch

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Certificate,
        Change,
        Displacement,
        Frame,
        JacobianMap,
        Mark,
        MarksState,
        MaskDelta,
        MaskState,
        ObjectsState,
        Outcome,
        PixelwiseSegmentation,
        PlacedState,
        Placement,
        Prompt,
        PromptOutcome,
        ResultState,
        SessionObject,
        Segmentation,
        Settings,
        Site,
        Standing,
        Unfolded,
        Waypoint,
    )
}
"""What a file may hold beside plain values, by name; nothing else is ever made of what a file says."""

_LEFT_OUT = {"PlacedState": ("find_site",), "MarksState": ("weight",)}
_RASTER, _REACH = 96, 1.25


class Packing:
    """Turns values into plain ones.

    Parameters
    ----------
    volume : Volume or None
        The one volume that may be met; it is only named.
    """

    def __init__(self, volume: Volume | None) -> None:
        self.arrays: list[NDArray[Any]] = []
        self.objects: list[Any] = []
        self._volume = volume
        self._known: dict[int, Any] = {}
        self._held: list[Any] = []

    def plain(self, value: Any) -> Any:
        """A value as JSON has it; arrays and shared values are collected in `arrays` and `objects`.

        Raises
        ------
        ToposegError
            If it is of a kind that a file cannot hold.
        """
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int | np.integer):
            return int(value)
        if isinstance(value, float | np.floating):
            return float(value) if math.isfinite(value) else {"$float": str(float(value))}
        if isinstance(value, np.bool_):
            return bool(value)
        if isinstance(value, Mapping):
            return {"$map": [[self.plain(key), self.plain(inner)] for key, inner in value.items()]}
        if isinstance(value, list | tuple):
            return [self.plain(inner) for inner in value]
        if value is self._volume:
            return {"$volume": True}
        if id(value) not in self._known:
            # What is held cannot be collected, so that no other value gets its identity.
            self._held.append(value)
            self._known[id(value)] = self._shared(value)
        return self._known[id(value)]

    def _shared(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            self.arrays.append(value)
            return {"$array": len(self.arrays) - 1}
        if isinstance(value, Prior):
            made: Any = self._prior(value)
        elif type(value).__name__ in KINDS and is_dataclass(value):
            name = type(value).__name__
            names = [one.name for one in fields(value) if one.name not in _LEFT_OUT.get(name, ())]
            made = {"kind": name, "fields": {one: self.plain(getattr(value, one)) for one in names}}
        else:
            raise ToposegError(
                f"A {type(value).__name__} cannot be kept in a session's file.", todo="Save the mask instead."
            )
        self.objects.append(made)
        return {"$object": len(self.objects) - 1}

    def _prior(self, prior: Prior) -> dict[str, Any]:
        if find_prior(prior.name) is prior:
            return {"kind": "built-in prior", "name": prior.name}
        values, half_sizes = _sampled(prior)
        names = [one.name for one in fields(prior) if one.name != "signed_distance"]
        facts = {one: self.plain(getattr(prior, one)) for one in names}
        return {"kind": "prior", "fields": facts, "values": self.plain(values), "half_sizes": self.plain(half_sizes)}


class Unpacking:
    """The way back from `Packing`.

    Parameters
    ----------
    objects, arrays
        As they were collected.
    volume : Volume or None
        The volume that was named.
    """

    def __init__(self, objects: list[Any], arrays: list[NDArray[Any]], volume: Volume | None) -> None:
        self._objects, self._arrays, self._volume = objects, arrays, volume
        self._made: dict[int, Any] = {}

    def value(self, plain: Any) -> Any:
        """What a plain value stands for; lists become tuples.

        Raises
        ------
        ToposegError
            If it names a kind that no file of ours holds.
        """
        if isinstance(plain, list):
            return tuple(self.value(inner) for inner in plain)
        if not isinstance(plain, dict):
            return plain
        ((tag, inner),) = plain.items()
        if tag == "$map":
            return {self.value(key): self.value(one) for key, one in inner}
        if tag == "$float":
            return float(inner)
        if tag == "$array":
            return self._arrays[inner]
        if tag == "$volume":
            return self._volume
        if tag == "$object":
            if inner not in self._made:
                self._made[inner] = self._object(self._objects[inner])
            return self._made[inner]
        raise _unknown(tag)

    def _object(self, plain: dict[str, Any]) -> Any:
        kind = plain["kind"]
        if kind == "built-in prior":
            prior = find_prior(plain["name"])
            if prior is None:
                raise _unknown(f"prior {plain['name']}")
            return prior
        inner = {name: self.value(one) for name, one in plain["fields"].items()}
        if kind == "prior":
            return Prior(
                **inner, signed_distance=_distance(self.value(plain["values"]), self.value(plain["half_sizes"]))
            )
        if kind not in KINDS:
            raise _unknown(kind)
        if kind == "PlacedState":
            inner["find_site"] = found_again(inner["placed"])
        return KINDS[kind](**inner)


def found_again(placed: Site | None) -> Any:
    """How a prior is placed where another one was: in the box in which the organ is said to lie, or in the image."""
    if placed is None:
        return None
    from napari_toposeg.inference import site_in_box, site_in_image

    within = placed.within
    if within is None:
        return site_in_image
    return lambda prior, volume: site_in_box(prior, volume, within, margin=placed.margin)


def _unknown(what: object) -> ToposegError:
    return ToposegError(
        f"The session's file speaks of {what}, which is not known here.",
        why="It was written by another version, or damaged.",
        todo="Open it with the version that wrote it.",
    )


def _sampled(prior: Prior) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A template's signed distance on a grid, and the grid's half-sizes: exact where it is kept in that way already."""
    from napari_toposeg.priors.template import sampled_distance

    distance = prior.signed_distance
    if isinstance(distance, partial) and distance.func is sampled_distance:
        return distance.keywords["values"].numpy(), distance.keywords["half_sizes"].numpy()
    import torch

    axis = torch.linspace(-_REACH, _REACH, _RASTER)
    values = distance(torch.stack(torch.meshgrid(*[axis] * prior.ndim, indexing="ij")))
    return values.to(torch.float32).numpy(), np.full(prior.ndim, _REACH, np.float32)


def _distance(values: NDArray[np.float32], half_sizes: NDArray[np.float32]) -> partial[torch.Tensor]:
    import torch

    from napari_toposeg.priors.template import sampled_distance

    return partial(sampled_distance, values=torch.from_numpy(values), half_sizes=torch.from_numpy(half_sizes))
