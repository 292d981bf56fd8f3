from __future__ import annotations

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import barcode, barcode_steps, betti_numbers, persistence_pairs

PAIRS = {2: (8, 4), 3: (26, 6)}


def bars_by_gudhi(p, connectivity):
    """Bars (birth, death) of each dimension, sorted; the one that never dies is cut off at 0."""
    if connectivity in (8, 26):
        cells = gudhi.CubicalComplex(top_dimensional_cells=-p.astype(float))
    else:
        cells = gudhi.CubicalComplex(vertices=-p.astype(float))
    cells.compute_persistence(homology_coeff_field=2, min_persistence=0)
    found = []
    for dimension in range(p.ndim):
        bars = -cells.persistence_intervals_in_dimension(dimension).reshape(-1, 2)
        bars[np.isinf(bars)] = 0
        found.append(bars[np.lexsort(bars.T)] + 0.0)
    return found


def bars_of(code, dimension):
    chosen = code.of_dimension(dimension)
    bars = np.stack([chosen.birth, chosen.death], axis=1)
    return bars[np.lexsort(bars.T)]


def check_against_gudhi(p, connectivity, band=0.0, min_persistence=0.0):
    code = barcode(p, connectivity=connectivity, band=band, min_persistence=min_persistence)
    clipped = np.clip(p, band, 1 - band) if band else p
    for dimension, expected in enumerate(bars_by_gudhi(clipped, connectivity)):
        lasting = (expected[:, 1] == 0) & (dimension == 0) & (expected[:, 0] == clipped.max())
        expected = expected[(expected[:, 0] - expected[:, 1] > min_persistence) | lasting]
        np.testing.assert_array_equal(bars_of(code, dimension), expected)
    check_places(code, clipped)


def check_places(code, clipped):
    for voxels, levels in ((code.birth_voxel, code.birth), (code.death_voxel, code.death)):
        exists = voxels[:, 0] >= 0
        np.testing.assert_array_equal(clipped[tuple(voxels[exists].T)], levels[exists])
    if code.band == 0:
        # Only the component that never dies has no voxel that ends it.
        assert (code.birth_voxel >= 0).all()
        assert (code.death_voxel[:, 0] < 0).sum() == 1
    floor, ceiling = clipped.dtype.type(code.band), clipped.dtype.type(1 - code.band)
    ended = code.death_voxel[:, 0] >= 0
    assert ((code.death[~ended] == floor) | (code.death[~ended] == 0)).all()
    assert (code.birth[code.birth_voxel[:, 0] < 0] == ceiling).all()


def shapes(ndim):
    return array_shapes(min_dims=ndim, max_dims=ndim, min_side=1, max_side=9 if ndim == 2 else 6)


@st.composite
def maps(draw):
    ndim = draw(st.integers(2, 3))
    shape = draw(shapes(ndim))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["noise", "few levels", "smooth", "constant", "mask"]))
    p = random.random(shape)
    if kind == "few levels":
        p = np.round(p * 3) / 3
    elif kind == "smooth":
        p = ndimage.gaussian_filter(p, 1)
    elif kind == "constant":
        p = np.full(shape, draw(st.sampled_from([0.0, 0.3, 1.0])))
    elif kind == "mask":
        p = (p > 0.5).astype(float)
    return p.astype(draw(st.sampled_from([np.float32, np.float64])))


@settings(max_examples=250, deadline=None)
@given(maps(), st.integers(0, 1))
def test_all_bars_are_those_of_gudhi(p, which):
    check_against_gudhi(p, PAIRS[p.ndim][which])


@settings(max_examples=250, deadline=None)
@given(maps(), st.integers(0, 1), st.sampled_from([0.01, 0.1, 0.25, 0.45]))
def test_bars_in_a_band_are_those_that_gudhi_finds_in_the_clipped_map(p, which, band):
    check_against_gudhi(p, PAIRS[p.ndim][which], band=band)


