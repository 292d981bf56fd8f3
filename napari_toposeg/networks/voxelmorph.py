"""VoxelMorph, diffeomorphic: the registration network that the papers compare with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, max_pool3d

from napari_toposeg.deformation import integrate, resize
from napari_toposeg.errors import ToposegError
from napari_toposeg.networks.convolution import Convolution3d
from napari_toposeg.networks.deformed import (
    DeformationNetwork,
    Deformed,
    by_object,
    start_at_identity,
    tied_to_border,
    warp_templates,
)
from napari_toposeg.networks.settings import NetworkSettings


@dataclass(frozen=True)
class VoxelMorphSettings(NetworkSettings):
    """Size of a VoxelMorph; its defaults are those of the public code, but for the border.

    Attributes
    ----------
    ndim : int
        2 or 3.
    encoder : tuple of int
        Channels of each convolution on the way down; the grid is halved after each.
    decoder : tuple of int
        Channels of each convolution on the way up; the grid is doubled after each. As many as in the encoder.
    final : tuple of int
        Channels of the convolutions on the image's own grid that follow.
    objects : int
        Templates by image.
    halvings : int
        How often the velocity's grid is halved before it is integrated.
    integration_steps : int
        Doublings of the integration.
    border : float
        Voxels over which the velocity rises from zero on the border; 0 for no border, as published.
    """

    encoder: tuple[int, ...] = (16, 32, 32, 32)
    decoder: tuple[int, ...] = (32, 32, 32, 32)
    final: tuple[int, ...] = (32, 16, 16)
    objects: int = 1
    halvings: int = 1
    integration_steps: int = 7
    border: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(encoder=1, decoder=1, final=1, objects=1, halvings=0, integration_steps=0, border=0)
        if len(self.encoder) != len(self.decoder):
            raise ToposegError(
                f"VoxelMorph cannot go {len(self.encoder)} times down and {len(self.decoder)} times up.",
                todo="Give encoder and decoder as many channels each.",
            )


class VoxelMorph(DeformationNetwork):
    """Diffeomorphic VoxelMorph with a template in the place of the moving image.

    Parameters
    ----------
    settings : VoxelMorphSettings
        Its size.

    Notes
    -----
    Balakrishnan et al. and Dalca et al., as Wyburd et al., "TEDS-Net", Sec. 2.1 use it: the template is the second
    channel. With the default settings it has, in 2-D, the 109,170 parameters of the public code. Departures: grids of
    any size; and a border, without which a positive Jacobian promises nothing (the preset ``published`` has none).
    """

    def __init__(self, settings: VoxelMorphSettings) -> None:
        super().__init__(settings.ndim, settings.objects)
        self.settings = settings
        channels = 1 + settings.objects
        skipped = [channels]
        self.down = nn.ModuleList()
        for width in settings.encoder:
            self.down.append(_convolution(settings.ndim, channels, width))
            skipped.append(width)
            channels = width
        self.up = nn.ModuleList()
        for width in settings.decoder:
            self.up.append(_convolution(settings.ndim, channels, width))
            channels = width + skipped.pop()
        self.final = nn.Sequential()
        for width in settings.final:
            self.final.append(_convolution(settings.ndim, channels, width))
            channels = width
        head = nn.Conv2d if settings.ndim == 2 else Convolution3d
        self.head = head(channels, settings.ndim * settings.objects, 3, padding=1)
        start_at_identity(self.head)

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        """Deform templates on to images; see `DeformationNetwork.forward`."""
        template = self.fitting(image, template)
        grid = image.shape[2:]
        features = torch.cat([image, template], dim=1)
        pool = max_pool2d if self.ndim == 2 else max_pool3d
        skipped: list[Tensor] = []
        for convolution in self.down:
            features = convolution(features)
            skipped.append(features)
            features = pool(features, 2, ceil_mode=True)
        for convolution in self.up:
            finer = skipped.pop()
            features = interpolate(convolution(features), size=finer.shape[2:], mode="nearest")
            features = torch.cat([features, finer], dim=1)
        velocity = by_object(self.head(self.final(features)), self.ndim)
        coarse = [max(2, -(-size // 2**self.settings.halvings)) for size in grid]
        velocity = tied_to_border(resize(velocity, coarse), grid, self.settings.border)
        level = integrate(velocity, self.settings.integration_steps)
        displacement = resize(level, grid)
        return Deformed(displacement, warp_templates(template, displacement), (velocity,), (level,))


def _convolution(ndim: int, inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d if ndim == 2 else Convolution3d
    return nn.Sequential(convolution(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.2))
