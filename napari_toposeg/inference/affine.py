"""The affine stage: the template moves, stretches and turns as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from napari_toposeg.inference.levels import Level
from napari_toposeg.priors import Placement, Prior

_RATE = 0.04

# Width of the soft boundary, as a share of the template's mean half-size.
_SOFTNESS = 0.12

# How firmly the template is held where it was placed: firmly in a box that a person drew, whose place and size are
# better known than the energy could find them; loosely where nobody said where.
_FIRM, _LOOSE = 0.5, 0.02


def _turn(angles: Tensor, ndim: int) -> Tensor:
    matrix = angles.new_zeros(ndim, ndim)
    pairs = [(0, 1)] if ndim == 2 else [(0, 1), (0, 2), (1, 2)]
    for angle, (row, column) in zip(angles, pairs, strict=True):
        matrix[row, column] = angle
        matrix[column, row] = -angle
    return torch.linalg.matrix_exp(matrix)


def affine_stage(
    prior: Prior, placement: Placement, level: Level, *, reach: float | None, iterations: int
) -> Iterator[tuple[Mapping[str, float], Placement]]:
    """Minimise the Chan-Vese energy over shift, stretch and turn of the placed template.

    Parameters
    ----------
    prior, placement
        The template and where it stands at first.
    level : Level
        The image on a coarse grid.
    reach : float or None
        Voxels over which the energy's means are taken.
    iterations : int
        How many.

    Yields
    ------
    terms, placement
        The loss terms of the iteration, and the best placement so far.
    """
    ndim, frame = prior.ndim, level.frame
    size = placement.size_in(frame)
    to_unit = placement.unit_from(frame)
    linear = torch.from_numpy(to_unit[:ndim, :ndim]).float().to(level.device)
    centre = torch.from_numpy(np.linalg.inv(to_unit)[:ndim, 3]).float().to(level.device)
    # The turn is one of the world, in mm, not of an anisotropic grid.
    spacing = torch.from_numpy(frame.spacing / frame.spacing.min()).float().to(level.device)
    offsets = frame.coordinates(device=level.device) - centre.reshape(ndim, *[1] * ndim)
    # Shift (in template sizes), logarithm of stretch, turn (in radians).
    parameters = torch.zeros(2 * ndim + (1 if ndim == 2 else 3), device=level.device, requires_grad=True)
    optimizer = torch.optim.Adam([parameters], _RATE)
    hold = _LOOSE if level.beyond is None else _FIRM
    least, best = np.inf, placement
    for _ in range(iterations):
        shift, stretch, angles = parameters[:ndim], parameters[ndim : 2 * ndim], parameters[2 * ndim :]
        inverse = torch.diag(torch.exp(-stretch) / spacing) @ _turn(angles, ndim) @ torch.diag(spacing)
        moved = shift * size / spacing
        source = torch.einsum("ij,j...->i...", inverse, offsets - moved.reshape(ndim, *[1] * ndim))
        distance = prior.signed_distance(torch.einsum("ij,j...->i...", linear, source))
        grown = torch.exp(stretch.mean())
        mask = torch.sigmoid(distance * (grown / _SOFTNESS))[None, None]
        energy = level.explain(mask, reach)
        total = energy + hold * parameters.square().sum()
        if total.item() < least:
            least, best = total.item(), _moved_placement(placement, level, inverse, centre, moved)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield {"chan_vese": energy.item(), "total": total.item()}, best


def _moved_placement(placement: Placement, level: Level, inverse: Tensor, centre: Tensor, moved: Tensor) -> Placement:
    """The template is read at ``centre + inverse (x - centre - moved)``: it stands where the opposite map takes it."""
    ndim = level.frame.ndim
    read_at = np.eye(4)
    read_at[:ndim, :ndim] = inverse.detach().cpu().numpy()
    read_at[:ndim, 3] = (centre - inverse @ (centre + moved)).detach().cpu().numpy()
    affine = level.frame.affine
    return Placement(affine @ np.linalg.inv(read_at) @ np.linalg.inv(affine) @ placement.matrix)
