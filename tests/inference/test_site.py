"""Where a run takes place: points and strokes say in which box the organ lies."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import default_method, site_along_stroke, site_at_points
from napari_toposeg.priors import find_prior, template_mask
from napari_toposeg.volume import Volume


@pytest.fixture(scope="module")
def volume() -> Volume:
    voxels = np.random.default_rng(0).normal(size=(60, 50, 30)).astype(np.float32)
    return Volume.from_stored(voxels, np.diag([1.0, 1.0, 2.0, 1.0]))


POINTS = [[12, 25, 15], [46, 30, 16], [30, 18, 15]]
STROKE = [[12, 20, 15], [30, 30, 15], [46, 20, 16]]


def test_the_box_of_points_holds_the_points_and_the_template(volume: Volume) -> None:
    ball = find_prior("ball")
    site = site_at_points(ball, volume, POINTS)
    low, high = np.array(site.within).T
    assert (low <= np.min(POINTS, axis=0)).all()
    assert (high > np.max(POINTS, axis=0)).all()
    inside = np.argwhere(template_mask(ball, site.placement, volume.frame))
    assert (low <= inside.min(axis=0)).all()
    assert (high > inside.max(axis=0)).all()
    assert site.template is None


def test_two_points_along_an_axis_span_a_box_all_the_same(volume: Volume) -> None:
    site = site_at_points(find_prior("ball"), volume, [[10, 25, 15], [50, 25, 15]])
    # A third as wide as long: 40 / 3 mm, of which a voxel of the last axis holds two.
    np.testing.assert_allclose([high - low for low, high in site.within], [41, 13, 7], atol=1)


def test_the_box_of_a_stroke_is_that_of_the_template_which_follows_it(volume: Volume) -> None:
    site = site_along_stroke(find_prior("tube"), volume, STROKE, radius=6.0)
    assert site.template.name == "tube along a stroke"
    assert site.template_for(find_prior("tube")) is site.template
    inside = np.argwhere(template_mask(site.template, site.placement, volume.frame))
    low, high = np.array(site.within).T
    np.testing.assert_allclose(low, inside.min(axis=0), atol=1)
    np.testing.assert_allclose(high, inside.max(axis=0) + 1, atol=1)


def test_a_bent_template_is_fitted_and_no_network_is_asked(volume: Volume) -> None:
    ball = find_prior("ball")
    method = default_method(ball, site_along_stroke(ball, volume, STROKE), volume)
    assert method.known is None
    assert "bent along a stroke" in method.why


def test_where_another_template_stands_its_placement_is_not_taken(volume: Volume) -> None:
    ball = find_prior("ball")
    straight, bent = site_at_points(ball, volume, POINTS), site_along_stroke(ball, volume, STROKE)
    assert straight.placement_of(ball, bent.placement) is straight.placement
    assert bent.placement_of(bent.template, straight.placement) is bent.placement
    assert bent.placement_of(ball, straight.placement) is straight.placement


@pytest.mark.parametrize("place", [site_at_points, site_along_stroke])
def test_what_lies_outside_of_the_image_is_refused(place, volume: Volume) -> None:
    with pytest.raises(ToposegError, match="number 2 lies outside of the image"):
        place(find_prior("ball"), volume, [[5, 5, 5], [30, 30, 30]])
    with pytest.raises(ToposegError, match="cannot be read"):
        place(find_prior("ball"), volume, [[5, 5, 5], [30, 30]])
