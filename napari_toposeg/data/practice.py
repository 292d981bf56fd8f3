"""A folder to practise labelling on: volumes of a known shape, and labels of the first of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.data.phantoms import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import write_image, write_mask

IMAGES, LABELS = "rings", "labels"


def write_practice(
    place: str | os.PathLike[str],
    *,
    volumes: int = 12,
    labelled: int = 4,
    shape: tuple[int, int, int] = (44, 44, 36),
) -> dict[str, NDArray[np.bool_]]:
    """Write deformed rings into ``place/rings``, and labels of the first of them into ``place/labels``.

    Parameters
    ----------
    place : path
        Made where it is not there.
    volumes, labelled : int
        How many there are of each.
    shape : (3,) tuple of int
        Voxels of each.

    Returns
    -------
    dict of str to (*shape) bool
        The right answer of each volume, by its name, on its canonical grid.

    Raises
    ------
    ToposegError
        If there is such a folder already, or it cannot be written.
    """
    folders = [Path(place) / name for name in (IMAGES, LABELS)]
    for folder in folders:
        if folder.exists():
            raise ToposegError(f"{folder} is there already.", todo="Choose an empty folder.")
    truth = {}
    try:
        for folder in folders:
            folder.mkdir(parents=True)
    except OSError as error:
        raise ToposegError(f"{error.filename} cannot be made.", why=f"{error.strerror}.") from error
    for number in range(volumes):
        ring, name = phantom("torus", shape, seed=number), f"ring-{number + 1:02}"
        truth[name] = ring.mask
        write_image(ring.volume, folders[0] / f"{name}.nii.gz")
        if number < labelled:
            write_mask(ring.mask, ring.volume, folders[1] / f"{name}.nii.gz")
    return truth
