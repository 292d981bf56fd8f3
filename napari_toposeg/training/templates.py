"""The templates that a network is shown: one grid for all images, and the same with its holes filled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from torch import Tensor

from napari_toposeg.frame import Frame
from napari_toposeg.inference.window import Window, shown_template, window_placement
from napari_toposeg.priors import Prior, axis_number


def shown_templates(priors: Sequence[Prior], window: Window) -> Tensor:
    """(1, q, *window) soft masks of the templates, as they stand in every window."""
    affine = np.eye(4)
    frame = Frame(affine, window.shape)
    shown = [
        shown_template(prior, window_placement(window, prior, frame, number), frame)
        for number, prior in enumerate(priors)
    ]
    return torch.cat(shown, dim=1)


def filled(masks: Tensor, betti: Sequence[tuple[int, ...]], axis: str) -> Tensor:
    """Soft masks with their holes filled.

    Parameters
    ----------
    masks : (N, q, *grid) tensor
        From 0 to 1.
    betti : sequence of tuple of int
        Of each object's prior. Nothing is filled where it has no hole.
    axis : {"x", "y", "z"}
        What a ring or tube turns about: 3-D holes that go through are filled slice by slice across it, cavities as a
        whole.

    Returns
    -------
    (N, q, *grid) tensor
        1 in the holes, and as they were elsewhere.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Sec. III-D ("Fill First, Dig Second"), for 2-D and for
    a hole or two; in 3-D theirs is not said.
    """
    answer = masks.clone()
    for number, numbers in enumerate(betti):
        if not any(numbers[1:]):
            continue
        for image in range(len(masks)):
            solid = (masks[image, number] > 0.5).numpy(force=True)
            holes = _without_holes(solid, numbers, axis) & ~solid
            answer[image, number][torch.from_numpy(holes).to(answer.device)] = 1.0
    return answer


def _without_holes(solid: NDArray[np.bool_], betti: tuple[int, ...], axis: str) -> NDArray[np.bool_]:
    if solid.ndim == 3 and betti[1]:
        across = axis_number(axis)
        slices = [binary_fill_holes(plane) for plane in np.moveaxis(solid, across, 0)]
        solid = np.moveaxis(np.stack(slices), 0, across)
    return np.asarray(binary_fill_holes(solid), np.bool_)
