"""A template fitted to what a pixel-wise network sees: the network finds the organ, the template keeps its topology."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_toposeg.frame import Frame
from napari_toposeg.inference.fit import Fitted, fit
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.window import Window, window_placement
from napari_toposeg.priors import Placement, Prior, place_on_mask
from napari_toposeg.steps import Step
from napari_toposeg.topology import largest_components
from napari_toposeg.volume import Volume

ITERATIONS = 50
"""Of the fit. With so many, and the snap after it, six development hippocampi had the Dice of the network's own mask
(.545 on average); more were not tried."""

_LEAST_VOXELS = 20


def fitted_to_logits(
    prior: Prior,
    logits: NDArray[np.float32],
    frame: Frame,
    window: Window,
    settings: Settings,
    device: torch.device,
) -> Iterator[Step[Fitted]]:
    """Fit a template to the map of a pixel-wise network.

    Parameters
    ----------
    prior : Prior
        The template.
    logits : (*window) float32
        Positive where the network sees the organ.
    frame : Frame
        Of the window.
    window : Window
        That it was trained with.
    settings : Settings
        The fit's weights.
    device : torch.device
        Where to compute.

    Yields
    ------
    Step[Fitted]
        One an iteration, with the best of its level so far.

    Notes
    -----
    The template begins along the principal axes of the largest component, which says how an oblique organ lies where
    its box does not; where the network sees nothing, it begins in the box. What is minimised is the Chan-Vese energy of
    tanh(logits / 2), with its means over the whole window (`fit`).
    """
    seen = Volume.from_stored(np.tanh(logits / 2.0), frame.affine)
    weights = replace(settings, iterations=ITERATIONS, moves="velocity", reach=0.0)
    yield from fit(seen, prior, _begin(prior, logits > 0, frame, window), frame, weights, device)


def _begin(prior: Prior, mask: NDArray[np.bool_], frame: Frame, window: Window) -> Placement:
    if np.count_nonzero(mask) < _LEAST_VOXELS:
        return window_placement(window, prior, frame)
    return place_on_mask(prior, frame, largest_components(mask), axis=window.axis)
