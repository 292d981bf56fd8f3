"""The Chan-Vese energy: how badly two constants, one inside and one outside, explain an image."""

from __future__ import annotations

from torch import Tensor

_TINY = 1e-6


def chan_vese(image: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Chan-Vese energy of a soft mask, as a share of the image's variance.

    Parameters
    ----------
    image : (N, 1, *grid) tensor
        Intensities, in any unit.
    mask : (N, 1, *grid) tensor
        Soft mask from 0 to 1.
    weight : (N, 1, *grid) tensor, optional
        How much each voxel counts, at least 0; voxels beyond the image count 0. Default: all alike.

    Returns
    -------
    () tensor
        0 where two constants explain the image wholly, 1 where they explain nothing. Mean over the batch.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 11 prints the integral of
    ``I - c1 M - c2 (1 - M)`` with c1 and c2 the means inside and outside. As printed it is identically zero, whatever the
    mask: the integral of I is by definition of the two means that of ``c1 M + c2 (1 - M)``. This is the energy of Chan
    and Vese (2001) instead, with the squares: the integral of ``(I - c1)**2 M + (I - c2)**2 (1 - M)``. It is divided by
    that of ``(I - mean)**2``, so that its weight against the regularisation does not depend on the image's units.
    """
    axes = tuple(range(2, image.ndim))
    inside = mask if weight is None else mask * weight
    outside = (1.0 - mask) if weight is None else (1.0 - mask) * weight
    everywhere = inside + outside
    mean_inside = (image * inside).sum(axes, keepdim=True) / (inside.sum(axes, keepdim=True) + _TINY)
    mean_outside = (image * outside).sum(axes, keepdim=True) / (outside.sum(axes, keepdim=True) + _TINY)
    mean = (image * everywhere).sum(axes, keepdim=True) / (everywhere.sum(axes, keepdim=True) + _TINY)
    unexplained = (image - mean_inside).square() * inside + (image - mean_outside).square() * outside
    total = (image - mean).square() * everywhere
    return (unexplained.sum(axes) / (total.sum(axes) + _TINY)).mean()
