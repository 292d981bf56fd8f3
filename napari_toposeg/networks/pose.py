"""Scale and pose of templates, predicted before anything deforms them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d, interpolate

from napari_toposeg.deformation import integrate
from napari_toposeg.networks.deformed import start_at_identity, tied_to_border
from napari_toposeg.networks.unet import double_convolution

if TYPE_CHECKING:
    from napari_toposeg.networks.mltpsn import MLTPSNSettings

_HALVINGS, _KEPT = 2, 3
"""How often the grid is halved that the pose is a velocity on, and places by axis at which the features are read."""


class Pose(nn.Module):
    """An affine map of each template, as a velocity: it cannot fold, and it fades to the identity at the border.

    Parameters
    ----------
    settings : MLTPSNSettings
        Its features, objects, integration steps and border.

    Notes
    -----
    No paper of the three has it. A velocity that is linear in the place integrates to an affine map; where the border
    holds it back it is no longer linear, and still a diffeomorphism.
    """

    def __init__(self, settings: MLTPSNSettings) -> None:
        super().__init__()
        self.settings = settings
        ndim, features = settings.ndim, settings.features
        self.features = nn.ModuleList(
            double_convolution(ndim, inputs, outputs)
            for inputs, outputs in ((1 + settings.objects, features), (features, 2 * features))
        )
        outputs = settings.objects * ndim * (ndim + 1)
        self.head = nn.Linear(2 * features * _KEPT**ndim, outputs)
        start_at_identity(self.head)

    def forward(self, image: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """The pose of templates in images.

        Parameters
        ----------
        image : (N, 1, *grid) tensor
        template : (N, q, *grid) tensor

        Returns
        -------
        velocity, displacement : (N * q, ndim, *coarser) tensors
            In voxels of the coarser grid.
        """
        ndim, grid = self.settings.ndim, image.shape[2:]
        features = torch.cat([image, template], dim=1)
        for block in self.features:
            shape = [max(_KEPT, -(-size // 2)) for size in features.shape[2:]]
            features = block(interpolate(features, size=shape, mode="area"))
        pooled = (adaptive_avg_pool2d if ndim == 2 else adaptive_avg_pool3d)(features, _KEPT)
        matrix = self.head(pooled.flatten(1)).float().reshape(-1, ndim, ndim + 1)
        coarser = [max(2, -(-size // 2**_HALVINGS)) for size in grid]
        # From -1 to 1 across the window; a shift of 1 is half a side.
        axes = [torch.linspace(-1.0, 1.0, size, device=image.device) for size in coarser]
        places = torch.stack([*torch.meshgrid(*axes, indexing="ij"), torch.ones(coarser, device=image.device)])
        sides = torch.tensor(coarser, device=image.device)[:, None] / 2.0
        # Not a matrix product: under autocast that would be one in half precision.
        velocity = ((matrix * sides)[(..., *[None] * ndim)] * places).sum(dim=2)
        velocity = tied_to_border(velocity, grid, self.settings.border)
        return velocity, integrate(velocity, self.settings.integration_steps)
