"""The soft Dice loss."""

from __future__ import annotations

from torch import Tensor


def soft_dice_loss(mask: Tensor, reference: Tensor, *, smooth: float = 1.0) -> Tensor:
    """One less the Dice coefficient of soft masks.

    Parameters
    ----------
    mask, reference : (N, C, *grid) tensors
        From 0 to 1, one channel by object.
    smooth : float
        Voxels that are added to both halves of the fraction, so that an empty mask of an empty reference costs
        nothing.

    Returns
    -------
    () tensor
        Mean over batch and channels; 0 where all agree, nearly 1 where none overlap.

    Notes
    -----
    The first term of Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 9 and of Wyburd et al.,
    "TEDS-Net", Eq. 2. MONAI has the same one, and the tests hold this against it; but it takes five seconds to import,
    which every training and every test of a network would wait for.
    """
    axes = tuple(range(2, mask.ndim))
    overlap = 2.0 * (mask * reference).sum(axes) + smooth
    return (1.0 - overlap / (mask.sum(axes) + reference.sum(axes) + smooth)).mean()
