"""Custom templates: the shape of any binary mask, and the mean shape of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.priors.prior import Prior
from napari_toposeg.topology import betti_numbers, signed_distance, snap

MEAN_SHAPE_SIZE = 64
"""Voxels along each axis of the unit box on which shapes are averaged."""

_BORDER = 3
"""Voxels around a mask on which its signed distance is kept: beyond them it is continued as a distance."""


def signed_distance_of(mask: NDArray[Any], spacing: Sequence[float] | NDArray[Any]) -> NDArray[np.float32]:
    """Signed distance to the boundary of a mask, rather than to the voxels of the other kind.

    Parameters
    ----------
    mask : (*grid) bool
        Some voxels inside and some outside.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis.

    Returns
    -------
    (*grid) float32
        Positive inside, in the unit of the spacing; zero half-way between the centres of inner and outer voxels.
    """
    between_centres = signed_distance(mask, tuple(float(step) for step in spacing))
    return between_centres - np.copysign(np.float32(min(spacing) / 2.0), between_centres)


def sampled_distance(coordinates: Tensor, *, values: Tensor, half_sizes: Tensor) -> Tensor:
    """Signed distance kept on a grid that is centred in the unit box and spans plus and minus `half_sizes` of it."""
    ndim = coordinates.shape[0]
    across = half_sizes.to(coordinates).reshape(ndim, *[1] * ndim)
    relative = coordinates / across
    positions = relative.flip(0).movedim(0, -1)[None]
    inner = grid_sample(
        values.to(coordinates)[None, None], positions, mode="bilinear", padding_mode="border", align_corners=True
    )[0, 0]
    beyond = ((relative.abs() - 1.0).clamp(min=0.0) * across).square().sum(dim=0)
    return inner - torch.where(beyond > 0, beyond.clamp(min=1e-12).sqrt(), 0.0)


def prior_from_mask(mask: NDArray[Any], spacing: Sequence[float] | NDArray[Any], *, name: str) -> Prior:
    """A template of any shape, from a binary mask.

    Parameters
    ----------
    mask : (*grid) bool
        The shape. Its bounding box becomes the template's.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis, in mm.
    name : str
        What to call the prior.

    Returns
    -------
    Prior
        Its Betti numbers are counted on the mask, with foreground 8/26.

    Raises
    ------
    ToposegError
        If the mask is empty.
    """
    mask = np.asarray(mask, bool)
    box = box_of(mask)
    if box is None:
        raise ToposegError(f"The template {name!r} is empty.", todo="Choose a mask with at least one voxel.")
    spacing = np.asarray(spacing, float)
    framed = np.pad(mask[box_slices(box)], _BORDER)
    half_extent = np.array([high - low for low, high in box]) * spacing / 2.0
    unit = half_extent.max()
    half_sizes = (np.array(framed.shape) - 1) * spacing / 2.0 / unit
    betti = betti_numbers(mask)
    return Prior(
        name=name,
        title=name,
        description=f"Made from a mask of {int(mask.sum())} voxels.",
        betti=betti,
        signed_distance=partial(
            sampled_distance,
            values=torch.from_numpy(signed_distance_of(framed, spacing) / np.float32(unit)),
            half_sizes=torch.from_numpy(half_sizes.astype(np.float32)),
        ),
        keeps_proportions=False,
        has_axis=False,
        extent=tuple(float(size) for size in half_extent / unit),
    )


def mean_shape(
    masks: Sequence[NDArray[Any]], spacings: Sequence[Sequence[float] | NDArray[Any]], *, name: str
) -> Prior:
    """The mean shape of several masks, each first centred and scaled to the same bounding box.

    Parameters
    ----------
    masks : sequence of (*grid) bool
        The shapes; their grids may differ.
    spacings : sequence of (ndim,) sequences of float
        Size of a voxel of each, in mm.
    name : str
        What to call the prior.

    Returns
    -------
    Prior
        The shape where the mean of the signed distances is positive. It has the Betti numbers that most of the masks
        have: where averaging would change them, the mask nearest to the mean is moved on to it by simple points.

    Raises
    ------
    ToposegError
        If there are no masks, one is empty, or some are 2-D and some 3-D.

    Notes
    -----
    The templates of Zhang and Lui (Topology-Preserving Segmentation Network, Sec. IV-B) include a mean shape; how they
    averaged is not said there.
    """
    if not masks:
        raise ToposegError(f"The folder {name!r} holds no masks.", todo="Give a folder of mask files.")
    if len({mask.ndim for mask in masks}) > 1:
        raise ToposegError("Some of the masks are 2-D and some 3-D.", todo="Give masks of one kind.")
    ndim = masks[0].ndim
    shapes = [prior_from_mask(mask, spacing, name=name) for mask, spacing in zip(masks, spacings, strict=True)]
    extents = np.array([shape.extent for shape in shapes])
    mean_extent = extents.mean(axis=0)
    mean_extent = mean_extent / mean_extent.max()
    axis = torch.linspace(-1.2, 1.2, MEAN_SHAPE_SIZE)
    relative = torch.stack(torch.meshgrid(*[axis] * ndim, indexing="ij"))
    along = [-1, *[1] * ndim]
    distances = np.stack(
        [
            shape.signed_distance(relative * torch.tensor(extent, dtype=torch.float32).reshape(along)).numpy()
            for shape, extent in zip(shapes, extents, strict=True)
        ]
    )
    mean = distances.mean(axis=0)
    average = mean > 0
    betti, _ = Counter(shape.betti for shape in shapes).most_common(1)[0]
    if betti_numbers(average) != betti:
        candidates = [k for k, shape in enumerate(shapes) if betti_numbers(distances[k] > 0) == betti]
        if not candidates:
            raise ToposegError(
                "The mean shape loses the masks' topology.",
                why=f"Their walls are thinner than a voxel on the {MEAN_SHAPE_SIZE}-voxel grid of the mean.",
                todo="Use one of the masks as the template instead.",
            )
        nearest = min(candidates, key=lambda k: int(((distances[k] > 0) != average).sum()))
        average = snap(distances[nearest] > 0, mean)
    prior = prior_from_mask(average, mean_extent * float(axis[1] - axis[0]), name=name)
    return Prior(
        name=name,
        title=name,
        description=f"The mean shape of {len(masks)} masks.",
        betti=prior.betti,
        signed_distance=prior.signed_distance,
        extent=prior.extent,
    )
