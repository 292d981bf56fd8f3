"""Distances of barcodes: against an assignment by brute force, and the theorems that hold for them."""

from __future__ import annotations

import ast
import importlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

import napari_toposeg
from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.persistence import Barcode, barcode, bottleneck_distance, wasserstein_distance

QUICK = settings(max_examples=40, deadline=None)

LEVELS = st.sampled_from(np.arange(0, 17) / 16)


def made_of(*bars: tuple[int, float, float], everlasting: float | None = None, shape=(9, 9, 9)) -> Barcode:
    """A barcode of (dimension, birth, death); the last bar is the everlasting one's birth."""
    rows = [*bars, (0, everlasting, 0.0)] if everlasting is not None else list(bars)
    table = np.array(rows, float).reshape(-1, 3)
    places = np.zeros((len(rows), len(shape)), int)
    ends = places.copy()
    if everlasting is not None:
        ends[-1] = -1
    connectivity = 26 if len(shape) == 3 else 8
    return Barcode(shape, connectivity, table[:, 0].astype(np.int8), table[:, 1], table[:, 2], places, ends)


@st.composite
def barcodes(draw, most: int = 5, everlasting: bool = True) -> Barcode:
    pairs = draw(st.lists(st.tuples(st.integers(0, 2), LEVELS, LEVELS), max_size=most))
    bars = [(dimension, max(ends), min(ends)) for dimension, *ends in pairs]
    return made_of(*bars, everlasting=draw(LEVELS) if everlasting else None)


def costs(first: Barcode, second: Barcode, dimension: int) -> np.ndarray:
    """The square matrix of what it costs to match each bar of one with each of the other, or with the diagonal."""
    one, other = (
        [bar for bar in bars if bar.dimension == dimension and bar.death_voxel is not None] for bars in (first, second)
    )
    matrix = np.zeros((len(one) + len(other),) * 2)
    for (i, a), (j, b) in product(enumerate(one), enumerate(other)):
        matrix[i, j] = max(abs(a.birth - b.birth), abs(a.death - b.death))
    for i, a in enumerate(one):
        matrix[i, len(other) :] = a.length / 2
    for j, b in enumerate(other):
        matrix[len(one) :, j] = b.length / 2
    lasting = [[bar.birth for bar in bars if bar.death_voxel is None and dimension == 0] for bars in (first, second)]
    apart = abs(lasting[0][0] - lasting[1][0]) if lasting[0] and lasting[1] else 0.0
    whole = np.full(np.array(matrix.shape) + 1, 9.0)
    whole[:-1, :-1], whole[-1, -1] = matrix, apart
    return whole


def wasserstein_by_assignment(first: Barcode, second: Barcode, dimension: int, order: float) -> float:
    matrix = costs(first, second, dimension) ** order
    return float(matrix[linear_sum_assignment(matrix)].sum() ** (1 / order))


def bottleneck_by_assignment(first: Barcode, second: Barcode, dimension: int) -> float:
    matrix = costs(first, second, dimension)
    # The least cost under which every bar still finds a partner.
    for level in np.unique(matrix):
        if (too_dear := matrix > level)[linear_sum_assignment(too_dear)].sum() == 0:
            return float(level)
    raise AssertionError


