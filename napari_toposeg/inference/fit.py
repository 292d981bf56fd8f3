"""Fitting a template to one image without training: Chan-Vese energy, affine first, then coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_toposeg.deformation import border_window, resize
from napari_toposeg.frame import Box, Frame
from napari_toposeg.inference.affine import affine_stage
from napari_toposeg.inference.descent import Moved, Stage, descend, halved, integrated, node_shape
from napari_toposeg.inference.grids import WORKING_VOXELS, window_width
from napari_toposeg.inference.levels import Level, make_level
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.warping import soft_mask
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
        for terms, best in descend(stage, prior, placement, settings, reach):
            number += 1
            yield Step("fit", number, total, terms, result=Fitted(placement, best.displacement, stage.level.frame))


def _velocity_stages(prior: Prior, placement: Placement, levels: list[Level], counts: list[int]) -> Iterator[Stage]:
    """A velocity on ever finer nodes, each level starting from the last one's."""
    finest = levels[-1].frame
    velocity: Tensor | None = None
    for level, nodes, softness, count in zip(levels, _NODES[prior.ndim], _SOFTNESS, counts, strict=True):
        shape = node_shape(level.frame, nodes)
        if velocity is None:
            velocity = torch.zeros(1, prior.ndim, *shape, device=level.device)
        velocity = resize(velocity.detach(), shape).requires_grad_()
        coarse = integrated(velocity, level.frame, window_width(halved(level.frame), finest))

        def moved(coarse: Callable[[], Tensor] = coarse, level: Level = level) -> Moved:
            displacement = coarse()
            return Moved(resize(displacement, level.frame.shape), displacement, displacement)

        yield Stage(level, moved, torch.optim.Adam([velocity], _VELOCITY_RATE), softness, count)


def _network_stages(prior: Prior, placement: Placement, levels: list[Level], counts: list[int]) -> Iterator[Stage]:
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

        def moved(level: Level = level, window: Tensor = window, template: Tensor = template) -> Moved:
            displacement = network(level.image, template).displacement * window
            return Moved(displacement, displacement, displacement)

        yield Stage(level, moved, optimizer, softness, count)