@settings(max_examples=60, deadline=None)
@given(maps(), st.integers(0, 1), st.sampled_from([0.05, 0.3]), st.sampled_from([0.0, 0.1]))
def test_the_least_persistence_leaves_out_exactly_the_bars_not_longer_than_it(p, which, least, band):
    check_against_gudhi(p, PAIRS[p.ndim][which], band=band, min_persistence=least)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 3).flatmap(
        lambda ndim: arrays(np.float32, shapes(ndim), elements=st.floats(0, 1, width=32, allow_subnormal=True))
    )
)
def test_hostile_values_change_nothing(p):
    for connectivity in PAIRS[p.ndim]:
        check_against_gudhi(p, connectivity)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (1, 1, 1), (1, 1, 6), (1, 5, 4), (4, 1, 5), (2, 2, 2)])
@pytest.mark.parametrize("band", [0.0, 0.2])
def test_tiny_maps_have_the_bars_of_gudhi(shape, band):
    random = np.random.default_rng(sum(shape))
    for p in (random.random(shape), np.round(random.random(shape) * 2) / 2):
        for connectivity in PAIRS[p.ndim]:
            check_against_gudhi(p, connectivity, band=band)


@pytest.mark.parametrize("band", [0.0, 0.02])
@pytest.mark.parametrize("connectivity", [26, 6])
@pytest.mark.parametrize("sharpness", [0.7, 8.0])
def test_a_noisy_volume_has_the_bars_of_gudhi(connectivity, band, sharpness):
    random = np.random.default_rng(5)
    p = 1 / (1 + np.exp(-sharpness * ndimage.gaussian_filter(random.normal(size=(23, 19, 26)), 1.0) * 5))
    check_against_gudhi(p.astype(np.float32), connectivity, band=band)


@pytest.mark.parametrize("band", [0.0, 0.1])
def test_a_real_slice_has_the_bars_of_gudhi(data_folder, band):
    images = np.load(next(iter(sorted((data_folder / "acdc2d").glob("*.npz")))))["images"]
    for connectivity in PAIRS[2]:
        check_against_gudhi(images[0] / 255, connectivity, band=band)
        check_against_gudhi((images[1] / 255).astype(np.float32), connectivity, band=band)


@settings(max_examples=60, deadline=None)
@given(maps(), st.integers(0, 1), st.floats(0.01, 0.99))
def test_the_bars_that_live_at_a_level_are_the_betti_numbers_of_its_mask(p, which, level):
    connectivity = PAIRS[p.ndim][which]
    assert barcode(p, connectivity=connectivity).betti(level) == betti_numbers(p >= level, connectivity=connectivity)


@settings(max_examples=40, deadline=None)
@given(maps(), st.permutations(range(3)))
def test_bars_do_not_depend_on_the_order_or_direction_of_the_axes(p, order):
    turned = p[::-1].transpose([axis for axis in order if axis < p.ndim])
    for dimension in range(p.ndim):
        np.testing.assert_array_equal(bars_of(barcode(p), dimension), bars_of(barcode(turned), dimension))


def test_a_ring_with_an_island_has_its_bars_at_the_voxels_that_make_them():
    p = np.zeros((9, 12))
    p[1:6, 1:6] = 0.9
    p[2:5, 2:5] = 0.1
    p[3, 3] = 0.05
    p[1, 3] = 0.6  # where the ring is weakest
    p[7, 10] = 0.8  # an island
    code = barcode(p)
    assert [(bar.dimension, bar.birth, bar.death) for bar in code] == [(0, 0.9, 0.0), (0, 0.8, 0.0), (1, 0.6, 0.05)]
    assert [bar.birth_voxel for bar in code][1:] == [(7, 10), (1, 3)]
    assert code[2].death_voxel == (3, 3)
    assert code[0].death_voxel is None


def test_a_shell_has_a_cavity_and_a_hollow_torus_two_tunnels_and_one():
    shell = np.full((9, 9, 9), 0.1)
    shell[2:7, 2:7, 2:7] = 0.8
    shell[4, 4, 4] = 0.3
    assert [(bar.dimension, bar.birth, bar.death) for bar in barcode(shell).longer_than(0.2)] == [
        (0, 0.8, 0.0),
        (2, 0.8, 0.3),
    ]
    z, y, x = np.indices((15, 31, 31)) - np.array([7, 15, 15])[:, None, None, None]
    tube = np.hypot(np.hypot(y, x) - 9, z)
    code = barcode(np.where(np.abs(tube - 3.5) < 1.2, 0.9, 0.2))
    assert code.betti(0.5) == (1, 2, 1)
    assert barcode(np.where(tube < 3, 0.9, 0.2)).betti(0.5) == (1, 1, 0)


