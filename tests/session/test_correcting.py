"""The brush of a session, and the way back from everything that a hand does there."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from napari_toposeg.data import Phantom, phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of
from napari_toposeg.session import Session
from napari_toposeg.session.history import History
from napari_toposeg.session.mask_delta import delta_between, merged
from napari_toposeg.session.prompts import MarksState
from napari_toposeg.topology import betti_numbers


@pytest.fixture
def ball(made_outcome) -> Iterator[tuple[Session, Phantom]]:
    image = phantom("ball", (20, 18, 16), seed=3)
    session = Session()
    session.set_volume(image.volume)
    session.choose_prior("ball")
    session.take_result(made_outcome(image.volume, image.mask, "ball"), name="Run: stub")
    yield session, image
    session.close()


def counted(session) -> None:
    """Wait until the compute thread has done all that was ordered before."""
    done = threading.Event()
    session.later(done.set, lambda _: None)
    assert done.wait(30)


def edge(mask, step=1):
    """A voxel of the mask whose neighbour along the first axis lies outside of it."""
    return np.argwhere(mask & ~np.roll(mask, -step, axis=0))[0]


# Brush


def test_a_locked_stroke_changes_the_mask_and_its_certificate_still_holds(ball, gudhi_betti) -> None:
    session, _ = ball
    before = session.mask.copy()
    seen = []
    session.events.mask.connect(seen.append)
    session.brush.radius = 3.0
    painted = session.brush.paint(edge(before) + np.array([1, 0, 0]))
    assert painted.flipped.any()
    assert (session.mask != before).sum() == painted.flipped.sum()
    assert session.edited
    assert session.certificate == session.result.certificate
    assert gudhi_betti(session.mask) == session.certificate.betti_mask == (1, 0, 0)
    assert len(seen) == 1
    assert session.history.names[-1] == "Stroke of radius 3 mm"


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
@pytest.mark.parametrize("erase", [False, True])
def test_what_a_stroke_would_do_is_foretold_as_it_then_comes_and_nothing_is_done(ball, axis, erase) -> None:
    session, image = ball
    session.brush.radius = 2.5
    random = np.random.default_rng(1)
    hindered = []
    for at in (*random.integers(0, image.volume.shape, (20, 3)), *random.choice(np.argwhere(image.mask), 20)):
        before, names, result = session.mask.copy(), session.history.names, session.result
        told = session.brush.foretell(at, erase=erase, axis=axis)
        assert np.array_equal(session.mask, before)
        assert (session.history.names, session.result, session.edited) == (names, result, session.edited)
        stroke = session.brush.begin(erase=erase, axis=axis)
        painted = stroke.draw(at)
        stroke.end()
        assert told.hindered == painted.refused.any()
        assert told.words == painted.foretold(erase=erase)
        assert not told.hindered or painted.reason in told.words
        hindered.append(told.hindered)
        unlocked = session.brush.foretell(at, erase=erase, axis=axis, locked=False)
        assert not unlocked.hindered
    assert len(set(hindered)) == 2
    assert session.brush.foretell((-9.0, 4.0, 4.0)) is None
    session.take_result(None)
    assert session.brush.foretell((4.0, 4.0, 4.0)) is None


def test_an_unlocked_stroke_says_what_the_certificate_now_is(ball, gudhi_betti) -> None:
    session, image = ball
    middle = np.argwhere(image.mask).mean(axis=0)
    session.brush.radius = 1.0
    refused = []
    session.brush.events.refused.connect(refused.append)
    painted = session.brush.erase(middle)
    assert not painted.flipped.any()
    assert refused == ["This lies within the mask: a cavity would appear"]
    assert not session.edited
    told = threading.Event()
    session.events.edited.connect(lambda _: told.set() if session.certificate is not None else None)
    session.brush.erase(middle, locked=False)
    assert told.wait(30)
    assert not session.certificate.topology_ok
    assert session.certificate.betti_mask == gudhi_betti(session.mask) == (1, 0, 1)
    # A locked stroke keeps what is there now, and closing the cavity makes it right again.
    session.brush.paint(edge(session.mask) + np.array([1, 0, 0]))
    assert session.certificate.betti_mask == (1, 0, 1)
    session.brush.paint(middle, locked=False)
    counted(session)
    assert session.certificate.topology_ok


def test_a_stroke_in_a_plane_stays_there_and_a_drag_is_one_change(ball) -> None:
    session, image = ball
    at = edge(image.mask).astype(float)
    before = len(session.history.names)
    for axis in range(3):
        mask = session.mask.copy()
        stroke = session.brush.begin(erase=True, axis=axis)
        for step in range(4):
            stroke.draw([at, at + np.array([0, step, step])])
        stroke.end()
        changed = np.argwhere(session.mask != mask)
        assert len(changed)
        assert (changed[:, axis] == round(at[axis])).all()
        session.history.undo()
        assert np.array_equal(session.mask, mask)
    assert len(session.history.names) == before + 1


def test_nothing_is_undone_in_the_middle_of_a_stroke(ball) -> None:
    session, image = ball
    stroke = session.brush.begin(erase=True)
    stroke.draw(edge(image.mask))
    with pytest.raises(ToposegError, match="being drawn"):
        session.history.undo()
    stroke.end()
    assert session.history.undo() == "Erased with radius 4 mm"
    assert np.array_equal(session.mask, image.mask)
    # A stroke that nobody ended holds nothing up, once it is gone.
    session.brush.begin()
    assert session.history.undo() == "Run: stub"


def test_a_result_that_comes_in_the_middle_of_a_stroke_ends_it(ball, made_outcome) -> None:
    session, image = ball
    stroke = session.brush.begin(erase=True)
    stroke.draw(edge(image.mask))
    painted = session.mask.copy()
    session.take_result(made_outcome(session.volume, image.mask, "ball"))
    assert stroke.draw(edge(image.mask)) is None
    assert stroke.end() is None
    assert np.array_equal(session.mask, image.mask)
    session.history.undo()
    assert np.array_equal(session.mask, painted)


def test_what_another_tool_made_of_the_mask_is_taken_over_as_far_as_simple_points_lead(ball, gudhi_betti) -> None:
    session, image = ball
    wanted = image.mask.copy()
    low = tuple(map(int, np.argwhere(wanted).mean(axis=0)))
    wanted[low] = False
    wanted[tuple(edge(image.mask))] = False
    assert session.brush.take(wanted, "Filled") == 1
    assert (session.mask != wanted).sum() == 1
    assert gudhi_betti(session.mask) == (1, 0, 0)
    assert session.history.names[-1] == "Filled"
    with pytest.raises(ToposegError, match="on one grid"):
        session.brush.take(wanted[1:], "Filled")


def test_a_locked_edit_is_saved_with_its_report(ball, tmp_path) -> None:
    import json

    session, image = ball
    flipped = session.brush.erase(edge(image.mask)).flipped.sum()
    session.save(tmp_path / "mask.nii.gz", report=tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["edited_voxels"] == flipped > 0
    assert report["mask_voxels"] == session.mask.sum()
    session.brush.erase(np.argwhere(image.mask).mean(axis=0), locked=False)
    with pytest.raises(ToposegError, match="not about this mask"):
        session.save(tmp_path / "mask.nii.gz", report=tmp_path / "report.json")


def test_a_brush_needs_a_mask_and_a_radius() -> None:
    session = Session()
    with pytest.raises(ToposegError, match="no mask to paint on"):
        session.brush.paint((1, 2, 3))
    with pytest.raises(ToposegError, match="radius of -1"):
        session.brush.radius = -1.0
    session.close()


# History


def test_undo_and_redo_name_what_they_do_and_refuse_at_the_ends(ball) -> None:
    session, image = ball
    result, mask = session.result, session.mask.copy()
    session.place_in_box(box_of(image.mask))
    session.brush.erase(edge(mask))
    erased = session.mask.copy()
    session.prompts.add(edge(mask), include=False)
    assert session.history.names[-3:] == ("Box placed", "Erased with radius 4 mm", "Exclude point")
    assert session.history.undo() == "Exclude point"
    assert session.prompts.marks == ()
    assert session.history.undo() == "Erased with radius 4 mm"
    assert np.array_equal(session.mask, mask)
    assert not session.edited
    placement = session.placement
    assert session.history.undo() == "Box placed"
    assert session.placement is None
    assert session.history.undo() == "Run: stub"
    assert session.result is None
    with pytest.raises(ToposegError, match="nothing to undo"):
        session.history.undo()
    session.history.go_to(4)
    assert session.result is result
    assert session.placement is placement
    assert np.array_equal(session.mask, erased)
    assert len(session.prompts.marks) == 1
    with pytest.raises(ToposegError, match="nothing to do again"):
        session.history.redo()
    session.history.go_to(2)
    session.prompts.add(edge(mask), include=True)
    assert session.history.names[2:] == ("Include point",)
    with pytest.raises(ToposegError, match="no 9 changes"):
        session.history.go_to(9)


def test_undo_brings_back_a_moved_template_another_prior_and_an_edited_mask_under_another_result(
    ball, made_outcome
) -> None:
    session, image = ball
    session.place_in_box(box_of(image.mask))
    box = session.placement
    session.move_placement((1.0, 0, 0))
    session.choose_prior("torus")
    assert session.history.names[-1] == "Prior: torus"
    session.history.undo()
    assert session.prior.name == "ball"
    session.history.undo()
    assert session.placement is box
    assert not session.adjusted
    session.history.redo()
    assert session.adjusted
    session.brush.erase(edge(image.mask), locked=False)
    edited = session.mask.copy()
    other = np.roll(image.mask, 1, axis=1)
    session.take_result(made_outcome(session.volume, other, "ball"), name="Run: again")
    assert np.array_equal(session.mask, other)
    session.history.undo()
    assert np.array_equal(session.mask, edited)
    assert session.edited
    counted(session)
    assert session.certificate.betti_mask == betti_numbers(edited)
    session.history.redo()
    assert np.array_equal(session.mask, other)
    assert not session.edited


def test_another_volume_forgets_the_history_and_the_prompts(ball) -> None:
    session, _ = ball
    session.prompts.add((1, 2, 3), include=True)
    told = []
    session.history.events.changed.connect(told.append)
    session.set_volume(phantom("ball", (22, 20, 18), seed=1).volume)
    assert session.history.names == ()
    assert session.prompts.marks == ()
    assert told[-1] == 0


class Weighed:
    """A state that weighs something."""

    def __init__(self, number: int, weight: int) -> None:
        self.weight = {number: weight}


def test_a_history_holds_no_more_than_its_bound_and_always_its_newest_change() -> None:
    history = History(most_bytes=100, most_changes=5)
    history.restores("mask", lambda _: None)
    for number in range(40):
        history.add(f"{number}", "mask", Weighed(number, 30), Weighed(number + 1, 30))
        assert history.nbytes <= 100
        assert history.names[-1] == f"{number}"
        assert history.position == len(history.names)
    # Four states of 30 do not fit: what two changes share is counted once.
    assert history.names == ("38", "39")
    assert history.forgotten == 38
    history.add("large", "mask", Weighed(99, 500), Weighed(98, 500))
    assert history.names == ("large",)
    light = History(most_bytes=100, most_changes=5)
    for number in range(9):
        light.add(f"{number}", "mask", MarksState(()), MarksState(()))
    assert light.names == ("4", "5", "6", "7", "8")


def test_a_stroke_on_a_large_mask_takes_kilobytes() -> None:
    shape = (120, 130, 110)
    mask = np.zeros(shape, bool)
    grid = np.ogrid[tuple(slice(0, size) for size in shape)]
    stroke = sum((axis - 60) ** 2 for axis in grid) <= 10**2
    delta = delta_between(mask, mask ^ stroke)
    assert delta.voxels == stroke.sum()
    assert delta.nbytes < 8 * 1024
    again = mask.copy()
    delta.apply(again)
    assert np.array_equal(again, stroke)
    assert delta.box == box_of(stroke)
    delta.apply(again)
    assert not again.any()
    other = delta_between(mask, np.roll(stroke, 4, axis=1))
    both = mask.copy()
    merged([delta, other, other, other], shape).apply(both)
    assert np.array_equal(both, stroke ^ np.roll(stroke, 4, axis=1))
