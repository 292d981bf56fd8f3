"""The Chan-Vese energy: how badly two constants, one inside and one outside, explain an image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import avg_pool2d, avg_pool3d

_TINY = 1e-6

# Added to the local areas over which means are taken: where a class is nearly absent its mean goes to zero, the image's
# mean, instead of to whatever single voxel is there.
_LOCAL_TINY = 1e-3


def chan_vese(
    image: Tensor, mask: Tensor, weight: Tensor | None = None, *, reach: Sequence[int] | None = None
) -> Tensor:
    """Chan-Vese energy of a soft mask, as a share of the image's variance.

    Parameters
    ----------
    image : (N, 1, *grid) tensor
        Intensities, in any unit; around 0 where `reach` is given.
    mask : (N, 1, *grid) tensor
        Soft mask from 0 to 1.
    weight : (N, 1, *grid) tensor, optional
        How much each voxel counts, at least 0; voxels beyond the image count 0. Default: all alike.
    reach : (ndim,) sequence of int, optional
        The means inside and outside are taken, at each voxel, over a smooth window of about plus and minus this many
        voxels by axis. Default: over everything.

    Returns
    -------
    () tensor
        0 where two constants (near each voxel, if `reach` is given) explain the image wholly; 1 where two constants
        over everything explain nothing. Mean over the batch.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 11 prints the integral of
    ``I - c1 M - c2 (1 - M)`` with c1 and c2 the means inside and outside. As printed it is identically zero, whatever
    the mask: the integral of I is by definition of the two means that of ``c1 M + c2 (1 - M)``. This is the energy of
    Chan and Vese (2001) instead, with the squares: the integral of ``(I - c1)**2 M + (I - c2)**2 (1 - M)``. It is
    divided by that of ``(I - mean)**2``, so that its weight against the regularisation does not depend on the image's
    units.

    With `reach` it is the region-scalable energy of Li et al. (2008). Two means over everything tell the bright from
    the dark; an organ between a brighter neighbour and a darker one, or under a bias field, needs means from near by.
    That energy sees no further than its reach: the template has to stand near the organ.
    """
    axes = tuple(range(2, image.ndim))
    inside = mask if weight is None else mask * weight
    outside = (1.0 - mask) if weight is None else (1.0 - mask) * weight
    everywhere = inside + outside
    if reach is None:
        mean_inside = (image * inside).sum(axes, keepdim=True) / (inside.sum(axes, keepdim=True) + _TINY)
        mean_outside = (image * outside).sum(axes, keepdim=True) / (outside.sum(axes, keepdim=True) + _TINY)
    else:
        mean_inside = _near(image * inside, reach) / (_near(inside, reach) + _LOCAL_TINY)
        mean_outside = _near(image * outside, reach) / (_near(outside, reach) + _LOCAL_TINY)
    mean = (image * everywhere).sum(axes, keepdim=True) / (everywhere.sum(axes, keepdim=True) + _TINY)
    unexplained = (image - mean_inside).square() * inside + (image - mean_outside).square() * outside
    total = (image - mean).square() * everywhere
    return (unexplained.sum(axes) / (total.sum(axes) + _TINY)).mean()


def _near(values: Tensor, reach: Sequence[int]) -> Tensor:
    """Mean over a box of plus and minus `reach` voxels by axis, taken twice: smooth, and quicker than a Gaussian."""
    ndim = values.ndim - 2
    pool = avg_pool2d if ndim == 2 else avg_pool3d
    for _ in range(2):
        for axis, half in enumerate(reach):
            kernel = [2 * half + 1 if k == axis else 1 for k in range(ndim)]
            padding = [half if k == axis else 0 for k in range(ndim)]
            values = pool(values, kernel, stride=1, padding=padding)
    return values
