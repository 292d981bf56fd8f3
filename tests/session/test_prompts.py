"""Include and exclude marks: where they lie, that runs heed them, and what became of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session


@pytest.fixture
def session():
    made = Session()
    made.set_volume(phantom("ball", (20, 18, 16), seed=3).volume)
    yield made
    made.close()


def test_prompts_outside_of_the_image_are_ignored_with_a_hint(session) -> None:
    hints = []
    session.prompts.events.hint.connect(hints.append)
    assert session.prompts.add((50, 2, 2), include=True) is None
    assert session.prompts.marks == ()
    assert hints == ["The point lies outside of the image, and is ignored."]
    mark = session.prompts.add([(2, 2, 2), (2, 6, 2), (2, 60, 2)], include=False)
    assert hints[1] == "1 of 3 points lie outside of the image, and are ignored."
    assert [prompt.voxel for prompt in mark.prompts] == [(2, number, 2) for number in range(2, 7)]
    assert not any(prompt.include for prompt in session.prompts.prompts)
    with pytest.raises(ToposegError, match="3 axes"):
        session.prompts.add((1, 2), include=True)
    with pytest.raises(ToposegError, match="no prompt 4"):
        session.prompts.remove(4)
    session.prompts.remove(0)
    assert session.prompts.marks == ()


def test_a_run_satisfies_prompts_or_names_what_is_impossible_and_going_on_does_so_too(gudhi_betti) -> None:
    image = phantom("annulus", (60, 56), seed=3)
    session = Session()
    session.settings = Settings(iterations=15)
    session.network = "none"
    session.set_volume(image.volume)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    hole = np.argwhere(~image.mask & (np.hypot(*(np.indices(image.mask.shape) - 28)) < 40)).mean(axis=0)
    session.prompts.add(np.argwhere(image.mask)[0] - [2, 0], include=True)
    session.run()
    assert session.wait(60)
    assert session.prompts.fates() == ("satisfied",)
    rows = [row for row in range(60) if session.mask[row].any()]
    session.prompts.add([(rows[0] + 1, 14), (rows[0] + 1, 42)], include=False)
    assert session.prompts.fates()[1] == "waiting"
    assert "1 waiting for the next run" in session.prompts.sentence
    session.follow_prompts()
    assert session.wait(60)
    assert gudhi_betti(session.mask) == (1, 1)
    fates = session.prompts.fates()
    wanted = [all(session.mask[one.voxel] == one.include for one in mark.prompts) for mark in session.prompts.marks]
    assert [fate == "satisfied" for fate in fates] == wanted
    assert "waiting" not in fates
    assert session.history.names[-3:] == ("Run: annulus", "Exclude scribble", "Run: annulus")
    # The same voxel in and out: the later one counts, and the earlier one is named.
    session.prompts.clear()
    session.prompts.add(hole, include=False)
    session.prompts.add(hole, include=True)
    session.follow_prompts()
    assert session.wait(60)
    assert session.prompts.fates()[0] in ("ignored", "satisfied")
    session.close()


def test_fine_tuning_heeds_prompts_that_the_result_knew_nothing_of(gudhi_betti) -> None:
    image = phantom("annulus", (48, 44), seed=3)
    session = Session()
    session.settings = Settings(iterations=15)
    session.network = "none"
    session.set_volume(image.volume)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    session.run()
    assert session.wait(60)
    inside = np.argwhere(session.mask)[0]
    session.prompts.add(inside, include=False)
    session.tuning.settings = replace(session.tuning.settings, moves="velocity", iterations=3)
    session.tuning.start()
    assert session.tuning.wait(60)
    session.tuning.accept()
    assert not session.mask[tuple(inside)]
    assert session.prompts.fates() == ("satisfied",)
    assert gudhi_betti(session.mask) == (1, 1)
    assert session.history.names[-1] == "Fine-tuning accepted"
    session.close()


def test_prompts_can_be_followed_only_by_a_result_that_deforms(session) -> None:
    with pytest.raises(ToposegError, match="can follow prompts"):
        session.follow_prompts()
