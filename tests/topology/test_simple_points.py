from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_toposeg.topology import dual_connectivity, mark_simple_points

masks = st.integers(2, 3).flatmap(
    lambda ndim: arrays(bool, array_shapes(min_dims=ndim, max_dims=ndim, max_side=4 if ndim == 3 else 6))
)
PAIRS = {2: (8, 4), 3: (26, 6)}


def topological_number(neighbours, connectivity):
    """Components of the centre's geodesic neighbourhood that touch the centre (Bertrand, 1994)."""
    ndim = neighbours.ndim
    steps = np.abs(np.indices(neighbours.shape) - 1).sum(0)
    # With face connectivity a component may run through the neighbours that share an edge, but not, in 3-D, a corner.
    within = steps > 0 if connectivity in (8, 26, 4) else (steps > 0) & (steps < 3)
    structure = ndimage.generate_binary_structure(ndim, ndim if connectivity in (8, 26) else 1)
    labels, _ = ndimage.label(neighbours & within, structure)
    touching = labels[steps == 1] if connectivity in (4, 6) else labels
    return len(set(touching[touching > 0]))


def slowly_simple(neighbourhood, connectivity):
    centre = (1,) * neighbourhood.ndim
    foreground, background = neighbourhood.copy(), ~neighbourhood
    foreground[centre] = background[centre] = False
    return (
        topological_number(foreground, connectivity) == 1
        and topological_number(background, dual_connectivity(connectivity)) == 1
    )


@pytest.mark.parametrize("connectivity", [8, 4])
def test_all_512_neighbourhoods_in_2d_follow_the_definition(connectivity):
    for code in range(512):
        neighbourhood = np.array([code >> bit & 1 for bit in range(9)], bool).reshape(3, 3)
        found = mark_simple_points(neighbourhood, connectivity=connectivity)[1, 1]
        assert found == slowly_simple(neighbourhood, connectivity), neighbourhood


@pytest.mark.parametrize("connectivity", [26, 6])
def test_random_neighbourhoods_in_3d_follow_the_definition(connectivity):
    random = np.random.default_rng(connectivity)
    counts = [0, 0]
    for _ in range(2000):
        # Mostly full and mostly empty neighbourhoods as well: the ones in between are hardly ever simple.
        neighbourhood = random.random((3, 3, 3)) < random.uniform(0.05, 0.95)
        expected = slowly_simple(neighbourhood, connectivity)
        assert mark_simple_points(neighbourhood, connectivity=connectivity)[1, 1, 1] == expected, neighbourhood
        counts[expected] += 1
    assert min(counts) > 100


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(0, 1))
def test_flipping_a_simple_point_changes_no_betti_number(gudhi_betti, mask, which):
    connectivity = PAIRS[mask.ndim][which]
    before = gudhi_betti(mask, connectivity)
    for voxel in np.argwhere(mark_simple_points(mask, connectivity=connectivity))[:4]:
        flipped = mask.copy()
        flipped[tuple(voxel)] ^= True
        assert gudhi_betti(flipped, connectivity) == before


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(0, 1))
def test_a_point_is_simple_in_the_mask_where_it_is_in_the_complement_with_the_dual_connectivity(mask, which):
    connectivity = PAIRS[mask.ndim][which]
    inner = (slice(1, -1),) * mask.ndim
    wider = np.pad(mask, 1)
    found = mark_simple_points(wider, connectivity=connectivity)
    dual = mark_simple_points(~wider, connectivity=dual_connectivity(connectivity))
    assert np.array_equal(found[inner], dual[inner])


def test_the_ends_of_a_thread_are_simple_and_its_middle_is_not():
    thread = np.zeros((3, 7), bool)
    thread[1, 1:6] = True
    assert (mark_simple_points(thread) & thread).sum() == 2
    assert not mark_simple_points(np.zeros((4, 4))).any()
    assert not mark_simple_points(np.ones((1, 1))).any()
