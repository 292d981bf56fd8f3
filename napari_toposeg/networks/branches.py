"""TEDS-Net's encoder and the decoders that branch off its bottleneck."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, max_pool3d

from napari_toposeg.networks.convolution import Convolution3d
from napari_toposeg.networks.deformed import start_at_identity


class Encoder(nn.Module):
    """Halves the grid again and again, down to a bottleneck.

    Parameters
    ----------
    inputs : int
        Channels in.
    ndim : int
        2 or 3.
    features : int
        Channels at full resolution, doubled at each coarser one; the bottleneck has those of the coarsest.
    resolutions : int
        How many there are above the bottleneck.
    dropout : float
        Share of the features that are dropped after each block, in training.
    """

    def __init__(self, inputs: int, ndim: int, features: int, resolutions: int, dropout: float) -> None:
        super().__init__()
        self.ndim = ndim
        widths = [features * 2**level for level in range(resolutions)]
        self.blocks = nn.ModuleList(
            _block(ndim, before, width, dropout)
            for before, width in zip([inputs, *widths], [*widths, widths[-1]], strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of each resolution, finest first, the bottleneck's last."""
        pool = max_pool2d if self.ndim == 2 else max_pool3d
        features: list[Tensor] = []
        for block in self.blocks:
            if features:
                # Any size goes in; an instance norm needs more than one voxel, so that axes of two are left alone.
                kernel = [2 if size > 2 else 1 for size in image.shape[2:]]
                image = pool(image, kernel, ceil_mode=True)
            image = block(image)
            features.append(image)
        return features


class Branch(nn.Module):
    """A decoder from the bottleneck to one resolution, and the head that reads a field off it.

    Parameters
    ----------
    halvings : int
        Resolution at which it ends: 0 is the image's own grid.
    outputs : int
        Channels out.
    ndim, features, resolutions, dropout
        As the encoder's.
    """

    def __init__(self, halvings: int, outputs: int, ndim: int, features: int, resolutions: int, dropout: float) -> None:
        super().__init__()
        up = nn.ConvTranspose2d if ndim == 2 else nn.ConvTranspose3d
        self.ups, self.blocks = nn.ModuleList(), nn.ModuleList()
        channels = 0
        for level in reversed(range(halvings, resolutions)):
            width = features * 2**level
            channels = max(features, width // 2)
            self.ups.append(up(width, width, 2, stride=2))
            self.blocks.append(_block(ndim, 2 * width, channels, dropout))
        self.head = (nn.Conv2d if ndim == 2 else Convolution3d)(channels, outputs, 1)
        start_at_identity(self.head)

    def forward(self, encoded: Sequence[Tensor]) -> Tensor:
        """The field (N, outputs, *grid) on the grid of its resolution."""
        *skipped, features = encoded
        for up, block in zip(self.ups, self.blocks, strict=True):
            finer = skipped.pop()
            doubled = up(features)[(..., *[slice(size) for size in finer.shape[2:]])]
            features = block(torch.cat([doubled, finer], dim=1))
        field: Tensor = self.head(features)
        return field


def _block(ndim: int, inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    convolution = nn.Conv2d if ndim == 2 else Convolution3d
    norm = nn.InstanceNorm2d if ndim == 2 else nn.InstanceNorm3d
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        # The norm takes the mean away, and a bias with it.
        layers += [convolution(channels, outputs, 3, padding=1, bias=False), norm(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout))
