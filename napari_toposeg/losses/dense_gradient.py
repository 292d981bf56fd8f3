"""A gradient that lives on a few voxels, given to their neighbourhoods as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from napari_toposeg.errors import ToposegError

_REACH = 3.0
"""A Gaussian is cut off at this many standard deviations, along each axis."""


def spread_gradient(x: Tensor, sigma: float | Sequence[float]) -> Tensor:
    """The same values; on the way back, a sparse gradient is spread over its neighbourhood.

    Parameters
    ----------
    x : (N, C, *spatial) tensor
        2-D or 3-D, of any meaning.
    sigma : float or sequence of float
        Standard deviation in voxels, for all axes or one by axis. Along an axis where it is less than a third of a
        voxel nothing is spread.

    Returns
    -------
    (N, C, *spatial) tensor
        `x` itself, as seen by what comes after.

    Raises
    ------
    ToposegError
        If `sigma` is negative, or there is not one by axis.

    Notes
    -----
    With g the gradient that arrives at `x`, S the voxels where it is not zero and K a Gaussian with K(0) = 1, cut off
    at three standard deviations along each axis, what is passed on is, for each sample and channel on its own::

        (K * g) / max(K * 1[S], 1)

    Where the voxels of S crowd together that is their weighted mean (the estimate of Nadaraya and Watson), and around
    one that stands alone it is g K: that voxel keeps its own gradient exactly, also at the border, and nothing is
    ever larger than the largest of g. Nothing lies beyond the border.

    What is spread is the gradient with respect to `x`. Put on probabilities, each neighbour's share still passes
    through the sigmoid, whose slope there is its own and next to nothing where the map is sure of itself; put on
    logits, the slope of the critical voxel itself is what is spread. `PersistenceLoss` does the first; for the
    second, call this on the logits.

    Not from the papers: Clough et al. put the gradient on the critical voxels alone.
    """
    ndim = x.ndim - 2
    by_axis = tuple(float(one) for one in sigma) if isinstance(sigma, Sequence) else (float(sigma),) * ndim
    if len(by_axis) != ndim or not all(one >= 0 for one in by_axis):
        raise ToposegError(
            f"A gradient cannot be spread by {sigma} over {ndim} axes.",
            why="It takes a standard deviation in voxels, at least 0.",
            todo=f"Give one number, or {ndim} of them.",
        )
    return _SpreadGradient.apply(x, by_axis)  # type: ignore[no-untyped-call]


class _SpreadGradient(torch.autograd.Function):
    """Identity forward, `_spread` backward."""

    @staticmethod
    def forward(context: Any, x: Tensor, sigma: tuple[float, ...]) -> Tensor:
        context.sigma = sigma
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _spread(gradients[0], context.sigma), None


def _spread(gradient: Tensor, sigma: tuple[float, ...]) -> Tensor:
    # Half precision has too few digits for sums of many small shares.
    exact = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    shares = torch.stack([exact, (exact != 0).to(exact.dtype)])
    for axis, width in enumerate(sigma):
        shares = _blur(shares, axis - len(sigma), width)
    total, weight = shares
    return (total / weight.clamp(min=1.0)).to(gradient.dtype)


def _blur(values: Tensor, axis: int, sigma: float) -> Tensor:
    """Convolution with a Gaussian of peak 1 along one axis; zeros beyond the border.

    Shifted copies are added: the convolutions of a GPU may round to ten bits, and a voxel that stands alone is to
    keep its gradient to the last.
    """
    size = values.shape[axis]
    blurred = values.clone()
    for shift in range(1, min(int(_REACH * sigma), size - 1) + 1):
        share = math.exp(-0.5 * (shift / sigma) ** 2)
        blurred.narrow(axis, shift, size - shift).add_(values.narrow(axis, 0, size - shift), alpha=share)
        blurred.narrow(axis, 0, size - shift).add_(values.narrow(axis, shift, size - shift), alpha=share)
    return blurred
