"""Jacobian determinants and Laplacians as tensors."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.deformation import corner_determinants, identity_grid, jacobian_determinant, laplacian


@given(entries=st.lists(st.floats(-1, 1), min_size=9, max_size=9), ndim=st.sampled_from([2, 3]))
@settings(max_examples=40, deadline=None)
def test_an_affine_deformation_has_its_matrix_determinant_everywhere(entries, ndim):
    slope = torch.tensor(entries, dtype=torch.float64)[: ndim * ndim].reshape(ndim, ndim)
    field = torch.einsum("ij,nj...->ni...", slope, identity_grid((4, 5, 6)[:ndim], dtype=torch.float64))
    expected = torch.linalg.det(slope + torch.eye(ndim))
    for at, shape in {
        "corners": (1, 2**ndim, *(3, 4, 5)[:ndim]),
        "centres": (1, *(3, 4, 5)[:ndim]),
        "central": (1, *(2, 3, 4)[:ndim]),
    }.items():
        determinants = jacobian_determinant(field, at=at)
        assert determinants.shape == shape
        torch.testing.assert_close(determinants, expected.expand(shape), atol=1e-12, rtol=0)


def test_corner_number_c_lies_at_the_high_end_of_the_axes_whose_bit_is_set():
    # One voxel moved: the determinant changes at the corner opposite to it along one axis at most, and most at its own.
    for ndim in (2, 3):
        for corner in range(2**ndim):
            field = torch.zeros(1, ndim, *[2] * ndim)
            index = tuple((corner >> axis) & 1 for axis in range(ndim))
            # Inwards along every axis, so that all the edges at this corner shrink to a half.
            for axis in range(ndim):
                field[(0, axis, *index)] = -0.5 if index[axis] else 0.5
            determinants = corner_determinants(field).flatten()
            assert determinants.argmin() == corner


@pytest.mark.parametrize("grid", [(14, 17), (9, 10, 11)])
def test_central_determinants_are_those_of_simpleitk(grid, random_field):
    field = random_field(grid, smoothness=1.0, amplitude=2.0)
    # SimpleITK counts axes and components from the other end.
    image = SimpleITK.GetImageFromArray(
        np.moveaxis(field[::-1], 0, -1).astype(np.float64).transpose(*range(len(grid)), -1), isVector=True
    )
    expected = SimpleITK.GetArrayFromImage(SimpleITK.DisplacementFieldJacobianDeterminant(image))
    inner = (slice(1, -1),) * len(grid)

    determinants = jacobian_determinant(torch.from_numpy(field)[None], at="central")

    np.testing.assert_allclose(determinants[0].numpy(), expected[inner], atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_centre_of_a_cell_has_the_determinant_of_its_multilinear_deformation(ndim):
    generator = torch.Generator().manual_seed(ndim)
    field = 0.5 * torch.randn(1, ndim, *[2] * ndim, generator=generator, dtype=torch.float64)
    nodes = (identity_grid([2] * ndim, dtype=torch.float64) + field)[0]

    def deformation(point):
        value = nodes
        for axis in range(ndim):
            value = value[:, 0] * (1 - point[axis]) + value[:, 1] * point[axis]
        return value

    centre = torch.full((ndim,), 0.5, dtype=torch.float64)
    expected = torch.linalg.det(torch.autograd.functional.jacobian(deformation, centre))
    torch.testing.assert_close(jacobian_determinant(field, at="centres").flatten()[0], expected)
    for corner in range(2**ndim):
        point = torch.tensor([(corner >> axis) & 1 for axis in range(ndim)], dtype=torch.float64)
        expected = torch.linalg.det(torch.autograd.functional.jacobian(deformation, point))
        torch.testing.assert_close(corner_determinants(field).flatten()[corner], expected)


def test_central_differences_do_not_see_a_checkerboard_and_corners_do():
    signs = identity_grid((12, 12)).sum(1, keepdim=True) % 2 * 2 - 1
    field = 0.8 * signs.expand(1, 2, 12, 12)
    torch.testing.assert_close(jacobian_determinant(field, at="central"), torch.ones(1, 10, 10))
    assert jacobian_determinant(field, at="corners").min().item() == pytest.approx(-2.2, abs=1e-5)


def test_an_unknown_place_is_refused():
    with pytest.raises(ValueError, match="at must be"):
        jacobian_determinant(torch.zeros(1, 2, 4, 4), at="nodes")


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_laplacian_of_a_quadratic_field_is_constant(ndim):
    points = identity_grid((6, 7, 8)[:ndim])
    field = torch.zeros_like(points)
    field[:, 0] = (points[:, 0] - 2) ** 2
    field[:, 1] = points[:, 0] * points[:, 1] - 3 * points[:, ndim - 1] ** 2
    result = laplacian(field)
    assert result.shape == (1, ndim, *(4, 5, 6)[:ndim])
    torch.testing.assert_close(result[:, 0], torch.full_like(result[:, 0], 2.0))
    torch.testing.assert_close(result[:, 1], torch.full_like(result[:, 1], -6.0))
    assert (result[:, 2:] == 0).all()
