"""Fitting a template to one image without training: Chan-Vese energy, affine first, then coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_toposeg.deformation import border_window, integrate, resize
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame, resample
from napari_toposeg.inference.grids import WORKING_VOXELS, window_width, working_frame
from napari_toposeg.inference.settings import Settings
from napari_toposeg.losses import chan_vese, laplacian_magnitude, relu_jacobian
from napari_toposeg.networks import TPSN, TPSNSettings
from napari_toposeg.priors import Placement, Prior
from napari_toposeg.steps import Step
from napari_toposeg.volume import Volume

# Shares of the iterations: affine, then the velocity on grids of 5, 9 and 15 nodes (2-D: 6, 12, 24) along the longest axis.
_SHARES = (0.31, 0.23, 0.23, 0.23)
_NODES = {2: (6, 12, 24), 3: (5, 9, 15)}

# Width of the soft boundary, in voxels of the level's grid, at its start; halved during the level.
_SOFTNESS = (1.5, 1.2, 0.9)
_AFFINE_SOFTNESS = 1.5

_INTEGRATION_STEPS = 6
_AFFINE_RATE, _VELOCITY_RATE, _NETWORK_RATE = 0.04, 0.1, 1e-3

# The affine stage is held near where the template was placed, in units of the template: position, logarithm of size, turn.
_AFFINE_HOLD = 0.02


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
class _Level:
    """One working grid with what stands on it."""

    frame: Frame
    image: Tensor
    weight: Tensor


def _level(volume: Volume, field: Frame, voxels: int, device: torch.device) -> _Level:
    frame = working_frame(field, voxels)
    image = resample(volume.voxels, volume.frame, frame)
    at = frame.coordinates(frame.index_in(volume.frame)).numpy()
    size = np.array(volume.shape).reshape(-1, *[1] * volume.ndim)
    # Beyond the image its border voxels are repeated; they say nothing, and count nothing.
    weight = ((at > -0.5) & (at < size - 0.5)).all(axis=0).astype(np.float32)
    low, high = np.percentile(image[weight > 0], (0.5, 99.5))
    image = np.clip(image, low, high)
    spread = float(image[weight > 0].std())
    if spread == 0.0:
        raise ToposegError(
            "The region holds one single intensity.",
            why="There is no boundary to be found where nothing differs.",
            todo="Choose a region that holds the organ and some of its surroundings.",
        )
    image = (image - image[weight > 0].mean()) / spread
    return _Level(
        frame,
        torch.from_numpy(image.astype(np.float32))[None, None].to(device),
        torch.from_numpy(weight)[None, None].to(device),
    )


def _soft_mask(
    prior: Prior, placement: Placement, frame: Frame, positions: Tensor, softness: float
) -> Tensor:
    """(1, 1, *grid) soft template at positions (ndim, *grid) in voxels of `frame`; softness in the same voxels."""
    matrix = torch.from_numpy(placement.unit_from(frame)).to(positions)
    ndim = frame.ndim
    unit = torch.einsum("ij,j...->i...", matrix[:ndim, :ndim], positions)
    unit = unit + matrix[:ndim, 3].reshape(ndim, *[1] * ndim)
    return torch.sigmoid(prior.signed_distance(unit) * (placement.size_in(frame) / softness))[None, None]


def _skew(turn: Tensor, ndim: int) -> Tensor:
    matrix = turn.new_zeros(ndim, ndim)
    pairs = [(0, 1)] if ndim == 2 else [(0, 1), (0, 2), (1, 2)]
    for value, (row, column) in zip(turn, pairs, strict=True):
        matrix[row, column] = value
        matrix[column, row] = -value
    return matrix


def _affine_stage(
    prior: Prior, placement: Placement, level: _Level, iterations: int
) -> Iterator[tuple[Mapping[str, float], Placement]]:
    """Move, stretch and turn the template as a whole.

    The parameters act in a unit ball as large as the template, so that a turn does not shear it.
    """
    ndim = level.frame.ndim
    device = level.image.device
    size = placement.size_in(level.frame)
    positions = level.frame.coordinates(device=device)
    to_unit = placement.unit_from(level.frame)
    from_unit = np.linalg.inv(to_unit)
    linear = torch.from_numpy(to_unit[:ndim, :ndim]).float().to(device)
    centre = torch.from_numpy(from_unit[:ndim, 3]).float().to(device)
    # mm against voxels: a turn is one of the world, not of an anisotropic grid.
    spacing = torch.from_numpy(level.frame.spacing / level.frame.spacing.min()).float().to(device)
    count = 2 * ndim + (1 if ndim == 2 else 3)
    parameters = torch.zeros(count, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([parameters], _AFFINE_RATE)
    least, best = np.inf, placement

    def moved() -> tuple[Tensor, Tensor]:
        """Matrix and offset from voxels to the voxels at which the unmoved template is read."""
        shift, stretch, turn = parameters[:ndim], parameters[ndim : 2 * ndim], parameters[2 * ndim :]
        rotation = torch.linalg.matrix_exp(_skew(turn, ndim))
        matrix = torch.diag(torch.exp(-stretch)) @ rotation
        matrix = torch.diag(1.0 / spacing) @ matrix @ torch.diag(spacing)
        return matrix, centre - matrix @ (centre + shift * size / spacing)

    for _ in range(iterations):
        matrix, offset = moved()
        source = torch.einsum("ij,j...->i...", matrix, positions) + offset.reshape(ndim, *[1] * ndim)
        unit = torch.einsum("ij,j...->i...", linear, source - centre.reshape(ndim, *[1] * ndim))
        grown = torch.exp(parameters[ndim : 2 * ndim].mean())
        mask = torch.sigmoid(prior.signed_distance(unit) * (size * grown / _AFFINE_SOFTNESS))[None, None]
        energy = chan_vese(level.image, mask, level.weight)
        hold = _AFFINE_HOLD * parameters.square().sum()
        total = energy + hold
        if total.item() < least:
            least = total.item()
            voxels = np.eye(4)
            voxels[:ndim, :ndim] = matrix.detach().cpu().numpy()
            voxels[:ndim, 3] = offset.detach().cpu().numpy()
            # The template is read at the moved position, so that it stands where the inverse takes it.
            best = Placement(level.frame.affine @ np.linalg.inv(voxels) @ np.linalg.inv(level.frame.affine) @ placement.matrix)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield {"chan_vese": energy.item(), "total": total.item()}, best


def _node_shape(frame: Frame, nodes: int) -> tuple[int, ...]:
    extents = (np.array(frame.shape) - 1) * frame.spacing
    return tuple(int(size) for size in np.clip(np.round(nodes * extents / extents.max()), 4, nodes))


def _deformation_stage(
    prior: Prior,
    placement: Placement,
    level: _Level,
    displacement: Callable[[], tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    softness: float,
    iterations: int,
    settings: Settings,
) -> Iterator[tuple[Mapping[str, float], Tensor]]:
    """Iterate on one level; `displacement` gives the one on the level's grid and the one that is regularised."""
    positions = level.frame.coordinates(device=level.image.device)
    least = np.inf
    best: Tensor | None = None
    for number in range(iterations):
        moved, regular = displacement()
        width = softness * (1.0 - 0.5 * number / iterations)
        mask = _soft_mask(prior, placement, level.frame, positions + moved[0], width)
        energy = chan_vese(level.image, mask, level.weight)
        jacobian = relu_jacobian(regular)
        laplacian = laplacian_magnitude(regular)
        total = energy + settings.jacobian_weight * jacobian + settings.laplacian_weight * laplacian
        if best is None or total.item() < least:
            least, best = total.item(), moved.detach()
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        terms = {
            "chan_vese": energy.item(),
            "jacobian": jacobian.item(),
            "laplacian": laplacian.item(),
            "total": total.item(),
        }
        yield terms, best


