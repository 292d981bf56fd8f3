"""A session's placed prior, moved, scaled and turned."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.session import Session
from napari_toposeg.volume import Volume

BOX = ((14, 34), (16, 30), (12, 24))


def session_on(volume: Volume, prior: str) -> Session:
    made = Session()
    made.set_volume(volume)
    made.choose_prior(prior)
    return made


@pytest.fixture
def session():
    voxels = phantom("ball", (52, 48, 40), seed=3).volume.voxels
    # Oblique and anisotropic: mm, voxels and the patient's axes are three different things.
    affine = np.eye(4)
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ np.diag([1.0, 1.5, 2.0])
    affine[:3, 3] = [-10, 4, 7]
    made = session_on(Volume.from_stored(voxels, affine), "ellipsoid")
    made.place_in_box(BOX)
    yield made
    made.close()


def inside(session: Session) -> np.ndarray:
    """(n, 3) canonical voxels of the placed template."""
    seen = session.outline()
    return np.argwhere(seen.distance > 0) + [low for low, _ in seen.box]


def test_a_template_moves_by_millimetres_along_the_axes_of_the_volume(session: Session) -> None:
    before, site = inside(session), session.site
    session.move_placement([3.0, -6.0, 4.0])
    by = np.array([3, -4, 2])
    np.testing.assert_array_equal(inside(session), before + by)
    for name in ("within", "region"):
        moved = np.array(getattr(session.site, name)) - np.array(getattr(site, name))
        np.testing.assert_array_equal(moved, np.repeat(by[:, None], 2, axis=1))


def test_a_template_is_scaled_about_its_middle(session: Session) -> None:
    before, site = inside(session), session.site
    session.scale_placement([1.5, 1.0, 1.0])
    after = inside(session)
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.ptp(after, axis=0) + 1, (np.ptp(before, axis=0) + 1) * [1.5, 1, 1], atol=1.0)
    (low, high), (old_low, old_high) = session.site.within[0], site.within[0]
    assert high - low == pytest.approx(1.5 * (old_high - old_low), abs=2)
    assert session.site.within[1:] == site.within[1:]


def test_a_turned_template_is_as_large_as_before_and_not_sheared(session: Session) -> None:
    matrix = session.placement.matrix[:3, :3]
    session.turn_placement(35.0, "x")
    turned = session.placement.matrix[:3, :3]
    np.testing.assert_allclose(turned.T @ turned, matrix.T @ matrix, atol=1e-9)
    session.scale_placement([1.0, 2.0, 1.0])
    stretched = session.placement.matrix[:3, :3]
    gram = stretched.T @ stretched
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(stretched), 2.0 * np.linalg.det(matrix))


def test_about_z_what_lies_at_the_right_comes_to_the_front(session: Session) -> None:
    before = np.array(session.site.within)
    session.turn_placement(90.0, "z")
    sides = (np.ptp(inside(session), axis=0) + 1) * session.volume.spacing
    old = np.diff(before)[:, 0] * session.volume.spacing
    # The side that ran to the right, 20 mm, now runs to the front.
    np.testing.assert_allclose(sides, old[[1, 0, 2]], atol=2.1)
    right = session.volume.affine[:3, 0] / session.volume.spacing[0]
    front = session.volume.affine[:3, 1] / session.volume.spacing[1]
    first = session.placement.matrix[:3, 0]
    assert first @ front == pytest.approx(10.0)
    assert first @ right == pytest.approx(0.0, abs=1e-9)


def test_there_and_back_again_nothing_has_changed(session: Session) -> None:
    site = session.site
    assert not session.adjusted
    # To the border, where the box is cut off, and back.
    session.move_placement([24.0, 0.0, 0.0])
    session.move_placement([-24.0, 0.0, 0.0])
    assert session.site.region == site.region
    assert session.site.within == site.within
    session.turn_placement(30)
    session.scale_placement(1.2)
    assert session.adjusted
    session.reset_placement()
    assert session.site is site
    assert not session.adjusted


def test_another_prior_stands_where_the_first_was_moved_to(session: Session) -> None:
    session.move_placement([3.0, 0.0, 2.0])
    session.turn_placement(20, "y")
    moved = session.placement.matrix
    session.choose_prior("ball")
    np.testing.assert_allclose(session.placement.matrix[:3, 3], moved[:3, 3])
    session.choose_prior("ellipsoid")
    np.testing.assert_allclose(session.placement.matrix, moved)
    session.place_in_box(BOX)
    assert not session.adjusted


def test_a_bent_template_can_be_moved_and_stays_bent() -> None:
    session = session_on(phantom("disk", (72, 64), seed=3).volume, "disk")
    session.place_along_stroke([[16, 18], [34, 30], [54, 30]], radius=9.0)
    template, before = session.site.template, session.outline()
    session.move_placement([2.0, 3.0])
    assert session.site.template is template
    after = session.outline()
    assert (after.distance > 0).sum() == (before.distance > 0).sum()
    assert [low for low, _ in after.box] == [before.box[0][0] + 2, before.box[1][0] + 3]
    session.close()


def test_what_would_leave_nothing_in_the_image_is_refused_and_nothing_changes(session: Session) -> None:
    site = session.site
    for act in (
        lambda: session.move_placement([500.0, 0.0, 0.0]),
        lambda: session.move_placement([1.0, 0.0]),
        lambda: session.scale_placement(0.0),
        lambda: session.scale_placement([1.0, -1.0, 1.0]),
        lambda: session.turn_placement(float("nan")),
        lambda: session.turn_placement(10.0, "w"),
    ):
        with pytest.raises(ToposegError):
            act()
    assert session.site is site


def test_nothing_can_be_moved_before_it_is_placed() -> None:
    session = session_on(phantom("disk", (32, 32), seed=3).volume, "disk")
    with pytest.raises(ToposegError, match="not placed yet"):
        session.move_placement([1.0, 1.0])
    session.place_in_image()
    region = session.region
    with pytest.raises(ToposegError, match="cannot be turned about x"):
        session.turn_placement(10.0, "x")
    session.turn_placement(10.0)
    # All of the image was looked at, and still is; nothing was said of where the organ lies.
    assert session.region == region
    assert session.site.within is None
    session.close()
