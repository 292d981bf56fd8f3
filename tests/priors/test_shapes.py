"""The built-in priors are signed distances, and have the topology that they claim."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.priors import builtin_priors, find_prior, prior_names, render

PRIORS = builtin_priors()


def test_every_prior_of_the_issue_is_there() -> None:
    flat = {"disk", "ellipse", "square", "annulus"}
    solid = {"ball", "ellipsoid", "box", "cylinder", "shell", "torus", "tube"}
    assert set(prior_names()) == flat | solid
    assert {prior.name for prior in PRIORS if prior.ndim == 2} == flat


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.name)
def test_a_prior_has_the_betti_numbers_that_it_claims(prior, gudhi_betti) -> None:
    axis = torch.linspace(-1.2, 1.2, 64)
    grid = torch.stack(torch.meshgrid(*[axis] * prior.ndim, indexing="ij"))
    assert gudhi_betti((prior.signed_distance(grid) > 0).numpy()) == prior.betti


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.name)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_prior_is_a_distance_to_its_surface(prior, seed) -> None:
    """Its gradient has length one, so that a step of d along it changes the value by d."""
    points = torch.from_numpy(np.random.default_rng(seed).uniform(-1.4, 1.4, (prior.ndim, 200))).requires_grad_()
    values = prior.signed_distance(points)
    (gradient,) = torch.autograd.grad(values.sum(), points)
    length = gradient.norm(dim=0)
    # A medial axis or a corner has measure zero; random points miss it but for rounding.
    assert (length - 1).abs().median() < 1e-4
    assert float(length.max()) < 1 + 1e-4


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.name)
def test_a_prior_fills_its_extent_and_no_more(prior) -> None:
    axis = torch.linspace(-1.5, 1.5, 121)
    grid = torch.stack(torch.meshgrid(*[axis] * prior.ndim, indexing="ij"))
    inside = prior.signed_distance(grid) > -1e-4
    for number, half in enumerate(prior.extent or (1.0,) * prior.ndim):
        reach = grid[number][inside].abs().max()
        assert float(reach) == pytest.approx(half, abs=0.026)


def test_a_distance_has_a_gradient_at_its_very_centre() -> None:
    for prior in PRIORS:
        points = torch.zeros(prior.ndim, 1, requires_grad=True)
        prior.signed_distance(points).sum().backward()
        assert torch.isfinite(points.grad).all(), prior.name


def test_an_unknown_name_is_not_a_prior() -> None:
    assert find_prior("banana") is None


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.name)
def test_a_picture_shows_the_shape_on_a_clear_ground(prior) -> None:
    picture = render(prior, 48)
    assert picture.shape == (48, 48, 4)
    assert picture.dtype == np.uint8
    opaque = picture[..., 3] > 128
    assert 0.1 < opaque.mean() < 0.9
    assert not opaque[0].any()
    assert not opaque[:, 0].any()
    assert opaque[:, 6].any() or opaque[6].any()
    assert picture[opaque][:, :3].max() > 100


def test_no_two_priors_look_alike() -> None:
    pictures = [render(prior, 32) for prior in PRIORS]
    for number, picture in enumerate(pictures):
        for other in pictures[number + 1 :]:
            assert np.abs(picture.astype(int) - other).max() > 60
