"""Integration of velocities against flows that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from napari_toposeg.deformation import border_window, compose, identity_grid, integrate, jacobian_map


@pytest.mark.parametrize("grid", [(12, 10), (6, 7, 8)])
def test_a_constant_velocity_moves_by_itself(grid):
    velocity = torch.tensor([1.5, -0.75, 0.5][: len(grid)]).reshape(1, -1, *[1] * len(grid)).expand(1, -1, *grid)
    torch.testing.assert_close(integrate(velocity), velocity.contiguous())


@given(entries=st.lists(st.floats(-0.4, 0.4), min_size=9, max_size=9), ndim=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_a_linear_velocity_moves_by_the_matrix_exponential(entries, ndim):
    slope = np.array(entries)[: ndim * ndim].reshape(ndim, ndim)
    grid = (25,) * ndim
    from_centre = identity_grid(grid, dtype=torch.float64) - 12.0
    velocity = torch.einsum("ij,nj...->ni...", torch.from_numpy(slope), from_centre)
    expected = torch.einsum("ij,nj...->ni...", torch.from_numpy(expm(slope) - np.eye(ndim)), from_centre)

    # Where nothing comes from beyond the grid: within 3 voxels of the centre, at a speed of at most 1.2 a voxel.
    near = (slice(None), slice(None), *[slice(9, 16)] * ndim)
    difference = (integrate(velocity)[near] - expected[near]).abs().max()

    # Scaling and squaring starts with one Euler step of length 1/128.
    assert difference < 0.06


def test_more_steps_are_more_exact():
    slope = np.array([[0.0, -0.5], [0.5, 0.0]])
    from_centre = identity_grid((33, 33), dtype=torch.float64) - 16.0
    velocity = torch.einsum("ij,nj...->ni...", torch.from_numpy(slope), from_centre)
    expected = torch.einsum("ij,nj...->ni...", torch.from_numpy(expm(slope) - np.eye(2)), from_centre)
    near = (slice(None), slice(None), slice(10, 23), slice(10, 23))
    errors = [(integrate(velocity, steps)[near] - expected[near]).abs().max().item() for steps in (3, 5, 7)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.02


@pytest.mark.parametrize("grid", [(48, 48), (24, 24, 24)])
def test_a_velocity_and_its_negative_undo_each_other(grid, random_field):
    velocity = torch.from_numpy(random_field(grid, smoothness=4.0, amplitude=4.0))[None]
    forth, back = integrate(velocity), integrate(-velocity)
    assert forth.abs().max() > 2.0
    for there_and_back in (compose(forth, back), compose(back, forth)):
        assert there_and_back.abs().max() < 0.1 * forth.abs().max()
        assert there_and_back.abs().mean() < 0.03 * forth.abs().mean()


@pytest.mark.parametrize("grid", [(64, 64), (32, 32, 32)])
def test_an_integrated_velocity_does_not_fold_where_the_velocity_itself_would(grid, random_field):
    velocity = random_field(grid, smoothness=4.0, amplitude=9.0)
    assert jacobian_map(velocity).folding > 0
    assert jacobian_map(integrate(torch.from_numpy(velocity)[None])[0].numpy()).folding == 0


# 41 * (1 / 41) is not 1 in float32.
@pytest.mark.parametrize("grid", [(42, 30), (14, 16, 42)])
def test_the_border_stays_exactly_where_it_is(grid):
    generator = torch.Generator().manual_seed(0)
    velocity = 3 * torch.randn(2, len(grid), *grid, generator=generator) * border_window(grid)
    displacement = integrate(velocity)
    border = torch.ones(grid, dtype=torch.bool)
    border[(slice(1, -1),) * len(grid)] = False
    assert (displacement[:, :, border] == 0).all()
    assert (displacement[:, :, ~border] != 0).any()


def test_gradients_flow_through_an_integration():
    velocity = (0.5 * torch.randn(1, 2, 10, 10, generator=torch.Generator().manual_seed(0))).double().requires_grad_()
    integrate(velocity, 3).square().sum().backward()
    direction = torch.ones_like(velocity)
    step = 1e-6
    with torch.no_grad():
        rise = integrate(velocity + step * direction, 3).square().sum() - integrate(velocity, 3).square().sum()
    assert (velocity.grad * direction).sum().item() == pytest.approx(rise.item() / step, rel=1e-3)


def test_the_window_rises_from_zero_on_the_border_to_one():
    window = border_window((13, 20, 11), width=4)[0, 0]
    assert window.shape == (13, 20, 11)
    torch.testing.assert_close(window[:, 8, 5], torch.tensor([0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]))
    assert window[2, 2, 5] == 0.25
    assert (window[:, 0] == 0).all()
    assert (window[:, :, -1] == 0).all()
