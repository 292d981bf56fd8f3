from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import betti_numbers, count_components, euler_characteristic
from napari_toposeg.topology.betti import euler_changes

PAIRS = {2: (8, 4), 3: (26, 6)}

masks = st.integers(2, 3).flatmap(
    lambda ndim: arrays(bool, array_shapes(min_dims=ndim, max_dims=ndim, max_side=6 if ndim == 3 else 10))
)


def alternating_sum(betti):
    return sum((-1) ** dimension * number for dimension, number in enumerate(betti))


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(0, 1))
def test_betti_numbers_are_those_that_gudhi_counts(gudhi_betti, mask, which):
    connectivity = PAIRS[mask.ndim][which]
    assert betti_numbers(mask, connectivity=connectivity) == gudhi_betti(mask, connectivity)


@pytest.mark.parametrize("connectivity", [26, 6])
@pytest.mark.parametrize("seed", range(4))
def test_betti_numbers_of_tangled_volumes_are_those_that_gudhi_counts(gudhi_betti, connectivity, seed):
    random = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(random.normal(size=(21, 18, 24)), 1.0) > random.uniform(-0.1, 0.1)
    expected = gudhi_betti(mask, connectivity)
    assert min(expected[:2]) > 0
    assert betti_numbers(mask, connectivity=connectivity) == expected


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(0, 1))
def test_the_euler_characteristic_is_the_alternating_sum_of_the_betti_numbers(mask, which):
    connectivity = PAIRS[mask.ndim][which]
    betti = betti_numbers(mask, connectivity=connectivity)
    assert euler_characteristic(mask, connectivity) == alternating_sum(betti)
    assert count_components(mask, connectivity) == betti[0]


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(0, 1))
def test_alexander_duality_counts_the_complement_with_the_dual_connectivity(mask, which):
    first, second = PAIRS[mask.ndim] if which else PAIRS[mask.ndim][::-1]
    betti = betti_numbers(mask, connectivity=first)
    # The padding makes the outside one component, so that the complement has one more than the mask has cavities.
    complement = betti_numbers(np.pad(~mask, 1, constant_values=True), connectivity=second)
    if mask.ndim == 2:
        assert complement == (betti[1] + 1, betti[0])
    else:
        assert complement == (betti[2] + 1, betti[1], betti[0])


@settings(max_examples=60, deadline=None)
@given(masks, st.permutations(range(3)))
def test_betti_numbers_do_not_depend_on_the_order_or_direction_of_the_axes(mask, order):
    turned = mask[::-1].transpose([axis for axis in order if axis < mask.ndim])
    assert betti_numbers(turned) == betti_numbers(mask)
    assert betti_numbers(np.asfortranarray(mask)) == betti_numbers(mask)


@pytest.mark.parametrize(
    ("mask", "betti"),
    [
        (np.zeros((4, 5)), (0, 0)),
        (np.zeros((4, 5, 6)), (0, 0, 0)),
        (np.zeros((0, 5)), (0, 0)),
        (np.ones((1, 1)), (1, 0)),
        (np.ones((1, 1, 1)), (1, 0, 0)),
        (np.ones((1, 7)), (1, 0)),
        (np.array([[1, 0, 1, 1, 0, 1]]), (3, 0)),
        (np.array([[[1]], [[0]], [[1]]]), (2, 0, 0)),
        (np.pad(np.zeros((1, 1)), 1, constant_values=1), (1, 1)),
        (np.pad(np.zeros((1, 1, 1)), 1, constant_values=1), (1, 0, 1)),
        (np.pad(np.zeros((1, 1)), 1, constant_values=1)[None], (1, 1, 0)),
        (np.ones((9, 8, 7)), (1, 0, 0)),
    ],
)
def test_small_and_flat_masks_have_known_betti_numbers(mask, betti):
    assert betti_numbers(mask) == betti


def test_a_checkerboard_is_one_piece_or_many_by_its_connectivity():
    mask = np.indices((4, 6)).sum(0) % 2 == 0
    # Where corners connect, each background pixel that is not on the border is a hole.
    assert betti_numbers(mask, connectivity=8) == (1, 4)
    assert betti_numbers(mask, connectivity=4) == (12, 0)


def test_any_number_but_zero_is_foreground():
    labels = np.array([[0, 2, 0, -1, 0, 7]], np.int16)
    assert betti_numbers(labels) == (3, 0)
    assert betti_numbers(labels / 10) == (3, 0)


def test_a_vector_or_a_sequence_of_volumes_is_refused():
    for shape in ((5,), (2, 2, 2, 2)):
        with pytest.raises(ToposegError, match="axes"):
            betti_numbers(np.ones(shape))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 3)
    .flatmap(lambda ndim: array_shapes(min_dims=ndim, max_dims=ndim, max_side=6))
    .flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))),
    st.integers(0, 1),
)
def test_the_change_of_each_part_is_what_the_euler_characteristic_changes_by(pair, which):
    mask, parts = pair
    connectivity = PAIRS[mask.ndim][which]
    labels, count = ndimage.label(parts, np.ones((3,) * mask.ndim))
    changes = euler_changes(mask, labels, count, connectivity)
    before = euler_characteristic(mask, connectivity)
    after = [euler_characteristic(mask ^ (labels == number), connectivity) for number in range(1, count + 1)]
    assert changes.tolist() == [0, *(value - before for value in after)]
