"""What a training minimises: the terms of the loss, by mode and by what the network answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from napari_toposeg.losses import (
    PersistenceLoss,
    ProjectedPoolingLoss,
    chan_vese,
    gradient_magnitude,
    laplacian_magnitude,
    relu_jacobian,
    soft_dice_loss,
)
from napari_toposeg.networks import Deformed
from napari_toposeg.training.config import LossWeights

Terms = Mapping[str, Tensor]
"""Weighted terms by name; their sum is the loss."""


def deformation_terms(
    deformed: Deformed,
    image: Tensor,
    label: Tensor | None,
    weights: LossWeights,
    topology: PersistenceLoss | None = None,
) -> Terms:
    """The loss of a deformation network on a batch.

    Parameters
    ----------
    deformed : Deformed
        What the network answered.
    image : (N, 1, *grid) tensor
    label : (N, q, *grid) tensor or None
        None for unlabelled images.
    weights : LossWeights
    topology : PersistenceLoss, optional
        For unlabelled images: asked of the warped masks. Without it the Chan-Vese energy is minimised on them.

    Notes
    -----
    Zhang and Lui, "Topology-Preserving Segmentation Network", Eq. 9 and, without labels, Eq. 10: Dice or Chan-Vese,
    ReLU-Jacobian, Laplacian; Wyburd et al., "TEDS-Net", Eq. 2: Dice and gradient. The Jacobian is that of the whole
    deformation, for that must not fold; what is to be smooth is each level.
    """
    terms: dict[str, Tensor] = {}
    if label is not None:
        terms["dice"] = soft_dice_loss(deformed.mask, label)
        if weights.hausdorff:
            terms["hausdorff"] = weights.hausdorff * _hausdorff(deformed.mask, label)
    elif topology is not None:
        terms["topology"] = weights.topology * topology(deformed.mask)
    else:
        objects = deformed.mask.shape[1]
        images = image.repeat_interleave(objects, dim=0)
        terms["chan-vese"] = weights.chan_vese * chan_vese(images, deformed.mask.flatten(0, 1)[:, None])
    if weights.jacobian:
        terms["jacobian"] = weights.jacobian * relu_jacobian(deformed.displacement)
    if weights.laplacian:
        terms["laplacian"] = weights.laplacian * _over_levels(laplacian_magnitude, deformed.levels)
    if weights.gradient:
        terms["gradient"] = weights.gradient * _over_levels(gradient_magnitude, deformed.levels)
    return terms


def pixel_wise_terms(
    passes: Sequence[Tensor], label: Tensor | None, weights: LossWeights, topology: PersistenceLoss | None = None
) -> Terms:
    """The loss of a network that answers with logits.

    Parameters
    ----------
    passes : sequence of (N, q, *grid) tensors
        Logits; of a double U-Net those of both halves, the last one counts for topology.
    label : (N, q, *grid) tensor or None
    weights : LossWeights
    topology : PersistenceLoss, optional
        For unlabelled images, where it has to be given.

    Notes
    -----
    Clough et al., "A Topological Loss Function for Deep-Learning based Image Segmentation using Persistent Homology",
    Eq. 6, sums the two terms; here labelled and unlabelled batches take turns, as in their experiments.
    """
    if label is None:
        assert topology is not None
        return {"topology": weights.topology * topology(torch.sigmoid(passes[-1]))}
    terms = {"dice": torch.stack([soft_dice_loss(torch.sigmoid(logits), label) for logits in passes]).mean()}
    if weights.cross_entropy:
        entropies = [binary_cross_entropy_with_logits(logits, label) for logits in passes]
        terms["cross entropy"] = weights.cross_entropy * torch.stack(entropies).mean()
    if weights.hausdorff:
        distances = [_hausdorff(torch.sigmoid(logits), label) for logits in passes]
        terms["hausdorff"] = weights.hausdorff * torch.stack(distances).mean()
    if weights.projected_pooling:
        pooling = ProjectedPoolingLoss()
        pooled = [pooling(torch.sigmoid(logits), label) for logits in passes]
        terms["projected pooling"] = weights.projected_pooling * torch.stack(pooled).mean()
    return terms


def _hausdorff(mask: Tensor, label: Tensor) -> Tensor:
    """Karimi and Salcudean, "Reducing the Hausdorff distance in medical image segmentation", Eq. 8 (power 2)."""
    from monai.losses.hausdorff_loss import HausdorffDTLoss

    loss: Tensor = HausdorffDTLoss(alpha=2.0, include_background=True)(mask, label)
    return loss


def _over_levels(term: object, levels: Sequence[Tensor]) -> Tensor:
    assert callable(term)
    total: Tensor = torch.stack([term(level) for level in levels]).sum()
    return total
