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

import pytest

from napari_toposeg.data import phantom
from napari_toposeg.formats import write_image
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session
from napari_toposeg.session.autosave import discard, left_over
from napari_toposeg.session.saving import state_of

sys.path.insert(0, str(Path(__file__).parent))
from working_child import fingerprint

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that is killed is a fork")
def test_a_killed_process_leaves_all_that_was_written(image_file, tmp_path):
    folder, log = tmp_path / "kept", tmp_path / "log"
    command = [
        sys.executable,
        str(Path(__file__).with_name("working_child.py")),
        str(image_file),
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
            time.sleep(chance.uniform(0.0, 0.8))
            os.kill(process, signal.SIGKILL)
            assert parent.stdout.readline() == "gone\n"
            until(lambda: "written" in log.read_text())

            lines = [line.split() for line in log.read_text().splitlines() if len(line.split()) == 2]
            written = [print_ for word, print_ in lines if word == "written"][-1]
            begun = [print_ for word, print_ in lines if word == "writing"][-1]
            (found,) = left_over(folder)
            assert found.image == "heart"
            after = Session()
            after.open_session(found.path)
            # What was being written when it was killed is there as a whole, or not at all.
            assert fingerprint(state_of(after)) in (written, begun)
            after.close()
            discard(found)
            assert not left_over(folder)
        parent.stdin.close()


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
