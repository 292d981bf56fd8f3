"""A prior from what a person names: a built-in shape, a mask file, or a folder of masks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.masks import read_mask
from napari_toposeg.formats.paths import ENDINGS, split_ending, split_label
from napari_toposeg.formats.volumes import write_mask
from napari_toposeg.frame import Frame, box_of, box_slices
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.priors import Prior


TEMPLATE_SIDE = 96
"""Voxels along each side of the file of a template."""


def read_prior(text: str) -> Prior:
    """Find or make a prior.

    Parameters
    ----------
    text : str
        The name of a built-in prior ("ball"); or a mask file, whose shape becomes the template; or a folder of masks,
        whose mean shape does. ":LABEL" behind a file or a folder takes one label of its files. A built-in name goes
        before a file of the same name; "./ball" is the file.

    Returns
    -------
    Prior

    Raises
    ------
    ToposegError
        If there is nothing of this name, a mask is empty or cannot be read, or a folder holds no masks.
    """
    # Here, so that reading an image does not load torch.
    from napari_toposeg.priors import find_prior, prior_from_mask, prior_names

    built_in = find_prior(text)
    if built_in is not None:
        return built_in
    place, label = split_label(text)
    if Path(place).is_dir():
        return _mean_of_folder(Path(place), label)
    if not Path(place).exists():
        raise ToposegError(
            f"There is no prior {text!r}.",
            why=f"It is neither a file nor a folder, nor one of {', '.join(prior_names())}.",
            todo="Choose one of these names, or give a mask file.",
        )
    mask, source = read_mask(place, label=label)
    return prior_from_mask(mask, source.spacing, name=split_ending(place)[0])


def write_prior(prior: Prior, path: str | os.PathLike[str]) -> None:
    """Write a template as the mask of a file, of which `read_prior` makes it again, but for what a raster loses.

    Parameters
    ----------
    prior : Prior
        The template; it takes up the middle three quarters of a grid of `TEMPLATE_SIDE` voxels a side.
    path : path
        As in `write_mask`; appears whole or not at all.

    Raises
    ------
    ToposegError
        If the template has another topology on that grid, or the file cannot be written.
    """
    from napari_toposeg.priors import place_in_box, template_mask
    from napari_toposeg.topology import betti_numbers

    frame = Frame(np.eye(4), (TEMPLATE_SIDE,) * prior.ndim)
    middle = [(TEMPLATE_SIDE / 8.0, TEMPLATE_SIDE * 7.0 / 8.0)] * prior.ndim
    mask = template_mask(prior, place_in_box(replace(prior, keeps_proportions=True), frame, middle), frame)
    if betti_numbers(mask) != prior.betti:
        raise ToposegError(
            f"The template {prior.name!r} loses its topology in a file.",
            why=f"Its walls are thinner than a voxel of a grid of {TEMPLATE_SIDE} voxels a side.",
            todo="Give a mask as the prior instead.",
        )
    write_mask(mask, Volume.from_stored(mask.astype(np.uint8), np.eye(4)), path)


def _mean_of_folder(folder: Path, label: int | None) -> Prior:
    from napari_toposeg.priors import mean_shape

    files = sorted(
        file
        for file in folder.iterdir()
        # Of a .hdr/.img pair one file is enough; names with a dot in front are leftovers of the system.
        if split_ending(file)[1] in ENDINGS and split_ending(file)[1] != ".img" and not file.name.startswith(".")
    )
    masks, spacings = [], []
    for file in files:
        mask, source = read_mask(file, label=label)
        box = box_of(mask)
        if box is None:
            raise ToposegError(f"{file} is empty.", todo="Take it out of the folder, or choose a label that it has.")
        # A copy of the box alone: a folder of 512x512x300 masks would not fit otherwise.
        masks.append(mask[box_slices(box)].copy())
        spacings.append(source.spacing)
    return mean_shape(masks, spacings, name=folder.resolve().name)
