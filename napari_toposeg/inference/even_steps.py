"""An optimiser for gradients that live on few voxels and were spread around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_MOMENTUM, _SCALE_MEMORY = 0.9, 0.9


class EvenSteps(torch.optim.Optimizer):
    """Adam with one scale for all voxels, on the square root of the gradient.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is optimised.
    learning_rate : float
        About the largest step of any voxel.

    Notes
    -----
    Adam divides each voxel's gradient by that voxel's own scale, so that all move by the same step: the rim of a spread
    gradient as fast as its middle, and the end of a bar of length .01 as fast as that of a bar of length 1. With one
    scale for all, steps keep the gradient's proportions; but then the ends of a short bar that is wanted do not move
    while there are long ones that are not. The square root is between the two. Maps of synthetic rings (30) and balls
    (6) with the wrong topology, gradient spread by sigma 1: Adam solves 28 in a median of 7 iterations and 6 in 18,
    with a Dice of .849 for the balls (.944 before); in proportion 24 in 5 and 6 in 10.5, .950; with the square root 28
    in 4.5 and 6 in 5.5, .946.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float) -> None:
        super().__init__(parameters, {"lr": learning_rate})
        self._steps = 0

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move once; there is no closure."""
        self._steps += 1
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group["lr"], self.state[parameter])

    def _move(self, parameter: Tensor, gradient: Tensor, rate: float, state: dict[str, Any]) -> None:
        root = gradient.sign() * gradient.abs().sqrt()
        if not state:
            state.update(mean=torch.zeros_like(parameter), scale=0.0)
        state["mean"].mul_(_MOMENTUM).add_(root, alpha=1 - _MOMENTUM)
        state["scale"] = _SCALE_MEMORY * state["scale"] + (1 - _SCALE_MEMORY) * float(root.abs().max()) ** 2
        # Both start at zero: corrected for it, as in Adam.
        largest = (state["scale"] / (1 - _SCALE_MEMORY**self._steps)) ** 0.5
        if largest > 0:
            parameter.sub_(state["mean"], alpha=rate / (largest * (1 - _MOMENTUM**self._steps)))
