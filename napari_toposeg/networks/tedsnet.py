"""TEDS-Net: a bulk deformation and a finer one, both amplified from bounded velocities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv3d, max_pool2d, max_pool3d

from napari_toposeg.deformation import border_window, compose, identity_grid, resize, sample, warp
from napari_toposeg.errors import ToposegError
from napari_toposeg.networks.branches import Branch, Encoder
from napari_toposeg.networks.deformed import DeformationNetwork, Deformed, by_object, tied_to_border, warp_templates
from napari_toposeg.networks.settings import NetworkSettings

_TAPS = 5


@dataclass(frozen=True)
class TEDSNetSettings(NetworkSettings):
    """Size of a TEDS-Net, and its parts: each can be left out.

    Attributes
    ----------
    ndim : int
        2 or 3.
    features, resolutions : int
        Channels at full resolution, doubled at each coarser one; how many there are above the bottleneck.
    objects : int
        Templates by image.
    bulk, fine_tuning : bool
        Which of the two branches there are (ablations A6 and A5 leave one out).
    bulk_halvings, fine_tuning_halvings : int
        How often the grid of each branch's velocity is halved.
    bound : float
        The velocity is this times a tanh, in voxels of its own grid.
    compositions : int
        How often the field is composed with itself.
    rescale : bool
        Whether the velocity is first divided by two to the number of compositions, as scaling and squaring does.
    gaussian_sigma : float
        In voxels of the velocity's grid: the field is smoothed by so much, in 5 voxels by axis, after each composition;
        0 for no smoothing (A1, A2).
    super_upsampling : bool
        Whether the two fields are brought to a grid twice as fine as the image's before they meet (not in A1, A4). They
        take four times the memory there, in 3-D eight times: on 128x128x64 voxels a forward pass took 4.3 s of one CPU
        core with it and 1.0 s without.
    warp_once : bool
        Whether the template is warped once, by the composed displacement, or twice, the second time as resampled by the
        first.
    max_pool : bool
        Whether the mask is made on the fine grid, and each of its voxels is the greatest of 3 by axis there. Needs
        `super_upsampling`.
    sees_template : bool
        Whether the network sees the template besides the image. Without it the template has to stand at the same place
        in each image.
    dropout : float
        Share of the features that are dropped after each block, in training.
    border : float
        Voxels of the image's grid over which the velocities rise from zero on the border; 0 for no border.

    Notes
    -----
    Published (Wyburd et al.; the preset of that name): bound .5, no rescaling, sigma 2, warped twice, pooled, the image
    alone as input, no border. The paper's six ablations are presets too; A3, and A1 in part, are a weight of the loss.

    The defaults differ (rescaled, bound 8, not smoothed, warped once, not pooled). First runs on synthetic rings of
    64x64, with one seed each and not yet a table, say why:

    - As published, and with its gradient term, it learns at Adam 1e-3, and hardly at the published 1e-4 in as many
      steps. Compositions that are not rescaled reach a lower Dice than the defaults, or fold more images.
    - Rescaled with the published bound of .5 the template moves by 1.6 voxels at most: the bound is one of the whole
      velocity then, not of a small step.
    - On a grid that is a few voxels wide at an eighth, smoothing with zeros beyond the grid stops all motion.
    - The max-pool makes a ring of 7 voxels a quarter larger before anything moves. A displacement that was trained
      under it is wrong for the template without it, which is what is certified.
    """

    features: int = 12
    resolutions: int = 4
    objects: int = 1
    bulk: bool = True
    fine_tuning: bool = True
    bulk_halvings: int = 3
    fine_tuning_halvings: int = 1
    bound: float = 8.0
    compositions: int = 8
    rescale: bool = True
    gaussian_sigma: float = 0.0
    super_upsampling: bool = True
    warp_once: bool = True
    max_pool: bool = False
    sees_template: bool = True
    dropout: float = 0.2
    border: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(features=1, resolutions=1, objects=1, bulk_halvings=0, fine_tuning_halvings=0)
        self.require(bound=0, compositions=0, gaussian_sigma=0, dropout=0, border=0)
        if self.dropout > 1:
            raise ToposegError(f"dropout of TEDSNetSettings is {self.dropout!r}.", todo="Give it at most 1.")
        if not self.halvings:
            raise ToposegError("A TEDS-Net without branches moves nothing.", todo="Leave it bulk, fine_tuning or both.")
        if max(self.halvings) >= self.resolutions:
            raise ToposegError(
                f"A network of {self.resolutions} resolutions cannot answer after {max(self.halvings)} halvings.",
                todo="Ask for more resolutions, or for fewer halvings.",
            )
        if self.max_pool and not self.super_upsampling:
            raise ToposegError(
                "There is nothing to pool without super-upsampling.", todo="Set max_pool to false, or both to true."
            )

    @property
    def halvings(self) -> tuple[int, ...]:
        """Those of the branches that there are, in the order in which they act."""
        both = ((self.bulk, self.bulk_halvings), (self.fine_tuning, self.fine_tuning_halvings))
        return tuple(halvings for there, halvings in both if there)


class TEDSNet(DeformationNetwork):
    """Topology-enforcing diffeomorphic segmentation network.

    Parameters
    ----------
    settings : TEDSNetSettings
        Its size and its parts.

    Notes
    -----
    Wyburd et al., "TEDS-Net: Enforcing Diffeomorphisms in Spatial Transformers to Guarantee Topology Preservation in
    Segmentations", Sec. 2; where the paper is silent, its public code. Of the 708,928 parameters of that code in 2-D,
    52,944 are of decoder levels that never run; they are not built here. Its topology is not guaranteed: random fields
    through the published composition folded up to 39 % of their cells.

    Departures: grids of any size; beyond the grid the border's value holds, where theirs is zero; the doubled grid has
    a voxel between each two of the image's, and no further one, so that the image's own voxels are among them.
    """

    def __init__(self, settings: TEDSNetSettings) -> None:
        super().__init__(settings.ndim, settings.objects)
        self.settings = settings
        inputs = 1 + (settings.objects if settings.sees_template else 0)
        size = (settings.ndim, settings.features, settings.resolutions, settings.dropout)
        self.encoder = Encoder(inputs, *size)
        self.branches = nn.ModuleList(
            Branch(halvings, settings.ndim * settings.objects, *size) for halvings in settings.halvings
        )

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        """Deform templates on to images; see `DeformationNetwork.forward`."""
        template = self.fitting(image, template)
        grid = image.shape[2:]
        seen = torch.cat([image, template], dim=1) if self.settings.sees_template else image
        features = self.encoder(seen)
        fine_grid = [2 * size - 1 for size in grid] if self.settings.super_upsampling else list(grid)
        velocities, levels = [], []
        for branch in self.branches:
            velocity = self.settings.bound * torch.tanh(by_object(branch(features), self.ndim))
            velocity = tied_to_border(velocity, grid, self.settings.border)
            velocities.append(velocity)
            levels.append(resize(self._amplified(velocity), fine_grid))
        composed = levels[0] if len(levels) == 1 else compose(levels[0], levels[1])
        displacement = resize(composed, grid)
        mask = self._mask(template, levels, composed, displacement)
        return Deformed(displacement, mask, tuple(velocities), tuple(levels))

    def _amplified(self, velocity: Tensor) -> Tensor:
        """The velocity's field composed with itself, and smoothed, again and again."""
        settings = self.settings
        field = velocity / 2**settings.compositions if settings.rescale else velocity
        grid = velocity.shape[2:]
        # Smoothing carries what moves near the border on to it.
        inside = border_window(grid, 1.0, device=velocity.device, dtype=field.dtype) if settings.border else None
        for _ in range(settings.compositions):
            field = compose(field, field)
            if settings.gaussian_sigma:
                field = _smooth(field, settings.gaussian_sigma)
                field = field if inside is None else field * inside
        return field

    def _mask(self, template: Tensor, levels: Sequence[Tensor], composed: Tensor, displacement: Tensor) -> Tensor:
        settings = self.settings
        if settings.warp_once and not settings.max_pool:
            return warp_templates(template, displacement)
        grid, objects = template.shape[2:], template.flatten(0, 1)[:, None]
        if settings.warp_once:
            mask = _finely(objects, composed)
        else:
            mask = _finely(objects, levels[0])
            for level in levels[1:]:
                mask = warp(mask, level)
        if settings.max_pool:
            mask = (max_pool2d if self.ndim == 2 else max_pool3d)(mask, 3, stride=2, padding=1)
        elif settings.super_upsampling:
            mask = mask[(slice(None), slice(None), *[slice(None, None, 2)] * self.ndim)]
        return mask.reshape(*template.shape[:2], *grid)


