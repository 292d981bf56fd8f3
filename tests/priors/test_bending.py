"""A template bent along a line keeps its topology, and follows the line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.priors import (
    along_stroke,
    builtin_priors,
    find_prior,
    place_at_points,
    prior_from_mask,
    signed_distance,
    template_mask,
)
from napari_toposeg.priors.stroke import read_stroke, smoothed

# What fails here fails slowly.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)

SPACING = np.array([1.5, 1.2, 2.0])
FRAME = Frame(np.diag([*SPACING, 1.0]), (54, 60, 40))
FLAT = Frame(np.diag([1.0, 0.8, 1.0, 1.0]), (80, 90))


def arc(turned: float = 0.0, radius: float = 22.0, angle: float = 3.3) -> np.ndarray:
    """An arc in mm, in a slanting plane, about the middle of the frame."""
    along = np.linspace(0.0, angle, 30) + turned
    return np.stack([radius * np.cos(along), radius * np.sin(along), 0.3 * radius * np.cos(along)], axis=1) + 38.0


def wander(seed: int, ndim: int) -> np.ndarray:
    """A random line in mm that goes one way along its first axis, and so never crosses itself."""
    random = np.random.default_rng(seed)
    places = np.cumsum(random.uniform(4, 12, 7))
    others = 36.0 + np.cumsum(random.normal(0.0, 5.0, (7, ndim - 1)), axis=0)
    return np.column_stack([places, np.clip(others, 12.0, 62.0)])


def placed(prior_name: str, stroke: np.ndarray, radius: float | None = None) -> np.ndarray:
    """The bent template's mask on the voxels of one of the frames; the stroke is given in mm."""
    frame = FRAME if stroke.shape[1] == 3 else FLAT
    prior, placement = along_stroke(find_prior(prior_name), frame, stroke / frame.spacing, radius)
    return template_mask(prior, placement, frame)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("prior", builtin_priors(), ids=lambda prior: prior.name)
def test_every_prior_keeps_its_topology_along_an_arc(prior, gudhi_betti) -> None:
    mask = placed(prior.name, arc()[:, : prior.ndim], 7.0)
    assert gudhi_betti(mask) == prior.betti


@pytest.mark.parametrize("name", ["disk", "annulus", "ball", "tube", "torus"])
@given(seed=st.integers(0, 10_000), radius=st.one_of(st.none(), st.floats(6.5, 9.0)))
@settings(max_examples=4, deadline=None, phases=NO_SHRINKING)
def test_a_prior_keeps_its_topology_along_any_line_that_does_not_cross_itself(name, seed, radius, gudhi_betti) -> None:
    prior = find_prior(name)
    frame = FRAME if prior.ndim == 3 else FLAT
    stroke = wander(seed, prior.ndim) / frame.spacing
    # Nothing hollow fits into a bend as sharp as two voxels.
    assume(smoothed(read_stroke(stroke, frame), 3.0).room().min() > 3.2)
    bent, placement = along_stroke(prior, frame, stroke, radius)
    assert bent.betti == prior.betti
    # Its grid may end before the template does.
    beyond = frame.crop(tuple((-8, size + 8) for size in frame.shape))
    assert gudhi_betti(template_mask(bent, placement, beyond)) == prior.betti


def test_a_tube_follows_its_line_and_is_open_along_it() -> None:
    stroke = arc()
    mask = placed("tube", stroke, 8.0)
    voxels = np.round(stroke[3:-3] / SPACING).astype(int)
    assert not mask[tuple(voxels.T)].any()  # the line runs in the hollow
    line = np.ones(FRAME.shape, bool)
    line[tuple(np.round(arc() / SPACING).astype(int).T)] = False
    away = distance_transform_edt(line, sampling=SPACING)[mask]
    assert away.max() < 8.0 + 2.5
    assert away.min() > 8.0 * 0.6 - 2.5


def test_a_ball_along_a_line_is_a_sausage_that_tapers() -> None:
    stroke = np.stack([np.linspace(10.0, 70.0, 9), np.full(9, 36.0), np.full(9, 40.0)], axis=1)
    mask = placed("ball", stroke, 10.0)
    sections = mask.sum(axis=(1, 2)) * 1.2 * 2.0
    # At the middle of the line, half-way to its end, and near it, as on the ellipsoid.
    for place, share in ((40.5, 0.0), (55.5, 0.5), (66.0, 26.0 / 30.0)):
        wanted = np.pi * 100.0 * (1.0 - share**2)
        assert sections[round(place / 1.5)] == pytest.approx(wanted, rel=0.15, abs=8.0)


@given(seed=st.integers(0, 1000))
@settings(max_examples=4, deadline=None, phases=NO_SHRINKING)
def test_a_straight_stroke_gives_what_two_points_give(seed) -> None:
    random = np.random.default_rng(seed)
    ends = 38.0 + np.outer([24.0, -24.0], _unit(random.normal(size=3)))
    ball = find_prior("ball")
    wanted = signed_distance(ball, place_at_points(ball, FRAME, ends / SPACING), FRAME).numpy() > 0
    assert dice(placed("ball", np.linspace(*ends, 12), 8.0), wanted) > 0.96


