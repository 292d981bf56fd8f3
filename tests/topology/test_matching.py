from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import barcode, betti_numbers, match_bars

PUBLISHED = np.load(Path(__file__).parent / "data" / "betti_matching.npz")
CASES = sorted({name.split("/")[0] for name in PUBLISHED.files})
CONNECTIVITIES = {2: (4, 8), 3: (6, 26)}


def pairs_of_maps(values, **shape):
    def of_shape(size):
        return st.tuples(arrays(np.float64, size, elements=values), arrays(np.float64, size, elements=values))

    return st.integers(2, 3).flatmap(
        lambda ndim: array_shapes(min_dims=ndim, max_dims=ndim, max_side=5 if ndim == 3 else 8).flatmap(of_shape)
    )


few_levels = pairs_of_maps(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
masks = pairs_of_maps(st.sampled_from([0.0, 1.0]))
both_connectivities = pytest.mark.parametrize("which", [0, 1], ids=["points", "cubes"])


def distinct_maps(shape, seed):
    """Two maps that are like each other, and no two of whose voxels have the same level."""
    random = np.random.default_rng(seed)
    levels = random.random(shape) + 0.3 * random.random((2, *shape))
    ranks = levels.reshape(-1).argsort().argsort()
    return (0.01 + 0.98 * ranks / ranks.max()).reshape(levels.shape)


def rows(matching):
    """One row a bar or a pair of bars, as in the published numbers, without the components that never die."""
    ndim = matching.prediction.ndim
    one, two = matching.matched_prediction, matching.matched_reference
    found = []
    for mine, theirs in zip(one, two, strict=True):
        if mine.death_voxel is not None:
            found.append(
                (mine.dimension, *mine.birth_voxel, *mine.death_voxel, *theirs.birth_voxel, *theirs.death_voxel)
            )
    nothing = (-1,) * (2 * ndim)
    for bar in matching.unmatched_prediction:
        found.append((bar.dimension, *bar.birth_voxel, *bar.death_voxel, *nothing))
    for bar in matching.unmatched_reference:
        found.append((bar.dimension, *nothing, *bar.birth_voxel, *bar.death_voxel))
    return sorted(found)


def levels(found, maps):
    """The rows' voxels replaced by the levels there."""
    ndim = maps[0].ndim
    replaced = []
    for dimension, *voxels in found:
        ends = [tuple(voxels[at : at + ndim]) for at in range(0, 4 * ndim, ndim)]
        replaced.append(
            (dimension, *(-1.0 if end[0] < 0 else maps[number // 2][end] for number, end in enumerate(ends)))
        )
    return sorted(replaced)


@pytest.mark.parametrize("name", CASES)
def test_matched_and_unmatched_bars_are_those_of_the_published_program(name):
    maps = PUBLISHED[f"{name}/maps"] / 65535
    published = sorted(tuple(int(one) for one in row) for row in PUBLISHED[f"{name}/bars"])
    matching = match_bars(*maps, connectivity=CONNECTIVITIES[maps[0].ndim][0])
    # Where voxels have equal levels, which of them a bar is said to begin at is nobody's to say.
    assert levels(rows(matching), maps) == levels(published, maps)
    if "mask" not in name:
        assert rows(matching) == published


def test_the_published_cases_have_matches_in_every_dimension():
    matched = {2: set(), 3: set()}
    for name in CASES:
        bars = PUBLISHED[f"{name}/bars"]
        matched[PUBLISHED[f"{name}/maps"].ndim - 1] |= set(bars[(bars >= 0).all(axis=1), 0].tolist())
    assert matched == {2: {0, 1}, 3: {0, 1, 2}}


def cells_by_definition(shape, cubes):
    """All cells on a grid of doubled coordinates: points are even and cubes have odd coordinates where they extend."""
    doubled = [2 * size + 1 if cubes else 2 * size - 1 for size in shape]
    return list(itertools.product(*(range(size) for size in doubled)))


def orders_by_definition(values, cubes):
    """When each cell enters: by level, then in the order that breaks ties."""
    order = {}
    for cell in cells_by_definition(values.shape, cubes):
        near = [
            [(c - shift) // 2 for shift in ((1,) if c % 2 else (0, 2))]
            if cubes
            else [c // 2, *([c // 2 + 1] if c % 2 else [])]
            for c in cell
        ]
        around = [
            values[v] for v in itertools.product(*near) if all(0 <= i < n for i, n in zip(v, values.shape, strict=True))
        ]
        dimension = sum(c % 2 for c in cell)
        if cubes:
            # The cell of the dual grid, whose first corner is one voxel further: it enters in the opposite order.
            corner = tuple((c + 1) // 2 for c in cell)
            extends = [axis for axis, c in enumerate(cell) if c % 2 == 0]
        else:
            corner = tuple(c // 2 for c in cell)
            extends = [axis for axis, c in enumerate(cell) if c % 2]
        ndim = len(cell)
        if len(extends) == 1:
            axis = extends[0]
        elif len(extends) == ndim - 1:
            axis = next(one for one in range(ndim) if one not in extends)
        else:
            axis = 0
        tie = (*corner, axis)
        if cubes:
            order[cell] = (-max(around), dimension, tuple(-one for one in tie))
        else:
            order[cell] = (-min(around), dimension, tie)
    return order


def pairs_by_definition(rows_order, columns_order):
    """Reduce the boundary matrix with rows in one order and columns in another: pairs (row, column) of lowest ones."""
    reduced, paired = {}, {}
    for cell in sorted(columns_order, key=columns_order.__getitem__):
        column = set()
        for axis, c in enumerate(cell):
            if c % 2:
                column ^= {(*cell[:axis], c + step, *cell[axis + 1 :]) for step in (-1, 1)}
        while column:
            lowest = max(column, key=rows_order.__getitem__)
            if lowest not in reduced:
                reduced[lowest], paired[lowest] = column, cell
                break
            column = column ^ reduced[lowest]
    return paired


def matches_by_definition(maps, cubes, overlapping):
    """Levels (dimension, birth, death, birth', death') of matched bars, those that never die left out."""
    orders = [orders_by_definition(one, cubes) for one in (*maps, np.maximum(*maps))]
    own = [pairs_by_definition(order, order) for order in orders]
    carried = []
    for number in (0, 1):
        image = pairs_by_definition(orders[number], orders[2])
        bars = {}
        for birth, death in own[number].items():
            level = -orders[number][birth][0], -orders[number][death][0]
            if level[0] > level[1] and birth in image:
                end = image[birth]
                lasts = -orders[number][birth][0] > -orders[2][end][0]
                if lasts or not overlapping:
                    bars[end] = (sum(c % 2 for c in birth), *level)
        carried.append(bars)
    union = {death for birth, death in own[2].items() if orders[2][birth][0] < orders[2][death][0]}
    return sorted((*carried[0][cell], *carried[1][cell][1:]) for cell in union & carried[0].keys() & carried[1].keys())


@both_connectivities
@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shape", [(1, 6), (6, 7), (2, 3, 4), (4, 5, 4)])
def test_matches_are_those_of_matrices_reduced_by_the_definition(which, overlapping, ties, shape):
    matched = set()
    for seed in range(3):
        maps = distinct_maps(shape, seed)
        if ties:
            maps = np.stack([np.round(3 * maps[0]) / 3, maps[1] > 0.5])
        matching = match_bars(*maps, connectivity=CONNECTIVITIES[len(shape)][which], overlapping=overlapping)
        found = [
            (one.dimension, one.birth, one.death, two.birth, two.death)
            for one, two in zip(matching.matched_prediction, matching.matched_reference, strict=True)
            if one.death_voxel is not None
        ]
        expected = matches_by_definition(maps, which == 1, overlapping)
        assert sorted(found) == expected
        matched |= {dimension for dimension, *_ in expected}
    assert ties or min(shape) < 4 or matched >= ({0, 1, 2} if which and len(shape) == 3 else {0, 1})


@both_connectivities
@settings(max_examples=40, deadline=None)
@given(few_levels)
def test_the_bars_are_those_of_barcode_and_the_voxels_have_their_levels(which, maps):
    matching = match_bars(*maps, connectivity=CONNECTIVITIES[maps[0].ndim][which])
    for found, values in zip((matching.prediction, matching.reference), maps, strict=True):
        expected = barcode(values, connectivity=found.connectivity)
        key = [np.lexsort((one.death, one.birth, one.dimension)) for one in (found, expected)]
        for name in ("dimension", "birth", "death"):
            assert np.array_equal(getattr(found, name)[key[0]], getattr(expected, name)[key[1]])
        assert np.all(np.diff(found.length) <= 0)
        for bar in found:
            assert values[bar.birth_voxel] == bar.birth
            assert bar.death == (0 if bar.death_voxel is None else values[bar.death_voxel])


@both_connectivities
@settings(max_examples=40, deadline=None)
@given(few_levels)
def test_a_map_matched_with_itself_matches_every_bar_with_itself(which, maps):
    matching = match_bars(maps[0], maps[0], connectivity=CONNECTIVITIES[maps[0].ndim][which])
    assert np.array_equal(matching.pairs, np.repeat(np.arange(len(matching.prediction))[:, None], 2, axis=1))


@both_connectivities
@settings(max_examples=40, deadline=None)
@given(few_levels)
def test_matching_the_other_way_round_gives_the_same_pairs(which, maps):
    connectivity = CONNECTIVITIES[maps[0].ndim][which]
    there = match_bars(*maps, connectivity=connectivity)
    back = match_bars(*maps[::-1], connectivity=connectivity)
    assert {tuple(pair) for pair in there.pairs} == {tuple(pair[::-1]) for pair in back.pairs}


@both_connectivities
@settings(max_examples=40, deadline=None)
@given(few_levels)
def test_bars_have_one_partner_at_most_of_their_own_dimension(which, maps):
    matching = match_bars(*maps, connectivity=CONNECTIVITIES[maps[0].ndim][which])
    assert np.array_equal(matching.matched_prediction.dimension, matching.matched_reference.dimension)
    for side, bars in enumerate((matching.prediction, matching.reference)):
        assert len(np.unique(matching.pairs[:, side])) == len(matching.pairs) <= len(bars)
    assert len(matching.unmatched_prediction) == len(matching.prediction) - len(matching.pairs)
    assert len(matching.unmatched_reference) == len(matching.reference) - len(matching.pairs)
    everlasting = matching.matched_prediction.death_voxel[:, 0] < 0
    assert everlasting.sum() == 1
    assert (matching.matched_reference.death_voxel[everlasting] < 0).all()


@both_connectivities
@settings(max_examples=40, deadline=None)
@given(few_levels)
def test_partners_that_overlap_are_some_of_all_partners(which, maps):
    connectivity = CONNECTIVITIES[maps[0].ndim][which]
    every = {tuple(pair) for pair in match_bars(*maps, connectivity=connectivity).pairs}
    some = {tuple(pair) for pair in match_bars(*maps, connectivity=connectivity, overlapping=True).pairs}
    assert some <= every


@both_connectivities
@settings(max_examples=40, deadline=None)
@given(masks)
def test_partners_of_masks_always_overlap(which, maps):
    connectivity = CONNECTIVITIES[maps[0].ndim][which]
    every = match_bars(*maps, connectivity=connectivity)
    assert np.array_equal(every.pairs, match_bars(*maps, connectivity=connectivity, overlapping=True).pairs)


def ring(shape, centre, radius):
    grid = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1)
    return np.abs(np.linalg.norm(grid - np.array(centre), axis=-1) - radius) < 1.2


def tube(shape, centre, radius):
    """A ring, two planes thick."""
    mask = np.zeros(shape, bool)
    mask[2:4] = ring(shape[1:], centre, radius)
    return mask


@both_connectivities
@pytest.mark.parametrize("shape", [(24, 44), (6, 24, 44)])
def test_a_ring_elsewhere_is_no_partner_though_betti_numbers_agree(which, shape):
    connectivity = CONNECTIVITIES[len(shape)][which]
    draw = ring if len(shape) == 2 else tube
    one, near, far = (draw(shape, (11.5, column), 7) for column in (11, 13, 32))
    assert betti_numbers(one, connectivity=connectivity) == betti_numbers(far, connectivity=connectivity)

    def loops(other):
        bars = match_bars(one, other, connectivity=connectivity).matched_prediction
        return int((bars.dimension == 1).sum())

    assert loops(near) == 1
    assert loops(far) == 0


@both_connectivities
def test_a_shell_within_a_shell_shares_its_component_but_not_its_cavity(which):
    outer, inner = (ring((20, 20, 20), (9.5,) * 3, radius) for radius in (8, 3))
    connectivity = CONNECTIVITIES[3][which]
    assert (
        betti_numbers(outer, connectivity=connectivity) == betti_numbers(inner, connectivity=connectivity) == (1, 0, 1)
    )
    matching = match_bars(outer, inner, connectivity=connectivity)
    assert (matching.matched_prediction.dimension == 0).sum() == 1
    assert (matching.unmatched_prediction.dimension == 2).sum() == 1


@both_connectivities
def test_noisy_views_of_one_map_share_its_long_bars(which):
    random = np.random.default_rng(2)
    clean = np.where(ring((30, 30), (14.5, 14.5), 9), 0.9, 0.1)
    views = [np.clip(clean + random.normal(0, 0.03, clean.shape), 0, 1) for _ in range(2)]
    matching = match_bars(*views, connectivity=CONNECTIVITIES[2][which])
    for own in (matching.matched_prediction, matching.matched_reference):
        assert sorted(own.longer_than(0.5).dimension.tolist()) == [0, 1]
    assert not len(matching.unmatched_prediction.longer_than(0.5))


def test_a_constant_map_has_one_bar_which_is_matched():
    matching = match_bars(np.full((4, 5), 0.5), np.zeros((4, 5)))
    assert matching.pairs.tolist() == [[0, 0]]
    assert matching.prediction.birth.tolist() == [0.5]
    assert matching.reference.birth.tolist() == [0.0]


def test_large_maps_are_matched_the_same_in_any_layout_of_memory():
    maps = ndimage.gaussian_filter(np.random.default_rng(0).random((2, 12, 14, 16)), (0, 1, 1, 1))
    expected = match_bars(*maps)
    found = match_bars(*(np.asfortranarray(one) for one in maps))
    assert np.array_equal(found.pairs, expected.pairs)
    assert np.array_equal(found.prediction.birth_voxel, expected.prediction.birth_voxel)


def test_maps_of_different_shapes_are_refused():
    with pytest.raises(ToposegError, match=r"shape \(3, 4\)"):
        match_bars(np.zeros((3, 4)), np.zeros((4, 3)))


def test_maps_that_are_not_numbers_are_refused():
    with pytest.raises(ToposegError, match="NaN"):
        match_bars(np.full((3, 4), np.nan), np.zeros((3, 4)))


def test_a_connectivity_of_another_dimension_is_refused():
    with pytest.raises(ToposegError, match="26"):
        match_bars(np.zeros((3, 4)), np.zeros((3, 4)), connectivity=26)
