"""Spreading a sparse gradient over its neighbourhood."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses import spread_gradient


def spread(gradient: torch.Tensor, sigma: float | tuple[float, ...]) -> torch.Tensor:
    """What arrives behind `spread_gradient` when this gradient arrives at it."""
    x = torch.zeros_like(gradient, requires_grad=True)
    spread_gradient(x, sigma).backward(gradient)
    assert x.grad is not None
    return x.grad


def sparse(seed: int, shape: tuple[int, ...] = (1, 1, 13, 11), voxels: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    gradient = torch.zeros(int(np.prod(shape)), dtype=torch.float64)
    where = torch.randperm(len(gradient), generator=generator)[:voxels]
    gradient[where] = torch.randn(voxels, generator=generator, dtype=torch.float64)
    return gradient.reshape(shape)


seeds = st.integers(0, 10_000)
shapes = st.sampled_from([(1, 1, 13, 11), (2, 2, 5, 9), (1, 1, 7, 6, 8), (1, 2, 1, 9, 4)])
sigmas = st.floats(0.3, 3.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(data=st.data(), shape=shapes, sigma=sigmas)
@settings(max_examples=25, deadline=None)
def test_a_voxel_that_stands_alone_keeps_its_own_gradient_and_gives_its_neighbours_a_share(
    dtype, data, shape, sigma
) -> None:
    where = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    gradient = torch.zeros(shape, dtype=dtype)
    gradient[where] = -0.123456789
    found = spread(gradient, sigma)
    assert found[where] == gradient[where]
    away = [np.abs(np.arange(size) - place) for size, place in zip(shape, where, strict=True)]
    shares = [(one == 0).astype(float) for one in away[:2]]
    shares += [np.where(one <= 3 * sigma, np.exp(-(one**2) / (2 * sigma**2)), 0.0) for one in away[2:]]
    expected = reduce(np.multiply.outer, shares) * float(gradient[where])
    assert np.allclose(found.numpy(), expected, atol=1e-7)


@given(seed=seeds, shape=st.sampled_from([(17, 15), (9, 8, 10)]), sigma=st.sampled_from([1.0, 2.0]))
@settings(max_examples=25, deadline=None)
def test_it_is_the_formula_with_scipy_s_gaussian(seed, shape, sigma) -> None:
    gradient = sparse(seed, (1, 1, *shape), voxels=12)
    values = gradient[0, 0].numpy()

    def blur(array):
        return gaussian_filter(array, sigma, mode="constant", truncate=3)

    alone = np.zeros([41] * len(shape))
    alone[(20,) * len(shape)] = 1
    expected = blur(values) / np.maximum(blur((values != 0).astype(float)), blur(alone).max())
    assert np.allclose(spread(gradient, sigma)[0, 0].numpy(), expected)


@given(seed=seeds, shape=shapes, sigma=sigmas)
@settings(max_examples=40, deadline=None)
def test_nothing_grows_beyond_the_largest_and_no_sign_appears_that_was_not_there(seed, shape, sigma) -> None:
    gradient = sparse(seed, shape)
    assert float(spread(gradient, sigma).abs().max()) <= float(gradient.abs().max()) * (1 + 1e-12)
    assert float(spread(gradient.abs(), sigma).min()) >= 0


@given(seed=seeds, shape=shapes, sigma=sigmas, factor=st.sampled_from([-8.0, -1.0, 0.25, 1024.0]))
@settings(max_examples=25, deadline=None)
def test_twice_the_gradient_is_twice_the_spread(seed, shape, sigma, factor) -> None:
    gradient = sparse(seed, shape)
    assert torch.equal(spread(factor * gradient, sigma), factor * spread(gradient, sigma))


def test_two_voxels_far_apart_do_not_feel_each_other() -> None:
    one, other = torch.zeros(1, 1, 8, 40), torch.zeros(1, 1, 8, 40)
    one[..., 4, 5], other[..., 3, 30] = 2.0, -7.0
    both = spread(one + other, 2.0)
    assert torch.equal(both, spread(one, 2.0) + spread(other, 2.0))
    assert not both[..., 12:24].any()


def test_where_voxels_crowd_together_the_spread_is_their_weighted_mean() -> None:
    gradient = torch.ones(1, 1, 12, 12)
    assert torch.allclose(spread(gradient, 1.5), gradient)


def test_samples_and_channels_do_not_mix() -> None:
    gradient = sparse(3, (2, 3, 9, 9), voxels=20)
    together = spread(gradient, 1.0)
    for sample in range(2):
        for channel in range(3):
            alone = spread(gradient[sample, channel][None, None], 1.0)
            assert torch.equal(together[sample, channel], alone[0, 0])


def test_each_axis_may_have_its_own_width() -> None:
    gradient = torch.zeros(1, 1, 9, 9, 9)
    gradient[..., 4, 4, 4] = 1
    found = spread(gradient, (0.0, 1.0, 2.0))[0, 0]
    assert np.count_nonzero(found[3]) == 0
    assert float(found[4, 5, 4]) == pytest.approx(np.exp(-0.5))
    assert float(found[4, 4, 5]) == pytest.approx(np.exp(-0.125))


def test_values_pass_unchanged_and_zero_spreads_nothing() -> None:
    x = torch.rand(1, 1, 5, 6)
    assert torch.equal(spread_gradient(x, 2.0), x)
    gradient = sparse(1)
    assert torch.equal(spread(gradient, 0.0), gradient)


def test_half_precision_comes_back_as_half_precision() -> None:
    gradient = sparse(2).to(torch.bfloat16)
    found = spread(gradient, 1.0)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.double(), spread(gradient.double(), 1.0), atol=1e-2)


@pytest.mark.parametrize("sigma", [-1.0, (1.0,), (1.0, 1.0, 1.0), float("nan")])
def test_a_width_that_makes_no_sense_is_refused(sigma) -> None:
    with pytest.raises(ToposegError, match="cannot be spread"):
        spread_gradient(torch.zeros(1, 1, 4, 4), sigma)
