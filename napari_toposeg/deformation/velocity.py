"""Stationary velocities and the deformations that they integrate to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_toposeg.deformation.warp import compose


def integrate(velocity: Tensor, steps: int = 7) -> Tensor:
    """The displacement after following a velocity for a unit of time, by scaling and squaring.

    Parameters
    ----------
    velocity : (N, ndim, *grid) tensor
        Voxels of its grid per unit of time.
    steps : int
        The velocity is divided by ``2**steps`` and the small displacement composed with itself `steps` times. Seven
        leave .03 voxels of error in 2-D and .05 in 3-D for velocities up to 14 voxels (six: .06 and .11).

    Returns
    -------
    (N, ndim, *grid) tensor
        A displacement. The continuous flow never folds; its samples, linear in between, now and then do: test them.

    Notes
    -----
    The scheme is that of Arsigny et al. (2006). Wyburd et al., "TEDS-Net", Sec. 2 composes a velocity of less than
    half a voxel with itself without dividing it first; the fields then fold in up to 39 % of their cells (measured),
    so the division is made here. A caller who wants the published variant passes ``velocity * 2**steps``.
    """
    displacement = velocity / 2**steps
    for _ in range(steps):
        displacement = compose(displacement, displacement)
    return displacement


def border_window(
    shape: Sequence[int],
    width: float | Sequence[float] = 4.0,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """What a velocity or displacement is multiplied by so that it is the identity on the border of its grid.

    Parameters
    ----------
    shape : sequence of int
        Voxels by axis.
    width : float or (ndim,) sequence of float
        Voxels over which the window rises from 0 on the border to 1; by axis where the grid is anisotropic.
    device, dtype
        Of the answer.

    Returns
    -------
    (1, 1, *shape) tensor
        The product, over the axes, of linear ramps.

    Notes
    -----
    Without it a positive Jacobian determinant promises nothing: exp(z) has one everywhere, wraps a strip round a ring,
    and makes two disks of one.
    """
    widths = [width] * len(shape) if isinstance(width, int | float) else width
    window = torch.ones((1, 1, *[1] * len(shape)), device=device, dtype=dtype)
    for axis, (size, across) in enumerate(zip(shape, widths, strict=True)):
        index = torch.arange(size, device=device, dtype=dtype)
        ramp = (torch.minimum(index, size - 1 - index) / across).clamp(max=1.0)
        window = window * ramp.reshape([-1 if k == axis + 2 else 1 for k in range(len(shape) + 2)])
    return window