def _finely(image: Tensor, displacement: Tensor) -> Tensor:
    """An image (N, C, *grid) warped by a displacement (N, ndim, *fine) on a finer grid of the same region."""
    fine = displacement.shape[2:]
    ratio = [(size - 1) / max(many - 1, 1) for size, many in zip(image.shape[2:], fine, strict=True)]
    positions = identity_grid(fine, device=displacement.device, dtype=displacement.dtype) + displacement
    return sample(image, positions * positions.new_tensor(ratio).reshape(1, -1, *[1] * len(fine)))


def _smooth(field: Tensor, sigma: float) -> Tensor:
    """A field convolved with a Gaussian of 5 voxels by axis; zero beyond its grid, as published."""
    ndim = field.ndim - 2
    reach = torch.arange(_TAPS, device=field.device, dtype=field.dtype) - _TAPS // 2
    kernel = torch.exp(-(reach**2) / (2.0 * sigma**2))
    kernel = kernel / kernel.sum()
    values = field.flatten(0, 1)[:, None]
    for axis in range(ndim):
        along = [-1 if k == axis else 1 for k in range(ndim)]
        padding = [_TAPS // 2 if k == axis else 0 for k in range(ndim)]
        values = (conv2d if ndim == 2 else conv3d)(values, kernel.reshape(1, 1, *along), padding=padding)
    return values.reshape(field.shape)
