"""How good a network is on samples that it was not trained on, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.evaluation import dice, evaluate_field, surface_distances
from napari_toposeg.topology import betti_numbers

Scores = Mapping[str, float]


def sample_scores(
    masks: NDArray[np.bool_],
    labels: NDArray[np.bool_],
    spacing: Sequence[float],
    betti: Sequence[tuple[int, ...]],
    displacements: Sequence[NDArray[np.float32]] = (),
) -> Scores:
    """Scores of one sample, as means over its objects.

    Parameters
    ----------
    masks, labels : (q, *window) bool
        What was predicted, before any certification, and what should have been.
    spacing : (ndim,) sequence of float
        Of the window, in mm.
    betti : sequence of q tuples of int
        What each object should have.
    displacements : sequence of (ndim, *window) float32
        The fields that made the masks; none for a pixel-wise network.

    Returns
    -------
    mapping of str to float
        "dice", "hd95" in mm, "right_topology" as a share; with fields "folding" (share of the cells that are not proven
        regular).
    """
    scores = {
        "dice": [dice(mask, label) for mask, label in zip(masks, labels, strict=True)],
        "hd95": [
            surface_distances(mask, label, spacing).hausdorff_95 for mask, label in zip(masks, labels, strict=True)
        ],
        "right_topology": [float(betti_numbers(mask) == wanted) for mask, wanted in zip(masks, betti, strict=True)],
    }
    if len(displacements):
        scores["folding"] = [evaluate_field(displacement).folding_share for displacement in displacements]
    return {name: float(np.mean(values)) for name, values in scores.items()}


def mean_scores(scores: Iterable[Scores]) -> dict[str, float]:
    """The mean of each score over samples; empty where there are none."""
    gathered: dict[str, list[float]] = {}
    for one in scores:
        for name, value in one.items():
            gathered.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in gathered.items()}
