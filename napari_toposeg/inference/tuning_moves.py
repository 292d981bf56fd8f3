"""Going down the persistence loss, or the Chan-Vese energy, with a deformation: what both tell after an iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_toposeg.deformation import compose, resize, sample
from napari_toposeg.frame import Box, Frame
from napari_toposeg.inference.descent import Moved, Stage, halved, integrated, node_shape
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.inference.grids import WINDOW
from napari_toposeg.inference.levels import level_on
from napari_toposeg.inference.refine_target import betti_error, check_target
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.tuning_settings import TuningSettings
from napari_toposeg.inference.warping import distance_at, warped_distance
from napari_toposeg.losses import (
    BettiRange,
    PersistenceLoss,
    gradient_magnitude,
    laplacian_magnitude,
    relu_jacobian,
    spread_gradient,
)
from napari_toposeg.priors import Placement, Prior
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

SOFTNESS = 1.0
"""Width of the soft template's boundary, in voxels: a wall of two voxels is then worth 0.73."""

LOOK_EVERY = 3
"""The energy says nothing of topology: the template is drawn and counted after so many of its iterations."""


NODES = {2: 12, 3: 9}
"""Of the further velocity, along the longest axis."""

STAGE_SOFTNESS = 0.05
"""Of the Chan-Vese energy's soft template, as a share of its mean half-size: that of a fit's last grid."""


@dataclass(frozen=True, eq=False)
class Move:
    """Where a deformation stands after an iteration.

    Attributes
    ----------
    terms : mapping of str to float
        The terms of what is minimised.
    best : Moved
        The best so far, as plain values.
    inside : (*looked at) bool or None
        The warped template as it is now, with no voxel repaired; None where it was not looked at.
    betti : tuple of int or None
        Its Betti numbers.
    """

    terms: Mapping[str, float]
    best: Moved
    inside: NDArray[np.bool_] | None
    betti: tuple[int, ...] | None


def seen(
    moves: Iterator[tuple[Mapping[str, float], Moved]],
    prior: Prior,
    placement: Placement,
    frame: Frame,
    grid: Frame,
) -> Iterator[Move]:
    """Terms and displacements on `frame`, with the template that they warp looked at on `grid` now and then."""
    for number, (terms, best) in enumerate(moves):
        inside = betti = None
        if number % LOOK_EVERY == 0:
            inside = warped_distance(prior, placement, grid, best.displacement[0].cpu().numpy(), frame) > 0
            betti = betti_numbers(inside)
        yield Move(terms, best, inside, betti)


def descend_topology(
    stage: Stage, prior: Prior, placement: Placement, grid: Frame, tuning: TuningSettings, settings: Settings
) -> Iterator[Move]:
    """Minimise the persistence loss of the warped soft template.

    Parameters
    ----------
    stage : Stage
        What moves, and for how long at most.
    prior, placement
        The template and where it stands undeformed.
    grid : Frame
        On which voxels the template is looked at: those of the mask, so that walls are as thin as they are there.
    tuning : TuningSettings
        Which persistence loss, and what a change costs.
    settings : Settings
        Weights of folds, bends and slopes.

    Yields
    ------
    Move
        One an iteration. The best is that with the fewest wrong features, and of these the one with the least loss.

    Notes
    -----
    Clough et al., Eq. 5, with the template's soft mask in the place of a network's map: ``keep`` times its mean squared
    change, and L_topo. A displacement is smooth, so a thin wall grows thicker where its critical voxels pull. It ends
    where a topology that was wrong has stayed right for `RefineSettings.stay` iterations, or the loss has stalled.
    """
    refine = tuning.refine
    frame, device = stage.level.frame, stage.level.device
    positions = grid.coordinates(grid.index_in(frame), device=device)
    sharpness = placement.size_in(grid) / SOFTNESS
    target: tuple[BettiRange, ...] = check_target(prior.betti, grid.shape)
    loss = PersistenceLoss(target, band=refine.band)

    def logits_of(displacement: Tensor) -> Tensor:
        moved = positions + sample(displacement, positions[None])[0]
        return (distance_at(prior, placement, frame, moved) * sharpness)[None, None]

    first: Tensor | None = None
    best: tuple[int, float] | None = None
    kept: Moved | None = None
    least, least_at, right, ever_wrong = np.inf, 0, 0, False
    for number in range(stage.iterations):
        moved = stage.moved()
        logits = logits_of(moved.displacement)
        soft = logits.sigmoid()
        first = soft.detach() if first is None else first
        spread = spread_gradient(logits, refine.spread) if tuning.loss == "ph-dense" else logits
        parts = {
            "topology": loss(spread.sigmoid()),
            "keep": refine.keep * (soft - first).square().mean(),
            "jacobian": settings.jacobian_weight * relu_jacobian(moved.folds),
            "laplacian": settings.laplacian_weight * laplacian_magnitude(moved.bends),
            "gradient": settings.gradient_weight * gradient_magnitude(moved.bends),
        }
        total = torch.stack([part.reshape(()) for part in parts.values()]).sum()
        terms = {name: part.item() for name, part in parts.items()} | {"total": total.item()}
        inside = logits.detach()[0, 0].cpu().numpy() > 0
        betti = betti_numbers(inside)
        error = betti_error(target, betti)
        if best is None or kept is None or (error, terms["total"]) < best:
            best, kept = (error, terms["total"]), moved.detached()
        stage.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        stage.optimizer.step()
        yield Move(terms, kept, inside, betti)
        right = right + 1 if error == 0 else 0
        ever_wrong |= error > 0
        if ever_wrong and right > refine.stay:
            return
        if terms["total"] < (1.0 - 1e-3) * least:
            least, least_at = terms["total"], number
        if number - least_at >= refine.patience:
            return


def further_stage(
    volume: Volume, fitted: Fitted, within: Box | None, device: torch.device, tuning: TuningSettings
) -> Stage:
    """A further velocity, still zero, on top of a deformation.

    Parameters
    ----------
    volume : Volume
        The image.
    fitted : Fitted
        The deformation u0; the identity on the border of its grid.
    within : Box or None
        As in `fit`.
    device : torch.device
        Where to compute.
    tuning : TuningSettings
        How long, and how fast.

    Notes
    -----
    As in `continued`: with w = exp(v) - id the whole displacement is u(x) = w(x) + u0(x + w(x)), and bends and slopes
    are those of w alone.
    """
    frame = fitted.frame
    level = level_on(volume, frame, within, device)
    start = fitted.displacement.to(device)
    velocity = torch.zeros(1, frame.ndim, *node_shape(frame, NODES[frame.ndim]), device=device, requires_grad=True)
    shape = halved(frame).shape
    width = [WINDOW * (half - 1) / (size - 1) for half, size in zip(shape, frame.shape, strict=True)]
    coarse = integrated(velocity, frame, width)

    def moved() -> Moved:
        further = coarse()
        displacement = compose(start, resize(further, frame.shape))
        return Moved(displacement, displacement, further)

    return Stage(level, moved, torch.optim.Adam([velocity], tuning.step_size), STAGE_SOFTNESS, tuning.iterations)
