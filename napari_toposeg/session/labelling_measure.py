"""What a network says of a volume: a certified mask to propose, and how instructive it would be to look at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from napari_toposeg.evaluation import betti_error, dice
from napari_toposeg.inference import (
    Outcome,
    Settings,
    Site,
    TrainedNetwork,
    choose_device,
    logits_on_voxels,
    pixelwise_logits,
    segment_by_logits,
    segment_by_network,
    site_in_image,
)
from napari_toposeg.inference.prediction import look
from napari_toposeg.priors import Prior
from napari_toposeg.steps import last
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

BAND = 2
"""Voxels to either side of a mask's boundary that count as near it."""

_MOVED = 0.05
"""Share of a window's side by which what is in it is moved: as far as training moves it at random."""


@dataclass(frozen=True, eq=False)
class Proposed:
    """What a network proposes of one volume.

    Attributes
    ----------
    outcome : Outcome
        Certified strictly: its mask has the prior's Betti numbers.
    found : tuple of int
        Betti numbers of what the network said, before it was certified.
    disagreement : int
    uncertainty : float
        See `proposal`.
    """

    outcome: Outcome
    found: tuple[int, ...]
    disagreement: int
    uncertainty: float


def proposal(volume: Volume, prior: Prior, trained: TrainedNetwork, settings: Settings | None = None) -> Proposed:
    """Ask a network about a volume, and measure how instructive it is.

    Parameters
    ----------
    volume : Volume
        The image, all of which the network sees.
    prior : Prior
        What topology the organ has.
    trained : TrainedNetwork
        Of one object.
    settings : Settings, optional
        `device` matters.

    Returns
    -------
    Proposed

    Raises
    ------
    ToposegError
        As `segment_by_logits` and `segment_by_network`.

    Notes
    -----
    *Disagreement* is topological: the sum of the differences between the Betti numbers of what the network says by
    itself and the prior's, before anything is corrected. Of a pixel-wise network that is its logits above 0, on the
    image's voxels; of a network that deforms the prior, the deformed template where its signed distance is above 0. A
    mask of three pieces for a ball has a disagreement of 2.

    *Uncertainty* lies between 0 and 1. Of a pixel-wise network it is the mean entropy, in bits, of its probabilities
    within two voxels of their boundary at 0.5, and 1 where there is no such boundary. A deformed template has no
    probabilities: there it is how far the answers to what the network sees and to the same moved by a twentieth of its
    side lie apart (1 - Dice, the mean over both directions of each axis). A network that knows where the organ is does
    not care. On 36 hippocampi, after 40 epochs on 3 others, that had a rank correlation of .46 with 1 - Dice to the
    label (p = .005); mirror images had -.14 to .21, another contrast .04, noise -.02. The two kinds are not comparable
    with each other; within a folder one network proposes.

    Volumes are looked at in descending order of disagreement, and of equal ones in that of uncertainty. A wrong
    topology goes first because the labeller knows the right one: it is an error for certain, and no guess.
    """
    strict = replace(settings or Settings(), certify="strict")
    site = site_in_image(prior, volume)
    if not trained.deforms:
        return _by_logits(volume, prior, site, trained, strict)
    found = last(
        segment_by_network(volume, prior, site, trained, replace(strict, certify="report"), previews=False)
    ).certificate.betti_mask
    return Proposed(
        last(segment_by_network(volume, prior, site, trained, strict, previews=False)),
        found,
        betti_error(found, prior.betti),
        spread_when_moved(volume, prior, site, trained, strict.device),
    )


def _by_logits(volume: Volume, prior: Prior, site: Site, trained: TrainedNetwork, settings: Settings) -> Proposed:
    logits, frame = pixelwise_logits(volume, site, trained, settings.device)
    (values,), _ = logits_on_voxels(logits, frame, volume)
    found = betti_numbers(values > 0)
    return Proposed(
        last(segment_by_logits(volume, prior, site, trained, settings)),
        found,
        betti_error(found, prior.betti),
        entropy_near_boundary(values),
    )


def spread_when_moved(volume: Volume, prior: Prior, site: Site, trained: TrainedNetwork, device: str = "auto") -> float:
    """How far a deformation network's answers lie apart where what it sees is moved a little; see `proposal`.

    Returns
    -------
    float
        From 0, the same mask wherever the organ lies, to 1.
    """
    where = choose_device(device, ndim=volume.ndim)
    shown = look(volume, (prior,), site, trained)
    image = shown.image.numpy()

    def answer(seen: NDArray[np.float32]) -> NDArray[np.bool_]:
        deformed = trained.deformed(torch.from_numpy(seen), shown.templates, where)
        inside: NDArray[np.bool_] = deformed.mask[0, 0].numpy(force=True) > 0.5
        return inside

    still = answer(image)
    apart = []
    for axis, side in enumerate(still.shape):
        for step in (max(1, round(_MOVED * side)), -max(1, round(_MOVED * side))):
            moved = answer(_moved(image, step, axis + 2))
            apart.append(1.0 - dice(_moved(moved, -step, axis), still))
    return float(np.mean(apart))


def _moved(values: NDArray[Any], step: int, axis: int) -> NDArray[Any]:
    """The same values so many voxels further along an axis; what comes in repeats the border."""
    return np.take(values, np.clip(np.arange(values.shape[axis]) - step, 0, values.shape[axis] - 1), axis=axis)


def entropy_near_boundary(logits: NDArray[np.floating]) -> float:
    """Mean entropy, in bits, of the probabilities within `BAND` voxels of their boundary at 0.5.

    Parameters
    ----------
    logits : (*grid) array
        Of which the probabilities are the sigmoid.

    Returns
    -------
    float
        From 0 to 1; 1 where no voxel, or every voxel, is above 0.5.
    """
    inside = logits > 0
    near = binary_dilation(inside, iterations=BAND) & ~binary_erosion(inside, iterations=BAND, border_value=1)
    if not near.any():
        return 1.0
    # H(p) = log(1 + e^z) - z p, which does not overflow, in nats.
    values = np.asarray(logits[near], np.float64)
    probabilities = 0.5 * (1.0 + np.tanh(0.5 * values))
    nats = np.logaddexp(0.0, values) - values * probabilities
    return float(np.mean(nats) / np.log(2.0))
