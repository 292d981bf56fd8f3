"""Priors stand where they were put."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame, box_of
from napari_toposeg.priors import (
    builtin_priors,
    find_prior,
    place_in_box,
    place_in_image,
    place_on_mask,
    signed_distance,
    template_mask,
)
from napari_toposeg.topology import betti_numbers

SOLID = [prior for prior in builtin_priors() if prior.ndim == 3]


def oblique_frame(seed: int, shape: tuple[int, ...], spacing: tuple[float, ...]) -> Frame:
    """A frame that is turned and shifted at random."""
    generator = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array([*spacing, 1.0][:3])
    affine[:3, 3] = generator.uniform(-50, 50, 3)
    return Frame(affine, shape)


@pytest.mark.parametrize("name", ["ellipsoid", "box", "shell", "cylinder", "tube", "ellipse", "annulus"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_a_prior_that_fills_its_box_touches_all_of_its_faces(name, seed) -> None:
    prior = find_prior(name)
    assert prior is not None
    frame = oblique_frame(seed, (40, 50, 36)[: prior.ndim], (1.0, 0.8, 1.4)[: prior.ndim])
    box = ((6, 31), (10, 44), (5, 30))[: prior.ndim]
    mask = template_mask(prior, place_in_box(prior, frame, box, axis="y"), frame)
    assert box_of(mask) == box


def test_a_ball_stays_round_in_a_long_box_of_uneven_voxels() -> None:
    frame = Frame(np.diag([1.0, 1.0, 2.0, 1.0]), (40, 60, 30))
    prior = find_prior("ball")
    mask = template_mask(prior, place_in_box(prior, frame, ((5, 35), (5, 55), (5, 26))), frame)
    (i0, i1), (j0, j1), (k0, k1) = box_of(mask)
    assert i1 - i0 == j1 - j0 == 30
    assert k1 - k0 == 15  # 30 mm too


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("name", ["torus", "tube", "cylinder"])
def test_the_axis_says_what_a_prior_turns_about(name, axis) -> None:
    prior = find_prior(name)
    frame = Frame(np.eye(4), (40, 40, 40))
    mask = template_mask(prior, place_in_box(prior, frame, ((4, 36),) * 3, axis=axis), frame)
    assert betti_numbers(mask) == prior.betti
    number = "xyz".index(axis)
    along = mask.any(axis=number)
    # Seen along its axis a ring or tube has its hole; seen from the side it has none.
    assert betti_numbers(along) == ((1, 0) if name == "cylinder" else (1, 1))
    assert betti_numbers(mask.any(axis=(number + 1) % 3)) == (1, 0)


def test_there_are_no_other_axes() -> None:
    with pytest.raises(ToposegError, match="Choose x"):
        place_in_box(find_prior("torus"), Frame(np.eye(4), (9, 9, 9)), ((0, 9),) * 3, axis="w")


def test_a_flat_prior_is_refused_in_a_solid_image() -> None:
    with pytest.raises(ToposegError, match="2-D and the image 3-D"):
        place_in_image(find_prior("disk"), Frame(np.eye(4), (9, 9, 9)))


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_a_rough_mask_turns_the_prior_along_with_it(seed) -> None:
    """A turned ellipsoid is found again from its own mask."""
    generator = np.random.default_rng(seed)
    prior = find_prior("ellipsoid")
    frame = Frame(np.diag([1.0, 1.0, 1.5, 1.0]), (64, 64, 44))
    turn, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    offset = frame.world(np.indices(frame.shape).reshape(3, -1).T) - frame.world(np.array([31.0, 31.0, 21.0]))
    mask = (((offset @ turn) / [24.0, 13.0, 8.0]) ** 2).sum(axis=1).reshape(frame.shape) < 1
    placed = signed_distance(prior, place_on_mask(prior, frame, mask), frame).numpy() > 0
    assert 2 * (placed & mask).sum() / (placed.sum() + mask.sum()) > 0.93


def test_an_empty_mask_places_nothing() -> None:
    with pytest.raises(ToposegError, match="empty"):
        place_on_mask(find_prior("ball"), Frame(np.eye(4), (9, 9, 9)), np.zeros((9, 9, 9), bool))


def test_a_wall_thinner_than_a_voxel_is_thickened_until_it_holds() -> None:
    prior = find_prior("annulus")
    frame = Frame(np.eye(4), (24, 24))
    for size in range(6, 20):
        box = ((2, 2 + size), (3, 3 + size))
        assert betti_numbers(template_mask(prior, place_in_box(prior, frame, box), frame)) == (1, 1)


def test_a_region_too_small_for_a_hole_is_refused_in_a_sentence() -> None:
    prior = find_prior("shell")
    frame = Frame(np.eye(4), (20, 20, 20))
    with pytest.raises(ToposegError, match="does not keep its topology") as error:
        template_mask(prior, place_in_box(prior, frame, ((8, 10),) * 3), frame)
    assert "larger region" in str(error.value)


@pytest.mark.parametrize("prior", SOLID, ids=lambda prior: prior.name)
def test_in_the_middle_of_the_image_every_prior_keeps_its_topology(prior) -> None:
    frame = Frame(np.diag([0.7, 0.7, 3.0, 1.0]), (60, 50, 24))
    assert betti_numbers(template_mask(prior, place_in_image(prior, frame), frame)) == prior.betti
