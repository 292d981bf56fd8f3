"""Custom templates and mean shapes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.priors import (
    mean_shape,
    place_in_box,
    prior_from_mask,
    signed_distance,
    signed_distance_of,
    template_mask,
)
from napari_toposeg.topology import betti_numbers


def ring(radius: float, wall: float, size: int = 60, centre: tuple[float, float] = (29.0, 30.0)) -> np.ndarray:
    """A ring in a square image."""
    rows, columns = np.indices((size, size))
    away = np.hypot(rows - centre[0], columns - centre[1])
    return (away < radius) & (away > radius - wall)


def solid_blob() -> np.ndarray:
    """A lopsided solid without symmetry."""
    i, j, k = np.indices((40, 36, 30))
    blob = ((i - 18) / 12) ** 2 + ((j - 16) / 9) ** 2 + ((k - 14) / 8) ** 2 < 1
    return blob | (((i - 28) / 6) ** 2 + ((j - 22) / 6) ** 2 + ((k - 14) / 5) ** 2 < 1)


def test_a_mask_put_back_into_its_own_box_is_itself() -> None:
    mask = solid_blob()
    frame = Frame(np.diag([1.0, 1.2, 2.0, 1.0]), mask.shape)
    prior = prior_from_mask(mask, frame.spacing, name="blob")
    box = tuple(
        (int(np.flatnonzero(a)[0]), int(np.flatnonzero(a)[-1]) + 1)
        for a in (mask.any((1, 2)), mask.any((0, 2)), mask.any((0, 1)))
    )
    again = template_mask(prior, place_in_box(prior, frame, box), frame)
    assert 2 * (again & mask).sum() / (again.sum() + mask.sum()) > 0.995


def test_a_custom_template_is_a_distance_also_beyond_its_own_grid() -> None:
    mask = ring(20, 6)
    prior = prior_from_mask(mask, (1.0, 1.0), name="ring")
    frame = Frame(np.eye(4), (140, 140))
    placement = place_in_box(prior, frame, ((50, 90), (50, 90)))
    values = signed_distance(prior, placement, frame).numpy() * 20
    exact = signed_distance_of(values > 0, (1.0, 1.0))
    assert np.abs(values - exact)[45:95, 45:95].max() < 1.0
    # Far away it is continued from the border of its grid: right within a sixth, and growing.
    away = exact < -5
    assert (np.abs(values - exact)[away] < 0.5 + 0.15 * np.abs(exact[away])).all()


def test_betti_numbers_of_a_template_are_counted() -> None:
    assert prior_from_mask(ring(20, 6), (1, 1), name="ring").betti == (1, 1)
    assert prior_from_mask(solid_blob(), (1, 1, 1), name="blob").betti == (1, 0, 0)


def test_an_empty_template_is_refused() -> None:
    with pytest.raises(ToposegError, match="empty"):
        prior_from_mask(np.zeros((5, 5), bool), (1, 1), name="nothing")


def test_signed_distance_agrees_with_scipy_away_from_the_surface() -> None:
    mask = solid_blob()
    values = signed_distance_of(mask, (1.0, 1.2, 2.0))
    assert ((values > 0) == mask).all()
    assert values[mask].max() == pytest.approx(distance_transform_edt(mask, sampling=(1.0, 1.2, 2.0)).max() - 0.5)


def test_the_mean_of_rings_is_a_ring_of_mean_wall() -> None:
    masks = [ring(20, wall, centre=(25.0 + wall, 28.0)) for wall in (4.0, 6.0, 8.0)]
    prior = mean_shape(masks, [(1.0, 1.0)] * 3, name="rings")
    assert prior.betti == (1, 1)
    frame = Frame(np.eye(4), (60, 60))
    mask = template_mask(prior, place_in_box(prior, frame, ((10, 50), (10, 50))), frame)
    assert betti_numbers(mask) == (1, 1)
    row = mask[30]
    wall = int(np.flatnonzero(~row[np.flatnonzero(row)[0] :])[0])
    assert wall in (5, 6, 7)


def test_thin_rings_whose_mean_would_break_keep_the_topology_that_most_have() -> None:
    generator = np.random.default_rng(0)
    masks = []
    for _ in range(6):
        rows, columns = np.indices((60, 60))
        stretched = np.hypot(
            (rows - 30) * generator.uniform(0.9, 1.1), columns - 30 + 3 * np.sin(rows / 8 + generator.uniform(0, 6))
        )
        masks.append((stretched < 22) & (stretched > 18))
    prior = mean_shape(masks, [(1.0, 1.0)] * 6, name="thin")
    assert prior.betti == (1, 1)


def test_masks_of_both_dimensions_have_no_mean() -> None:
    with pytest.raises(ToposegError, match="some 3-D"):
        mean_shape([ring(20, 6), solid_blob()], [(1, 1), (1, 1, 1)], name="mixed")
    with pytest.raises(ToposegError, match="holds no masks"):
        mean_shape([], [], name="none")
