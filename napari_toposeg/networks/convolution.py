"""The 3-D convolution of all networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Convolution3d(nn.Conv3d):
    """A convolution that is as quick on a CPU for one image as it is for each of several.

    Notes
    -----
    PyTorch 2.13 gives a batch of one with few channels to a kernel that unfolds the whole grid, not to oneDNN: 8 to 8
    channels on 48x48x48 took 565 ms with it and 33 ms with oneDNN, 16 to 16 on 24x24x24 61 and 1 (one thread of a busy
    machine). One image is what a person waits for. What is learned, and its gradient, are the same.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, inputs, *grid) to (N, outputs, *grid)."""
        alone = input.shape[0] == 1 and input.device.type == "cpu" and input.dtype == torch.float32
        there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        if not alone or not there or self.padding_mode != "zeros":
            return super().forward(input)
        answer: Tensor = torch.ops.aten.mkldnn_convolution(
            input, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
        )
        return answer