def test_a_batch_has_the_bars_of_its_maps():
    random = np.random.default_rng(3)
    stack = random.random((4, 6, 5, 7)).astype(np.float32)
    pairs = persistence_pairs(stack, connectivity=6)
    assert (np.diff(pairs.item) >= 0).all()
    for number, p in enumerate(stack):
        mine = pairs.item == number
        alone = persistence_pairs(p[None], connectivity=6)
        for name in ("dimension", "birth", "death", "birth_index", "death_index"):
            np.testing.assert_array_equal(getattr(pairs, name)[mine], getattr(alone, name))
        length = alone.birth - alone.death
        assert (np.diff(length)[np.diff(alone.dimension) == 0] <= 0).all()


@settings(max_examples=25, deadline=None)
@given(maps())
def test_the_same_map_has_the_same_places_in_every_memory_layout_and_type(p):
    first = barcode(p)
    for other in (np.asfortranarray(p), np.repeat(p, 2, axis=-1)[..., ::2], p.astype(np.float64)):
        second = barcode(other)
        np.testing.assert_array_equal(first.birth_voxel, second.birth_voxel)
        np.testing.assert_array_equal(first.death_voxel, second.death_voxel)


def test_equal_levels_enter_in_array_order():
    assert barcode(np.full((3, 4, 5), 0.5))[0].birth_voxel == (0, 0, 0)
    two = np.zeros((3, 7))
    two[1, 1] = two[1, 5] = 1
    assert [bar.birth_voxel for bar in barcode(two)] == [(1, 1), (1, 5)]


def test_in_a_band_a_component_is_placed_at_its_highest_voxel():
    p = np.full((5, 9), 0.01)
    p[2, 1:4] = 0.97, 0.99, 0.96
    p[2, 6:8] = 0.95, 0.98
    code = barcode(p, band=0.1)
    assert sorted(bar.birth_voxel for bar in code) == [(2, 2), (2, 7)]
    assert [bar.death_voxel for bar in code] == [None, None]


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float16, np.int64])
def test_maps_of_any_real_type_are_taken(dtype):
    p = np.zeros((5, 6, 7), dtype)
    p[1:4, 1:5, 1:6] = 1
    assert [(bar.dimension, bar.birth, bar.death) for bar in barcode(p)] == [(0, 1.0, 0.0)]


@pytest.mark.parametrize(
    ("p", "options", "said"),
    [
        (np.array([[0.1, np.nan]]), {}, "NaN"),
        (np.array([[0.1, 3.0]]), {}, "logits"),
        (np.array([[-2.0, 0.5]]), {}, "logits"),
        (np.zeros((0, 4)), {}, "shape"),
        (np.zeros((2, 2), complex), {}, "type"),
        (np.zeros(4), {}, "axes"),
        (np.zeros((2, 2, 2, 2)), {}, "axes"),
        (np.zeros((2, 2)), {"band": 0.5}, "band"),
        (np.zeros((2, 2)), {"band": -0.1}, "band"),
        (np.zeros((2, 2)), {"min_persistence": -1}, "persistence"),
        (np.zeros((2, 2)), {"min_persistence": np.nan}, "persistence"),
        (np.zeros((2, 2)), {"connectivity": 26}, "26"),
    ],
)
def test_what_is_no_map_of_probabilities_is_refused(p, options, said):
    with pytest.raises(ToposegError, match=said):
        barcode(p, **options)


@pytest.mark.parametrize("shape", [(9, 14), (7, 8, 6)])
def test_a_barcode_found_in_steps_is_the_same_and_says_what_is_looked_for(shape) -> None:
    p = np.random.default_rng(5).random(shape)
    steps = list(barcode_steps(p, min_persistence=0.1))
    found, expected = steps[-1].result, barcode(p, min_persistence=0.1)
    assert [step.stage for step in steps[1:-1]] == ["pieces", *(["tunnels", "cavities"] if p.ndim == 3 else ["holes"])]
    assert [step.number for step in steps] == list(range(steps[-1].total + 1))
    for name in ("dimension", "birth", "death", "birth_voxel", "death_voxel"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