@given(seed=st.integers(0, 1000))
@settings(max_examples=4, deadline=None, phases=NO_SHRINKING)
def test_the_template_turns_with_its_stroke(seed) -> None:
    """In mm, on a grid of uneven voxels: its size, its middle and its principal axes are those of the turned line."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    stroke = arc()
    moved = (stroke - 38.0) @ turn.T + 38.0
    around = FRAME.crop(tuple((-12, size + 12) for size in FRAME.shape))
    found = []
    for line in (stroke, moved):
        prior, placement = along_stroke(find_prior("ball"), FRAME, line / SPACING)
        found.append(around.world(np.argwhere(signed_distance(prior, placement, around).numpy() > 0)))
    before, after = found
    assert len(after) == pytest.approx(len(before), rel=0.02)
    np.testing.assert_allclose(after.mean(axis=0), (before.mean(axis=0) - 38.0) @ turn.T + 38.0, atol=0.3)
    np.testing.assert_allclose(np.cov(after.T), turn @ np.cov(before.T) @ turn.T, atol=3.0)


@pytest.mark.parametrize("name", ["ball", "box", "tube"])
def test_it_does_not_matter_from_which_end_it_was_drawn(name) -> None:
    assert dice(placed(name, arc(), 7.0), placed(name, arc()[::-1], 7.0)) > 0.99


def test_a_trembling_hand_draws_the_same_template() -> None:
    stroke = arc(angle=2.8)
    trembling = stroke.repeat(3, axis=0) + np.random.default_rng(0).normal(0.0, 0.3, (90, 3))
    assert dice(placed("ball", stroke), placed("ball", trembling)) > 0.93


def test_the_surface_has_no_steps_of_its_own_grid() -> None:
    """Half-way between two voxels of that grid it is still where the shape is."""
    stroke = np.stack([np.linspace(10.0, 70.0, 9), np.full(9, 36.0), np.full(9, 40.0)], axis=1)
    prior, placement = along_stroke(find_prior("cylinder"), FRAME, stroke / SPACING, 10.0)
    fine = Frame(np.array([[5.0, 0, 0, 36], [0, 0.1, 0, 24], [0, 0, 5.0, 40], [0, 0, 0, 1]]), (3, 241, 1))
    inside = signed_distance(prior, placement, fine).numpy() > 0
    np.testing.assert_allclose(inside.sum(axis=1) * 0.1, 20.0, atol=0.3)


def test_a_mask_of_one_s_own_is_bent_along_its_longest_side_and_not_mirrored() -> None:
    """An L-shaped block, 10 x 30 x 6 mm, keeps its bulge on the side where it was."""
    block = np.zeros((10, 30, 6), bool)
    block[:5] = True
    block[:, :8] = True
    prior = prior_from_mask(block, (1.0, 1.0, 1.0), name="block")
    stroke = np.stack([np.full(9, 39.5), np.linspace(19.5, 49.5, 9), np.full(9, 39.5)], axis=1)
    bent, placement = along_stroke(prior, FRAME, stroke / SPACING)
    frame = Frame(np.diag([1.0, 1.0, 1.0, 1.0]), (80, 72, 80))
    found = signed_distance(bent, placement, frame).numpy() > 0
    wanted = np.zeros(frame.shape, bool)
    wanted[35:45, 20:50, 37:43] = block
    assert dice(found, wanted) > 0.8
    assert dice(found, wanted) > dice(found, wanted[::-1]) + 0.1


def test_where_the_line_bends_sharply_the_template_is_thinner(gudhi_betti) -> None:
    hairpin = np.array([[15.0, 25.0], [55.0, 30.0], [62.0, 36.0], [55.0, 42.0], [15.0, 47.0]])
    mask = placed("disk", hairpin, 15.0)
    assert gudhi_betti(mask) == (1, 0)
    assert mask.sum() * 0.8 < 2 * 15.0 * 110


REFUSED = {
    "one point": ([[4, 5, 6]], "too short"),
    "one place many times": ([[4, 5, 6]] * 5, "too short"),
    "less than two voxels": ([[4, 5, 6], [5, 5, 6]], "too short"),
    "a line of another image": ([[4, 5], [30, 40]], "cannot be read"),
    "a line to nowhere": ([[4, 5, 6], [np.inf, 40, 20]], "cannot be read"),
    "no points": ([], "cannot be read"),
    "a cross": ([[10, 10, 20], [50, 50, 20], [50, 10, 20], [10, 50, 20]], "crosses or touches itself"),
    "a closed line": ([[10, 10, 20], [50, 50, 20], [50, 10, 20], [10, 10, 20]], "crosses or touches itself"),
    "there and back": ([[10, 10, 20], [50, 50, 20], [10, 10, 20]], "crosses or touches itself"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_line_that_bends_nothing_is_refused(what) -> None:
    stroke, expected = REFUSED[what]
    with pytest.raises(ToposegError, match=expected):
        along_stroke(find_prior("ball"), FRAME, stroke)


def test_a_crossing_in_the_plane_is_refused_too() -> None:
    with pytest.raises(ToposegError, match="crosses or touches itself"):
        along_stroke(find_prior("disk"), FLAT, [[10, 10], [50, 50], [50, 10], [10, 50]])


def test_a_wall_thinner_than_the_voxels_and_a_radius_of_nothing_are_refused() -> None:
    stroke = arc() / SPACING
    with pytest.raises(ToposegError, match="does not keep its topology along this stroke"):
        along_stroke(find_prior("shell"), FRAME, stroke, 1.0)
    with pytest.raises(ToposegError, match="radius of 0 mm"):
        along_stroke(find_prior("ball"), FRAME, stroke, 0.0)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
