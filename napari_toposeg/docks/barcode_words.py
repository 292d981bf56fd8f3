"""A barcode as a person says it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks import colours
from napari_toposeg.topology import Barcode, betti_words
from napari_toposeg.topology.persistence import NO_VOXEL, Scale
from napari_toposeg.topology.words import FEATURES
from napari_toposeg.volume import Volume


def level_words(
    betti: tuple[int, ...],
    wanted: tuple[int, ...] | None,
    level: float,
    scale: Scale,
    right: NDArray[np.float64],
) -> tuple[str, str]:
    """What there is at a level, and how that compares with the prior.

    Parameters
    ----------
    betti, wanted : tuple of int
        Betti numbers at the level, and the prior's; None: there is no prior.
    level : float
        From 0 to 1.
    scale : Scale
        What the levels stand for.
    right : (m, 2) float64
        Ranges of levels with the prior's numbers.

    Returns
    -------
    str, str
        A sentence in rich text, and a quieter one.
    """
    there = betti_words(betti)
    at = f"At {in_unit(scale, level)}: <b>{there}</b>"
    if wanted is None or len(wanted) != len(betti):
        return f"{at}.", "Choose a prior to see which bars are its own."
    if betti == wanted:
        says = f'{at}, <span style="color: {colours.GOOD}"><b>as the prior</b></span>.'
    else:
        says = f'{at}; <span style="color: {colours.DOUBTFUL}"><b>the prior has {betti_words(wanted)}</b></span>.'
    if len(right) == 0:
        return says, "There is no level at which the map has the prior's numbers."
    low, high = right[np.argmax(right[:, 1] - right[:, 0])]
    more = "" if len(right) == 1 else f", and in {len(right) - 1} shorter range{'s' if len(right) > 2 else ''}"
    return says, f"The prior's numbers hold from {in_unit(scale, high)} down to {in_unit(scale, low)}{more}."


def legend(barcode: Barcode, betti: tuple[int, ...], tones: tuple[str, ...]) -> str:
    """The colours of the dimensions with how many bars there are, and how many at the threshold, in rich text."""
    parts = []
    for dimension, (_, many) in enumerate(FEATURES[barcode.ndim]):
        count = int(np.count_nonzero(barcode.dimension == dimension))
        parts.append(
            f'<span style="color: {tones[dimension]}">■</span>&nbsp;{many}&nbsp;<b>{betti[dimension]:,}</b>'
            f"&nbsp;of&nbsp;{count:,}"
        )
    return " &nbsp; ".join(parts)


def bar_words(barcode: Barcode, number: int, wanted: bool, scale: Scale, volume: Volume) -> str:
    """One bar: what it is, when it is born and dies, and at which voxels of the image's file."""
    bar = barcode[number]
    one, _ = FEATURES[barcode.ndim][bar.dimension]
    whose = ", the prior's" if wanted else ""
    born = f"born at {scale.text(bar.birth)}{_place(volume, bar.birth_voxel)}"
    if bar.death_voxel is None and bar.death == 0:
        dies = "never dies"
    else:
        dies = f"dies at {scale.text(bar.death)}{_place(volume, bar.death_voxel)}"
    length = bar.length * (scale.high - scale.low)
    return f"{one.capitalize()}{whose}: lasts {length:.{scale.digits}f}{_unit(scale)}\n{born}, {dies}"


def in_unit(scale: Scale, level: float) -> str:
    """A level as the map's own number, with its unit."""
    return f"{scale.text(level)}{_unit(scale)}"


def _unit(scale: Scale) -> str:
    _, comma, unit = scale.name.partition(", ")
    return f" {unit}" if comma else ""


def _place(volume: Volume, voxel: tuple[int, ...] | None) -> str:
    if voxel is None or voxel[0] == NO_VOXEL:
        return ""
    stored = volume.index_to_stored(np.array([voxel]))[0]
    return f" (voxel {', '.join(map(str, stored.tolist()))})"
