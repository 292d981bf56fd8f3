"""TPSN: a network that looks at an image and templates and answers with deformations of the templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_toposeg.deformation import integrate, resize
from napari_toposeg.networks.deformed import (
    DeformationNetwork,
    Deformed,
    by_object,
    start_at_identity,
    tied_to_border,
    warp_templates,
)
from napari_toposeg.networks.settings import Answer, NetworkSettings
from napari_toposeg.networks.unet import UNet, UNetSettings


@dataclass(frozen=True)
class TPSNSettings(NetworkSettings):
    """Size of a TPSN, and what it answers with.

    Attributes
    ----------
    ndim : int
        2 or 3.
    features, resolutions : int
        As for the U-Net.
    objects : int
        Templates by image.
    answer : {"displacement", "velocity"}
        What the U-Net predicts: the displacement itself, as published, or a velocity that is integrated to one.
    halvings : int
        How often the grid of what it predicts is halved.
    integration_steps : int
        Doublings of the integration of a velocity.
    border : float
        Voxels over which the deformation rises from the identity on the border; 0 for no border.
    edges : bool
        Whether the network is shown the length of the image's gradient too, as a further channel.

    Notes
    -----
    Published (Zhang and Lui; the preset of that name): a displacement on the image's grid, no border. On synthetic
    rings of 96x96 and 400 iterations of Adam at 1e-3 with 100 times the mean ReLU-Jacobian, the published displacement
    had Dice .780 and no fold at any corner of a cell in 9.5 % of the test images; the velocity at half the resolution
    had .837 and 95.5 %. It is the default.
    """

    features: int = 8
    resolutions: int = 4
    objects: int = 1
    answer: Answer = "velocity"
    halvings: int = 1
    integration_steps: int = 7
    border: float = 4.0
    edges: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(objects=1, integration_steps=0, border=0)
        # Refuses what its U-Net cannot be.
        UNetSettings(self.ndim, 1, 1, self.features, self.resolutions, self.halvings)


@dataclass(frozen=True)
class MultiTPSNSettings(TPSNSettings):
    """A TPSN of several objects: as `TPSNSettings`, with two objects unless said otherwise."""

    objects: int = 2


class TPSN(DeformationNetwork):
    """Topology-preserving segmentation network, of one object or of several.

    Image and template masks are stacked and mapped to one displacement by object; the segmentation is the template
    warped by it.

    Parameters
    ----------
    settings : TPSNSettings
        Its size.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Sec. III-B: ndim * q channels deform q templates. Nothing
    in the network itself keeps a displacement from folding: its losses do that, and the regularity test says whether
    they did. A velocity does not fold before it is sampled. Objects move on their own, and may come to overlap.
    """

    def __init__(self, settings: TPSNSettings) -> None:
        super().__init__(settings.ndim, settings.objects)
        self.settings = settings
        inputs, outputs = 1 + settings.edges + settings.objects, settings.ndim * settings.objects
        self.unet = UNet(
            UNetSettings(settings.ndim, inputs, outputs, settings.features, settings.resolutions, settings.halvings)
        )
        start_at_identity(self.unet.head)

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        """Deform templates on to images; see `DeformationNetwork.forward`."""
        template = self.fitting(image, template)
        grid = image.shape[2:]
        velocities, level = self.deform(image, template, grid)
        displacement = resize(level, grid)
        return Deformed(displacement, warp_templates(template, displacement), velocities, (level,))

    def deform(self, image: Tensor, template: Tensor, shape: Sequence[int]) -> tuple[tuple[Tensor, ...], Tensor]:
        """The deformation on the grid on which it is predicted.

        Parameters
        ----------
        image : (N, 1, *grid) tensor
            Intensities.
        template : (N, q, *grid) tensor
            Soft templates.
        shape : sequence of int
            Voxels by axis of the grid that `border` is counted on; the same as `grid` unless this is one level of
            several.

        Returns
        -------
        velocities : tuple of at most one (N * q, ndim, *coarser) tensor
            Empty where the network answers with displacements.
        displacement : (N * q, ndim, *coarser) tensor
            In voxels of the coarser grid.
        """
        shown = [image, gradient_length(image), template] if self.settings.edges else [image, template]
        field = by_object(self.unet(torch.cat(shown, dim=1)), self.ndim)
        field = tied_to_border(field, shape, self.settings.border)
        if self.settings.answer == "displacement":
            return (), field
        return (field,), integrate(field, self.settings.integration_steps)


def gradient_length(image: Tensor) -> Tensor:
    """Length of the gradient of images (N, 1, *grid), by central differences, in intensity over voxels."""
    steps = torch.gradient(image, dim=list(range(2, image.ndim)))
    return torch.stack(list(steps)).square().sum(dim=0).sqrt()