def fit(
    volume: Volume, prior: Prior, placement: Placement, field: Frame, settings: Settings, device: torch.device
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
    velocity field, or over a TPSN's weights; see `chan_vese` for why not Eq. 11 as printed. The affine stage and the
    coarse-to-fine grids are ours: without them a template that stands beside the organ does not find it.
    """
    ndim = volume.ndim
    counts = [max(1, round(share * settings.iterations)) for share in _SHARES]
    counts[-1] = max(1, settings.iterations - sum(counts[:-1]))
    total = sum(counts)
    levels = [_level(volume, field, voxels, device) for voxels in WORKING_VOXELS[ndim]]
    finest = levels[-1].frame
    torch.manual_seed(settings.seed)
    number = 0
    for terms, placement in _affine_stage(prior, placement, levels[0], counts[0]):
        number += 1
        still = torch.zeros(1, ndim, *levels[0].frame.shape)
        yield Step("affine", number, total, terms, result=Fitted(placement, still, levels[0].frame))
    if settings.moves == "tpsn":
        stages = _network_stages(prior, placement, levels, counts[1:], settings)
    else:
        stages = _velocity_stages(prior, placement, levels, counts[1:], finest, settings)
    for level, terms, displacement in stages:
        number += 1
        yield Step("fit", number, total, terms, result=Fitted(placement, displacement, level.frame))


def _velocity_stages(
    prior: Prior,
    placement: Placement,
    levels: list[_Level],
    counts: list[int],
    finest: Frame,
    settings: Settings,
) -> Iterator[tuple[_Level, Mapping[str, float], Tensor]]:
    ndim = prior.ndim
    velocity: Tensor | None = None
    for level, nodes, softness, count in zip(levels, _NODES[ndim], _SOFTNESS, counts, strict=True):
        device = level.image.device
        node_shape = _node_shape(level.frame, nodes)
        if velocity is None:
            velocity = torch.zeros(1, ndim, *node_shape, device=device)
        velocity = resize(velocity.detach(), node_shape).requires_grad_()
        # Integrated at half the resolution, where the velocity has no more to say than at the full one: 6 times quicker.
        half = level.frame.resized([max(4, (size + 1) // 2) for size in level.frame.shape])
        window = border_window(half.shape, window_width(half, finest), device=device)

        def displacement(
            velocity: Tensor = velocity, window: Tensor = window, half: Frame = half, level: _Level = level
        ) -> tuple[Tensor, Tensor]:
            coarse = integrate(resize(velocity, half.shape) * window, _INTEGRATION_STEPS)
            return resize(coarse, level.frame.shape), coarse

        optimizer = torch.optim.Adam([velocity], _VELOCITY_RATE)
        for terms, best in _deformation_stage(
            prior, placement, level, displacement, optimizer, softness, count, settings
        ):
            yield level, terms, best


def _network_stages(
    prior: Prior, placement: Placement, levels: list[_Level], counts: list[int], settings: Settings
) -> Iterator[tuple[_Level, Mapping[str, float], Tensor]]:
    ndim = prior.ndim
    device = levels[-1].image.device
    network = TPSN(TPSNSettings(ndim)).to(device)
    optimizer = torch.optim.Adam(network.parameters(), _NETWORK_RATE)
    finest = levels[-1].frame
    for level, softness, count in zip(levels, _SOFTNESS, counts, strict=True):
        window = border_window(level.frame.shape, window_width(level.frame, finest), device=device)
        with torch.no_grad():
            template = _soft_mask(prior, placement, level.frame, level.frame.coordinates(device=device), 2.0)

        def displacement(
            level: _Level = level, window: Tensor = window, template: Tensor = template
        ) -> tuple[Tensor, Tensor]:
            moved = network(level.image, template) * window
            return moved, moved

        for terms, best in _deformation_stage(
            prior, placement, level, displacement, optimizer, softness, count, settings
        ):
            yield level, terms, best


def warped_distance(
    prior: Prior, placement: Placement, grid: Frame, displacement: NDArray[np.float32], field: Frame, *, share: float = 1.0
) -> NDArray[np.float32]:
    """Signed distance of the deformed template at every voxel of a grid.

    Parameters
    ----------
    prior, placement
        The template and where it stands undeformed.
    grid : Frame
        Where the answer is wanted.
    displacement : (ndim, *field.shape) float32
        In voxels of `field`; beyond it the identity.
    field : Frame
        The grid of the displacement.
    share : float
        The displacement is multiplied by this: 0 gives the undeformed template.

    Returns
    -------
    (*grid.shape) float32
        Positive inside, in voxels of the grid, exact in sign at any resolution.
    """
    from napari_toposeg.deformation import sample

    at = grid.coordinates(grid.index_in(field))
    same = grid.shape == field.shape and np.allclose(grid.affine, field.affine)
    values = torch.from_numpy(displacement)
    if not same:
        beyond = torch.zeros(grid.shape, dtype=torch.bool)
        for axis, size in enumerate(field.shape):
            beyond |= (at[axis] < 0) | (at[axis] > size - 1)
        values = sample(values[None], at[None])[0].masked_fill(beyond, 0.0)
    positions = at + share * values
    matrix = torch.from_numpy(placement.unit_from(field)).float()
    ndim = grid.ndim
    unit = torch.einsum("ij,j...->i...", matrix[:ndim, :ndim], positions)
    unit = unit + matrix[:ndim, 3].reshape(ndim, *[1] * ndim)
    distance: NDArray[np.float32] = (prior.signed_distance(unit) * placement.size_in(grid)).numpy()
    return distance
