"""Sampling, warping, composing, resizing and inverting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from napari_toposeg.deformation import (
    border_window,
    compose,
    corner_determinants,
    identity_grid,
    integrate,
    invert,
    jacobian_determinant,
    laplacian,
    resize,
    sample,
    warp,
)

GRIDS = [(17, 23), (9, 12, 14)]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sampling_is_linear_interpolation_that_repeats_the_border(grid, dtype):
    generator = np.random.default_rng(0)
    image = generator.normal(size=grid)
    positions = generator.uniform(-3, np.array(grid) + 2, size=(50, len(grid))).T
    expected = map_coordinates(image, positions, order=1, mode="nearest")

    out = (50,) + (1,) * (len(grid) - 1)
    sampled = sample(
        torch.tensor(image, dtype=dtype)[None, None], torch.tensor(positions, dtype=dtype).reshape(1, -1, *out)
    )

    assert sampled.dtype == dtype
    np.testing.assert_allclose(sampled.numpy().ravel(), expected, atol=1e-9 if dtype == torch.float64 else 2e-5)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_warped_image_shows_at_each_voxel_what_the_displacement_points_to(grid, random_field):
    image = np.random.default_rng(1).normal(size=grid).astype(np.float32)
    displacement = random_field(grid)
    expected = map_coordinates(image, np.indices(grid) + displacement, order=1, mode="nearest")

    warped = warp(torch.from_numpy(image)[None, None], torch.from_numpy(displacement)[None])

    np.testing.assert_allclose(warped[0, 0].numpy(), expected, atol=2e-5)


def test_a_shift_along_an_axis_is_that_components():
    image = torch.arange(5.0)[:, None].expand(5, 4)[None, None]
    displacement = torch.zeros(1, 2, 5, 4)
    displacement[:, 0] = 1.0
    torch.testing.assert_close(warp(image, displacement)[0, 0, :, 0], torch.tensor([1.0, 2.0, 3.0, 4.0, 4.0]))


def test_images_in_half_precision_are_sampled_where_they_should_be():
    # In half precision 400.5 is 400 and a normalised coordinate is off by a fifth of a voxel.
    image = torch.zeros(1, 1, 512, 2, dtype=torch.float16)
    image[0, 0, 401] = 1.0
    value = sample(image, torch.tensor([400.5, 0.0]).reshape(1, 2, 1, 1))
    assert value.dtype == torch.float16
    assert value.item() == pytest.approx(0.5, abs=1e-3)


def test_one_set_of_positions_serves_a_batch():
    images = torch.rand(3, 2, 6, 7)
    torch.testing.assert_close(sample(images, identity_grid((6, 7))), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("grid", GRIDS)
def test_warping_twice_is_warping_by_the_composition(grid):
    # Affine displacements and a linear image: interpolation is exact, if nothing looks beyond the grid.
    centre = (torch.tensor(grid, dtype=torch.float64) - 1) / 2
    points = identity_grid(grid, dtype=torch.float64)
    ndim = len(grid)
    generator = torch.Generator().manual_seed(0)
    fields = []
    for _ in range(2):
        slope = 0.08 * torch.rand(ndim, ndim, generator=generator, dtype=torch.float64) - 0.3 * torch.eye(ndim)
        from_centre = points - centre.reshape(1, -1, *[1] * ndim)
        fields.append(torch.einsum("ij,nj...->ni...", slope, from_centre))
    image = (points * torch.rand(ndim, generator=generator, dtype=torch.float64).reshape(1, -1, *[1] * ndim)).sum(
        1, keepdim=True
    )
    outer, inner = fields

    torch.testing.assert_close(warp(warp(image, outer), inner), warp(image, compose(outer, inner)))


@pytest.mark.parametrize("grid", GRIDS)
def test_composition_keeps_a_border_that_is_the_identity(grid, random_field):
    first, second = (torch.from_numpy(random_field(grid, seed=seed))[None] for seed in (0, 1))
    composed = compose(first, second)
    border = border_window(grid)[0, 0] == 0
    assert (composed[0][:, border] == 0).all()
    assert (composed[0][:, ~border] != 0).any()


@pytest.mark.parametrize("grid", GRIDS)
def test_resizing_keeps_where_the_corners_of_the_grid_go(grid, random_field):
    displacement = torch.from_numpy(random_field(grid) + 1.5)[None]
    finer = tuple(2 * size - 1 for size in grid)

    resized = resize(displacement, finer)

    # Every other voxel of the finer grid is one of the coarser, and its voxels are half as long.
    every_other = (slice(None), slice(None), *[slice(None, None, 2)] * len(grid))
    torch.testing.assert_close(resized[every_other] / 2, displacement)
    torch.testing.assert_close(resize(resized, grid), displacement)


def test_resizing_scales_each_component_by_its_own_axis():
    resized = resize(torch.ones(1, 2, 5, 9), (9, 9))
    assert (resized[0, 0] == 2).all()
    assert (resized[0, 1] == 1).all()


@pytest.mark.parametrize("grid", GRIDS)
def test_going_there_and_back_returns(grid, random_field):
    displacement = torch.from_numpy(random_field(grid, smoothness=2.0, amplitude=1.0))[None]
    inverse = invert(displacement)
    assert inverse.residual.shape == (1,)
    assert inverse.residual.item() < 1e-3
    there_and_back = compose(displacement, inverse.displacement)
    assert there_and_back.abs().max() < 1e-3
    # The other way round holds only as far as the inverse is linear between voxels.
    assert compose(inverse.displacement, displacement).abs().mean() < 0.2 * displacement.abs().mean()


def test_the_residual_says_where_the_fixed_point_does_not_converge():
    displacement = torch.zeros(2, 2, 21, 9)
    # Stretched to 2.6 times its length in the middle of the first: a slope above 1.
    index = torch.arange(21.0) - 10
    displacement[0, 0] = (1.6 * index).clamp(-4.8, 4.8)[:, None] * border_window((21, 9))[0, 0]
    displacement[1, 0] = 0.1 * displacement[0, 0]
    residual = invert(displacement).residual
    assert residual[0] > 0.1
    assert residual[1] < 1e-5


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_batch_is_its_members_one_by_one(seed):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, 2, 2, 7, 8, generator=generator)
    for function in (compose, warp):
        together = function(first, second)
        apart = torch.cat([function(first[n : n + 1], second[n : n + 1]) for n in range(2)])
        torch.testing.assert_close(together, apart)


def test_everything_stays_on_the_device_of_its_input():
    # The meta device holds no values, and refuses to meet a tensor that was made elsewhere.
    for grid in GRIDS:
        field = torch.zeros(1, len(grid), *grid, device="meta")
        image = torch.zeros(1, 1, *grid, device="meta")
        window = border_window(grid, device="meta")
        results = [
            warp(image, field),
            resize(field, [2 * size for size in grid]),
            integrate(field * window),
            invert(field).displacement,
            corner_determinants(field),
            jacobian_determinant(field, at="centres"),
            jacobian_determinant(field, at="central"),
            laplacian(field),
        ]
        assert all(result.device.type == "meta" for result in results)
