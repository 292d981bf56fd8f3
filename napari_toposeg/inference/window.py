"""The window through which a network looks at an image: a fixed grid, with the template always alike in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, Frame, resample
from napari_toposeg.inference.warping import soft_mask
from napari_toposeg.priors import Placement, Prior, axis_number, place_in_box
from napari_toposeg.volume import Volume

Around = Literal["box", "centre", "image"]

_SOFTNESS = 0.5
"""Width of the soft boundary of the template that a network is shown, in voxels of the window."""

_LEAST_SIDE = 8


@dataclass(frozen=True)
class Window:
    """How a network sees an image. It is part of what a network was trained with, and stands on its card.

    Attributes
    ----------
    shape : tuple of int
        Voxels of the network's grid along each axis, at least 8.
    around : {"box", "centre", "image"}
        What the grid spans: the box that holds the organ and a margin around it; so many voxels of a fixed size about
        the centre of that box; or the whole image.
    margin : float
        "box" only: how much of the box's side is added at either end of it.
    spacing : tuple of float
        "centre" only: size of a voxel, in mm. Empty: the image's own.
    template : float
        "centre" and "image" only: which share of the window's sides the template takes up. In a box it fills the box.
    axis : {"x", "y", "z"}
        What a ring, tube or cylinder turns about.
    places : tuple of (ndim,) tuples of (float, float)
        Of several objects only: where each one's template lies, from where to where along each axis, as shares of the
        window's sides. Empty: every template lies in the middle.

    Raises
    ------
    ToposegError
        If a value is not one that a window can have.
    """

    shape: tuple[int, ...]
    around: Around = "box"
    margin: float = 0.25
    spacing: tuple[float, ...] = ()
    template: float = 0.5
    axis: str = "z"
    places: tuple[tuple[tuple[float, float], ...], ...] = ()

    def __post_init__(self) -> None:
        axis_number(self.axis)
        ndim = len(self.shape)
        wrong = ""
        if self.around not in get_args(Around):
            wrong = f"around is {self.around!r}, not one of {', '.join(get_args(Around))}"
        elif ndim not in (2, 3) or min(self.shape) < _LEAST_SIDE:
            wrong = f"its shape is {self.shape}, not two or three sides of at least {_LEAST_SIDE} voxels"
        elif not 0.0 <= self.margin <= 2.0:
            wrong = f"its margin is {self.margin:g}, not a share from 0 to 2"
        elif self.spacing and (len(self.spacing) != ndim or not all(0 < length < math.inf for length in self.spacing)):
            wrong = f"its spacing is {self.spacing}, not {ndim} lengths in mm above 0"
        elif not 0.0 < self.template <= 1.0:
            wrong = f"its template takes up {self.template:g} of it, not a share from 0 to 1"
        elif any(
            len(place) != ndim or not all(len(side) == 2 and 0.0 <= side[0] < side[1] <= 1.0 for side in place)
            for place in self.places
        ):
            wrong = f"a place in it is not {ndim} pairs of ascending shares from 0 to 1"
        if wrong:
            raise ToposegError("The window makes no sense.", why=f"{wrong[0].upper()}{wrong[1:]}.")

    @property
    def ndim(self) -> int:
        return len(self.shape)


def window_frame(window: Window, frame: Frame, box: Box | None) -> Frame:
    """The grid on which a network sees an image.

    Parameters
    ----------
    window : Window
        Of as many dimensions as the image.
    frame : Frame
        The image's grid.
    box : Box or None
        Where the organ is said to lie, in voxels of `frame`; None where nothing is said.

    Returns
    -------
    Frame
        May reach beyond the image. Where its voxels are as large as the image's own ("centre" without a spacing) they
        are the image's own.

    Raises
    ------
    ToposegError
        If the dimensions differ, or the window wants a box and none is given.
    """
    if window.ndim != frame.ndim:
        raise ToposegError(
            f"The network sees {window.ndim}-D images, and this one is {frame.ndim}-D.",
            todo=f"Choose weights for {frame.ndim}-D images; `toposeg models` lists them.",
        )
    if box is None and window.around == "box":
        raise ToposegError(
            "These weights need to be told where the organ is.",
            why="They were trained on a box around it.",
            todo="Draw a box, or give --roi, --roi-from or --place-from.",
        )
    edges = np.array(frame.box if box is None or window.around == "image" else box, float)
    sides = edges[:, 1] - edges[:, 0]
    shape = np.array(window.shape)
    if window.around == "centre":
        step = np.array(window.spacing) / frame.spacing if window.spacing else np.ones(frame.ndim)
        start = edges.mean(axis=1) - shape * step / 2.0
        start = np.where(step == 1.0, np.floor(start), start)
    else:
        around = window.margin * sides if window.around == "box" else 0.0
        start = edges[:, 0] - around
        step = (sides + 2.0 * around) / shape
    to_index = np.eye(4)
    to_index[range(frame.ndim), range(frame.ndim)] = step
    # Voxel k of the window reaches from start + k * step to start + (k + 1) * step, counted in faces of the image's.
    to_index[: frame.ndim, 3] = start + step / 2.0 - 0.5
    return Frame(frame.affine @ to_index, window.shape)


def span_of(window: Frame, frame: Frame, beyond: float) -> list[tuple[float, float]]:
    """From where to where a window reaches along each axis of an image's grid, whose axes are the same.

    Parameters
    ----------
    window, frame : Frame
        The window's and the image's grid.
    beyond : float
        Voxels of the window that count beyond the centres of its outermost ones: half of one reaches to their faces.

    Returns
    -------
    list of (float, float)
        In voxels of `frame`.
    """
    matrix = window.index_in(frame)
    return [
        (float(matrix[k, k] * -beyond + matrix[k, 3]), float(matrix[k, k] * (size - 1 + beyond) + matrix[k, 3]))
        for k, size in enumerate(window.shape)
    ]


def window_placement(window: Window, prior: Prior, frame: Frame, number: int = 0) -> Placement:
    """Where the template stands in a window: at the same voxels of every one.

    Parameters
    ----------
    window : Window
        How the network sees images.
    prior : Prior
        Of as many dimensions.
    frame : Frame
        As `window_frame` gives it.
    number : int
        Which of several objects it is.
    """
    share = 1.0 / (1.0 + 2.0 * window.margin) if window.around == "box" else window.template
    shares = window.places[number] if window.places else (((1.0 - share) / 2.0, (1.0 + share) / 2.0),) * window.ndim
    box = [(low * size, high * size) for (low, high), size in zip(shares, window.shape, strict=True)]
    # In a box a ball becomes an ellipsoid: the network sees every box as the same one.
    fills = window.around == "box" or window.places
    fitting = replace(prior, keeps_proportions=False) if fills else prior
    # Proportions are kept in voxels: in mm, windows of other spacings would show the template at other voxels.
    in_voxels = place_in_box(fitting, Frame(np.eye(4), window.shape), box, axis=window.axis)
    return Placement(frame.affine @ in_voxels.matrix)


def shown_template(prior: Prior, placement: Placement, frame: Frame) -> Tensor:
    """(1, 1, *frame.shape) soft mask of the template, as a network is shown it."""
    return soft_mask(prior, placement, frame, frame.coordinates(), _SOFTNESS)


def shown_image(volume: Volume, frame: Frame) -> Tensor:
    """The image as a network is shown it.

    Parameters
    ----------
    volume : Volume
        Of one channel.
    frame : Frame
        The window.

    Returns
    -------
    (1, 1, *frame.shape) float32 tensor
        Of mean 0 and deviation 1; beyond the image its border is repeated.

    Raises
    ------
    ToposegError
        If all that is seen is of one intensity.
    """
    seen = torch.from_numpy(resample(volume.voxels, volume.frame, frame))[None, None]
    deviation, mean = torch.std_mean(seen)
    if not deviation > 0:
        raise ToposegError(
            "The region has one single intensity.", why="There is nothing to see in it.", todo="Choose another region."
        )
    return (seen - mean) / deviation
