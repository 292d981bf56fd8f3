"""The arithmetic behind the strict test, on single cells."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_toposeg.deformation import jacobian_map
from napari_toposeg.deformation.cells import bernstein_coefficients, cube_edges, greatest_dip

cells = arrays(np.float32, (3, 2, 2, 2), elements=st.floats(-0.625, 0.625, width=32))
squares = arrays(np.float32, (2, 2, 2), elements=st.floats(-0.75, 0.75, width=32))


def exact_determinant(values, point):
    """Jacobian determinant of one multilinear cell, without rounding."""
    ndim = len(point)
    columns = []
    for axis in range(ndim):
        column = [Fraction(int(component == axis)) for component in range(ndim)]
        for index in np.ndindex(*(2,) * ndim):
            weight = Fraction(2 * index[axis] - 1)
            for other in range(ndim):
                if other != axis:
                    weight *= point[other] if index[other] else 1 - point[other]
            for component in range(ndim):
                column[component] += weight * Fraction(float(values[(component, *index)]))
        columns.append(column)
    if ndim == 2:
        return columns[0][0] * columns[1][1] - columns[0][1] * columns[1][0]
    x, y, z = columns
    return sum(x[i] * (y[(i + 1) % 3] * z[(i + 2) % 3] - y[(i + 2) % 3] * z[(i + 1) % 3]) for i in range(3))


@given(values=cells, point=st.tuples(*[st.fractions(0, 1, max_denominator=64)] * 3))
@settings(max_examples=300, deadline=None)
def test_a_cube_that_is_proven_regular_is_nowhere_refuted_by_exact_arithmetic(values, point):
    if jacobian_map(values).folding == 0:
        assert exact_determinant(values, point) > 0


@given(values=squares, point=st.tuples(*[st.fractions(0, 1, max_denominator=64)] * 2))
@settings(max_examples=300, deadline=None)
def test_a_square_is_least_at_a_corner(values, point):
    corners = [exact_determinant(values, corner) for corner in np.ndindex(2, 2)]
    assert exact_determinant(values, point) >= min(corners)
    jacobian = jacobian_map(values)
    assert np.isclose(jacobian.least_determinant, float(min(corners)), atol=1e-6)
    if abs(min(corners)) > 1e-10:
        assert (jacobian.folding == 0) == (min(corners) > 0)


@given(values=cells, point=st.tuples(*[st.fractions(0, 1, max_denominator=8)] * 3))
@settings(max_examples=60, deadline=None)
def test_the_27_coefficients_are_the_determinant(values, point):
    coefficients = np.empty((3, 3, 3))
    bernstein_coefficients(cube_edges(values.reshape(3, 8), 0, 4, 2), coefficients)
    weights = [np.array([(1 - t) ** 2, 2 * t * (1 - t), t**2], float) for t in point]
    value = np.einsum("ijk,i,j,k", coefficients, *weights)
    assert np.isclose(value, float(exact_determinant(values, point)), atol=1e-10)


def test_no_coefficient_lies_further_below_the_corners_than_the_quick_test_allows():
    generator = np.random.default_rng(0)
    coefficients = np.empty((3, 3, 3))
    shares = []
    for _ in range(3000):
        edges = cube_edges((0.5 * generator.normal(size=(3, 8))).astype(np.float32), 0, 4, 2)
        bernstein_coefficients(edges, coefficients)
        dip = coefficients[::2, ::2, ::2].min() - coefficients.min()
        shares.append(dip / greatest_dip(edges))
    assert max(shares) <= 1.0
    # And it is no wild guess: some come near.
    assert max(shares) > 0.1
