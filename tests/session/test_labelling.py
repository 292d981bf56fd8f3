"""Labelling from Python: volume after volume, a training in a process of its own, proposals, a folder opened again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_toposeg.data import phantom, read_split
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_mask, write_image, write_mask
from napari_toposeg.inference import PixelwiseSegmentation, Segmentation
from napari_toposeg.inference.window import Window
from napari_toposeg.session import Session
from napari_toposeg.session.labelling_settings import LabellingSettings
from napari_toposeg.session.labelling_training import LabellingTraining
from napari_toposeg.steps import last
from napari_toposeg.training import read_config

NAMES = "abcdef"
QUICK = LabellingSettings(side=24, features=2, resolutions=2, epochs=30, batch=2, device="cpu")


@pytest.fixture(scope="module")
def organs():
    return {name: phantom("disk", (40, 44), seed=seed) for seed, name in enumerate(NAMES)}


@pytest.fixture
def place(tmp_path, organs) -> Path:
    """Six images, of which a, b and c have a label."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name, organ in organs.items():
        write_image(organ.volume, tmp_path / "images" / f"{name}.nii.gz")
        if name in "abc":
            write_mask(organ.mask, organ.volume, tmp_path / "labels" / f"{name}.nii.gz")
    return tmp_path


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session()
    made.choose_prior("disk")
    yield made
    made.close()


@pytest.fixture
def labelling(session, place):
    session.labelling.open(place / "images", place / "labels")
    return session.labelling


def statuses(labelling) -> dict[str, str]:
    return {row.name: row.status for row in sorted(labelling.rows, key=lambda row: row.name)}


def failures(session: Session) -> list[str]:
    said: list[str] = []
    session.events.failed.connect(said.append)
    return said


@pytest.fixture
def proposed(labelling, session, ship):
    """A network has proposed masks for d, e and f."""
    kept = ship("whole", "disk", place=Path(os.environ["TOPOSEG_WEIGHTS"]), window=Window((24, 24), "image"))
    labelling.weights = str(kept.path)
    labelling.propose()
    assert labelling.wait(120)
    return labelling


def test_every_proposal_has_the_priors_topology_and_lies_on_disk_and_in_the_list(proposed, place, gudhi_betti) -> None:
    assert statuses(proposed) == dict.fromkeys("abc", "accepted") | dict.fromkeys("def", "proposed")
    assert [row.accepted for row in proposed.rows] == [False] * 3 + [True] * 3
    keys = [(-row.disagreement, -row.uncertainty) for row in proposed.rows[:3]]
    assert keys == sorted(keys)
    for row in proposed.rows[:3]:
        mask = read_mask(place / "images_masks" / "proposed" / f"{row.name}.nii.gz")[0]
        assert gudhi_betti(mask) == row.betti == (1, 0)
        assert row.origin == "whole"


def test_the_session_works_on_the_chosen_volume_and_knows_its_deformation(proposed, session) -> None:
    volume = proposed.choose("d")
    assert session.volume is volume
    assert volume.name == "d"
    assert isinstance(session.result, Segmentation)
    assert session.result.certificate.topology_ok
    assert session.measurements.measure().objects[0].shape.voxels == session.result.mask.sum()
    # Of a label nobody knows how it came about.
    proposed.choose("a")
    assert isinstance(session.result, PixelwiseSegmentation)
    assert np.array_equal(session.mask, read_mask(proposed.chosen.mask, volume=session.volume)[0])


def test_next_and_previous_pass_over_what_is_accepted_and_follow_the_order(proposed) -> None:
    names = [row.name for row in proposed.rows[:3]]
    assert [proposed.next().name for _ in range(4)] == [*names, names[0]]
    assert proposed.previous().name == names[2]
    proposed.sort("name", descending=True)
    assert [row.name for row in proposed.rows] == list(reversed(NAMES))
    proposed.choose("f")
    assert proposed.next().name == "e"


def test_an_accepted_mask_is_what_was_painted_and_stays_so_when_the_folder_is_opened_again(
    proposed, session, place, organs
) -> None:
    proposed.choose("d")
    session.edit(organs["d"].mask)
    proposed.accept()
    assert proposed.chosen.status == "accepted"
    assert proposed.chosen.origin == "by hand"
    # It is on disk: going on does not take the acceptance back.
    going = proposed.next()
    assert statuses(proposed)["d"] == "accepted"
    # Accepted as the network proposed it.
    proposed.accept()
    assert proposed.folder.row(going.name).origin == "whole"

    another = Session()
    rows = {row.name: row for row in another.labelling.open(place / "images", place / "labels")}
    assert another.prior.name == "disk"
    assert [rows[name].status for name in ("d", going.name)] == ["accepted", "accepted"]
    assert np.array_equal(read_mask(place / "images_masks" / "d.nii.gz")[0], organs["d"].mask)
    assert another.labelling.weights == proposed.weights
    another.close()


def test_what_was_painted_is_kept_as_corrected_when_another_volume_is_chosen(proposed, session, organs) -> None:
    proposed.choose("e")
    assert proposed.correct() is None
    session.edit(organs["e"].mask)
    proposed.choose("f")
    row = proposed.folder.row("e")
    assert (row.status, row.origin) == ("corrected", "by hand")
    assert np.array_equal(proposed.folder.read("e")[1], organs["e"].mask)
    # A new proposal does not overwrite it.
    proposed.propose()
    assert proposed.wait(60)
    assert np.array_equal(proposed.folder.read("e")[1], organs["e"].mask)


