"""A prior from what a person names: a built-in shape, a mask file, or a folder of masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.masks import read_mask
from napari_toposeg.formats.paths import ENDINGS, split_ending, split_label
from napari_toposeg.frame import box_of, box_slices

if TYPE_CHECKING:
    from napari_toposeg.priors import Prior


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
