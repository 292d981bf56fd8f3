"""Fitting a template to one image without training: Chan-Vese energy, affine first, then coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d

from napari_toposeg.deformation import border_window, integrate, resize
from napari_toposeg.frame import Box, Frame
from napari_toposeg.inference.affine import affine_stage
from napari_toposeg.inference.grids import WORKING_VOXELS, window_width
from napari_toposeg.inference.levels import Level, make_level
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.warping import soft_mask
from napari_toposeg.losses import gradient_magnitude, laplacian_magnitude, relu_jacobian
from napari_toposeg.networks import TPSN, TPSNSettings
from napari_toposeg.priors import Placement, Prior
from napari_toposeg.steps import Step
from napari_toposeg.volume import Volume

# Shares of the iterations: affine, then the velocity on grids of 5, 9 and 15 nodes (2-D: 6, 12, 24) along the longest
# axis.
_SHARES = (0.31, 0.23, 0.23, 0.23)
_NODES = {2: (6, 12, 24), 3: (5, 9, 15)}

# Width of the soft boundary at the start of each level, as a share of the template's mean half-size, and never less
# than the voxels that follow; halved during the level. A width of 1.5 voxels for a ball of 5 told the fit nothing: it
# vanished.
_SOFTNESS = (0.10, 0.07, 0.05)
_LEAST_SOFTNESS = 0.6

# Six steps err by .06 (2-D) and .11 (3-D) voxels against eleven; the strict test and the unfolding see what comes of
# it.
_INTEGRATION_STEPS = 6
_VELOCITY_RATE, _NETWORK_RATE = 0.1, 1e-3


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best deformation so far.

    Attributes
    ----------
    placement : Placement
        Where the template stands after the affine stage.
    displacement : (1, ndim, *frame.shape) float32 tensor
        Of the placed template, in voxels of `frame`; zero on its border.
    frame : Frame
        The working grid.
    """

    placement: Placement
    displacement: Tensor
    frame: Frame


@dataclass(frozen=True, eq=False)
class _Stage:
    """One level of the deformation: what moves there, and for how long.

    `displacement` gives the displacement on the level's grid, and the one whose folds and bends are penalised.
    """

    level: Level
    displacement: Callable[[], tuple[Tensor, Tensor]]
    optimizer: torch.optim.Optimizer
    softness: float
    iterations: int


def fit(
    volume: Volume,
    prior: Prior,
    placement: Placement,
    field: Frame,
    settings: Settings,
    device: torch.device,
    *,
    within: Box | None = None,
) -> Iterator[Step[Fitted]]:
    """Deform a placed template on to whatever the Chan-Vese energy tells apart.

    Parameters
    ----------
    volume : Volume
        The image.
    prior, placement
        The template and where it stands at first.
    field : Frame
        The region over which the deformation is defined; it is the identity on its border.
    settings : Settings
        Weights, iterations, what moves.
    device : torch.device
        Where to compute.
    within : Box, optional
        The box in which the organ is said to lie, in the volume's canonical voxels: what leaves it costs. Without
        it the template is held loosely, and the energy's means are taken over the whole region.

    Yields
    ------
    Step[Fitted]
        One an iteration; each carries the best of its level so far, so that a caller may stop at any.

    Raises
    ------
    ToposegError
        If the region holds one single intensity.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 10 (unTPSN) on one image, minimised over a stationary
    velocity field, or over a TPSN's weights; see `chan_vese` for why not Eq. 11 as printed. The affine stage, the
    coarse-to-fine grids, the gradient term, the box and the local means are ours: without the box and the local means
    the energy leaves the organ for whatever is brighter or darker (docs/results.md has the table).
    """
    counts = [max(1, round(share * settings.iterations)) for share in _SHARES[:-1]]
    counts.append(max(1, settings.iterations - sum(counts)))
    total = sum(counts)
    levels = [make_level(volume, field, within, voxels, device) for voxels in WORKING_VOXELS[volume.ndim]]
    reach = settings.reach if within is not None and settings.reach > 0 else None
    torch.manual_seed(settings.seed)
    number = 0
    still = torch.zeros(1, volume.ndim, *levels[0].frame.shape)
    moves = affine_stage(
        prior,
        placement,
        levels[0],
        reach=None if reach is None else reach * placement.size_in(levels[0].frame),
        iterations=counts[0],
    )
    for terms, placement in moves:
        number += 1
        yield Step("affine", number, total, terms, result=Fitted(placement, still, levels[0].frame))
    stages = _network_stages if settings.moves == "tpsn" else _velocity_stages
    for stage in stages(prior, placement, levels, counts[1:]):
        for terms, displacement in _iterate(stage, prior, placement, settings, reach):
            number += 1
            yield Step("fit", number, total, terms, result=Fitted(placement, displacement, stage.level.frame))


