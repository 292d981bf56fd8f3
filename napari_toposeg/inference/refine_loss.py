"""The persistence loss of one map, minimised over the map's logits or over the weights of the network that made it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box
from napari_toposeg.inference.proportional_steps import ProportionalSteps
from napari_toposeg.inference.refine_settings import RefineSettings
from napari_toposeg.inference.refine_target import betti_error
from napari_toposeg.losses import BettiRange, PersistenceLoss, spread_gradient
from napari_toposeg.topology import betti_numbers, persistence_pairs

SUREST = 1e-4
"""Probabilities nearer to 0 or 1 than this are taken for it: what is certain has no finite logit."""

# By so much each step is shortened once the topology is right.
_SETTLING = 0.5
# Bands that are tried where a wanted change cannot be seen in the one that was asked for; the last clips nothing.
_NARROWER = (1e-3, SUREST / 2)


@dataclass(frozen=True, eq=False)
class Variables:
    """What is optimised.

    Attributes
    ----------
    optimizer : Optimizer
        Of the logits themselves, or of the weights that make them.
    logits : callable
        The logits as they are now, (1, 1, *box).
    probabilities : callable
        The map of the whole grid for which logits stand.
    """

    optimizer: Optimizer
    logits: Callable[[], Tensor]
    probabilities: Callable[[Tensor], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class State:
    """Where the optimisation stands after an iteration.

    Attributes
    ----------
    number : int
        Of the iteration, from 1.
    losses : mapping of str to float
        Terms of the objective, and the Betti numbers.
    map : (*grid) float32
        As it is now.
    error : int
        By how many features its mask at 0.5 misses the target.
    changed : int
        In how many voxels that differs from the first.
    """

    number: int
    losses: Mapping[str, float]
    map: NDArray[np.float32]
    error: int
    changed: int

    def better_than(self, other: State | None) -> bool:
        """Nearer to the target, or as near with less change."""
        if other is None:
            return True
        return (self.error, self.changed, self.losses["keep"]) < (other.error, other.changed, other.losses["keep"])


def logit_variables(
    p: NDArray[np.float32], logits: NDArray[np.float32] | None, band: float, settings: RefineSettings
) -> Variables:
    """Each voxel's logit for itself, on the box of what lies above the floor of the band."""
    box = box_of(p > band) or tuple((0, size) for size in p.shape)
    # A bridge may leave the box by as much as the gradient is spread.
    margin = 3 + int(3 * settings.spread) if settings.objective == "ph-dense" else 3
    within = box_slices(clip_box(grow_box(box, [float(margin)] * p.ndim), p.shape))
    part = torch.from_numpy(np.ascontiguousarray((p if logits is None else logits)[within]))[None, None]
    start = torch.logit(part.double(), eps=SUREST).float() if logits is None else part.clone()
    surest = float(torch.logit(torch.tensor(1 - SUREST)))
    start = start.clamp(-surest, surest)
    moving = start.clone().requires_grad_()

    def probabilities(now: Tensor) -> NDArray[np.float32]:
        # Voxels that no gradient has reached keep their value to the last digit.
        moved = (now.detach() != start)[0, 0].numpy()
        full = p.copy()
        full[within] = np.where(moved, torch.sigmoid(now.detach())[0, 0].numpy(), p[within])
        return full

    optimizer: Optimizer = (
        ProportionalSteps([moving], settings.rate)
        if settings.objective == "ph-dense"
        else Adam([moving], settings.rate)
    )
    return Variables(optimizer, lambda: moving, probabilities)


def network_variables(
    network: nn.Module, weights: Sequence[nn.Parameter], image: Tensor, settings: RefineSettings
) -> Variables:
    """Weights of a network, which is changed."""
    return Variables(Adam(weights, settings.network_learning_rate), lambda: network(image), sigmoid)


