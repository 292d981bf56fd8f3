"""What is kept of a session whose process is killed, at any moment, and what is not kept of one that ended well."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import write_image
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session
from napari_toposeg.session.autosave import discard, left_over
from napari_toposeg.session.saving import state_of
from napari_toposeg.topology import betti_numbers

sys.path.insert(0, str(Path(__file__).parent))
from working_child import fingerprint

STEPS = 18
WORDS = ("done", "writing", "written")
KILLS = int(os.environ.get("TOPOSEG_KILLS", "4"))


@pytest.fixture(scope="module")
def image():
    return phantom("annulus", (56, 48), seed=3)


@pytest.fixture
def image_file(image, tmp_path) -> Path:
    path = tmp_path / "heart.nii.gz"
    write_image(image.volume, path)
    return path


@pytest.fixture
def session():
    made = Session()
    made.settings = Settings(iterations=10)
    made.network = "none"
    yield made
    made.close()


def until(so) -> None:
    """Wait for what another thread does; the test's own time limit is that of a test that hangs."""
    for _ in range(3000):
        if so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


@pytest.fixture
def series(tmp_path, dicom_series) -> Path:
    """A DICOM series of a ring."""
    made = phantom("torus", (36, 36, 24), seed=4)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ made.volume.stored.affine
    voxels = made.volume.to_stored(made.volume.voxels).T
    dicom_series(tmp_path / "series", np.ascontiguousarray(voxels), affine, SeriesDescription="Ring")
    return tmp_path / "series"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that is killed is a fork")
def test_killed_at_any_moment_of_the_story_it_offers_back_all_that_was_written(series, tmp_path):
    folder, log = tmp_path / "kept", tmp_path / "log"
    command = [
        sys.executable,
        str(Path(__file__).with_name("working_child.py")),
        str(series),
        str(folder),
        str(log),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    chance = random.Random(11)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout.readline() == "ready\n"
        for seed in range(KILLS):
            log.write_text("")
            parent.stdin.write(f"{seed}\n")
            parent.stdin.flush()
            process = int(parent.stdout.readline())
            until(lambda: "at work" in log.read_text())
            assert not left_over(folder)  # it lives
            # Some of its steps take a second and some a millisecond: by their number all of them are met.
            number = chance.randrange(STEPS)
            until(lambda number=number: log.read_text().count("done") >= number)
            time.sleep(chance.uniform(0.0, 0.3))
            os.kill(process, signal.SIGKILL)
            assert parent.stdout.readline() == "gone\n"

            lines = [line.split() for line in log.read_text().splitlines() if len(line.split()) == 2]
            done, begun, written = ([what for word, what in lines if word == one] for one in WORDS)
            offered = left_over(folder)
            if not offered:
                # Killed before anything was there to be kept, or while that was written for the first time.
                assert not written
                continue
            (found,) = offered
            assert found.image == "Ring"
            after = Session()
            after.open_session(found.path)
            # What was being written when it was killed is there as a whole, or not at all.
            assert fingerprint(state_of(after)) in (*written[-1:], begun[-1])
            if after.result is not None and after.certificate is not None:
                assert after.certificate.betti_mask == betti_numbers(after.mask) == (1, 1, 0)
            last = (after.history.names or ("nothing",))[max(after.history.position - 1, 0)]
            # Seen with -s.
            sys.stdout.write(f"kill {seed}: after {done[-1] if done else 'nothing'}; offered back up to {last!r}\n")
            after.close()
            discard(found)
            assert not left_over(folder)
        parent.stdin.close()


def test_what_is_accepted_is_kept_at_once(image, image_file, session, tmp_path):
    session.open(image_file)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    with pytest.raises(ToposegError, match="no mask to accept"):
        session.accept()
    session.run()
    assert session.wait(60)
    # Once an hour: what is kept now is kept because it was accepted.
    session.start_autosave(tmp_path / "kept", every=3600)
    session.brush.paint(np.argwhere(session.mask)[0])
    session.prompts.add((3.0, 3.0), include=False)
    assert not session.autosave.path.exists()
    session.accept()
    until(session.autosave.path.exists)
    offered = Session()
    offered.open_session(session.autosave.path)
    assert np.array_equal(offered.mask, session.mask)
    assert offered.prompts.marks == session.prompts.marks
    offered.close()


def test_a_result_is_kept_at_once_and_the_rest_every_so_often(image, image_file, session, tmp_path):
    session.open(image_file)
    session.start_autosave(tmp_path / "kept", every=0.02)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    until(session.autosave.path.exists)
    session.stop_autosave()
    # Once an hour: what is kept now is kept because a result came.
    session.start_autosave(tmp_path / "kept", every=3600)
    session.run()
    assert session.wait(60)
    until(session.autosave.path.exists)


def test_nothing_is_written_where_nothing_changed(image, image_file, session, tmp_path):
    session.open(image_file)
    session.start_autosave(tmp_path / "kept", every=3600)
    assert not session.autosave.now()  # an image that was only looked at
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    assert session.autosave.now()
    assert not session.autosave.now()


def test_a_session_that_ended_well_offers_nothing(image, image_file, session, tmp_path):
    session.open(image_file)
    session.start_autosave(tmp_path / "kept", every=3600)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    assert session.autosave.now()
    assert not left_over(tmp_path / "kept")  # its process lives
    session.close()
    assert not left_over(tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())


def test_damaged_and_foreign_files_are_passed_over(tmp_path):
    (tmp_path / "1-a.toposeg").write_bytes(b"half of a ses")
    (tmp_path / "notes.txt").write_text("mine")
    assert left_over(tmp_path) == ()
    assert left_over(tmp_path / "nowhere") == ()


def test_where_it_cannot_be_kept_a_sentence_says_so_once(image_file, session, tmp_path):
    (tmp_path / "kept").write_text("a file where the folder should be")
    said = []
    session.events.failed.connect(said.append)
    session.open(image_file)
    session.start_autosave(tmp_path / "kept", every=3600)
    session.choose_prior("annulus")
    session.place_in_box(((3, 20), (3, 20)))
    assert not session.autosave.now()
    session.choose_prior("disk")
    assert not session.autosave.now()
    assert len(said) == 1
    assert "cannot be kept" in said[0]


def test_it_is_written_while_a_run_goes_on(image, image_file, session, tmp_path):
    session.open(image_file)
    session.settings = Settings(iterations=200)
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    begun = threading.Event()
    session.events.step.connect(lambda _: begun.set())
    session.start_autosave(tmp_path / "kept", every=3600)
    session.run()
    assert begun.wait(60)
    session.prompts.add((3.0, 3.0), include=False)
    assert session.autosave.now()
    session.cancel()
    assert session.wait(60)
