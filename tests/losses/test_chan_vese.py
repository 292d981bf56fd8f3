"""The Chan-Vese energy."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.losses import chan_vese


def image_and_mask(seed: int, ndim: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """A random image and a random soft mask."""
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 1, *(12, 9, 7)[:ndim])
    return (
        torch.randn(shape, generator=generator, dtype=torch.float64),
        torch.rand(shape, generator=generator, dtype=torch.float64),
    )


def test_the_formula_as_printed_is_zero_for_every_mask() -> None:
    """Why ours has the squares: Zhang and Lui's Eq. 11 can teach nothing."""
    for seed in range(5):
        image, mask = image_and_mask(seed)
        inside = (image * mask).sum() / mask.sum()
        outside = (image * (1 - mask)).sum() / (1 - mask).sum()
        printed = (image - inside * mask - outside * (1 - mask)).sum()
        assert abs(float(printed)) < 1e-9


def test_a_mask_that_explains_a_two_valued_image_has_no_energy() -> None:
    mask = torch.zeros(1, 1, 10, 10)
    mask[..., 2:6, 3:8] = 1
    assert float(chan_vese(3 * mask - 7, mask)) == pytest.approx(0.0, abs=1e-5)


def test_a_constant_mask_explains_nothing() -> None:
    image, _ = image_and_mask(0)
    assert float(chan_vese(image, torch.full_like(image, 0.5))) == pytest.approx(1.0, abs=1e-4)


@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 1000), shift=st.floats(-1000, 1000))
@settings(max_examples=30, deadline=None)
def test_the_image_s_units_do_not_matter(seed, scale, shift) -> None:
    image, mask = image_and_mask(seed, 3)
    assert float(chan_vese(scale * image + shift, mask)) == pytest.approx(float(chan_vese(image, mask)), rel=1e-3)


def test_inside_and_outside_are_alike() -> None:
    image, mask = image_and_mask(3)
    assert float(chan_vese(image, mask)) == pytest.approx(float(chan_vese(image, 1 - mask)))


def test_voxels_of_no_weight_do_not_count() -> None:
    image, mask = image_and_mask(4)
    weight = torch.ones_like(image)
    weight[..., 8:, :] = 0
    spoilt = image.clone()
    spoilt[..., 8:, :] = 1e3
    assert float(chan_vese(spoilt, mask, weight)) == pytest.approx(
        float(chan_vese(image[..., :8, :], mask[..., :8, :]))
    )


def test_its_gradient_is_right() -> None:
    image, mask = image_and_mask(5)
    mask = (0.1 + 0.8 * mask).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: chan_vese(image, m), mask)