@QUICK
@given(barcodes(), barcodes())
def test_the_bottleneck_distance_is_that_of_an_assignment_by_brute_force(first, second):
    expected = [bottleneck_by_assignment(first, second, dimension) for dimension in range(3)]
    found = [bottleneck_distance(first, second, dimension) for dimension in range(3)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert bottleneck_distance(first, second) == max(found)


@QUICK
@given(barcodes(), barcodes(), st.sampled_from([1.0, 2.0, 3.5]))
def test_the_wasserstein_distance_is_that_of_an_assignment_by_brute_force(first, second, order):
    expected = np.array([wasserstein_by_assignment(first, second, dimension, order) for dimension in range(3)])
    found = [wasserstein_distance(first, second, dimension, order=order, relative_error=1e-6) for dimension in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
    together = wasserstein_distance(first, second, order=order, relative_error=1e-6)
    assert together == pytest.approx((expected**order).sum() ** (1 / order), rel=1e-5, abs=1e-9)


@QUICK
@given(barcodes(), barcodes(), barcodes())
def test_both_are_distances(first, second, third):
    for distance in (bottleneck_distance, lambda a, b: wasserstein_distance(a, b, order=2, relative_error=1e-6)):
        assert distance(first, first) == 0
        there = distance(first, second)
        assert there == pytest.approx(distance(second, first), abs=1e-6)
        assert there <= distance(first, third) + distance(third, second) + 1e-5


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_barcodes_of_maps_lie_no_farther_apart_than_the_maps(data):
    shape = data.draw(st.sampled_from([(6, 5), (1, 7), (4, 3, 3), (8, 8)]))
    values = st.floats(0, 1, width=32)
    first, second = (data.draw(arrays(np.float32, shape, elements=values)) for _ in range(2))
    connectivity = data.draw(st.sampled_from([8, 4] if len(shape) == 2 else [26, 6]))
    one, other = (barcode(values, connectivity=connectivity) for values in (first, second))
    assert bottleneck_distance(one, other) <= np.abs(first - second).max() + 1e-6


def test_a_map_that_is_lifted_everywhere_lies_as_far_as_it_was_lifted():
    values = np.random.default_rng(0).uniform(0, 0.7, (9, 9))
    assert bottleneck_distance(barcode(values), barcode(values + 0.25)) == pytest.approx(0.25)


def test_a_disk_with_a_hole_lies_half_a_hole_from_one_without():
    values = np.zeros((9, 9))
    values[1:8, 1:8] = 0.9
    pierced = values.copy()
    pierced[4, 4] = 0.3
    filled, pierced = barcode(values), barcode(pierced)
    assert bottleneck_distance(filled, pierced) == pytest.approx(0.3)
    assert bottleneck_distance(filled, pierced, 0) == 0
    assert wasserstein_distance(filled, pierced, 1) == pytest.approx(0.3)


def test_short_bars_that_are_left_out_change_the_distance_by_half_their_length_at_most():
    values = np.random.default_rng(1).uniform(size=(2, 12, 12))
    one, other = (barcode(map_) for map_ in values)
    exact = bottleneck_distance(one, other, 1)
    assert abs(bottleneck_distance(one.longer_than(0.2), other.longer_than(0.2), 1) - exact) <= 0.1 + 1e-12


def test_without_an_everlasting_component_on_one_side_the_distance_is_infinite():
    assert bottleneck_distance(made_of(everlasting=0.9), made_of((0, 0.9, 0.0))) == np.inf
    assert wasserstein_distance(made_of(everlasting=0.9), made_of(), 0) == np.inf
    assert bottleneck_distance(made_of(everlasting=0.9), made_of(), 1) == 0


def test_what_cannot_be_compared_is_refused():
    flat = made_of(everlasting=0.5, shape=(9, 9))
    for distance in (bottleneck_distance, wasserstein_distance):
        with pytest.raises(ToposegError, match="no bars of dimension 2"):
            distance(flat, flat, 2)
    with pytest.raises(ToposegError, match=r"order 0\.5"):
        wasserstein_distance(flat, flat, order=0.5)


def test_of_gudhi_only_parts_without_the_gpl_are_used():
    """gudhi's wheel holds parts under the GPL too; each of its modules says which licence it has."""
    assert importlib.import_module("gudhi.bottleneck").__license__.startswith("GPL")
    used = set()
    for path in Path(napari_toposeg.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gudhi"):
                used.add(node.module)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gudhi":
                used.add(getattr(__import__("gudhi"), node.attr).__module__)
    assert "gudhi.hera" in used
    assert {importlib.import_module(module).__license__ for module in used} <= {"MIT", "BSD 3-Clause"}
