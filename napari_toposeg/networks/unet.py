"""The encoder-decoder that most networks share, and the two pixel-wise networks: U-Net and double U-Net."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_toposeg.errors import ToposegError
from napari_toposeg.networks.convolution import Convolution3d
from napari_toposeg.networks.settings import NetworkSettings


@dataclass(frozen=True)
class UNetSettings(NetworkSettings):
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
    halvings : int
        How often the answer's grid is halved: 0 for the image's own grid, 1 for half of it along each axis. The
        decoder ends there. Less than `resolutions`.
    """

    inputs: int
    outputs: int
    features: int = 8
    resolutions: int = 4
    halvings: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(inputs=1, outputs=1, features=1, resolutions=1, halvings=0)
        if self.halvings >= self.resolutions:
            raise ToposegError(
                f"A network of {self.resolutions} resolutions cannot answer after {self.halvings} halvings.",
                todo="Ask for more resolutions, or for fewer halvings.",
            )


def double_convolution(ndim: int, inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, each normalised and rectified: what stands at every resolution."""
    convolution = nn.Conv2d if ndim == 2 else Convolution3d
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
            double_convolution(ndim, settings.inputs if level == 0 else widths[level - 1], width)
            for level, width in enumerate(widths)
        )
        self.up = nn.ModuleList(
            double_convolution(ndim, widths[level] + widths[level + 1], widths[level])
            for level in reversed(range(settings.halvings, settings.resolutions - 1))
        )
        convolution = nn.Conv2d if ndim == 2 else Convolution3d
        self.head = convolution(widths[settings.halvings], settings.outputs, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, inputs, *grid) to (N, outputs, *grid), or to a coarser grid of as many halvings."""
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


@dataclass(frozen=True)
class WUNetSettings(NetworkSettings):
    """Size of a double U-Net.

    Attributes
    ----------
    ndim : int
        2 or 3.
    inputs, outputs : int
        Channels in and out.
    features, resolutions : int
        Of each of the two, as for the U-Net.
    """

    inputs: int
    outputs: int
    features: int = 8
    resolutions: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(inputs=1, outputs=1, features=1, resolutions=1)


class WUNet(nn.Module):
    """Double U-Net: a first U-Net finds the object, a second one refines what it found.

    Parameters
    ----------
    settings : WUNetSettings
        Its size.

    Notes
    -----
    The "wUNet" of Zhang and Lui, "Topology-Preserving Segmentation Network", Tab. III and IV, who say no more of it
    than that it is the double U-Net of Jha et al. (2020). The idea is theirs, the size is not: both halves here are the
    U-Net of the comparison, where Jha et al. have an ImageNet encoder and atrous pooling, so that what a table shows
    is the second pass and not another encoder. Theirs multiplies the image by the first mask; here the second half
    sees both as channels, since a product hides from it what the first half missed.
    """

    def __init__(self, settings: WUNetSettings) -> None:
        super().__init__()
        self.settings = settings
        size = (settings.outputs, settings.features, settings.resolutions)
        self.first = UNet(UNetSettings(settings.ndim, settings.inputs, *size))
        self.second = UNet(UNetSettings(settings.ndim, settings.inputs + settings.outputs, *size))

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, inputs, *grid) to the second half's logits (N, outputs, *grid)."""
        return self.passes(image)[1]

    def passes(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of both halves, (N, outputs, *grid) each: a loss may look at both."""
        first: Tensor = self.first(image)
        second: Tensor = self.second(torch.cat([image, first.sigmoid()], dim=1))
        return first, second
