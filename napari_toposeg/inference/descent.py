"""Going down an energy over a deformation: one level of a fit, or of what comes after one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d, interpolate

from napari_toposeg.deformation import border_window, integrate, resize
from napari_toposeg.frame import Frame
from napari_toposeg.inference.levels import Level
from napari_toposeg.inference.pull import Pull
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.warping import soft_mask
from napari_toposeg.losses import gradient_magnitude, laplacian_magnitude, relu_jacobian
from napari_toposeg.priors import Placement, Prior

_LEAST_SOFTNESS = 0.6

# Six steps err by .06 (2-D) and .11 (3-D) voxels against eleven; the strict test and the unfolding see what comes of
# it.
_INTEGRATION_STEPS = 6

PROMPT_WEIGHT = 1.0
"""Of what prompts lack, against the Chan-Vese energy."""


@dataclass(frozen=True, eq=False)
class Moved:
    """What moves, as it is now.

    Attributes
    ----------
    displacement : (1, ndim, *grid) tensor
        On the level's grid.
    folds, bends : (1, ndim, *any) tensor
        The displacement whose folds, and the one whose bends and slopes, are penalised.
    """

    displacement: Tensor
    folds: Tensor
    bends: Tensor

    def detached(self) -> Moved:
        """The same as plain values."""
        return Moved(self.displacement.detach(), self.folds.detach(), self.bends.detach())


@dataclass(frozen=True, eq=False)
class Stage:
    """One level of the deformation: what moves there, and for how long.

    Attributes
    ----------
    level : Level
        The image there.
    moved : callable
        Gives what moves, as it is now.
    optimizer : Optimizer
        Of what it hangs on.
    softness : float
        Width of the soft boundary at first, as a share of the template's mean half-size; halved on the way.
    iterations : int
        How many.
    """

    level: Level
    moved: Callable[[], Moved]
    optimizer: torch.optim.Optimizer
    softness: float
    iterations: int


def descend(
    stage: Stage,
    prior: Prior,
    placement: Placement,
    settings: Settings,
    reach: float | None,
    *,
    explains: bool = True,
    pull: Pull | None = None,
) -> Iterator[tuple[Mapping[str, float], Moved]]:
    """Minimise on one level.

    Parameters
    ----------
    stage : Stage
        What moves.
    prior, placement
        The template and where it stands.
    settings : Settings
        Weights.
    reach : float or None
        As a share of the template's mean half-size; None for means over the whole region.
    explains : bool
        Whether the image counts. Without it only the prompts and the deformation's own shape do.
    pull : Pull, optional
        What prompts demand.

    Yields
    ------
    terms, moved
        The loss terms of the iteration, and what was best on the level so far.
    """
    level = stage.level
    positions = level.frame.coordinates(device=level.device)
    size = placement.size_in(level.frame)
    with torch.no_grad():
        template_volume = float(soft_mask(prior, placement, level.frame, positions, 1.0).sum())
    least = np.inf
    best: Moved | None = None
    for number in range(stage.iterations):
        moved = stage.moved()
        terms: dict[str, Tensor] = {}
        total = moved.displacement.new_zeros(())
        if explains:
            softness = max(stage.softness * size, _LEAST_SOFTNESS) * (1.0 - 0.5 * number / stage.iterations)
            mask = soft_mask(prior, placement, level.frame, positions + moved.displacement[0], softness)
            terms["chan_vese"] = level.explain(mask, None if reach is None else reach * size)
            terms["outside"] = level.outside(mask, template_volume)
            total = terms["chan_vese"] + settings.outside_weight * terms["outside"]
        jacobian = relu_jacobian(moved.folds)
        laplacian = laplacian_magnitude(moved.bends)
        gradient = gradient_magnitude(moved.bends)
        total = (
            total
            + settings.jacobian_weight * jacobian
            + settings.laplacian_weight * laplacian
            + settings.gradient_weight * gradient
        )
        terms |= {"jacobian": jacobian, "laplacian": laplacian, "gradient": gradient}
        if pull is not None:
            terms["prompts"] = pull.lack(prior, placement, level.frame, moved.displacement)
            total = total + PROMPT_WEIGHT * terms["prompts"]
        if best is None or total.item() < least:
            least, best = total.item(), moved.detached()
        stage.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        stage.optimizer.step()
        yield {name: value.item() for name, value in {**terms, "total": total}.items()}, best


def node_shape(frame: Frame, nodes: int) -> tuple[int, ...]:
    """Nodes by axis over a grid: so many along its longest side, and about as far apart along the others."""
    extents = (np.array(frame.shape) - 1) * frame.spacing
    return tuple(int(size) for size in np.clip(np.round(nodes * extents / extents.max()), 4, nodes))


def integrated(
    velocity: Tensor, frame: Frame, width: Sequence[float], influence: Tensor | None = None
) -> Callable[[], Tensor]:
    """What a velocity on nodes (1, ndim, *nodes) integrates to, whenever it is asked for.

    It is integrated at half the resolution of the frame, where it has no more to say than at the full one, and is the
    identity on the border, over so many voxels of that half resolution as `width` says by axis.
    An influence (1, 1, *frame.shape) says where else, from 0 to 1, it moves freely; everywhere by default.
    """
    half = halved(frame)
    window = border_window(half.shape, width, device=velocity.device)
    if influence is not None:
        window = window * _on_grid(influence, half.shape)
    return lambda: integrate(_between_nodes(velocity, half.shape) * window, _INTEGRATION_STEPS)


def halved(frame: Frame) -> Frame:
    """The frame at half its resolution."""
    return frame.resized([max(4, (size + 1) // 2) for size in frame.shape])


def _on_grid(values: Tensor, shape: Sequence[int]) -> Tensor:
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    return interpolate(values, size=tuple(shape), mode=mode, align_corners=True)


def _between_nodes(velocity: Tensor, shape: Sequence[int]) -> Tensor:
    """A velocity on nodes, on a finer grid: interpolated, then averaged over a node's width so that it has no kinks.

    A kink in the velocity is a jump in the Jacobian determinant: without the average its map shows the nodes' edges.
    """
    values = resize(velocity, shape)
    pool = avg_pool2d if len(shape) == 2 else avg_pool3d
    for axis, (fine, nodes) in enumerate(zip(shape, velocity.shape[2:], strict=True)):
        half = round((fine - 1) / (nodes - 1) / 2)
        if half:
            kernel = [2 * half + 1 if k == axis else 1 for k in range(len(shape))]
            padding = [half if k == axis else 0 for k in range(len(shape))]
            values = pool(values, kernel, stride=1, padding=padding, count_include_pad=False)
    return values