def _iterate(
    stage: _Stage, prior: Prior, placement: Placement, settings: Settings, reach: float | None
) -> Iterator[tuple[Mapping[str, float], Tensor]]:
    """Minimise on one level; gives the loss terms and the best displacement of the level so far."""
    level = stage.level
    positions = level.frame.coordinates(device=level.device)
    size = placement.size_in(level.frame)
    with torch.no_grad():
        template_volume = float(soft_mask(prior, placement, level.frame, positions, 1.0).sum())
    least = np.inf
    best: Tensor | None = None
    for number in range(stage.iterations):
        moved, regular = stage.displacement()
        softness = max(stage.softness * size, _LEAST_SOFTNESS) * (1.0 - 0.5 * number / stage.iterations)
        mask = soft_mask(prior, placement, level.frame, positions + moved[0], softness)
        energy = level.explain(mask, None if reach is None else reach * size)
        outside = level.outside(mask, template_volume)
        jacobian = relu_jacobian(regular)
        laplacian = laplacian_magnitude(regular)
        gradient = gradient_magnitude(regular)
        total = (
            energy
            + settings.outside_weight * outside
            + settings.jacobian_weight * jacobian
            + settings.laplacian_weight * laplacian
            + settings.gradient_weight * gradient
        )
        if best is None or total.item() < least:
            least, best = total.item(), moved.detach()
        stage.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        stage.optimizer.step()
        terms = {
            "chan_vese": energy.item(),
            "outside": outside.item(),
            "jacobian": jacobian.item(),
            "laplacian": laplacian.item(),
            "gradient": gradient.item(),
            "total": total.item(),
        }
        yield terms, best


def _node_shape(frame: Frame, nodes: int) -> tuple[int, ...]:
    extents = (np.array(frame.shape) - 1) * frame.spacing
    return tuple(int(size) for size in np.clip(np.round(nodes * extents / extents.max()), 4, nodes))


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


def _velocity_stages(prior: Prior, placement: Placement, levels: list[Level], counts: list[int]) -> Iterator[_Stage]:
    """A velocity on ever finer nodes, each level starting from the last one's."""
    finest = levels[-1].frame
    velocity: Tensor | None = None
    for level, nodes, softness, count in zip(levels, _NODES[prior.ndim], _SOFTNESS, counts, strict=True):
        node_shape = _node_shape(level.frame, nodes)
        if velocity is None:
            velocity = torch.zeros(1, prior.ndim, *node_shape, device=level.device)
        velocity = resize(velocity.detach(), node_shape).requires_grad_()
        # Integrated at half the resolution, where the velocity has no more to say than at the full one.
        half = level.frame.resized([max(4, (size + 1) // 2) for size in level.frame.shape])
        window = border_window(half.shape, window_width(half, finest), device=level.device)

        def displacement(
            velocity: Tensor = velocity, window: Tensor = window, half: Frame = half, level: Level = level
        ) -> tuple[Tensor, Tensor]:
            coarse = integrate(_between_nodes(velocity, half.shape) * window, _INTEGRATION_STEPS)
            return resize(coarse, level.frame.shape), coarse

        yield _Stage(level, displacement, torch.optim.Adam([velocity], _VELOCITY_RATE), softness, count)


def _network_stages(prior: Prior, placement: Placement, levels: list[Level], counts: list[int]) -> Iterator[_Stage]:
    """One TPSN's weights, shown the image ever finer."""
    finest = levels[-1]
    # The window below is laid over the displacement here: the working grids need not be isotropic.
    settings = TPSNSettings(prior.ndim, answer="displacement", halvings=0, border=0.0)
    network = TPSN(settings).to(finest.device)
    optimizer = torch.optim.Adam(network.parameters(), _NETWORK_RATE)
    for level, softness, count in zip(levels, _SOFTNESS, counts, strict=True):
        window = border_window(level.frame.shape, window_width(level.frame, finest.frame), device=level.device)
        with torch.no_grad():
            positions = level.frame.coordinates(device=level.device)
            template = soft_mask(prior, placement, level.frame, positions, 2.0)

        def displacement(
            level: Level = level, window: Tensor = window, template: Tensor = template
        ) -> tuple[Tensor, Tensor]:
            moved = network(level.image, template).displacement * window
            return moved, moved

        yield _Stage(level, displacement, optimizer, softness, count)
