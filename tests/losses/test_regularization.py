"""The terms that keep a deformation from folding, and smooth."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.deformation import corner_determinants, identity_grid
from napari_toposeg.losses.regularization import gradient_magnitude, laplacian_magnitude, relu_jacobian


@pytest.mark.parametrize("grid", [(8, 8), (16, 24), (5, 6, 7), (10, 12, 14)])
def test_a_reflection_costs_its_determinant_and_the_margin_at_every_size(grid):
    displacement = torch.zeros(2, len(grid), *grid)
    displacement[:, 0] = -2 * identity_grid(grid)[:, 0]
    assert relu_jacobian(displacement).item() == pytest.approx(1.1)
    assert relu_jacobian(displacement, margin=0.0).item() == pytest.approx(1.0)


@given(scale=st.floats(-0.9, 2.0), ndim=st.sampled_from([2, 3]))
@settings(max_examples=30, deadline=None)
def test_a_scaling_costs_what_its_determinant_lacks_of_the_margin(scale, ndim):
    displacement = scale * identity_grid((5, 6, 7)[:ndim], dtype=torch.float64)
    expected = max(0.0, 0.1 - (1 + scale) ** ndim)
    assert relu_jacobian(displacement).item() == pytest.approx(expected, abs=1e-9)


def test_a_fold_that_central_differences_miss_costs():
    signs = identity_grid((12, 12)).sum(1, keepdim=True) % 2 * 2 - 1
    assert relu_jacobian(0.8 * signs.expand(1, 2, 12, 12)).item() > 0.5


@pytest.mark.parametrize("grid", [(16, 16), (10, 10, 10)])
def test_following_the_gradient_unfolds(grid):
    generator = torch.Generator().manual_seed(0)
    displacement = (0.45 * torch.randn(1, len(grid), *grid, generator=generator)).requires_grad_()
    assert (corner_determinants(displacement) <= 0).any()
    optimiser = torch.optim.Adam([displacement], lr=0.02)
    for _ in range(200):
        optimiser.zero_grad()
        loss = relu_jacobian(displacement)
        loss.backward()
        optimiser.step()
    assert (corner_determinants(displacement) > 0).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_laplacian_term_is_the_mean_over_components_at_every_size(ndim):
    for size in (6, 12):
        points = identity_grid((size,) * ndim)
        displacement = torch.zeros_like(points)
        displacement[:, 0] = -((points[:, 0] - 2) ** 2)
        assert laplacian_magnitude(displacement).item() == pytest.approx(2 / ndim, rel=1e-4)


@given(entries=st.lists(st.floats(-1, 1), min_size=4, max_size=4))
@settings(max_examples=20, deadline=None)
def test_an_affine_deformation_has_no_laplacian(entries):
    slope = torch.tensor(entries, dtype=torch.float64).reshape(2, 2)
    displacement = torch.einsum("ij,nj...->ni...", slope, identity_grid((7, 8), dtype=torch.float64))
    assert laplacian_magnitude(displacement).item() < 1e-12


def test_half_precision_is_not_summed_in_half_precision():
    displacement = 20.0 + 0.1 * torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    rounded = displacement.half()
    assert laplacian_magnitude(rounded).dtype == torch.float32
    torch.testing.assert_close(laplacian_magnitude(rounded), laplacian_magnitude(rounded.float()))
    torch.testing.assert_close(relu_jacobian(rounded), relu_jacobian(rounded.float()))


@given(entries=st.lists(st.floats(-1, 1), min_size=4, max_size=4), shift=st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_the_gradient_term_of_a_linear_displacement_is_its_matrix_squared(entries, shift):
    slope = torch.tensor(entries, dtype=torch.float64).reshape(2, 2)
    displacement = shift + torch.einsum("ij,nj...->ni...", slope, identity_grid((7, 8), dtype=torch.float64))
    assert gradient_magnitude(displacement).item() == pytest.approx(slope.square().sum().item(), abs=1e-9)
