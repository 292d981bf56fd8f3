from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import betti_numbers, mark_simple_points, path_snap, signed_distance, snap

PAIRS = {2: (8, 4), 3: (26, 6)}

starts_and_targets = (
    st.integers(2, 3)
    .flatmap(lambda ndim: array_shapes(min_dims=ndim, max_dims=ndim, max_side=6 if ndim == 3 else 10))
    .flatmap(
        lambda shape: st.tuples(
            arrays(bool, shape), arrays(np.float32, shape, elements=st.integers(-4, 4).map(float), fill=st.just(1.0))
        )
    )
)


def ball(shape, radius, centre=0.0):
    grid = np.meshgrid(*[np.arange(size) - (size - 1) / 2 for size in shape], indexing="ij")
    return (grid[0] - centre) ** 2 + sum(axis**2 for axis in grid[1:]) < radius**2


def ring(shape, radius, width, across=0.0):
    return ball(shape, radius + width / 2, across) & ~ball(shape, radius - width / 2, across)


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@settings(max_examples=60, deadline=None)
@given(starts_and_targets, st.integers(0, 1))
def test_a_snap_never_changes_the_betti_numbers(gudhi_betti, pair, which):
    start, target = pair
    connectivity = PAIRS[start.ndim][which]
    snapped = snap(start, target, connectivity=connectivity)
    assert gudhi_betti(snapped, connectivity) == gudhi_betti(start, connectivity)


@settings(max_examples=60, deadline=None)
@given(starts_and_targets, st.integers(0, 1))
def test_a_snap_flips_only_toward_the_target_and_leaves_nothing_simple_undone(pair, which):
    start, target = pair
    connectivity = PAIRS[start.ndim][which]
    snapped = snap(start, target, connectivity=connectivity)
    wanted = target > 0
    assert not ((snapped != start) & (snapped != wanted)).any()
    assert not (mark_simple_points(snapped, connectivity=connectivity) & (snapped != wanted)).any()


@pytest.mark.parametrize("connectivity", [26, 6])
def test_large_tangled_volumes_keep_their_betti_numbers(gudhi_betti, connectivity):
    random = np.random.default_rng(3)
    start = ndimage.gaussian_filter(random.normal(size=(24, 26, 20)), 1.2) > 0
    target = ndimage.gaussian_filter(random.normal(size=start.shape), 1.0)
    snapped = snap(start, target, connectivity=connectivity)
    assert (snapped != start).sum() > 1000
    assert gudhi_betti(snapped, connectivity) == gudhi_betti(start, connectivity)


