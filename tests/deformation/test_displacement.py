"""Displacements and their place in the world."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_toposeg.deformation import Displacement
from napari_toposeg.frame import Frame


def frame_of(grid, *, spacing=(1.0, 1.0, 1.0), rotation=(0.0, 0.0, 0.0), signs=(1, 1, 1), centre=(0.0, 0.0, 0.0)):
    """A frame whose middle lies at a point of the world."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", rotation).as_matrix() @ np.diag(np.multiply(spacing, signs))
    middle = np.array([(size - 1) / 2 for size in grid] + [0.0] * (3 - len(grid)))
    affine[:3, 3] = np.array(centre) - affine[:3, :3] @ middle
    return Frame(affine, grid)


def affine_displacement(frame, slope):
    """A displacement of the world linear in the position, on a frame."""
    vectors = frame.world(np.moveaxis(np.indices(frame.shape), 0, -1)) @ slope.T
    inverse = np.linalg.inv(frame.affine[:3, :3])[: frame.ndim]
    return Displacement(np.moveaxis(vectors @ inverse.T, -1, 0).astype(np.float32), frame), vectors


slopes = st.lists(st.floats(-0.3, 0.3), min_size=9, max_size=9).map(lambda entries: np.array(entries).reshape(3, 3))
angles = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)
signs = st.tuples(*[st.sampled_from([-1, 1])] * 3)
spacings = st.tuples(*[st.floats(0.5, 2.0)] * 3)


@given(slope=slopes, rotation=angles, signs=signs, spacing=spacings)
@settings(max_examples=40, deadline=None)
def test_millimetres_are_the_vectors_of_the_world(slope, rotation, signs, spacing):
    frame = frame_of((5, 6, 7), spacing=spacing, rotation=rotation, signs=signs)
    displacement, vectors = affine_displacement(frame, slope)
    millimetres = displacement.in_millimetres()
    assert millimetres.dtype == np.float32
    np.testing.assert_allclose(millimetres, vectors, atol=1e-4)


@given(slope=slopes, rotations=st.tuples(angles, angles), signs=st.tuples(signs, signs), spacing=spacings)
@settings(max_examples=40, deadline=None)
def test_another_frame_keeps_the_displacement_of_the_world(slope, rotations, signs, spacing):
    source = frame_of((26, 26, 26), rotation=rotations[0], signs=signs[0])
    # Its corners lie within 10.4 of the middle, whatever the rotation.
    target = frame_of((6, 7, 7), spacing=spacing, rotation=rotations[1], signs=signs[1])
    displacement, _ = affine_displacement(source, slope)

    resampled = displacement.resampled(target)

    assert resampled.frame is target
    expected = affine_displacement(target, slope)[1]
    np.testing.assert_allclose(resampled.in_millimetres(), expected, atol=2e-4)


@given(slope=slopes, turn=st.floats(-np.pi, np.pi), tilt=angles, spacing=spacings)
@settings(max_examples=30, deadline=None)
def test_a_plane_keeps_the_displacement_of_the_world(slope, turn, tilt, spacing):
    plane = Rotation.from_euler("xyz", tilt)
    source, target = frame_of((30, 30)), frame_of((9, 8), spacing=spacing, rotation=(0, 0, turn), signs=(-1, 1, 1))
    for frame in (source, target):
        frame.affine[:3] = plane.as_matrix() @ frame.affine[:3]
    normal = plane.as_matrix()[:, 2]
    slope = (np.eye(3) - np.outer(normal, normal)) @ slope
    displacement, vectors = affine_displacement(source, slope)

    resampled = displacement.resampled(target)

    np.testing.assert_allclose(displacement.in_millimetres(), vectors, atol=1e-4)
    assert resampled.values.shape == (2, 9, 8)
    np.testing.assert_allclose(resampled.in_millimetres(), affine_displacement(target, slope)[1], atol=2e-4)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_all_48_axis_orders_go_there_and_back(order, flips, random_field):
    source = frame_of((7, 8, 9), spacing=(0.7, 1.3, 2.1), centre=(31.7, -12.3, 5.9))
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for axis, (stored, sign) in enumerate(zip(order, flips, strict=True)):
        matrix[stored, axis] = sign
        matrix[stored, 3] = 0 if sign > 0 else source.shape[stored] - 1
    target = Frame(source.affine @ matrix, tuple(source.shape[stored] for stored in order))
    # Not zero on the border: rounding must not take a border voxel for one beyond it.
    displacement = Displacement(random_field((7, 8, 9)) + np.float32(1.5), source)

    there = displacement.resampled(target)

    expected = np.flip(displacement.in_millimetres().transpose(*order, 3), [a for a in range(3) if flips[a] < 0])
    np.testing.assert_allclose(there.in_millimetres(), expected, atol=1e-4)
    np.testing.assert_allclose(there.resampled(source).values, displacement.values, atol=1e-4)


def test_beyond_its_grid_nothing_moves():
    source = frame_of((8, 8))
    displacement = Displacement(np.ones((2, 8, 8), np.float32), source)
    wide = displacement.resampled(source.crop(((-3, 12), (-3, 12))))
    expected = np.zeros((15, 15))
    expected[3:11, 3:11] = 1.0
    assert (wide.values == expected).all()


@given(ranges=st.lists(st.tuples(st.integers(-6, 12), st.integers(1, 9)), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_crop_is_the_resampling_on_the_boxs_frame(ranges):
    box = tuple((low, low + length) for low, length in ranges)
    frame = frame_of((8, 7, 6), spacing=(0.5, 2.0, 1.0), rotation=(0.3, 0.2, 0.1))
    values = np.random.default_rng(0).normal(size=(3, 8, 7, 6)).astype(np.float32)
    cropped = Displacement(values, frame).crop(box)
    np.testing.assert_allclose(cropped.values, Displacement(values, frame).resampled(cropped.frame).values, atol=1e-4)
    assert cropped.values.shape[1:] == tuple(length for _, length in ranges)


def test_scaling_leads_from_the_identity_to_the_displacement(random_field):
    displacement = Displacement(random_field((9, 9)), frame_of((9, 9)))
    assert (displacement.scaled(0.0).values == Displacement.identity(displacement.frame).values).all()
    assert (displacement.scaled(1.0).values == displacement.values).all()
    np.testing.assert_allclose(displacement.scaled(0.25).values * 4, displacement.values, rtol=1e-6)


def test_values_that_do_not_fit_the_frame_are_refused():
    frame = frame_of((9, 9))
    with pytest.raises(ValueError, match="float32 of shape"):
        Displacement(np.zeros((2, 9, 8), np.float32), frame)
    with pytest.raises(ValueError, match="float64"):
        Displacement(np.zeros((2, 9, 9)), frame)
    with pytest.raises(ValueError, match="axes"):
        Displacement.identity(frame).resampled(frame_of((4, 4, 4)))
