"""Frames: positions that are known, and SimpleITK as the second opinion on resampling."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_toposeg.frame import Frame, box_of, box_slices, clip_box, grow_box, resample


def frame_of(shape, spacing, rotation=(0, 0, 0), origin=(0, 0, 0)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(rotation).as_matrix() @ np.diag([*spacing, 1.0][:3])
    affine[:3, 3] = origin
    return Frame(affine, tuple(shape))


@st.composite
def frames(draw, ndim=3):
    shape = draw(st.tuples(*[st.integers(2, 9)] * ndim))
    spacing = draw(st.tuples(*[st.floats(0.4, 4.0)] * 3))
    rotation = draw(st.tuples(*[st.floats(-3, 3)] * 3))
    return frame_of(shape, spacing, rotation, draw(st.tuples(*[st.floats(-100, 100)] * 3)))


def as_itk(array, frame):
    """The same image for SimpleITK: axes reversed in memory, LPS instead of RAS."""
    ndim = frame.ndim
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0])[: ndim + (ndim == 3)] @ frame.affine
    image.SetSpacing([float(length) for length in frame.spacing])
    image.SetDirection((lps[:ndim, :ndim] / frame.spacing).ravel())
    image.SetOrigin(lps[:ndim, 3])
    return image


def resampled_by_itk(array, source, target, interpolator):
    reference = as_itk(np.zeros(target.shape, np.float32), target)
    return sitk.GetArrayFromImage(
        sitk.Resample(as_itk(array, source), reference, sitk.Transform(), interpolator, -1.0)
    ).T


@given(frames(), st.data())
@settings(max_examples=50, deadline=None)
def test_a_voxel_of_a_box_lies_where_it_lay_in_the_grid(frame, data):
    spans = [sorted(data.draw(st.tuples(st.integers(-5, 12), st.integers(-5, 12)))) for _ in frame.shape]
    box = tuple((low, high + 1) for low, high in spans)
    inner = frame.crop(box)
    assert inner.shape == tuple(high - low for low, high in box)
    index = np.array([1.0, 0.5, 2.0])
    np.testing.assert_allclose(inner.world(index), frame.world(index + [low for low, _ in box]), atol=1e-9)


@given(st.one_of(frames(2), frames(3)), st.data())
@settings(max_examples=50, deadline=None)
def test_resizing_keeps_the_centres_of_the_corner_voxels(frame, data):
    shape = tuple(data.draw(st.integers(2, 20)) for _ in frame.shape)
    other = frame.resized(shape)
    assert other.shape == shape
    for corner in np.ndindex(*(2,) * frame.ndim):
        old = frame.world(np.array(corner) * (np.array(frame.shape) - 1))
        np.testing.assert_allclose(other.world(np.array(corner) * (np.array(shape) - 1)), old, atol=1e-9)


@pytest.mark.parametrize(("old", "new"), [((4, 1, 4), (4, 2, 4)), ((4, 4, 4), (4, 1, 4))])
def test_an_axis_of_one_voxel_cannot_be_resized(old, new):
    with pytest.raises(ValueError, match="an axis needs two"):
        frame_of(old, (1, 1, 1)).resized(new)


@given(frames(), frames())
@settings(max_examples=50, deadline=None)
def test_indices_in_another_frame_are_at_the_same_place_in_the_world(frame, other):
    index = np.array([1.5, 0.0, 3.0])
    there = frame.index_in(other) @ [*index, 1.0]
    np.testing.assert_allclose(other.world(there[:3]), frame.world(index), atol=1e-8)


@given(st.one_of(frames(2), frames(3)))
@settings(max_examples=50, deadline=None)
def test_coordinates_name_every_voxel_and_follow_a_matrix(frame):
    plain = frame.coordinates().numpy()
    np.testing.assert_array_equal(plain, np.indices(frame.shape))
    mapped = frame.coordinates(frame.affine).numpy()
    expected = np.moveaxis(frame.world(np.moveaxis(np.indices(frame.shape), 0, -1)), -1, 0)
    np.testing.assert_allclose(mapped, expected[: frame.ndim], rtol=1e-5, atol=1e-4)


def test_spacing_is_the_length_of_each_step():
    np.testing.assert_allclose(frame_of((4, 5, 6), (0.5, 1.5, 3.0), (0.3, -0.2, 1.0)).spacing, [0.5, 1.5, 3.0])
    np.testing.assert_allclose(frame_of((4, 5), (0.5, 1.5, 3.0), (0.3, -0.2, 1.0)).spacing, [0.5, 1.5])


@pytest.mark.parametrize(("order", "interpolator"), [(0, sitk.sitkNearestNeighbor), (1, sitk.sitkLinear)])
@pytest.mark.parametrize("rotation", [(0, 0, 0), (0.1, -0.2, 0.15), (0, 0, np.pi), (0.02, 1.5, 0)])
def test_resampling_to_a_finer_turned_grid_agrees_with_simpleitk(order, interpolator, rotation):
    source = frame_of((20, 18, 16), (1.0, 1.3, 2.1), (0.2, 0.1, -0.3), (5, -7, 11))
    values = np.random.default_rng(0).normal(size=source.shape).astype(np.float32)
    target = frame_of((13, 14, 15), (0.53, 0.61, 0.47), rotation)
    centred = source.world((np.array(source.shape) - 1) / 2) - target.world((np.array(target.shape) - 1) / 2)
    target.affine[:3, 3] += centred
    ours = resample(values, source, target, order=order)
    theirs = resampled_by_itk(values, source, target, interpolator)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize(("order", "interpolator"), [(0, sitk.sitkNearestNeighbor), (1, sitk.sitkLinear)])
def test_resampling_in_a_plane_agrees_with_simpleitk(order, interpolator):
    source = frame_of((30, 25), (1.0, 1.4, 1.0), (0, 0, 0.3), (5, -7, 0))
    values = np.random.default_rng(0).normal(size=source.shape).astype(np.float32)
    target = frame_of((14, 15), (0.53, 0.61, 1.0), (0, 0, -0.2), source.world((11, 9)))
    ours = resample(values, source, target, order=order)
    np.testing.assert_allclose(ours, resampled_by_itk(values, source, target, interpolator), atol=2e-4)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int32, np.float64])
def test_labels_keep_their_type_whatever_the_memory_layout(dtype):
    source = frame_of((6, 7, 8), (1, 1, 1))
    labels = (np.arange(6 * 7 * 8).reshape(source.shape) % 3).astype(dtype)
    box = ((1, 5), (0, 7), (2, 6))
    flipped = np.asfortranarray(labels[::-1])[::-1]
    taken = resample(flipped, source, source.crop(box), order=0)
    assert taken.dtype == dtype
    np.testing.assert_array_equal(taken, labels[box_slices(box)])


def test_beyond_the_source_its_border_values_are_repeated():
    source = frame_of((5, 6, 7), (1, 1, 1))
    values = np.random.default_rng(1).normal(size=source.shape).astype(np.float32)
    padded = np.pad(values, 4, mode="edge")
    grown = source.crop(tuple((-4, size + 4) for size in source.shape))
    for order in (0, 1):
        np.testing.assert_allclose(resample(values, source, grown, order=order), padded, atol=1e-6)


@pytest.mark.parametrize("box", [((9, 12), (0, 6), (0, 7)), ((-8, -4), (-9, -3), (20, 24))])
@pytest.mark.parametrize("order", [0, 1])
def test_a_grid_wholly_beyond_the_source_sees_its_nearest_border(box, order):
    source = frame_of((5, 6, 7), (1, 1, 1))
    values = np.random.default_rng(1).normal(size=source.shape).astype(np.float32)
    nearest = np.ix_(
        *[np.clip(np.arange(low, high), 0, size - 1) for (low, high), size in zip(box, values.shape, strict=True)]
    )
    np.testing.assert_allclose(resample(values, source, source.crop(box), order=order), values[nearest], atol=1e-6)


def test_detail_finer_than_a_coarse_grid_is_averaged_not_picked():
    source = frame_of((64, 64), (1, 1))
    stripes = np.indices(source.shape).sum(axis=0) % 2 * 100.0
    coarse = frame_of((14, 14), (4, 4, 1), origin=(4, 4, 0))
    np.testing.assert_allclose(resample(stripes, source, coarse), 50.0, atol=1.0)


def test_a_slope_stays_the_same_slope_on_a_coarser_grid():
    source = frame_of((64, 64, 64), (1, 1, 1))
    slope = 3.0 * np.indices(source.shape)[1]
    coarse = frame_of((10, 9, 8), (4, 5, 3), origin=(14, 12, 15))
    expected = np.broadcast_to((3.0 * (12 + 5 * np.arange(9)))[None, :, None], coarse.shape)
    np.testing.assert_allclose(resample(slope, source, coarse), expected, atol=1e-3)


@pytest.mark.parametrize("order", [0, 1])
def test_only_the_part_that_is_looked_at_is_touched(order):
    # 8e12 voxels that take no memory: to convert or smooth all of them would.
    endless = np.broadcast_to(np.int16(7), (20000, 20000, 20000))
    source = frame_of(endless.shape, (1, 1, 1))
    target = frame_of((8, 8, 8), (2, 2, 2), origin=(9000, 20, 11000))
    assert (resample(endless, source, target, order=order) == 7).all()


@given(st.lists(st.tuples(st.integers(-9, 20), st.integers(-9, 20)), min_size=3, max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_clipped_box_holds_exactly_the_voxels_that_are_in_both(spans):
    box = tuple((min(span), max(span)) for span in spans)
    shape = (5, 8, 11)
    clipped = clip_box(box, shape)
    for (low, high), (new_low, new_high), size in zip(box, clipped, shape, strict=True):
        assert list(range(new_low, new_high)) == [k for k in range(low, high) if 0 <= k < size]
        assert 0 <= new_low <= new_high <= size


def test_a_box_grows_by_whole_voxels():
    assert grow_box(((2, 5), (0, 3)), (1.2, 0.0)) == ((0, 7), (0, 3))


def test_the_box_of_a_mask_is_the_smallest_that_holds_it():
    mask = np.zeros((6, 7, 8), bool)
    mask[2, 3, 4] = mask[4, 3, 1] = True
    assert box_of(mask) == ((2, 5), (3, 4), (1, 5))
    assert box_of(np.zeros((3, 3), bool)) is None
