"""An optimiser for gradients that live on few voxels and were spread around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor


class ProportionalSteps(torch.optim.Optimizer):
    """Gradient descent with momentum in which the largest gradient is always 1.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is optimised; each tensor has its own largest gradient.
    learning_rate : float
        By how much that moves which has the largest gradient, before momentum.
    momentum : float
        The share of a step that is made again with the next one.

    Notes
    -----
    Adam divides each voxel's gradient by that voxel's own scale, so that all move by the same step: the rim of a spread
    gradient as fast as its middle, and the end of a bar of length .01 as fast as that of a bar of length 1. With one
    scale for all, the spread gradient keeps its shape, and long bars go before short ones. On the maps of a small
    network with the wrong topology it needs fewer iterations and changes fewer voxels than Adam where the gradient is
    spread, and more where it is not (``benchmarks/dense_gradient.py``).
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, *, momentum: float = 0.5) -> None:
        super().__init__(parameters, {"lr": learning_rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move once; there is no closure."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                direction = self.state[parameter].setdefault("direction", torch.zeros_like(parameter))
                direction.mul_(group["momentum"])
                largest = float(parameter.grad.abs().max())
                if largest > 0:
                    direction.add_(parameter.grad, alpha=1.0 / largest)
                parameter.sub_(direction, alpha=group["lr"])
