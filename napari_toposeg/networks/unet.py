"""The encoder-decoder that the deformation networks share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


@dataclass(frozen=True)
class UNetSettings:
    """Size of a U-Net.

    Attributes
    ----------
    ndim : int
        2 or 3.
    inputs, outputs : int
        Channels in and out.
    features : int
        Channels at full resolution; doubled at each coarser one.
    resolutions : int
        How many resolutions there are; the grid is halved between them.
    """

    ndim: int
    inputs: int
    outputs: int
    features: int = 8
    resolutions: int = 4


def _block(ndim: int, inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d if ndim == 2 else nn.Conv3d
    norm = nn.InstanceNorm2d if ndim == 2 else nn.InstanceNorm3d
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [convolution(channels, outputs, 3, padding=1), norm(outputs, affine=True), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """A U-Net with instance norms, for grids of any size.

    Parameters
    ----------
    settings : UNetSettings
        Its size.
    """

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.settings = settings
        ndim = settings.ndim
        widths = [settings.features * 2**level for level in range(settings.resolutions)]
        self.down = nn.ModuleList(
            _block(ndim, settings.inputs if level == 0 else widths[level - 1], width)
            for level, width in enumerate(widths)
        )
        self.up = nn.ModuleList(
            _block(ndim, widths[level] + widths[level + 1], widths[level])
            for level in reversed(range(settings.resolutions - 1))
        )
        self.head = (nn.Conv2d if ndim == 2 else nn.Conv3d)(widths[0], settings.outputs, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, inputs, *grid) to (N, outputs, *grid)."""
        grids = [image.shape[2:]]
        skipped: list[Tensor] = []
        features = image
        for level, block in enumerate(self.down):
            if level:
                # Grids that cannot be halved are interpolated: any size goes in, and the same size comes out.
                grids.append(torch.Size(max(2, (size + 1) // 2) for size in grids[-1]))
                features = interpolate(features, size=grids[-1], mode="area")
            features = block(features)
            skipped.append(features)
        features = skipped.pop()
        for block in self.up:
            finer = skipped.pop()
            features = block(torch.cat([interpolate(features, size=finer.shape[2:], mode="nearest"), finer], dim=1))
        out: Tensor = self.head(features)
        return out
