"""What a session tunes: the map of a result, any map on the volume's grid, a velocity field, a network's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_of, box_slices, grow_box
from napari_toposeg.inference import (
    Outcome,
    Segmentation,
    Settings,
    Site,
    TrainedNetwork,
    TuningSettings,
    trained_network,
    tune_map,
    tune_network,
    tune_velocity,
)
from napari_toposeg.inference.weights import known_weights, load_weights
from napari_toposeg.priors import Prior
from napari_toposeg.session.barcode_map import check_box
from napari_toposeg.steps import Steps
from napari_toposeg.topology import signed_distance
from napari_toposeg.volume import Volume

_AROUND = 4.0
"""Voxels around a mask of which a map is made: a bridge may leave the mask's own box."""
_ROUNDING = 1e-3
"""How far interpolation may carry a probability out of [0, 1]."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chosen:
    """What is to be tuned; nothing of it is computed before it is asked for.

    Attributes
    ----------
    prior : Prior
        Whose topology is wanted.
    box : Box
        Which canonical voxels of the volume the previews cover.
    before : callable
        The mask (*volume.shape) from which it starts.
    make : callable
        The steps that tune it.
    """

    prior: Prior
    box: Box
    before: Callable[[], Mask]
    make: Callable[[], Steps[Outcome]]


def chosen_map_of_result(result: Outcome, edited: NDArray[Any] | None, tuning: TuningSettings) -> Chosen:
    """The map whose threshold is a result's mask: a distance to a surface, in voxels, taken for logits.

    Parameters
    ----------
    result : Outcome
        What was segmented. The surface is that of its warped template; of its mask where nothing deforms.
    edited : (*volume.shape) array or None
        What was made of its mask by hand: then the surface is that mask's.
    tuning : TuningSettings
        How it is tuned.

    Raises
    ------
    ToposegError
        If the mask is empty, or the box too large.
    """
    volume, prior = result.volume, result.prior
    voxel = float(np.prod(volume.spacing) ** (1.0 / volume.ndim))
    before = _mask_of(result, edited)
    box = result.box
    if edited is not None:
        tight = box_of(before())
        if tight is None:
            raise ToposegError("The mask is empty.", todo="Run again, or undo what was erased.")
        box = grow_box(tight, [_AROUND] * volume.ndim)
    box = check_box(volume, box)

    def make() -> Steps[Outcome]:
        if edited is None and isinstance(result, Segmentation):
            distance, name = result.template_distance(), "the warped template's distance"
        else:
            mask = before()[box_slices(box)]
            distance = signed_distance(mask, volume.spacing.tolist())
            name = "the mask's distance" if edited is None else "the edited mask's distance"
        values = (distance / voxel).astype(np.float32)
        yield from tune_map(volume, prior, values, box, tuning, name=name, logits=True, result=result)

    return Chosen(prior, box, before, make)


def chosen_array(
    volume: Volume,
    prior: Prior,
    values: NDArray[Any],
    region: Box | None,
    tuning: TuningSettings,
    *,
    name: str,
    logits: bool,
) -> Chosen:
    """Any map (*volume.shape), in the region that is looked at, or everywhere.

    Raises
    ------
    ToposegError
        If its shape is not the volume's, the region is too large, or something else than the map should move. When it
        is tuned: if its numbers are not what they are said to be.
    """
    if tuning.moves != "map":
        raise ToposegError(
            f"{name[:1].upper()}{name[1:]} has no {'velocity field' if tuning.moves == 'velocity' else 'weights'}.",
            why="A map is numbers alone: nothing says what made it.",
            todo="Let the map itself move, or tune the result.",
        )
    if values.shape != volume.shape:
        raise ToposegError(
            f"The map has a shape of {' x '.join(map(str, values.shape))}.",
            why=f"The image's is {' x '.join(map(str, volume.shape))}.",
            todo="Choose a map on the image's own grid.",
        )
    box = check_box(volume, region or volume.frame.box)

    @cache
    def part() -> NDArray[np.float32]:
        part = np.ascontiguousarray(values[box_slices(box)], np.float32)
        low, high = float(part.min()), float(part.max())
        if logits or (low >= -_ROUNDING and high <= 1.0 + _ROUNDING):
            return part if logits else part.clip(0.0, 1.0)
        raise ToposegError(
            f"The map has values from {low:.4g} to {high:.4g}.",
            why="Probabilities lie between 0 and 1.",
            todo="Choose a probability map; if these are logits, say so.",
        )

    def before() -> Mask:
        full = np.zeros(volume.shape, bool)
        full[box_slices(box)] = part() > (0.0 if logits else 0.5)
        return full

    return Chosen(prior, box, before, lambda: tune_map(volume, prior, part(), box, tuning, name=name, logits=logits))


def chosen_velocity(result: Outcome, site: Site | None, edited: NDArray[Any] | None, tuning: TuningSettings) -> Chosen:
    """The deformation of a result, as it was before anybody changed its mask by hand.

    Raises
    ------
    ToposegError
        If nothing deforms in it.
    """
    if not isinstance(result, Segmentation) or site is None:
        raise ToposegError(
            "This result has no velocity field.",
            why="It was segmented voxel by voxel, and nothing deforms.",
            todo="Let the map move instead.",
        )

    def make() -> Steps[Any]:
        return tune_velocity(result, site, tuning)

    return Chosen(result.prior, result.box, _mask_of(result, edited), make)


def chosen_network(
    volume: Volume,
    prior: Prior,
    site: Site,
    weights: str | None,
    tuning: TuningSettings,
    settings: Settings,
    result: Outcome | None,
    edited: NDArray[Any] | None,
) -> Chosen:
    """A network: the one that is named, or else the one that a result came from.

    Parameters
    ----------
    volume, prior, site, settings
        As for `tune_network`.
    weights : str or None
        Its name or file.
    tuning : TuningSettings
        How it is tuned.
    result : Outcome or None
        What there is.
    edited : (*volume.shape) array or None
        What was made of its mask by hand.

    Raises
    ------
    ToposegError
        If no network made the result and none is named.
    """
    facts = {} if result is None or not result.networks else result.networks[0]
    if not weights and not facts.get("weights"):
        raise ToposegError(
            "There is no network to tune.",
            why="Nothing was run yet." if result is None else "No network with a name made this result.",
            todo="Choose weights, or run a network first.",
        )

    def before() -> Mask:
        return np.zeros(volume.shape, bool) if result is None else _mask_of(result, edited)()

    def make() -> Steps[Outcome]:
        trained = _load(weights or str(facts["weights"]), None if weights else facts.get("sha256"))
        yield from tune_network(volume, prior, site, trained, tuning, settings, result=result)

    return Chosen(prior, site.region, before, make)


def names_of_networks(prior: Prior) -> tuple[str, ...]:
    """Names of the weights on this computer that were trained with a prior of the same Betti numbers, and no other."""
    return tuple(
        known.name
        for known in known_weights()
        if known.card is not None
        and known.place != "online"
        and known.card.settings.ndim == prior.ndim
        and [one.betti for one in known.card.priors] == [prior.betti]
    )


def _load(source: str, sha256: object) -> TrainedNetwork:
    trained = trained_network(*load_weights(source))
    if sha256 is not None and trained.sha256 != sha256:
        raise ToposegError(
            f"The weights {source!r} are no longer those that the result came from.",
            why="Their file has changed since.",
            todo="Run again, or choose the weights.",
        )
    return trained


def _mask_of(result: Outcome, edited: NDArray[Any] | None) -> Callable[[], Mask]:
    return result.full_mask if edited is None else lambda: np.asarray(edited) != 0
