"""Include and exclude points on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from napari_toposeg.inference import MultiSegmentation, Outcome, Prompts
    from napari_toposeg.volume import Volume

_NUMBER = r"\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*"


def parse_points(text: str) -> list[tuple[float, ...]]:
    """Points from ``I,J,K;I,J,K;...`` (``I,J`` in 2-D).

    Raises
    ------
    ToposegError
        If the text is anything else.
    """
    points = [part for part in text.split(";") if part.strip()]
    if not points or not all(re.fullmatch(rf"{_NUMBER}(?:,{_NUMBER}){{1,2}}", part) for part in points):
        raise ToposegError(
            f"The points {text!r} cannot be read.",
            why="A point is one voxel index by axis, counted from 0; a semicolon stands between two points.",
            todo="Write them like '40,52,17;44,60,17', in quotes.",
        )
    return [tuple(float(number) for number in part.split(",")) for part in points]


def read_prompts(include: str | None, exclude: str | None, volume: Volume) -> Prompts:
    """Prompts from points in the file's own voxels; the exclude points come last.

    Parameters
    ----------
    include, exclude : str, optional
        As `parse_points` reads them.
    volume : Volume
        The image.

    Raises
    ------
    ToposegError
        If a text cannot be read, or a point has not one index for each axis of the file.
    """
    from napari_toposeg.inference import Prompt

    return tuple(
        Prompt(point, included)
        for text, included in ((include, True), (exclude, False))
        if text is not None
        for point in canonical_points(parse_points(text), volume)
    )


def canonical_points(points: Sequence[tuple[float, ...]], volume: Volume) -> list[tuple[float, ...]]:
    """Points in the file's own voxels as points in canonical ones.

    Raises
    ------
    ToposegError
        If a point has not one index for each axis of the file.
    """
    to_canonical = np.linalg.inv(volume.affine) @ volume.stored.affine
    canonical = []
    for point in points:
        index = list(point)
        if len(index) == 2 and len(volume.stored.shape) == 3 and volume.ndim == 2:
            index.insert(volume.stored.shape.index(1), 0.0)
        if len(index) != len(volume.stored.shape):
            raise ToposegError(
                f"A point has {len(point)} indices and the image {len(volume.stored.shape)} axes.",
                todo="Give one voxel index for each axis.",
            )
        at = to_canonical @ [*index, *[0.0] * (3 - len(index)), 1.0]
        canonical.append(tuple(float(number) for number in np.round(at[: volume.ndim], 6)))
    return canonical


def no_prompts_here(what: str) -> ToposegError:
    """Why points cannot be had of several objects, or of a pixel-wise network."""
    return ToposegError(
        f"Include and exclude points have no meaning for {what}.",
        why="They move the deformation of one template.",
        todo="Leave out --include and --exclude, or give weights that deform one template.",
    )


def prompt_sentences(result: Outcome | MultiSegmentation) -> list[str]:
    """What became of prompts that are not satisfied by the deformation, in a sentence each."""
    from napari_toposeg.inference import Segmentation

    if not isinstance(result, Segmentation):
        return []
    return [outcome.sentence for outcome in result.prompts if outcome.means != "deformation"]