@pytest.mark.parametrize("shape", [(40, 36), (24, 22, 20)])
def test_a_seed_grows_into_all_of_a_ball_and_a_box_shrinks_on_to_it(shape):
    target = ball(shape, 8)
    seed = np.zeros(shape, bool)
    seed[tuple(size // 2 for size in shape)] = True
    confidence = signed_distance(target)
    assert np.array_equal(snap(seed, confidence), target)
    assert np.array_equal(snap(np.ones(shape, bool), confidence), target)


def test_a_seed_in_a_ring_grows_to_a_ring_that_is_cut_where_the_target_is_least_sure():
    target = ring((64, 64), 20, 7)
    confidence = signed_distance(target)
    confidence[:32, 32] = np.minimum(confidence[:32, 32], 0.5)
    seed = np.zeros_like(target)
    seed[52, 32] = True
    grown = snap(seed, confidence)
    assert betti_numbers(grown) == (1, 0)
    missing = np.argwhere(target & ~grown)
    assert 0 < len(missing) < 16
    assert np.abs(missing[:, 1] - 32).max() <= 2


def test_a_ring_cannot_travel_in_one_snap_but_does_along_a_path():
    start = ring((96, 96), 20, 6, -10.0)
    steps = [signed_distance(ring((96, 96), 20, 6, -10.0 + 20.0 * number / 8)) for number in range(1, 9)]
    target = steps[-1] > 0
    direct = snap(start, steps[-1])
    along = path_snap(start, iter(steps))
    assert betti_numbers(direct) == betti_numbers(along) == (1, 1)
    assert dice(direct, target) < 0.99
    assert np.array_equal(along, target)


def test_a_path_without_steps_leads_nowhere():
    start = ring((32, 32), 9, 4)
    assert np.array_equal(path_snap(start, []), start)


def test_of_equally_sure_voxels_the_first_flips_first():
    target = np.ones((1, 9), np.float32)
    start = np.zeros((1, 9), bool)
    start[0, [0, 8]] = True
    # The two ends grow toward each other, and may not meet.
    assert np.array_equal(snap(start, target), [[1, 1, 1, 1, 1, 1, 1, 0, 1]])


def test_the_surest_voxels_flip_first():
    start = np.array([[1, 0, 0, 0, 1]], bool)
    assert np.array_equal(snap(start, np.array([[9, 1, 3, 2, 9]])), [[1, 0, 1, 1, 1]])
    assert np.array_equal(snap(start, np.array([[9, 3, 2, 1, 9]])), [[1, 1, 1, 0, 1]])


def test_voxels_below_the_least_confidence_are_left_as_they_are():
    start = ball((30, 30), 6)
    target = signed_distance(ball((30, 30), 10))
    snapped = snap(start, target, least=3.0)
    assert np.array_equal(snapped, start | (target >= 3))
    assert np.array_equal(snap(start, target, least=100.0), start)


def test_nothing_flips_where_it_is_not_allowed():
    start = ball((30, 30), 6)
    target = signed_distance(ball((30, 30), 10))
    allowed = np.zeros((30, 30), bool)
    allowed[:15] = True
    snapped = snap(start, target, allowed=allowed)
    assert np.array_equal(snapped[15:], start[15:])
    assert np.array_equal(snapped[:14], target[:14] > 0)


@pytest.mark.parametrize("connectivity", [8, 4])
def test_the_outside_of_the_array_is_background(connectivity):
    # A bar across the array would cut the background in two if the outside were not there.
    start = np.zeros((5, 9), bool)
    start[2, 4] = True
    target = np.full((5, 9), -1.0)
    target[:, 4] = 1.0
    assert np.array_equal(snap(start, target, connectivity=connectivity), target > 0)
    everywhere = snap(start, np.ones((5, 9)), connectivity=connectivity)
    assert everywhere.all()


def test_a_perfectly_sure_target_may_be_infinite():
    start = ball((12, 12), 2)
    assert snap(start, np.full((12, 12), np.inf)).all()


def test_what_goes_in_is_not_written_to():
    start, target = ball((20, 20), 4), signed_distance(ball((20, 20), 7))
    copies = start.copy(), target.copy()
    start.flags.writeable = target.flags.writeable = False
    snap(start, target)
    assert np.array_equal(start, copies[0])
    assert np.array_equal(target, copies[1])


def test_memory_follows_the_box_that_differs_and_not_the_volume():
    shape = (160, 160, 160)
    start = np.zeros(shape, bool)
    start[20:140, 20:140, 20:140] = True
    target = np.where(start, np.float32(1), np.float32(-1))
    target[60:70, 60:70, 140:150] = 1.0
    snap(start, target)
    tracemalloc.start()
    snapped = snap(start, target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(snapped, target > 0)
    # The result, where the two differ, and for a moment target > 0: 3 bytes a voxel, and no padded copy of 5 more.
    assert peak < 3.5 * start.size


def test_a_target_of_another_shape_is_refused():
    with pytest.raises(ToposegError, match=r"target has the shape \(3, 4\) and the mask \(3, 3\)"):
        snap(np.ones((3, 3)), np.ones((3, 4)))
    with pytest.raises(ToposegError, match="region in which voxels may flip"):
        snap(np.ones((3, 3)), np.ones((3, 3)), allowed=np.ones((1, 3), bool))


def test_a_target_with_nan_is_refused():
    target = np.ones((3, 3))
    target[1, 2] = np.nan
    with pytest.raises(ToposegError, match="not numbers"):
        snap(np.ones((3, 3)), target)
