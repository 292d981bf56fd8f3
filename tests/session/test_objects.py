"""Several objects in one session: added, placed, run together, certified each, undone, saved, kept."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from napari_toposeg.data import phantom_row
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of, grow_box
from napari_toposeg.inference import Settings, part_objects
from napari_toposeg.session import Session
from napari_toposeg.steps import Step


@pytest.fixture(scope="module")
def organs():
    """A ring and a ball in one image, and their masks."""
    return phantom_row(("torus", "ball"), (34, 40, 26), seed=1)


@pytest.fixture
def session(organs):
    made = Session()
    made.network, made.settings = "none", Settings(iterations=12)
    made.set_volume(organs[0].volume)
    yield made
    made.close()


def place_both(session, organs) -> None:
    ring, ball = (grow_box(box_of(organ.mask), (1, 1, 1)) for organ in organs)
    session.change_object(1, name="Ring")
    session.choose_prior("torus")
    session.place_in_box(ring)
    session.add_object("Ball", prior="ball")
    session.place_in_box(ball)


def run(session) -> list[Step]:
    steps: list[Step] = []
    session.events.step.connect(steps.append)
    session.run()
    assert session.wait(120)
    session.events.step.disconnect(steps.append)
    return steps


def dice(one, other) -> float:
    return 2.0 * np.count_nonzero(one & other) / (one.sum() + other.sum())


def test_a_run_gives_each_object_its_mask_and_its_certificate_and_one_label_map(session, organs, tmp_path) -> None:
    failed: list[str] = []
    session.events.failed.connect(failed.append)
    place_both(session, organs)
    steps = run(session)
    assert not failed
    ring, ball = session.objects
    assert ring.certificate.betti_mask == (1, 1, 0)
    assert ball.certificate.betti_mask == (1, 0, 0)
    # Each lies on its own organ, and they share nothing.
    for one, organ in zip((ring, ball), organs, strict=True):
        assert dice(one.voxels(), organ.mask) > 0.75
    assert not (ring.voxels() & ball.voxels()).any()
    # Who is being segmented is said, and the job counts on through both.
    assert {step.stage.split(": ")[0] for step in steps} == {"Ring", "Ball", "part"}
    numbers = [step.number for step in steps]
    assert numbers == sorted(numbers)
    assert len({step.total for step in steps}) == 1

    session.save(tmp_path / "labels.nii.gz", report=tmp_path / "labels.json")
    written = nibabel.load(tmp_path / "labels.nii.gz")
    meant = np.where(ring.voxels(), 1, np.where(ball.voxels(), 2, 0))
    assert np.array_equal(np.asarray(written.dataobj), session.volume.to_stored(meant))
    (comment,) = written.header.extensions
    assert comment.get_code() == 6
    assert comment.text == "1 Ring\n2 Ball"
    report = json.loads((tmp_path / "labels.json").read_text())
    assert [(one["label"], one["name"], one["betti_mask"]) for one in report["objects"]] == [
        (1, "Ring", [1, 1, 0]),
        (2, "Ball", [1, 0, 0]),
    ]
    with pytest.raises(ToposegError, match="no one deformation"):
        session.save(tmp_path / "labels.nii.gz", field=tmp_path / "field.nii.gz")


def test_what_is_chosen_is_what_the_session_works_on(session, organs) -> None:
    place_both(session, organs)
    run(session)
    ring, ball = session.objects
    assert session.chosen_object.name == "Ball"
    assert session.result is ball.result
    ball_site = session.site
    session.choose_object("Ring")
    assert session.prior.name == "torus"
    assert session.result is ring.result
    assert np.array_equal(session.mask, ring.voxels())
    assert session.site is ring.site
    session.choose_object(2)
    assert session.site is ball_site


def test_undo_goes_back_to_the_object_that_a_change_was_made_to(session, organs) -> None:
    place_both(session, organs)
    placed = session.placement
    run(session)
    assert all(one.result is not None for one in session.objects)
    session.choose_object("Ring")
    session.brush.locked = False
    inside = np.argwhere(session.mask)[0].astype(float)
    session.brush.radius = 0.0
    session.brush.erase(inside)
    erased = session.mask.copy()
    session.choose_object("Ball")
    assert session.history.undo() == "Erased with radius 0 mm, not locked"
    assert session.chosen_object.name == "Ring"
    assert session.mask.sum() == erased.sum() + 1
    session.history.redo()
    assert np.array_equal(session.mask, erased)
    session.history.undo()
    assert session.history.undo() == "Run: Ring, Ball"
    assert all(one.result is None for one in session.objects)
    assert session.history.undo() == "Box placed"
    assert session.chosen_object.name == "Ball"
    assert session.placement is None
    session.history.redo()
    assert session.placement is placed
    while session.history.position:
        session.history.undo()
    assert [one.name for one in session.objects] == ["Object 1"]
    while session.history.position < len(session.history.names):
        session.history.redo()
    assert [one.name for one in session.objects] == ["Ring", "Ball"]
    session.choose_object("Ring")
    assert np.array_equal(session.mask, erased)


def test_an_object_that_is_removed_comes_back_with_its_mask(session, organs) -> None:
    place_both(session, organs)
    run(session)
    ball = session.objects[1].voxels()
    session.remove_object("Ball")
    assert [one.name for one in session.objects] == ["Ring"]
    assert session.prior.name == "torus"
    with pytest.raises(ToposegError, match="only object"):
        session.remove_object("Ring")
    session.history.undo()
    assert session.chosen_object.name == "Ball"
    assert np.array_equal(session.mask, ball)


def test_a_file_keeps_all_objects(session, organs, tmp_path) -> None:
    place_both(session, organs)
    session.change_object("Ball", label=7, colour="#123456")
    run(session)
    session.choose_object("Ring")
    session.save_session(tmp_path / "both.toposeg")
    again = Session()
    try:
        again.open_session(tmp_path / "both.toposeg")
        assert [(one.name, one.label, one.colour) for one in again.objects] == [
            (one.name, one.label, one.colour) for one in session.objects
        ]
        assert again.chosen_object.name == "Ring"
        assert np.array_equal(again.mask, session.mask)
        again.choose_object(7)
        session.choose_object(7)
        assert np.array_equal(again.mask, session.mask)
        assert again.certificate.betti_mask == (1, 0, 0)
        assert np.array_equal(again.placement.matrix, session.placement.matrix)
        again.history.undo()
        assert again.result is None
        again.open_session(tmp_path / "both.toposeg")
        assert len(again.objects) == 2
    finally:
        again.close()


def test_a_brush_takes_nothing_from_another_object(session, organs) -> None:
    place_both(session, organs)
    run(session)
    ring = session.objects[0].voxels()
    refused: list[str] = []
    session.brush.events.refused.connect(refused.append)
    session.brush.locked, session.brush.radius = False, 3.0
    session.brush.paint([np.argwhere(ring)[0], np.argwhere(session.mask)[0]])
    assert not (session.mask & ring).any()
    assert refused == ["These voxels belong to another object"]


def test_locked_strokes_are_the_chosen_objects_keep_its_topology_and_are_foretold(session, organs, gudhi_betti) -> None:
    place_both(session, organs)
    run(session)
    betti = {one.name: one.result.certificate.betti_mask for one in session.objects}
    for chosen in session.objects:
        session.choose_object(chosen.name)
        before, session.brush.radius = session.mask.copy(), 2.0
        (other,) = (one for one in session.objects if one.name != chosen.name)
        theirs = other.voxels()
        for start in np.argwhere(before)[:: before.sum() // 8]:
            session.brush.paint([start, start + np.array([2, 3, 1])])
            session.brush.erase([start - np.array([1, 0, 2]), start])
        assert (session.mask != before).any()
        assert gudhi_betti(session.mask) == betti[chosen.name]
        (still,) = (one for one in session.objects if one.name == other.name)
        assert np.array_equal(still.voxels(), theirs)
        assert not (theirs & session.mask).any()
        session.brush.radius = 0.0
        told = session.brush.foretell(np.unravel_index(distance_transform_edt(theirs).argmax(), theirs.shape))
        assert told.hindered
        assert told.words == "Paints nothing here. These voxels belong to another object."


def test_what_two_claim_goes_to_the_one_in_which_it_lies_deeper(organs, made_outcome) -> None:
    volume = organs[0].volume
    grid = np.indices(volume.shape)
    balls = [
        np.linalg.norm(grid - np.array([x, 20, 13])[:, None, None, None], axis=0) < radius
        for x, radius in ((20, 9), (33, 7))
    ]
    made = part_objects([made_outcome(volume, ball, "ball") for ball in balls], labels=[3, 5], names=["A", "B"])
    labels = made.full_labels()
    assert made.contested_voxels == np.count_nonzero(balls[0] & balls[1]) > 0
    assert np.array_equal(labels != 0, balls[0] | balls[1])
    assert set(np.unique(labels)) == {0, 3, 5}
    assert not made.broken
    # Surfaces meet where both are as deep: at x = 27.5, the middle between 20 + 9 and 33 - 7.
    assert (labels[:27, 20, 13][balls[0][:27, 20, 13]] == 3).all()
    assert (labels[29:, 20, 13][balls[1][29:, 20, 13]] == 5).all()


def test_overlaps_that_a_hand_made_are_settled_when_they_are_saved_and_that_can_be_undone(
    session, organs, made_outcome, tmp_path
) -> None:
    ring, ball = organs
    session.choose_prior("torus")
    session.take_result(made_outcome(ring.volume, ring.mask, "torus"))
    session.add_object("Ball", prior="ball")
    grown = ball.mask | (np.linalg.norm(np.indices(ring.mask.shape).T - np.argwhere(ring.mask)[0], axis=-1).T < 3)
    session.take_result(made_outcome(ball.volume, grown, "ball"))
    assert (session.objects[0].voxels() & session.objects[1].voxels()).any()
    session.save(tmp_path / "both.nii.gz")
    one, other = (made.voxels() for made in session.objects)
    assert not (one & other).any()
    stored = np.asarray(nibabel.load(tmp_path / "both.nii.gz").dataobj)
    assert np.array_equal(stored, session.volume.to_stored(np.where(one, 1, np.where(other, 2, 0))))
    assert session.history.undo() == "Overlaps given to one object each"
    assert np.array_equal(session.objects[1].voxels(), grown)


def test_cancel_keeps_the_objects_that_are_done(session, organs) -> None:
    place_both(session, organs)
    session.settings = Settings(iterations=60)

    def cancel(step: Step) -> None:
        if step.stage == "Ring: fit":
            session.cancel()

    session.events.step.connect(cancel)
    session.run()
    assert session.wait(120)
    ring, ball = session.objects
    assert ring.result.iterations < 60
    assert ring.certificate.topology_ok
    assert ball.result is None


def test_what_cannot_be_told_apart_or_run_is_refused(session, organs) -> None:
    session.choose_prior("torus")
    session.place_in_image()
    session.add_object()
    assert [(one.name, one.label) for one in session.objects] == [("Object 1", 1), ("Object 2", 2)]
    with pytest.raises(ToposegError, match="Object 2 has no place yet"):
        session.run()
    with pytest.raises(ToposegError, match="called Object 1 already"):
        session.change_object(2, name="Object 1")
    with pytest.raises(ToposegError, match="label 1 already"):
        session.change_object(2, label=1)
    with pytest.raises(ToposegError, match="no label"):
        session.add_object(label=0)
    with pytest.raises(ToposegError, match="no object Liver"):
        session.choose_object("Liver")
    before = session.history.names
    with pytest.raises(ToposegError):
        session.add_object("Flat", prior="disk")
    assert [one.name for one in session.objects] == ["Object 1", "Object 2"]
    assert session.history.names == before


def test_another_volume_keeps_names_and_priors_and_nothing_else(session, organs) -> None:
    place_both(session, organs)
    run(session)
    session.set_volume(phantom_row(("torus", "ball"), (34, 40, 26), seed=2)[0].volume)
    assert [(one.name, one.prior.name, one.placement, one.result) for one in session.objects] == [
        ("Ring", "torus", None, None),
        ("Ball", "ball", None, None),
    ]
    flat = phantom_row(("disk", "annulus"), (40, 40))[0].volume
    session.set_volume(flat)
    assert len(session.objects) == 1
    assert session.prior is None