def test_a_run_of_ones_own_is_kept_too(labelling, session, organs) -> None:
    session.network = "none"
    labelling.choose("d")
    with pytest.raises(ToposegError, match="has no mask yet"):
        labelling.accept()
    session.place_in_box(((5, 35), (5, 38)))
    session.run()
    assert session.wait(60)
    labelling.next()
    row = labelling.folder.row("d")
    assert (row.status, row.origin, row.betti) == ("corrected", "by hand", (1, 0))


def test_what_cannot_be_done_is_refused_in_a_sentence(session, labelling, ship, place) -> None:
    with pytest.raises(ToposegError, match="no network that could propose"):
        labelling.propose()
    with pytest.raises(ToposegError, match="No volume of the folder"):
        labelling.accept()
    with pytest.raises(ToposegError, match="no volume 'z'"):
        labelling.choose("z")
    said = failures(session)
    labelling.weights = str(ship("boxed", "disk").path)
    labelling.propose()
    assert labelling.wait(60)
    assert "They look at a box around the organ" in said[-1]
    session.choose_prior(None)
    with pytest.raises(ToposegError, match="No prior is chosen"):
        labelling.train()
    labelling.close()
    with pytest.raises(ToposegError, match="No folder is open"):
        labelling.train()
    assert labelling.rows == ()


def test_a_volume_that_cannot_be_read_is_noted_and_holds_nobody_up(labelling, ship, place) -> None:
    (place / "images" / "e.nii.gz").write_bytes(b"torn")
    labelling.weights = str(ship("whole", "disk", window=Window((24, 24), "image")).path)
    labelling.propose()
    assert labelling.wait(120)
    assert statuses(labelling) | {"e": ""} == dict.fromkeys("abc", "accepted") | {
        "d": "proposed",
        "e": "",
        "f": "proposed",
    }
    row = labelling.folder.row("e")
    assert row.status == "unlabelled"
    assert "e.nii.gz" in row.note


def test_nothing_is_lost_where_a_session_ends_while_it_trains_and_the_rest_is_proposed_in_the_end(
    session, labelling, place, gudhi_betti
) -> None:
    labelling.settings = QUICK
    labelling.train()
    begun = time.monotonic()
    while labelling.training.done < 2:
        time.sleep(0.02)
        assert time.monotonic() - begun < 120
    process = labelling.process
    with pytest.raises(ToposegError, match="A training is under way"):
        labelling.train()
    session.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)

    another = Session()
    said = failures(another)
    again = another.labelling
    again.open(place / "images", place / "labels")
    left = again.training
    assert (left.round, left.running, left.resumable) == (1, False, True)
    assert 2 <= left.done == len(left.dice) < 30
    assert again.settings == QUICK
    again.train()
    assert again.wait(180), again.training
    assert said == []
    # It went on: the epochs that were complete came first, and are the same.
    assert again.training.done == 30
    assert again.training.dice[: left.done] == left.dice
    assert again.training.round == 1
    assert Path(again.weights).is_file()
    assert statuses(again) == dict.fromkeys("abc", "accepted") | dict.fromkeys("def", "proposed")
    for row in again.rows[:3]:
        assert gudhi_betti(again.folder.read(row.name)[1]) == (1, 0)
    another.close()


def test_who_was_kept_back_once_is_so_in_every_round_and_what_is_the_same_goes_on(labelling, session, place) -> None:
    labelling.settings = QUICK

    def prepared():
        return last(LabellingTraining(labelling.folder, *[lambda *_: None] * 3).prepared(session.prior))

    first = prepared()
    (kept_back,) = labelling.folder.state.kept_back
    assert prepared() == first
    cases = place / "images_masks" / "trainings" / "cases-1"
    assert {path.name for path in (cases / "unlabelled").iterdir()} == {f"{name}.nii.gz" for name in "def"}
    copied = (cases / "labels" / "a.nii.gz").read_bytes()
    assert copied == (place / "labels" / "a.nii.gz").read_bytes()
    for name in "def":
        volume, _ = labelling.folder.read(name)
        labelling.folder.keep(name, volume, np.ones(volume.shape, bool), "accepted")
        second = prepared()
        assert kept_back in labelling.folder.state.kept_back
    assert second.number == first.number + 3
    config = read_config(second.config)
    assert (config.mode, config.data.unlabelled) == ("supervised", "")
    assert read_split(config.data.split).validation == labelling.folder.state.kept_back
    # Nothing of the first round has changed: it could still go on.
    assert (cases / "labels" / "a.nii.gz").read_bytes() == copied


def test_why_a_training_failed_is_said(session, labelling) -> None:
    said = failures(session)
    labelling.settings = LabellingSettings(side=24, features=2, resolutions=2, epochs=1, device="cuda:99")
    labelling.train()
    assert labelling.wait(120)
    assert labelling.training.stage == "failed"
    assert said == [labelling.training.error]
    assert "cuda:99" in said[0]
    assert labelling.weights == ""
