"""Volumes: every way in which a file may lay out its axes, and the way back."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import aff2axcodes
from scipy.spatial.transform import Rotation

from napari_toposeg.errors import ToposegError
from napari_toposeg.volume import Volume, check_finite

ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)]
PLANES = {"(I, J)": (5, 4), "(I, J, 1)": (5, 4, 1), "(I, 1, K)": (5, 1, 4), "(1, J, K)": (1, 5, 4)}


def numbered(shape):
    return np.arange(np.prod(shape)).reshape(shape)


def ordered_affine(order, signs, spacing=(0.7, 1.1, 2.5)):
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * spacing[axis]
    affine[:3, 3] = (-31.5, 12.25, 104.0)
    return affine


@st.composite
def affines(draw):
    """Any rotation, axis order, flip and spacing; some with a little shear, as gantry tilt makes it."""
    order, signs = draw(st.sampled_from(ORDERS))
    affine = ordered_affine(order, signs, draw(st.tuples(*[st.floats(0.3, 5.0)] * 3)))
    turn = Rotation.from_rotvec(draw(st.tuples(*[st.floats(-3.2, 3.2)] * 3))).as_matrix()
    shear = np.eye(3)
    shear[1, 2] = draw(st.floats(-0.3, 0.3))
    affine[:3, :3] = turn @ shear @ affine[:3, :3]
    return affine


@st.composite
def stored_images(draw):
    shape = draw(
        st.one_of(
            st.tuples(*[st.integers(2, 6)] * 3),
            st.sampled_from(list(PLANES.values())),
        )
    )
    return numbered(shape), draw(affines())


@st.composite
def boxes(draw, shape):
    box = []
    for size in shape:
        low = draw(st.integers(0, size - 1))
        box.append((low, draw(st.integers(low + 1, size))))
    return tuple(box)


def assert_same_places(volume, array, affine):
    """Every stored voxel is found, with its value, at its own place in the world."""
    stored = np.argwhere(np.ones(array.shape, bool))
    padded = np.pad(stored, ((0, 0), (0, 3 - array.ndim)))
    world = padded @ affine[:3, :3].T + affine[:3, 3]
    index = (world - volume.affine[:3, 3]) @ np.linalg.inv(volume.affine[:3, :3]).T
    np.testing.assert_allclose(index, np.round(index), atol=1e-9)
    np.testing.assert_allclose(index[:, volume.ndim :], 0, atol=1e-9)
    found = volume.voxels[tuple(np.round(index).astype(int).T[: volume.ndim])]
    np.testing.assert_array_equal(found, array[tuple(stored.T)])


@pytest.mark.parametrize(("order", "signs"), ORDERS)
def test_each_of_the_48_axis_orders_becomes_right_anterior_superior_and_goes_back(order, signs):
    array, affine = numbered((4, 5, 6)), ordered_affine(order, signs)
    volume = Volume.from_stored(array, affine)
    assert aff2axcodes(volume.affine) == ("R", "A", "S")
    assert_same_places(volume, array, affine)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), array)


@given(stored_images())
@settings(max_examples=150, deadline=None)
def test_voxels_keep_their_places_in_the_world_however_oblique_the_grid(image):
    array, affine = image
    volume = Volume.from_stored(array, affine)
    assert_same_places(volume, array, affine)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), array)


@given(image=stored_images(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_box_of_the_file_selects_the_voxels_that_slicing_the_file_selects(image, data):
    array, affine = image
    volume = Volume.from_stored(array, affine)
    box = data.draw(boxes(array.shape))
    canonical = volume.box_from_stored(box)
    assert len(canonical) == volume.ndim
    selected = volume.voxels[tuple(slice(low, high) for low, high in canonical)]
    sliced = array[tuple(slice(low, high) for low, high in box)]
    np.testing.assert_array_equal(volume.to_stored(selected), sliced)
    assert volume.box_to_stored(canonical) == box


@given(image=stored_images(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_box_that_reaches_beyond_the_image_lies_in_the_same_place_of_the_world_as_in_the_file(image, data):
    array, affine = image
    volume = Volume.from_stored(array, affine)
    spans = [sorted(data.draw(st.tuples(st.integers(-4, 9), st.integers(-4, 9)))) for _ in range(volume.ndim)]
    box = tuple((low, high + 1) for low, high in spans)
    stored = volume.box_to_stored(box)
    corners = {tuple(np.round(volume.frame.world(corner), 6)) for corner in product(*[(lo, hi - 1) for lo, hi in box])}
    file_axes = np.array([[*corner, 0][:3] for corner in product(*[(lo, hi - 1) for lo, hi in stored])])
    places = file_axes @ affine[:3, :3].T + affine[:3, 3]
    assert len(corners) == len({tuple(place) for place in np.round(places, 6)})
    for corner in corners:
        assert np.abs(places - corner).max(axis=1).min() < 1e-5


@pytest.mark.parametrize("shape", PLANES.values(), ids=PLANES.keys())
@pytest.mark.parametrize(("order", "signs"), ORDERS[::5])
def test_a_single_plane_becomes_a_2d_image_whose_third_column_is_its_normal(shape, order, signs):
    affine = ordered_affine(order, signs)
    volume = Volume.from_stored(numbered(shape), affine)
    single = shape.index(1) if 1 in shape else 2
    assert volume.ndim == 2
    assert sorted(volume.shape) == [4, 5]
    assert abs(volume.affine[:3, 2] @ affine[:3, single]) == pytest.approx(np.linalg.norm(affine[:3, single]) ** 2)
    assert (volume.affine[:3, :2].T @ volume.affine[:3, 2] == 0).all()
    # The two axes point to the right, front or head, in this order.
    directions = [int(np.abs(column).argmax()) for column in volume.affine[:3, :2].T]
    assert directions == sorted(directions)
    assert (volume.affine[directions, [0, 1]] > 0).all()


def test_components_are_carried_along_on_the_way_back():
    array = numbered((3, 4, 5))
    volume = Volume.from_stored(array, ordered_affine((2, 0, 1), (-1.0, 1.0, -1.0)))
    vectors = np.stack([volume.voxels, -volume.voxels], axis=-1)
    back = volume.to_stored(vectors)
    np.testing.assert_array_equal(back[..., 0], array)
    np.testing.assert_array_equal(back[..., 1], -array)


def test_canonical_voxels_are_a_view_of_the_stored_ones():
    array = numbered((3, 4, 5))
    volume = Volume.from_stored(array, ordered_affine((2, 0, 1), (-1.0, 1.0, -1.0)))
    assert np.shares_memory(volume.voxels, array)
    assert np.shares_memory(volume.to_stored(volume.voxels), array)


def test_two_ranges_are_enough_for_a_plane_stored_with_three_axes():
    volume = Volume.from_stored(numbered((5, 1, 4)), np.diag([-1.0, 1, 1, 1]))
    assert volume.box_from_stored(((0, 2), (1, 4))) == volume.box_from_stored(((0, 2), (0, 1), (1, 4)))


@pytest.mark.parametrize(
    ("box", "said"),
    [
        (((0, 2), (0, 2)), "2 ranges and the image 3 axes"),
        (((0, 2), (3, 3), (0, 2)), "3:3 on axis 1 is empty"),
        (((0, 2), (0, 2), (0, 7)), "within 0:6"),
        (((-1, 2), (0, 2), (0, 2)), "-1:2 on axis 0 leaves the image"),
    ],
)
def test_a_region_that_does_not_fit_is_refused_with_what_would(box, said):
    volume = Volume.from_stored(numbered((4, 5, 6)), np.eye(4))
    with pytest.raises(ToposegError, match=said):
        volume.box_from_stored(box)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((4,), "has 1 axes"),
        ((4, 5, 6, 2), "has 4 axes"),
        ((4, 0, 6), "holds no voxels"),
        ((7, 1, 1), "line of 7 voxels"),
        ((1, 1), "line of 1 voxels"),
    ],
)
def test_what_is_no_image_is_refused(shape, said):
    with pytest.raises(ToposegError, match=said):
        Volume.from_stored(np.zeros(shape), np.eye(4))


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([1.0, 0, 1, 1]),
        np.diag([1.0, np.nan, 1, 1]),
        np.diag([1.0, np.inf, 1, 1]),
        np.ones((4, 4)),
        np.zeros((4, 4)),
    ],
    ids=["flat", "nan", "infinite", "parallel", "zero"],
)
def test_an_affine_that_has_no_inverse_is_refused(affine):
    with pytest.raises(ToposegError, match="singular or not finite"):
        Volume.from_stored(np.zeros((3, 4, 5)), affine)


def test_voxels_of_an_electron_microscope_are_not_taken_for_a_singular_affine():
    volume = Volume.from_stored(np.zeros((3, 4, 5)), np.diag([4e-6, 4e-6, 3e-5, 1]))
    np.testing.assert_allclose(volume.spacing, [4e-6, 4e-6, 3e-5])


def test_voxels_that_are_no_numbers_are_counted():
    voxels = np.zeros((4, 5, 6), np.float32)
    voxels[1, 2, :3] = np.nan
    voxels[3, 0, 0] = -np.inf
    volume = Volume.from_stored(voxels, np.eye(4))
    with pytest.raises(ToposegError, match="3 are NaN and 1 are infinite"):
        check_finite(volume)
    with pytest.raises(ToposegError, match="Of the image's 30 voxels 3 are NaN"):
        check_finite(volume, ((1, 2), (0, 5), (0, 6)))
    check_finite(volume, ((0, 1), (0, 5), (0, 6)))


def test_whole_numbers_are_always_finite():
    check_finite(Volume.from_stored(np.ones((4, 5, 6), np.int16), np.eye(4)))
