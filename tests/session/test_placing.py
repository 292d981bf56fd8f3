"""A session's prior at points and along a stroke."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session

STROKE = [[16, 18], [34, 30], [54, 30]]


@pytest.fixture(scope="module")
def image():
    return phantom("disk", (72, 64), seed=3)


@pytest.fixture
def session(image):
    made = Session()
    made.settings = Settings(iterations=10)
    made.set_volume(image.volume)
    made.choose_prior("disk")
    yield made
    made.close()


def test_another_prior_is_bent_along_the_same_stroke(session: Session) -> None:
    told: list[object] = []
    session.events.placement.connect(told.append)
    session.place_along_stroke(STROKE, radius=9.0)
    solid = session.outline()
    session.choose_prior("annulus")
    assert session.prior.name == "annulus"
    assert session.site.template.betti == (1, 1)
    assert session.site.template.name == "annulus along a stroke"
    assert told == [told[0], session.placement]
    hollow = session.outline()
    # The same outside, and a hole where the stroke runs.
    assert (hollow.distance > 0).sum() < (solid.distance > 0).sum()
    at = tuple(np.array([34, 29]) - [low for low, _ in hollow.box])
    assert hollow.distance[at] < 0


def test_what_runs_is_the_bent_template(session: Session) -> None:
    session.place_along_stroke(STROKE, radius=9.0)
    session.run()
    assert session.wait(240)
    assert session.result.prior.name == "disk along a stroke"
    assert session.result.certificate.topology_ok


def test_a_box_after_a_stroke_holds_the_prior_as_it_is(session: Session) -> None:
    session.place_along_stroke(STROKE)
    session.place_in_box(((10, 40), (10, 40)))
    assert session.site.template is None


def test_a_prior_that_cannot_be_bent_there_stands_nowhere_until_another_can(session: Session) -> None:
    session.place_along_stroke(STROKE, radius=1.2)
    with pytest.raises(ToposegError, match="does not keep its topology along this stroke"):
        session.choose_prior("annulus")
    assert session.placement is None
    session.choose_prior("square")
    assert session.site.template.name == "square along a stroke"


def test_points_are_kept_for_another_prior_too(session: Session) -> None:
    placement = session.place_at_points([[20, 20], [50, 40], [40, 22]])
    session.choose_prior("ellipse")
    np.testing.assert_allclose(session.placement.matrix, placement.matrix)
    session.choose_prior(None)
    with pytest.raises(ToposegError, match="No prior is chosen"):
        session.place_at_points([[20, 20], [50, 40]])
