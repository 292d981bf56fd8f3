"""A few clicked points put a prior where they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.priors import builtin_priors, find_prior, place_at_points, signed_distance, template_mask
from napari_toposeg.priors.prompted_placement import THICKNESS_SHARE

SPACING = np.array([1.0, 0.8, 1.6])
FRAME = Frame(np.diag([*SPACING, 1.0]), (64, 72, 40))
MIDDLE = np.array([32.0, 30.0, 31.0])


def turn(seed: int) -> np.ndarray:
    """A random rotation."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


def ends_of(half_sizes: tuple[float, ...], rotation: np.ndarray) -> np.ndarray:
    """The six ends of an ellipsoid's axes, in voxels: those of the longest first."""
    columns = rotation * half_sizes
    return np.concatenate([(MIDDLE + [[1.0], [-1.0]] * columns[:, k]) for k in range(3)]) / SPACING


def half_sizes_of(placement) -> np.ndarray:
    """Half-sizes of the placed unit box in mm, ascending."""
    return np.sort(np.linalg.norm(placement.matrix[:3, :3], axis=0))


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_ends_of_its_axes_give_an_ellipsoid_back(seed) -> None:
    rotation = turn(seed)
    placement = place_at_points(find_prior("ellipsoid"), FRAME, ends_of((20.0, 9.0, 6.0), rotation))
    local = (FRAME.world(np.indices(FRAME.shape).reshape(3, -1).T) - MIDDLE) @ rotation
    wanted = ((local / [20.0, 9.0, 6.0]) ** 2).sum(axis=1).reshape(FRAME.shape) < 1
    placed = signed_distance(find_prior("ellipsoid"), placement, FRAME).numpy() > 0
    assert 2 * (placed & wanted).sum() / (placed.sum() + wanted.sum()) > 0.95


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_two_points_are_the_ends_of_an_ellipsoid_a_third_as_wide_as_long(seed) -> None:
    points = ends_of((20.0, 1.0, 1.0), turn(seed))[:2]
    placement = place_at_points(find_prior("ball"), FRAME, points)
    ends = np.linalg.inv(placement.matrix)[:3, :3] @ (points * SPACING - placement.matrix[:3, 3]).T
    np.testing.assert_allclose(np.linalg.norm(ends, axis=0), 1.0, atol=1e-9)
    np.testing.assert_allclose(half_sizes_of(placement), np.array([THICKNESS_SHARE, THICKNESS_SHARE, 1]) * 20.0)


def test_a_third_point_says_how_wide_it_is() -> None:
    ends = ends_of((20.0, 12.0, 5.0), turn(1))
    thin, _, long = half_sizes_of(place_at_points(find_prior("ball"), FRAME, ends[[0, 1, 4]]))
    wide, _, _ = half_sizes_of(place_at_points(find_prior("ball"), FRAME, ends[[0, 1, 2]]))
    assert long == pytest.approx(20.0, rel=0.05)
    assert thin == pytest.approx(5.0, rel=0.15)
    # Of a wide one the other short axis is taken for somewhat thinner: most are a third as wide as long.
    assert 8.0 < wide < 12.0


def test_a_fourth_point_says_how_thick_it_is() -> None:
    ends = ends_of((20.0, 12.0, 5.0), turn(2))
    thin, wide, long = half_sizes_of(place_at_points(find_prior("ball"), FRAME, ends[[0, 1, 2, 4]]))
    # Nothing is said of the other sides: some of it may be the middle that lies elsewhere.
    assert 5.0 <= thin < 6.5
    assert 10.5 < wide < 12.5
    assert long == pytest.approx(20.0, rel=0.05)


@given(seed=st.integers(0, 1000), count=st.integers(2, 6))
@settings(max_examples=15, deadline=None)
def test_the_surface_passes_through_the_points_of_an_ellipsoid(seed, count) -> None:
    points = ends_of((20.0, 12.0, 5.0), turn(seed))[:count]
    placement = place_at_points(find_prior("ball"), FRAME, points)
    unit = (FRAME.world(points) - placement.matrix[:3, 3]) @ np.linalg.inv(placement.matrix[:3, :3]).T
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, atol=0.03)


