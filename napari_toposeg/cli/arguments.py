"""What the words of a command line mean; everything that can be refused is refused before anything is computed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_toposeg.cli.prompts import canonical_points, parse_points
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_toposeg.inference import Site
    from napari_toposeg.priors import Prior
    from napari_toposeg.volume import Volume

NIFTI_OUTPUTS = (".nii.gz", ".nii")
PICTURE_OUTPUTS = (".png", ".tif", ".tiff")
MASK_OUTPUTS = (*NIFTI_OUTPUTS, ".nrrd", ".mha", ".dcm")
SURFACE_OUTPUTS = (".stl", ".ply", ".vtk")


def parse_roi(text: str) -> Box:
    """A box from ``I0:I1,J0:J1[,K0:K1]``.

    Raises
    ------
    ToposegError
        If the text is anything else.
    """
    words = [re.fullmatch(r"\s*(-?\d+)\s*:\s*(-?\d+)\s*", part) for part in text.split(",")]
    if not 2 <= len(words) <= 3 or None in words:
        raise ToposegError(
            f"The region {text!r} cannot be read.",
            why="It is one range of voxels for each axis, counted from 0, the end not included.",
            todo="Write it like 10:74,20:84,5:40, without spaces.",
        )
    return tuple((int(word[1]), int(word[2])) for word in words if word)


def check_outputs(
    outputs: Sequence[tuple[Path | None, Sequence[str]]], inputs: Sequence[str | Path | None] = ()
) -> None:
    """Refuse outputs that could not be written, or that would overwrite an input or each other.

    Parameters
    ----------
    outputs : sequence of (Path or None, sequence of str)
        Where a file will be written, if it is wanted, and the endings that it may have.
    inputs : sequence of path or None
        Files that are read.

    Raises
    ------
    ToposegError
        For the first output that cannot be used.
    """
    from napari_toposeg.formats import split_ending

    read = {Path(path).resolve(): path for path in inputs if path is not None}
    seen: set[Path] = set()
    for path, endings in outputs:
        if path is None:
            continue
        whole = path.resolve()
        if split_ending(path)[1] not in endings:
            raise ToposegError(
                f"{path} cannot be written.",
                why=f"Its ending is not {' or '.join(endings)}.",
                todo=f"Call it, for example, {split_ending(path)[0] or 'result'}{endings[0]}.",
            )
        if whole in read:
            raise ToposegError(
                f"{path} is both read and written.",
                why="The input would be lost.",
                todo="Give the output another name.",
            )
        if whole in seen:
            raise ToposegError(f"{path} is named for two outputs.", todo="Give each a name of its own.")
        seen.add(whole)
        check_folder(path)


def check_folder(path: Path) -> None:
    """Refuse a file whose folder is missing or cannot be written to."""
    if path.is_dir():
        raise ToposegError(f"{path} is a folder.", todo="Give the name of a file in it.")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ToposegError(
            f"{path} cannot be written.", why=f"There is no folder {folder}.", todo="Make the folder first."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ToposegError(
            f"{path} cannot be written.",
            why=f"You may not write to the folder {folder}.",
            todo="Choose another folder, or change its rights.",
        )


def mask_endings(ndim: int) -> tuple[str, ...]:
    """The endings that a mask of so many dimensions can have."""
    return MASK_OUTPUTS + PICTURE_OUTPUTS if ndim == 2 else MASK_OUTPUTS


def choose_prior(name: str | None, ndim: int, *, of: str = "image") -> Prior:
    """The prior of this name or file; without a name a ball, or a disk in 2-D.

    Raises
    ------
    ToposegError
        If there is none, or it has another number of dimensions than what it is for.
    """
    from napari_toposeg.formats import read_prior

    prior = read_prior(name or ("ball" if ndim == 3 else "disk"))
    if prior.ndim != ndim:
        raise ToposegError(
            f"The prior {prior.name!r} is {prior.ndim}-D and the {of} {ndim}-D.",
            todo=f"Choose a {ndim}-D prior; `toposeg priors` lists them.",
        )
    return prior


@dataclass(frozen=True)
class Where:
    """How the user says where the organ is; at most one of the five is given.

    Attributes
    ----------
    roi : str or None
        A box in the file's voxels, as text.
    roi_from, place_from : str or None
        ``MASK`` or ``MASK:LABEL``: a mask whose box, or whose principal axes, the template is put into.
    margin : float or None
        Surroundings to look at, in mm.
    axis : str
        What a ring, tube or cylinder turns about.
    points, stroke : str or None
        Places in the file's voxels, as text: two to six of the organ's surface, or a line through it.
    radius : float or None
        Of the template about the stroke, in mm.
    """

    roi: str | None = None
    roi_from: str | None = None
    place_from: str | None = None
    margin: float | None = None
    axis: str = "z"
    points: str | None = None
    stroke: str | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        given = [
            flag
            for flag, value in (
                ("--roi", self.roi),
                ("--roi-from", self.roi_from),
                ("--place-from", self.place_from),
                ("--points", self.points),
                ("--stroke", self.stroke),
            )
            if value is not None
        ]
        if len(given) > 1:
            raise ToposegError(
                f"{' and '.join(given)} exclude each other.",
                why="Each of them says where the organ is.",
                todo="Leave all but one of them out.",
            )
        if self.margin is not None and not 0.0 <= self.margin < float("inf"):
            raise ToposegError(
                f"A margin of {self.margin:g} mm makes no sense.", todo="Give a length in mm that is not negative."
            )
        if self.margin is not None and not given:
            raise ToposegError(
                "--margin has nothing to go round.",
                why="Without a region the whole image is looked at.",
                todo="Give --roi, --roi-from, --place-from, --points or --stroke as well.",
            )
        if self.radius is not None and self.stroke is None:
            raise ToposegError(
                "--radius has nothing to go round.",
                why="It is how far the template reaches to the sides of a stroke.",
                todo="Give --stroke as well.",
            )
        if self.roi is not None:
            parse_roi(self.roi)
        for text in (self.points, self.stroke):
            if text is not None:
                parse_points(text)

    def files(self) -> list[Path]:
        """The mask files that it names."""
        from napari_toposeg.formats import split_label

        return [Path(split_label(text)[0]) for text in (self.roi_from, self.place_from) if text is not None]

    def site(self, prior: Prior, volume: Volume) -> Site:
        """Put the prior into the volume.

        Raises
        ------
        ToposegError
            If the region, a point or the stroke leaves the image, or the mask does not fit it; if the points or the
            stroke place no template.
        """
        from napari_toposeg.inference import (
            site_along_stroke,
            site_at_points,
            site_in_box,
            site_in_image,
            site_on_mask,
        )

        if self.roi is not None:
            box = volume.box_from_stored(parse_roi(self.roi))
            return site_in_box(prior, volume, box, margin=self.margin, axis=self.axis)
        if self.roi_from is not None:
            _, box = _mask_and_box(self.roi_from, volume)
            return site_in_box(prior, volume, box, margin=self.margin, axis=self.axis)
        if self.place_from is not None:
            mask, _ = _mask_and_box(self.place_from, volume)
            return site_on_mask(prior, volume, mask, margin=self.margin, axis=self.axis)
        if self.points is not None:
            points = canonical_points(parse_points(self.points), volume)
            return site_at_points(prior, volume, points, margin=self.margin, axis=self.axis)
        if self.stroke is not None:
            stroke = canonical_points(parse_points(self.stroke), volume)
            return site_along_stroke(prior, volume, stroke, radius=self.radius, margin=self.margin)
        return site_in_image(prior, volume, axis=self.axis)

    def facts(self) -> dict[str, Any]:
        """What the report needs to repeat a bent template; its placement says the rest."""
        if self.stroke is None:
            return {}
        return {"stroke": [list(place) for place in parse_points(self.stroke)], "radius": self.radius}


def _mask_and_box(text: str, volume: Volume) -> tuple[NDArray[np.bool_], Box]:
    from napari_toposeg.formats import read_mask, split_label

    path, label = split_label(text)
    mask, _ = read_mask(path, label=label, volume=volume)
    box = box_of(mask)
    if box is None:
        raise ToposegError(f"{path} is empty.", why="None of its voxels is set.", todo="Choose another mask.")
    return mask, box
