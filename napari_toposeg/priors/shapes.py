"""Signed distance functions of the built-in templates, each in its own unit box [-1, 1]**ndim.

Every function takes coordinates, a float tensor (ndim, *grid), and returns the signed distance (*grid): positive
inside, negative outside, zero on the surface, gradient of length one almost everywhere. The last axis is the one that a
ring, a tube or a cylinder turns about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

# A distance of exactly zero has no gradient in torch.linalg.norm: NaN would spread from the one voxel at the centre.
_TINY = 1e-12


def _length(components: Tensor) -> Tensor:
    return torch.sqrt((components * components).sum(dim=0) + _TINY)


def _block(offsets: Tensor) -> Tensor:
    """Signed distance to a block, from the offsets (k, *grid) beyond its faces (negative inside)."""
    outside = _length(offsets.clamp(min=0.0))
    inside = offsets.amax(dim=0).clamp(max=0.0)
    return -(outside + inside)


def ball(coordinates: Tensor) -> Tensor:
    """Distance to the disk or ball of radius 1."""
    return 1.0 - _length(coordinates)


def box(coordinates: Tensor) -> Tensor:
    """Distance to the square or box that fills the unit box."""
    return _block(coordinates.abs() - 1.0)


def shell(coordinates: Tensor, *, inner: float) -> Tensor:
    """Distance to the annulus (2-D) or hollow ball (3-D) between the radii `inner` and 1."""
    radius = _length(coordinates)
    return torch.minimum(1.0 - radius, radius - inner)


def cylinder(coordinates: Tensor) -> Tensor:
    """Distance to the solid cylinder of radius 1 about the last axis."""
    radius = _length(coordinates[:-1])
    return _block(torch.stack([radius - 1.0, coordinates[-1].abs() - 1.0]))


def tube(coordinates: Tensor, *, inner: float) -> Tensor:
    """Distance to the open tube about the last axis, its wall between the radii `inner` and 1."""
    radius = _length(coordinates[:-1])
    middle, half_wall = (1.0 + inner) / 2.0, (1.0 - inner) / 2.0
    return _block(torch.stack([(radius - middle).abs() - half_wall, coordinates[-1].abs() - 1.0]))


def torus(coordinates: Tensor, *, thickness: float) -> Tensor:
    """Distance to the solid ring about the last axis; `thickness` is the radius of its round section."""
    around = _length(coordinates[:-1]) - (1.0 - thickness)
    return thickness - _length(torch.stack([around, coordinates[-1]]))


SHAPES: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {shape.__name__: shape for shape in (ball, box, shell, cylinder, tube, torus)}
)
"""The shapes that a definition in ``resources/priors`` can name."""
