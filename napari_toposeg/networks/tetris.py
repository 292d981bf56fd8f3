"""TeTrIS, a baseline: a template transformer that only smoothness keeps from folding."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from napari_toposeg.networks.deformed import DeformationNetwork, Deformed
from napari_toposeg.networks.settings import NetworkSettings
from napari_toposeg.networks.tpsn import TPSN, TPSNSettings


@dataclass(frozen=True)
class TeTrISSettings(NetworkSettings):
    """Size of a TeTrIS.

    Attributes
    ----------
    ndim : int
        2 or 3.
    features, resolutions : int
        As for the U-Net.
    objects : int
        Templates by image.
    border : float
        Voxels over which the deformation rises from the identity on the border; 0 for no border.
    """

    features: int = 8
    resolutions: int = 4
    objects: int = 1
    border: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.displacement()

    def displacement(self) -> TPSNSettings:
        """Those of the network that predicts its displacement."""
        return TPSNSettings(
            self.ndim, self.features, self.resolutions, self.objects, "displacement", halvings=0, border=self.border
        )


class TeTrIS(DeformationNetwork):
    """Template transformer network: image and template in, a displacement on the image's own grid out.

    Parameters
    ----------
    settings : TeTrISSettings
        Its size.

    Notes
    -----
    Lee et al., "TeTrIS: Template Transformer Networks for Image Segmentation With Shape Priors" (2019), a baseline of
    Zhang and Lui, Tab. III. There is no public code of it, and its text was not at hand when this was written: what is
    built is what Zhang and Lui say of it, a displacement that is predicted by a network and kept smooth by a Laplacian
    term alone. The encoder-decoder is that of the TPSN here, so that a table shows what the terms of the loss do: train
    it without a Jacobian term. Zhang and Lui had to weigh the smoothness heavily to keep topologies right.
    """

    def __init__(self, settings: TeTrISSettings) -> None:
        super().__init__(settings.ndim, settings.objects)
        self.settings = settings
        self.network = TPSN(settings.displacement())

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        """Deform templates on to images; see `DeformationNetwork.forward`."""
        answer: Deformed = self.network(image, template)
        return answer
