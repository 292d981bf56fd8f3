"""The one answer of all deformation networks, and what they share on the way to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_toposeg.deformation import border_window, warp

# Voxels of a field's own grid. A window can be narrower than a voxel on a coarse grid; it is 0 on the border then, and
# 1 everywhere else.
_LEAST_WIDTH = 1e-3


@dataclass(frozen=True, eq=False)
class Deformed:
    """What a deformation network says of a batch of N images with q objects each.

    Attributes
    ----------
    displacement : (N * q, ndim, *grid) tensor
        The whole deformation, in voxels of the image's own grid; for a single object (N, ndim, *grid). Object k of
        image n is at n * q + k. Levels and branches are composed in it: folds are counted on it, and certificates
        are given for it.
    mask : (N, q, *grid) tensor
        The soft templates, warped.
    velocities : tuple of (N * q, ndim, *coarser) tensors
        The velocities that were integrated, coarsest first, each in voxels of its own grid; zero on the border. Empty
        where the network answers with displacements.
    levels : tuple of (N * q, ndim, *coarser) tensors
        The displacement of each level or branch alone, in the order in which they act on the template, each in voxels
        of its own grid: for the terms of the loss that keep it smooth.
    """

    displacement: Tensor
    mask: Tensor
    velocities: tuple[Tensor, ...]
    levels: tuple[Tensor, ...]

    def of_object(self, number: int) -> Tensor:
        """The displacement (N, ndim, *grid) of one object."""
        return self.displacement[number :: self.mask.shape[1]]


class DeformationNetwork(nn.Module, ABC):
    """A network that looks at images and templates, and answers with deformations of the templates.

    Parameters
    ----------
    ndim : int
        2 or 3.
    objects : int
        Templates by image; each has a deformation of its own.
    """

    def __init__(self, ndim: int, objects: int = 1) -> None:
        super().__init__()
        self.ndim = ndim
        self.objects = objects

    @abstractmethod
    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        """Deform templates on to images.

        Parameters
        ----------
        image : (N, 1, *grid) tensor
            Intensities of mean 0 and deviation 1.
        template : (N or 1, q, *grid) tensor
            Soft template masks on the same grid, one channel by object. One serves the whole batch.

        Returns
        -------
        Deformed

        Raises
        ------
        ValueError
            If the two do not fit each other, or the network.
        """

    def fitting(self, image: Tensor, template: Tensor) -> Tensor:
        """The templates, one by image of the batch; refuses what does not fit."""
        expected = (image.shape[0], self.objects, *image.shape[2:])
        if (
            image.ndim != self.ndim + 2
            or image.shape[1] != 1
            or template.shape[1:] != expected[1:]
            or template.shape[0] not in (1, expected[0])
        ):
            raise ValueError(
                f"a network of {self.objects} objects on {self.ndim} axes was given an image of shape "
                f"{tuple(image.shape)} and a template of shape {tuple(template.shape)}"
            )
        return template.expand(expected)


def warp_templates(template: Tensor, displacement: Tensor) -> Tensor:
    """Each template warped by its own displacement, once.

    Parameters
    ----------
    template : (N, q, *grid) tensor
        Soft masks.
    displacement : (N * q, ndim, *grid) tensor
        In voxels of `grid`.

    Returns
    -------
    (N, q, *grid) tensor
    """
    return warp(template.flatten(0, 1)[:, None], displacement).reshape(template.shape)


def by_object(field: Tensor, ndim: int) -> Tensor:
    """A head's answer (N, q * ndim, *grid) as one field by object, (N * q, ndim, *grid)."""
    return field.reshape(-1, ndim, *field.shape[2:])


def tied_to_border(field: Tensor, shape: Sequence[int], border: float) -> Tensor:
    """A field that goes to zero on the border of its grid.

    Parameters
    ----------
    field : (N, ndim, *grid) tensor
        Displacement or velocity.
    shape : sequence of int
        Voxels by axis of the image's own grid, which spans the same region.
    border : float
        Voxels of the image's own grid over which the field rises from zero. 0: the field is left as it is.

    Returns
    -------
    (N, ndim, *grid) tensor
        In single precision at least: under autocast a network answers in half precision, where a displacement of 20
        voxels has steps of 1/64 or 1/8.
    """
    exact = field.to(torch.promote_types(field.dtype, torch.float32))
    if border == 0:
        return exact
    widths = [
        max(border * (size - 1) / max(full - 1, 1), _LEAST_WIDTH)
        for size, full in zip(field.shape[2:], shape, strict=True)
    ]
    return exact * border_window(field.shape[2:], widths, device=field.device, dtype=exact.dtype)


def start_at_identity(head: nn.Module) -> None:
    """Set a convolution's weights to next to nothing, so that the first warped template is the template."""
    nn.init.normal_(head.weight, 0.0, 1e-5)  # type: ignore[arg-type]
    nn.init.zeros_(head.bias)  # type: ignore[arg-type]
