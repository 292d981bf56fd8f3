"""Surfaces of masks: the mask's topology, by gudhi, and the body's size."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import closed_surface

RNG = np.random.default_rng(7)


def signed_volume(surface) -> float:
    corners = surface.vertices[surface.faces]
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def agrees(surface, betti) -> bool:
    """A closed surface around a body has twice the body's Euler number, and a piece for each part and cavity."""
    euler = betti[0] - betti[1] + betti[2]
    return surface.closed and surface.euler_characteristic == 2 * euler and surface.pieces == betti[0] + betti[2]


@pytest.mark.parametrize("connectivity", [26, 6])
def test_every_way_to_fill_a_cube_of_eight_voxels_keeps_its_topology(connectivity, gudhi_betti):
    for corners in product((False, True), repeat=8):
        mask = np.array(corners).reshape(2, 2, 2)
        if mask.any():
            surface = closed_surface(mask, connectivity=connectivity)
            assert agrees(surface, gudhi_betti(mask, connectivity)), mask
            assert signed_volume(surface) > 0, mask


@pytest.mark.parametrize("connectivity", [26, 6])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_noise_with_ambiguous_cells_everywhere_keeps_its_topology(share, connectivity, gudhi_betti):
    mask = RNG.random((12, 11, 10)) < share
    assert agrees(closed_surface(mask, connectivity=connectivity), gudhi_betti(mask, connectivity))


def test_two_voxels_that_touch_at_a_corner_are_one_piece_or_two():
    mask = np.zeros((2, 2, 2), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert closed_surface(mask).pieces == 1
    assert closed_surface(mask, connectivity=6).pieces == 2


def test_a_ball_keeps_its_size_and_place():
    centre, radius = np.array([20.0, 22.0, 18.0]), 12.0
    index = np.indices((44, 44, 40))
    surface = closed_surface(((index - centre[:, None, None, None]) ** 2).sum(0) <= radius**2)
    distance = np.linalg.norm(surface.vertices - centre, axis=1)
    assert abs(distance.mean() - radius) < 0.2
    assert distance.std() < 0.15  # the staircase itself has 0.26
    assert signed_volume(surface) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)


def test_what_has_no_surface_is_refused():
    with pytest.raises(ToposegError, match="empty"):
        closed_surface(np.zeros((4, 4, 4), bool))
    with pytest.raises(ToposegError, match="no surface"):
        closed_surface(np.ones((4, 4), bool))
