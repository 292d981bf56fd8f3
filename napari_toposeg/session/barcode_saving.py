"""A session's barcode as a file."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import (
    BARCODE_ENDINGS,
    BARCODE_PICTURE_ENDINGS,
    split_ending,
    write_barcode,
    write_barcode_picture,
    write_barcode_table,
)
from napari_toposeg.session.barcode_map import BarcodeMap
from napari_toposeg.topology import Barcode
from napari_toposeg.topology.persistence import NO_VOXEL


def save_barcode(
    barcode: Barcode,
    map_: BarcodeMap,
    path: str | os.PathLike[str],
    *,
    betti: tuple[int, ...] | None,
    wanted: NDArray[np.bool_],
    level: float,
    diagram: bool,
) -> None:
    """Write a barcode as numbers or as a picture, as the path's ending says.

    Parameters
    ----------
    barcode : Barcode
        Its voxels are canonical ones of the map's volume.
    map_ : BarcodeMap
        What it is the barcode of.
    path : path
        .json, .csv, .png, .svg or .pdf.
    betti, wanted
        The prior's Betti numbers, and (n,) which bars are its own.
    level : float
        Where a picture has its line.
    diagram : bool
        Whether a picture shows points of birth and death.

    Raises
    ------
    ToposegError
        If the ending is another one, or the file cannot be written.
    """
    ending = split_ending(path)[1]
    if ending in BARCODE_PICTURE_ENDINGS:
        write_barcode_picture(barcode, path, diagram=diagram, level=level, title=map_.name, scale=map_.scale)
    elif ending == ".json":
        write_barcode(_in_file(barcode, map_), path, facts=_facts(map_, betti))
    elif ending == ".csv":
        write_barcode_table(_in_file(barcode, map_), path, columns=_columns(barcode, map_, wanted))
    else:
        endings = ", ".join(BARCODE_ENDINGS + BARCODE_PICTURE_ENDINGS)
        raise ToposegError(
            f"{path} cannot be written.",
            why=f"Its ending is none of {endings}.",
            todo=f"Call it, for example, {split_ending(path)[0] or 'bars'}.json.",
        )


def _in_file(barcode: Barcode, map_: BarcodeMap) -> Barcode:
    """The same bars with their places counted in the image file's own array."""
    volume = map_.volume
    ends = [
        np.where(voxels[:, :1] == NO_VOXEL, NO_VOXEL, volume.index_to_stored(np.maximum(voxels, 0)))
        for voxels in (barcode.birth_voxel, barcode.death_voxel)
    ]
    return replace(barcode, shape=volume.stored.shape, birth_voxel=ends[0], death_voxel=ends[1])


def _facts(map_: BarcodeMap, betti: tuple[int, ...] | None) -> dict[str, Any]:
    """What a file says of the map; the box is one of the image file's own array."""
    scale = map_.scale
    return {
        "map": map_.name,
        "image": map_.volume.path,
        "box": [list(ends) for ends in map_.volume.box_to_stored(map_.box)],
        "level_0": scale.low,
        "level_1": scale.high,
        "levels_are": scale.name,
        "betti_of_the_prior": None if betti is None else list(betti),
    }


def _columns(barcode: Barcode, map_: BarcodeMap, wanted: NDArray[np.bool_]) -> dict[str, list[Any]]:
    """What a table has besides: the map's own numbers, places in RAS mm, and which bars are the prior's."""
    columns: dict[str, list[Any]] = {
        "birth_value": map_.scale.value(barcode.birth).tolist(),
        "death_value": map_.scale.value(barcode.death).tolist(),
    }
    for end, voxels in (("birth", barcode.birth_voxel), ("death", barcode.death_voxel)):
        there = (voxels[:, 0] != NO_VOXEL).tolist()
        for axis, numbers in zip("xyz", map_.volume.frame.world(voxels).T, strict=True):
            columns[f"{end}_{axis}_mm"] = [
                number if exists else "" for number, exists in zip(numbers.tolist(), there, strict=True)
            ]
    return {**columns, "wanted": [int(one) for one in wanted]}
