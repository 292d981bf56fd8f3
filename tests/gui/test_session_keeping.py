"""A session saved and opened in the real window, and what a crash left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_toposeg.session import Session, left_over
from napari_toposeg.session.autosave import autosave_folder


@pytest.fixture
def left_behind(ball_file, organ_box) -> Path:
    """A session's file in the user's folder, as a process leaves it that was killed."""
    session = Session()
    session.open(ball_file)
    session.choose_prior("ball")
    session.place_in_box(organ_box)
    folder = autosave_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.toposeg"):
        old.unlink()
    path = folder / "1-dead.toposeg"
    session.save_session(path)
    session.close()
    return path


def row(window):
    return window.line.recovery


def test_a_session_that_was_not_closed_is_offered_and_goes_on(left_behind, window, ball) -> None:
    window.until(lambda: row(window).isVisible())
    assert "ball" in row(window).sentence.text()
    row(window).open_button.click()
    window.until(lambda: window.session.placement is not None)
    assert window.session.prior.name == "ball"
    assert any(layer.name == "ball" for layer in window.viewer.layers)
    assert np.array_equal(window.session.volume.voxels, ball.volume.voxels)
    assert window.workspace.image is not None
    # It is kept anew, under this process's name, before the old one goes.
    window.until(lambda: not left_behind.exists())
    assert window.session.autosave.path.exists()
    window.until(lambda: not row(window).isVisible())
    window.run()
    assert window.session.result.certificate.topology_ok


def test_a_session_can_be_discarded_and_is_never_offered_again(left_behind, window) -> None:
    window.until(lambda: row(window).isVisible())
    row(window).discard_button.click()
    window.until(lambda: not left_behind.exists())
    assert not row(window).isVisible()
    assert window.session.volume is None
    assert left_over() == ()


def test_nothing_is_offered_where_nothing_was_left(window) -> None:
    done = []
    window.workspace.later(lambda: None, done.append)
    window.until(lambda: bool(done))
    assert not row(window).isVisible()


def test_a_session_is_saved_and_opened_in_the_window(window, ball_file, organ_box, tmp_path, monkeypatch) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    mask = window.session.mask.copy()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "work"), ""))
    window.line.session_button.save_action.trigger()
    window.until((tmp_path / "work.toposeg").exists)

    window.viewer.layers.clear()
    window.until(lambda: window.session.volume is None)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "work.toposeg"), ""))
    window.line.session_button.open_action.trigger()
    window.until(lambda: window.session.result is not None)
    assert np.array_equal(window.session.mask, mask)
    assert window.line.badge.text() == "✓ Certified"


def test_a_session_s_file_is_opened_like_an_image(window, ball_file, organ_box, tmp_path) -> None:
    session = Session()
    session.open(ball_file)
    session.choose_prior("ball")
    session.place_in_box(organ_box)
    session.save_session(tmp_path / "work.toposeg")
    session.close()
    window.viewer.open(str(tmp_path / "work.toposeg"), plugin="napari-toposeg")
    window.until(lambda: window.session.placement is not None)
    assert [layer.name for layer in window.viewer.layers if layer is window.workspace.image] == ["ball"]


def test_the_window_asks_where_the_image_is(window, ball_file, tmp_path, monkeypatch) -> None:
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy(ball_file, there / "organ.nii.gz")
    session = Session()
    session.open(there / "organ.nii.gz")
    session.save_session(tmp_path / "work.toposeg")
    session.close()
    (there / "organ.nii.gz").rename(tmp_path / "renamed.nii.gz")
    asked = []

    def answer(parent, title, *rest):
        asked.append(title)
        return str(tmp_path / ("work.toposeg" if len(asked) == 1 else "renamed.nii.gz")), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", answer)
    window.line.session_button.open_action.trigger()
    window.until(lambda: window.session.volume is not None)
    assert asked[1] == "The image of the session, organ.nii.gz, is not found."


def test_a_dicom_series_is_saved_as_a_segmentation_beside_its_folder(
    window, dicom_series, ball, organ_box, tmp_path, monkeypatch
) -> None:
    from napari_toposeg.formats import read_mask

    voxels = ball.volume.voxels
    stored = np.round(1000 * (voxels - voxels.min()) / np.ptp(voxels)).astype(np.int16)
    dicom_series(tmp_path / "series", stored[::-1, ::-1].T, np.diag([1.0, 1.0, 1.0, 1.0]), SeriesDescription="Head")
    window.open(tmp_path / "series")
    window.place(organ_box)
    window.run()
    proposed = []

    def answer(parent, title, path, kinds):
        proposed.append((path, kinds))
        return path, ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    window.segment.with_surface.setChecked(True)
    window.segment.save_button.click()
    window.until((tmp_path / "Head_mask.seg_surface.stl").exists)
    assert proposed[0][0] == str(tmp_path / "Head_mask.seg.dcm")
    assert "*.dcm" in proposed[0][1]
    found, _ = read_mask(tmp_path / "Head_mask.seg.dcm", volume=window.session.volume)
    assert np.array_equal(found, window.session.mask)