def sigmoid(logits: Tensor) -> NDArray[np.float32]:
    """(*grid) probabilities of (1, 1, *grid) logits."""
    p: NDArray[np.float32] = torch.sigmoid(logits.detach()[0, 0].float()).cpu().numpy()
    return p


def seen_band(p: NDArray[np.float32], target: Sequence[BettiRange], settings: RefineSettings) -> float | None:
    """The widest band in which each change that is wanted has a voxel to begin at.

    Parameters
    ----------
    p : (*grid) float32
        Probabilities.
    target : sequence of BettiRange
        What is wanted.
    settings : RefineSettings
        `settings.band` is tried first, then narrower ones down to none.

    Returns
    -------
    float or None
        None where the map has no trace of a feature that is wanted, even in no band.

    Notes
    -----
    In a band no gradient reaches what the map is surer of. A piece that is surer than 1 - band all over, on a ground
    that is surer than that too, would never go; nor would a gap close whose voxels lie below the band.
    """
    sure = np.clip(p, SUREST, 1 - SUREST)
    bands = [settings.band, *(band for band in _NARROWER if band < settings.band)]
    missing = False
    for band in bands:
        pairs = persistence_pairs(sure[None], connectivity=settings.connectivity, band=band)
        stuck = missing = False
        for dimension, one in enumerate(target):
            of = pairs.dimension == dimension
            birth, death = pairs.birth[of], pairs.death[of]
            order = np.argsort(death - birth, kind="stable")
            alive = ((birth > 0.5) & (death <= 0.5))[order]
            free = np.zeros(len(order), bool)
            for level, place in ((birth, pairs.birth_index[of]), (death, pairs.death_index[of])):
                free |= (place >= 0) & (level > band) & (level < 1 - band)
            free = free[order]
            missing |= len(order) < one.low
            stuck |= bool((~alive & ~free)[: one.low].any())
            if one.high is not None:
                stuck |= bool((alive & ~free)[one.high :].any())
        if not (missing or stuck):
            return band
    return None if missing else bands[-1]


def minimise(
    variables: Variables,
    before: NDArray[np.float32],
    target: Sequence[BettiRange],
    band: float,
    settings: RefineSettings,
) -> Iterator[State]:
    """Minimise keep * mean squared change + L_topo (Clough et al., Eq. 5), one state an iteration.

    Parameters
    ----------
    variables : Variables
        What is optimised.
    before : (*grid) float32
        The map at first.
    target : sequence of BettiRange
        What is wanted.
    band : float
        See `seen_band`.
    settings : RefineSettings
        Weights, iterations.
    """
    loss = PersistenceLoss(target, connectivity=settings.connectivity, band=band)
    mask = before > 0.5
    first = variables.logits().detach().sigmoid()

    def objective(logits: Tensor) -> tuple[Tensor, Tensor]:
        change = (logits.sigmoid() - first).square().sum() / before.size
        if settings.objective == "ph-dense":
            # On this way only: the change's gradient is everywhere, and would be averaged away.
            logits = spread_gradient(logits, settings.spread)
        return change, loss(logits.sigmoid())

    keep, topology = objective(variables.logits())
    for number in range(1, settings.iterations + 1):
        variables.optimizer.zero_grad()
        (settings.keep * keep + topology).backward()  # type: ignore[no-untyped-call]
        variables.optimizer.step()
        logits = variables.logits()
        keep, topology = objective(logits)
        now = variables.probabilities(logits)
        found = now > 0.5
        betti = betti_numbers(found, connectivity=settings.connectivity)
        losses = {
            "topology": topology.item(),
            "keep": settings.keep * keep.item(),
            "total": topology.item() + settings.keep * keep.item(),
            **{f"b{dimension}": float(count) for dimension, count in enumerate(betti)},
        }
        error = betti_error(target, betti)
        if error == 0:
            # Steps that led here in few iterations lead past it as well.
            for group in variables.optimizer.param_groups:
                group["lr"] *= _SETTLING
        yield State(number, losses, now, error, int(np.count_nonzero(found != mask)))
