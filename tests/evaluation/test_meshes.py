"""Surfaces as meshes, and their distances to a reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import distance_surface, surface_mesh
from napari_toposeg.topology import betti_numbers


def ball(radius: float, spacing: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    places = [
        (index - (size - 1) / 2) * width for index, size, width in zip(np.indices(shape), shape, spacing, strict=True)
    ]
    return np.asarray(sum(place**2 for place in places) <= radius**2)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 3.0), (1.0, 1.0)])
def test_a_ball_in_a_larger_ball_lies_inside_by_the_difference_of_the_radii(spacing) -> None:
    shape = (41, 41, 17)[: len(spacing)] if spacing[-1] == 3.0 else (41,) * len(spacing)
    small, large = ball(9.0, spacing, shape), ball(14.0, spacing, shape)
    within, around = distance_surface(small, large, spacing), distance_surface(large, small, spacing)
    # Each of the two surfaces may be half a voxel off the ball's.
    assert within.distances == pytest.approx(-5.0, abs=max(spacing))
    assert around.distances == pytest.approx(5.0, abs=max(spacing))
    assert within.distances.mean() == pytest.approx(-5.0, abs=0.5)


def test_a_shifted_plate_is_too_much_on_one_side_and_too_little_on_the_other() -> None:
    plate = np.zeros((20, 20, 20), bool)
    plate[3:17, 3:17, 6:12] = True
    found = distance_surface(np.roll(plate, 2, axis=2), plate, (1.0, 1.0, 2.5))
    z = found.mesh.vertices[:, 2]
    middle = (np.abs(found.mesh.vertices[:, :2] - 9.5) < 2).all(axis=1)
    assert found.distances[middle & (z > 12)] == pytest.approx(5.0)
    assert found.distances[middle & (z < 9)] == pytest.approx(-5.0)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ndim=st.sampled_from([2, 3]))
def test_a_mask_lies_on_itself_and_its_mesh_as_far_as_its_voxels_reach(seed, ndim) -> None:
    generator = np.random.default_rng(seed)
    mask = generator.random((7, 6, 5)[:ndim]) < 0.4
    mask[(2,) * ndim] = True
    found = distance_surface(mask, mask, generator.uniform(0.5, 3.0, ndim))
    assert found.distances == pytest.approx(0.0, abs=1e-9)
    indices = np.argwhere(mask)
    assert found.mesh.vertices.min(0) == pytest.approx(indices.min(0) - 0.5)
    assert found.mesh.vertices.max(0) == pytest.approx(indices.max(0) + 0.5)
    # Closed: every edge has a triangle on both of its sides, in 2-D every vertex a piece.
    faces = found.mesh.faces
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]) if ndim == 3 else faces)
    counts = np.unique(sides, axis=0, return_counts=True)[1] if ndim == 3 else np.bincount(faces.ravel())
    assert (counts % 2 == 0).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ndim=st.sampled_from([2, 3]))
def test_distances_are_those_to_a_reference_sampled_densely(seed, ndim) -> None:
    generator = np.random.default_rng(seed)
    pair = generator.random((2, *(7, 6, 5)[:ndim])) < 0.3
    pair[(slice(None), *(2,) * ndim)] = True
    spacing = generator.uniform(0.5, 3.0, ndim)
    found = distance_surface(pair[0], pair[1], spacing)
    reference = surface_mesh(pair[1])
    corners = (reference.vertices * spacing)[reference.faces]
    weights = generator.dirichlet(np.ones(ndim), 120)
    samples = np.einsum("sk,mkd->msd", weights, corners).reshape(-1, ndim)
    some = generator.permutation(len(found.distances))[:10]
    points = found.mesh.vertices[some] * spacing
    dense = np.array([np.linalg.norm(samples - point, axis=1).min() for point in points])
    ours = np.abs(found.distances[some])
    # Samples can only be further away than the surface itself, and are near to it everywhere.
    assert (ours <= dense + 1e-9).all()
    assert ours == pytest.approx(dense, abs=0.4)


def test_the_sign_says_whether_a_vertex_lies_within_the_reference() -> None:
    generator = np.random.default_rng(5)
    pair = generator.random((2, 9, 8, 7)) < 0.4
    found = distance_surface(pair[0], pair[1], (1, 1, 1))
    # A vertex between two voxels is inside where both are the reference's, outside where neither is.
    low, high = np.floor(found.mesh.vertices).astype(int) + 1, np.ceil(found.mesh.vertices).astype(int) + 1
    padded = np.pad(pair[1], 1)
    halves = ((low != high).sum(axis=1) == 1) & (np.abs(found.mesh.vertices % 1 - 0.5) < 1e-6).any(axis=1)
    sides = padded[tuple(low.T)].astype(int) + padded[tuple(high.T)]
    assert (found.distances[halves & (sides == 2)] < 0).all()
    assert (found.distances[halves & (sides == 0)] > 0).all()
    assert found.distances[halves & (sides == 1)] == pytest.approx(0.0, abs=1e-9)
    assert halves.sum() > 100


def test_pixels_that_touch_at_a_corner_have_one_outline() -> None:
    mask = np.eye(4, dtype=bool)
    assert betti_numbers(mask) == (1, 0)
    mesh = surface_mesh(mask)
    neighbours = {int(start): int(end) for start, end in mesh.faces}
    place, seen = 0, 0
    while True:
        place, seen = neighbours[place], seen + 1
        if place == 0:
            break
    assert seen == len(mesh.vertices)


def test_what_is_empty_has_no_surface() -> None:
    full, empty = np.ones((4, 4, 4)), np.zeros((4, 4, 4))
    with pytest.raises(ToposegError, match="The mask is empty"):
        distance_surface(empty, full, (1, 1, 1))
    with pytest.raises(ToposegError, match="The reference is empty"):
        distance_surface(full, empty, (1, 1, 1))
