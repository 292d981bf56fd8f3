"""The soft Dice loss against its definition and MONAI's."""

from __future__ import annotations

import pytest
import torch

from napari_toposeg.losses import soft_dice_loss


@pytest.mark.parametrize("shape", [(2, 1, 7, 9), (3, 2, 5, 6, 4)])
def test_it_is_the_one_of_monai(shape: tuple[int, ...]) -> None:
    losses = pytest.importorskip("monai.losses")
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(shape, generator=generator)
    reference = (torch.rand(shape, generator=generator) > 0.6).float()
    expected = losses.DiceLoss(smooth_nr=1.0, smooth_dr=1.0)(mask, reference)
    torch.testing.assert_close(soft_dice_loss(mask, reference), expected)


def test_it_is_zero_where_masks_agree_and_nearly_one_where_they_are_apart() -> None:
    mask = torch.zeros(1, 2, 10, 10)
    mask[:, 0, :4] = 1.0
    assert float(soft_dice_loss(mask, mask)) == 0.0
    assert float(soft_dice_loss(mask[:, :1], 1.0 - mask[:, :1])) == pytest.approx(1.0, abs=0.02)


def test_half_of_a_mask_has_a_loss_of_a_third() -> None:
    whole = torch.ones(1, 1, 40, 50)
    half = whole.clone()
    half[..., :20, :] = 0.0
    assert float(soft_dice_loss(half, whole)) == pytest.approx(1.0 / 3.0, abs=1e-3)


def test_each_object_counts_alike_whatever_its_size() -> None:
    reference = torch.zeros(1, 2, 30, 30)
    reference[:, 0] = 1.0
    reference[:, 1, 3:6, 3:6] = 1.0
    mask = reference.clone()
    mask[:, 1] = 0.0
    assert float(soft_dice_loss(mask, reference, smooth=0.0)) == pytest.approx(0.5)
