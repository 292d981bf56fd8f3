"""The soft clDice, by MONAI."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses import CenterlineDiceLoss

LENGTH = 40


def tube(radius: int, ndim: int, gap: int = 0) -> torch.Tensor:
    """A straight tube of square section through the whole grid, from which a piece may be missing."""
    mask = torch.zeros(1, 1, *(16,) * (ndim - 1), LENGTH)
    mask[(..., *(slice(8 - radius, 9 + radius),) * (ndim - 1), slice(None))] = 1
    mask[..., LENGTH // 2 : LENGTH // 2 + gap] = 0
    return mask


def dice_loss(p: torch.Tensor, reference: torch.Tensor) -> float:
    return float(1 - 2 * (p * reference).sum() / (p.sum() + reference.sum()))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_tube_and_itself_differ_by_nothing(ndim) -> None:
    assert CenterlineDiceLoss()(tube(2, ndim), tube(2, ndim)) == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_gap_costs_its_share_of_the_centre_line(ndim) -> None:
    loss = float(CenterlineDiceLoss()(tube(2, ndim, gap=8), tube(2, ndim)))
    # All that is there is right; of the line's 40 voxels 32 are there, and MONAI adds one to each sum.
    sensitivity = (32 + 1) / (40 + 1)
    assert loss == pytest.approx(1 - 2 * sensitivity / (1 + sensitivity), abs=1e-6)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_broken_tube_is_worse_than_a_thick_one_where_dice_says_the_contrary(ndim) -> None:
    right, thick, broken = tube(2, ndim), tube(3, ndim), tube(2, ndim, gap=3)
    assert dice_loss(thick, right) > dice_loss(broken, right)
    loss = CenterlineDiceLoss()
    assert loss(broken, right) > 0.02 > loss(thick, right) == 0


def test_a_tube_thicker_than_the_iterations_has_no_centre_line_and_cannot_be_missed() -> None:
    """Why the number of iterations has to be chosen."""
    right = tube(3, 2)
    assert CenterlineDiceLoss(2)(torch.zeros_like(right), right) == 0
    assert CenterlineDiceLoss(3)(torch.zeros_like(right), right) > 0.9


def test_every_class_and_sample_counts_the_same_however_short_its_tubes() -> None:
    long, short = tube(1, 2), tube(1, 2)
    short[..., 6:] = 0
    reference = torch.cat([long, short], dim=1)
    p = reference.clone()
    p[:, 1] = 0
    alone = float(CenterlineDiceLoss()(p[:, 1:], reference[:, 1:]))
    assert alone > 0.5
    assert float(CenterlineDiceLoss()(p, reference)) == pytest.approx(alone / 2)


def test_its_gradient_is_right() -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(1, 2, 7, 6, generator=generator, dtype=torch.float64).requires_grad_()
    reference = torch.zeros(1, 2, 7, 6, dtype=torch.float64)
    reference[..., 2:5, :] = 1
    assert torch.autograd.gradcheck(lambda one: CenterlineDiceLoss(2)(one, reference), p)


def test_maps_of_different_shapes_are_refused() -> None:
    with pytest.raises(ToposegError, match="cannot be compared"):
        CenterlineDiceLoss()(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4))


def test_without_monai_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.losses", None)
    with pytest.raises(ToposegError, match="not installed"):
        CenterlineDiceLoss()


def test_a_monai_whose_loss_is_always_zero_is_refused(monkeypatch) -> None:
    class SoftclDiceLoss:
        """As MONAI 1.5 has it."""

        def __init__(self, iter_: int = 3, smooth: float = 1.0) -> None: ...

    old = ModuleType("monai.losses")
    old.SoftclDiceLoss = SoftclDiceLoss  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "monai.losses", old)
    with pytest.raises(ToposegError, match="too old"):
        CenterlineDiceLoss()