@given(seed=st.integers(0, 1000), count=st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_the_template_turns_and_moves_with_its_points(seed, count) -> None:
    """In mm, on a grid of uneven voxels: what is turned there is not turned in voxels."""
    random = np.random.default_rng(seed)
    points = ends_of((18.0, 9.0, 6.0), turn(seed))[:count] * SPACING + random.normal(0.0, 1.0, (count, 3))
    rotation, shift = turn(seed + 1), random.uniform(-9, 9, 3)
    moved = (points - MIDDLE) @ rotation.T + MIDDLE + shift
    ball = find_prior("ball")
    before, after = (place_at_points(ball, FRAME, these / SPACING).matrix for these in (points, moved))
    np.testing.assert_allclose(after[:3, 3], rotation @ (before[:3, 3] - MIDDLE) + MIDDLE + shift, atol=0.02)
    # The same ellipsoid, whatever the order and the signs of its axes.
    np.testing.assert_allclose(
        after[:3, :3] @ after[:3, :3].T, rotation @ before[:3, :3] @ before[:3, :3].T @ rotation.T, atol=0.5
    )


def test_the_order_of_the_points_does_not_matter() -> None:
    points = ends_of((18.0, 9.0, 6.0), turn(5))[:5]
    shapes = [
        place_at_points(find_prior("ball"), FRAME, points[order]).matrix
        for order in (np.arange(5), np.array([3, 1, 4, 0, 2]))
    ]
    np.testing.assert_allclose(*[shape[:3, :3] @ shape[:3, :3].T for shape in shapes], atol=1e-2)
    np.testing.assert_allclose(*[shape[:3, 3] for shape in shapes], atol=1e-3)


@pytest.mark.parametrize("prior", builtin_priors(), ids=lambda prior: prior.name)
def test_every_prior_keeps_its_topology_between_points(prior, gudhi_betti) -> None:
    if prior.ndim == 2:
        frame = Frame(np.diag([0.7, 1.3, 1.0, 1.0]), (60, 60))
        points = np.array([[8.0, 20.0], [50.0, 40.0], [36.0, 20.0]])
    else:
        frame, points = FRAME, ends_of((22.0, 18.0, 16.0), turn(3))
    placement = place_at_points(prior, frame, points)
    assert gudhi_betti(template_mask(prior, placement, frame)) == prior.betti


def test_a_tube_turns_about_the_side_nearest_to_the_axis_that_is_asked_for() -> None:
    points = ends_of((20.0, 10.0, 7.0), np.eye(3))
    along, across = (place_at_points(find_prior("tube"), FRAME, points, axis=axis).matrix[:3, 2] for axis in "xz")
    np.testing.assert_allclose(np.abs(along), [20.0, 0.0, 0.0], atol=0.5)
    np.testing.assert_allclose(np.abs(across), [0.0, 0.0, 7.0], atol=0.5)


REFUSED = {
    "one point": ([[3, 4, 5]], "by 1 point"),
    "seven points": (np.random.default_rng(0).uniform(0, 30, (7, 3)), "by 7 points"),
    "points of another image": ([[3, 4], [5, 6]], "cannot be read"),
    "a point nowhere": ([[3, 4, 5], [np.nan, 1, 1]], "cannot be read"),
    "one place twice": ([[3, 4, 5], [3, 4, 5.1]], "on one place"),
    "points on a line": ([[0, 0, 0], [20, 10, 10], [10, 5, 5]], "on one line"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_points_that_place_nothing_are_refused(what) -> None:
    points, expected = REFUSED[what]
    with pytest.raises(ToposegError, match=expected):
        place_at_points(find_prior("ball"), FRAME, points)
