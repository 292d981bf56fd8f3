"""The interactive state, without a window."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_mask, write_image
from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session
from napari_toposeg.volume import Volume


@pytest.fixture(scope="module")
def image():
    return phantom("annulus", (72, 64), seed=3)


@pytest.fixture
def session():
    made = Session()
    made.settings = Settings(iterations=30)
    made.network = "none"
    yield made
    made.close()


def ready(session: Session, image) -> None:
    """Everything up to the press of the button."""
    session.set_volume(image.volume)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))


def heard(session: Session) -> list[tuple[str, object]]:
    """Everything that the session will tell, in order."""
    log: list[tuple[str, object]] = []
    for name in ("volume", "prior", "placement", "running", "step", "result", "failed", "edited"):
        getattr(session.events, name).connect(lambda value, name=name: log.append((name, value)))
    return log


def test_a_person_s_whole_walk(session, image, tmp_path: Path) -> None:
    path = tmp_path / "heart.nii.gz"
    write_image(image.volume, path)
    session.open(path)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    session.run()
    assert session.wait(60)
    assert session.result.certificate.topology_ok
    session.save(
        tmp_path / "mask.nii.gz",
        field=tmp_path / "field.nii.gz",
        jacobian=tmp_path / "jacobian.nii.gz",
        report=tmp_path / "report.json",
    )
    mask, _ = read_mask(tmp_path / "mask.nii.gz", volume=session.volume)
    assert (mask == session.result.full_mask()).all()
    assert {file.name for file in tmp_path.iterdir()} == {
        "heart.nii.gz",
        "mask.nii.gz",
        "field.nii.gz",
        "jacobian.nii.gz",
        "report.json",
    }


def test_a_run_tells_that_it_runs_how_it_goes_and_what_came_of_it(session, image) -> None:
    ready(session, image)
    log = heard(session)
    session.run()
    assert session.wait(60)
    names = [name for name, _ in log]
    assert names[0] == "running"
    assert log[0][1] is True
    assert names[-2:] == ["result", "running"]
    assert log[-1][1] is False
    assert names.count("step") == 33
    assert log[-2][1] is session.result


def test_what_is_missing_is_said_in_a_sentence(session, image) -> None:
    with pytest.raises(ToposegError, match="No image is open"):
        session.run()
    session.set_volume(image.volume)
    with pytest.raises(ToposegError, match="No prior is chosen"):
        session.place_in_image()
    session.choose_prior("disk")
    with pytest.raises(ToposegError, match="not placed yet"):
        session.run()
    with pytest.raises(ToposegError, match="no segmentation to save"):
        session.save("mask.nii.gz")
    with pytest.raises(ToposegError, match="3-D and the image 2-D"):
        session.choose_prior("ball")
    with pytest.raises(ToposegError, match="outside of the image"):
        session.place_in_box(((500, 600), (0, 10)))


def test_cancelling_keeps_the_best_so_far(session, image) -> None:
    session.settings = Settings(iterations=5000)
    ready(session, image)
    begun = threading.Event()
    session.events.step.connect(lambda step: begun.set() if step.number > 5 else None)
    session.run()
    assert begun.wait(30)
    session.cancel()
    assert session.wait(30)
    assert session.result.iterations < 5000
    assert session.result.certificate.topology_ok


def test_another_volume_drops_the_run_and_its_result(session, image) -> None:
    session.settings = Settings(iterations=5000)
    ready(session, image)
    begun = threading.Event()
    session.events.step.connect(lambda step: begun.set())
    session.run()
    assert begun.wait(30)
    other = phantom("disk", (40, 40), seed=1)
    log = heard(session)
    session.set_volume(other.volume)
    assert not session.running
    assert ("running", False) in log
    session.choose_prior("disk")
    session.settings = Settings(iterations=10)
    session.place_in_box(box_of(other.mask))
    session.run()
    assert session.wait(60)
    assert session.result.volume is other.volume
    results = [value for name, value in log if name == "result" and value is not None]
    assert [result.volume for result in results] == [other.volume]


def test_a_prior_chosen_later_takes_the_first_one_s_place(session, image) -> None:
    ready(session, image)
    before = session.placement.matrix
    session.choose_prior("ellipse")
    assert session.placement.matrix == pytest.approx(before)
    session.set_volume(phantom("ball", (24, 24, 24), seed=0).volume)
    assert session.prior is None
    assert session.placement is None


def test_only_priors_that_fit_are_offered(session, image) -> None:
    assert len(session.priors()) == 11
    session.set_volume(image.volume)
    assert {prior.ndim for prior in session.priors()} == {2}


def test_the_outline_is_that_of_the_placed_template(session, image) -> None:
    ready(session, image)
    outline = session.outline()
    inside = np.zeros(image.volume.shape, bool)
    inside[box_slices(outline.box)] = outline.distance > 0
    assert box_of(inside) == box_of(image.mask)


def test_an_edited_mask_is_saved_and_is_not_certified(session, image, tmp_path: Path) -> None:
    ready(session, image)
    session.run()
    assert session.wait(60)
    edited = session.result.full_mask()
    edited[0, 0] = True
    session.edit(edited)
    assert session.edited
    with pytest.raises(ToposegError, match="not about this mask"):
        session.save(tmp_path / "mask.nii.gz", report=tmp_path / "report.json")
    session.save(tmp_path / "mask.nii.gz")
    assert (read_mask(tmp_path / "mask.nii.gz", volume=image.volume)[0] == edited).all()


def test_a_run_that_fails_says_why_and_the_session_lives_on(session, image) -> None:
    session.set_volume(Volume.from_stored(np.full((60, 60), 7, np.int16), np.eye(4)))
    session.choose_prior("disk")
    session.place_in_image()
    log = heard(session)
    session.run()
    assert session.wait(60)
    failures = [value for name, value in log if name == "failed"]
    assert len(failures) == 1
    assert "one single intensity" in failures[0]
    assert log[-1] == ("running", False)
    ready(session, image)
    session.run()
    assert session.wait(60)
    assert session.result is not None
