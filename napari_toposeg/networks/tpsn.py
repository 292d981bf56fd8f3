"""TPSN: a network that looks at an image and a template and answers with a deformation of the template."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_toposeg.networks.unet import UNet, UNetSettings


@dataclass(frozen=True)
class TPSNSettings:
    """Size of a TPSN.

    Attributes
    ----------
    ndim : int
        2 or 3.
    features, resolutions : int
        As for the U-Net.
    """

    ndim: int
    features: int = 8
    resolutions: int = 4


class TPSN(nn.Module):
    """Topology-preserving segmentation network.

    Image and template mask are stacked and mapped to a displacement (Zhang and Lui, "Topology-Preserving Segmentation
    Network", Sec. III-B); the segmentation is the template warped by it. Nothing in the network itself keeps the
    displacement from folding: its losses do that, and the regularity test says whether they did.

    Parameters
    ----------
    settings : TPSNSettings
        Its size.
    """

    def __init__(self, settings: TPSNSettings) -> None:
        super().__init__()
        self.settings = settings
        self.unet = UNet(UNetSettings(settings.ndim, 2, settings.ndim, settings.features, settings.resolutions))
        # Starts at the identity, so that the first warped template is the template.
        nn.init.normal_(self.unet.head.weight, 0.0, 1e-5)
        nn.init.zeros_(self.unet.head.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, template: Tensor) -> Tensor:
        """Predict a displacement.

        Parameters
        ----------
        image, template : (N, 1, *grid) tensors
            Intensities (mean 0, deviation 1) and the soft template mask on the same grid.

        Returns
        -------
        (N, ndim, *grid) tensor
            Displacement in voxels; not yet tied to the identity on the border.
        """
        displacement: Tensor = self.unet(torch.cat([image, template], dim=1))
        return displacement
