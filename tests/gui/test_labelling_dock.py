"""The labeller's story in the real window: a folder, a training beside it, proposals accepted, and all back again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_toposeg.data import phantom
from napari_toposeg.docks.labelling_table import LabellingTable
from napari_toposeg.docks.labelling_words import excess_words, progress_words, row_words, summary_words
from napari_toposeg.docks.launch import _dock_of
from napari_toposeg.formats import write_image, write_mask
from napari_toposeg.inference.window import Window as NetworkWindow
from napari_toposeg.session import Session
from napari_toposeg.session.labelling_rows import LabellingRow, in_order
from napari_toposeg.session.labelling_training import TrainingProgress


def test_a_folder_to_practise_on_is_made_and_opened_with_a_click(window, tmp_path, monkeypatch) -> None:
    dock = window.docks["Labelling"]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "practice"))
    dock.practice.click()
    window.until(lambda: dock.table.rows.rowCount() == 12)
    assert sum(row.status == "accepted" for row in window.session.labelling.rows) == 4
    assert dock.practice.isHidden()
    assert not dock.instructive.isHidden()


@dataclass(frozen=True)
class Place:
    """Folders of images and of labels for some of them."""

    images: Path
    labels: Path
    names: tuple[str, ...]
    given: tuple[str, ...]


@pytest.fixture
def hippocampi(tmp_path: Path, data_folder: Path) -> Place:
    """Twelve hippocampi, of which four have a label."""
    source = data_folder / "msd_hippocampus"
    files = sorted((source / "images").glob("*.nii.gz"))[:12]
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    given = files[::3]
    for file in files:
        shutil.copyfile(file, tmp_path / "images" / file.name)
    for file in given:
        shutil.copyfile(source / "labels" / file.name, tmp_path / "labels" / file.name)
    return Place(tmp_path / "images", tmp_path / "labels", *(_names(some) for some in (files, given)))


@pytest.fixture
def phantoms(tmp_path: Path) -> Place:
    """Six deformed balls, of which two have a label."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for seed, name in enumerate("abcdef"):
        organ = phantom("ball", (24, 26, 28), seed=seed)
        write_image(organ.volume, tmp_path / "images" / f"{name}.nii.gz")
        if name in "ab":
            write_mask(organ.mask, organ.volume, tmp_path / "labels" / f"{name}.nii.gz")
    return Place(tmp_path / "images", tmp_path / "labels", tuple("abcdef"), tuple("ab"))


def _names(files: list[Path]) -> tuple[str, ...]:
    return tuple(file.name.removesuffix(".nii.gz") for file in files)


@pytest.fixture
def dock(window: Any) -> Any:
    dock = window.docks["Labelling"]
    _dock_of(dock).raise_()
    window.until(lambda: dock.in_sight)
    return dock


def opened(window: Any, dock: Any, place: Place) -> None:
    dock.open(str(place.images), str(place.labels))
    window.until(lambda: dock.table.rows.rowCount() == len(place.names))
    dock.choices.prior.setCurrentText("Ball: one piece, no holes")
    dock.choices.prior.activated.emit(dock.choices.prior.currentIndex())
    assert window.session.prior.name == "ball"


def shown(dock: Any) -> dict[str, str]:
    """What the list says, by volume."""
    model = dock.table.rows
    return {model.index(row, 1).data(): model.index(row, 0).data() for row in range(model.rowCount())}


def stroke(session: Session) -> None:
    """Paint on the mask's border: the brush follows, and keeps the topology."""
    border = np.argwhere(np.asarray(session.mask) != 0)[0]
    session.brush.radius = 2.0
    session.brush.paint(border)
    assert session.edited


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def accept_three(window: Any, dock: Any, place: Place, count: Any) -> None:
    """Accept three proposals, the second of them after a stroke of the brush, and look at what lies on disk."""
    first = window.session.labelling.rows[0].name
    dock.next_button.click()
    window.until(lambda: dock.table.rows.chosen == first)
    accepted = []
    for number in range(3):
        labelling, session = window.session.labelling, window.session
        row = labelling.chosen
        assert dock.table.rows.chosen == row.name == session.volume.name
        assert row.name == dock.table.rows.rows[0].name  # the most instructive one
        window.until(lambda: window.workspace.layers.mask is not None)
        if number == 1:
            stroke(session)
        expected = np.array(session.mask) != 0
        assert np.array_equal(expected, labelling.folder.read(row.name)[1]) == (number != 1)
        dock.accept_button.click()
        window.until(lambda name=row.name: shown(dock)[name] == "accepted")
        window.until(lambda name=row.name: dock.table.rows.chosen != name)
        written, image = (
            nibabel.load(folder / f"{row.name}.nii.gz") for folder in (labelling.folder.masks, place.images)
        )
        assert written.shape == image.shape
        assert np.allclose(written.affine, image.affine)
        assert np.array_equal(labelling.folder.read(row.name)[1], expected)
        assert count(np.asarray(written.dataobj)) == (1, 0, 0) == labelling.folder.row(row.name).betti
        assert labelling.folder.row(row.name).origin == ("by hand" if number == 1 else Path(labelling.weights).stem)
        accepted.append(row.name)
    # One image and one mask at a time: what was looked at before is gone.
    assert window.workspace.layers.mask.name == "Mask"
    assert [layer.name for layer in window.workspace.images()] == [window.session.volume.name]
    masks = place.images.with_name("images_masks")
    assert {path.name for path in masks.glob("*.nii.gz")} == {f"{name}.nii.gz" for name in accepted}
    expected_rows = {name: "accepted" if name in (*accepted, *place.given) else "proposed" for name in place.names}
    assert shown(dock) == expected_rows

    # And all of it is there again: in this window, and for whoever opens the folder anew.
    dock.open(str(place.images))
    window.until(lambda: window.session.labelling.chosen is None and dock.table.rows.rowCount() == len(place.names))
    assert shown(dock) == expected_rows
    another = Session()
    assert {row.name: row.status for row in another.labelling.open(place.images)} == expected_rows
    another.close()


def test_twelve_hippocampi_four_labelled_train_and_accept_three_proposals(
    window: Any, dock: Any, hippocampi: Place, gudhi_betti: Any
) -> None:
    opened(window, dock, hippocampi)
    assert [shown(dock)[name] for name in hippocampi.given] == ["accepted"] * 4
    labelling = window.session.labelling
    labelling.settings = replace(labelling.settings, side=24, features=4, resolutions=2, epochs=2, device="cpu")
    window.until(lambda: dock.choices.epochs.value() == 2)
    dock.train_button.click()
    window.until(lambda: labelling.training.running and not dock.train_button.isEnabled())
    # While it trains the window is free, and so is the compute thread: a volume is looked at.
    dock.choose(hippocampi.names[1])
    window.until(lambda: window.session.volume is not None)
    assert labelling.training.running
    assert labelling.chosen.status == "unlabelled"
    window.until(lambda: list(shown(dock).values()).count("proposed") == 8, seconds=150)
    window.until(lambda: not labelling.proposing)
    assert labelling.training.done == len(dock.curve.values) == 2
    for name in set(hippocampi.names) - set(hippocampi.given):
        assert gudhi_betti(voxels(labelling.folder.masks / "proposed" / f"{name}.nii.gz")) == (1, 0, 0)
    # What is looked at got its proposal, and is shown it.
    assert np.array_equal(np.asarray(window.session.mask) != 0, labelling.folder.read(labelling.chosen.name)[1])
    dock.choose(labelling.rows[0].name)
    window.until(lambda: labelling.chosen.name == labelling.rows[0].name)
    dock.previous_button.click()
    window.until(lambda: labelling.chosen.name == labelling.rows[7].name)
    accept_three(window, dock, hippocampi, gudhi_betti)


def test_the_same_with_weights_that_were_there_before(
    window: Any, dock: Any, phantoms: Place, gudhi_betti: Any, ship: Any
) -> None:
    opened(window, dock, phantoms)
    labelling = window.session.labelling
    assert not dock.propose_button.isEnabled()
    labelling.weights = str(ship("balls", "ball", window=NetworkWindow((24, 24, 24), "image")).path)
    dock._show_state()
    dock.propose_button.click()
    window.until(lambda: list(shown(dock).values()).count("proposed") == 4, seconds=150)
    window.until(lambda: not labelling.proposing and dock.accept_button.isEnabled() is False)
    accept_three(window, dock, phantoms, gudhi_betti)


def test_what_was_painted_is_kept_when_somebody_goes_on_and_the_keys_do_what_the_buttons_do(
    window: Any, dock: Any, phantoms: Place
) -> None:
    from qtpy.QtGui import QShortcut

    keys = {shortcut.key().toString(): shortcut for shortcut in dock.findChildren(QShortcut)}
    # Where no folder is open, the key is about the volume that is seen.
    keys["Shift+Y"].activated.emit()
    assert "There is no mask to accept" in window.line.message.text()
    opened(window, dock, phantoms)
    labelling = window.session.labelling
    assert all(
        f"({key})" in button.toolTip()
        for key, button in zip(
            ("N", "Shift+N", "Shift+Y"), (dock.next_button, dock.previous_button, dock.accept_button), strict=True
        )
    )
    keys["N"].activated.emit()
    window.until(lambda: labelling.chosen is not None)
    assert labelling.chosen.name == "c"
    assert not dock.accept_button.isEnabled()
    dock.choose("a")
    window.until(lambda: labelling.chosen.name == "a" and window.workspace.layers.mask is not None)
    stroke(window.session)
    painted = np.array(window.session.mask) != 0
    keys["Shift+N"].activated.emit()
    window.until(lambda: labelling.chosen.name == "f")
    assert shown(dock)["a"] == "corrected"
    assert np.array_equal(labelling.folder.read("a")[1], painted)
    assert window.workspace.layers.mask is None


def test_errors_are_said_in_the_line_and_nothing_else_changes(window: Any, dock: Any, phantoms: Place) -> None:
    dock.open(str(phantoms.images / "nowhere"))
    window.until(lambda: "There is no folder" in window.line.message.text())
    assert dock.table.rows.rowCount() == 0
    opened(window, dock, phantoms)
    (phantoms.images / "c.nii.gz").write_bytes(b"torn")
    dock.choose("c")
    window.until(lambda: "c.nii.gz" in window.line.message.text())
    assert window.session.labelling.chosen is None
    dock.choices.values.setText("one")
    dock.choices.values.editingFinished.emit()
    assert "are no labels" in window.line.message.text()
    assert window.session.labelling.settings.labels == ()


def test_three_hundred_rows_are_listed_in_any_order_and_a_click_chooses_one(qtbot: Any) -> None:
    rows = [
        LabellingRow(f"{number:03}", Path(), status="proposed", disagreement=number % 7, uncertainty=number / 300)
        for number in range(300)
    ]
    table = LabellingTable()
    qtbot.addWidget(table)
    asked, sorted_by = [], []
    table.asked.connect(asked.append)
    table.sorted_by.connect(lambda *order: sorted_by.append(order))
    table.show_rows(in_order(rows))
    table.mark("123")
    assert table.rows.index(table.currentIndex().row(), 1).data() == "123"
    table.show_rows(in_order(rows, "uncertainty", descending=True))
    assert table.rows.index(0, 1).data() == "299"
    assert table.rows.index(0, 3).data() == "1.00"
    # The volume that is worked on stays marked wherever it goes.
    assert table.currentIndex().row() == 299 - 123
    table.clicked.emit(table.rows.index(5, 0))
    assert asked == ["294"]
    header = table.horizontalHeader()
    table.show_order("uncertainty", True)
    header.sectionClicked.emit(3)
    header.sectionClicked.emit(1)
    assert sorted_by == [("uncertainty", False), ("name", False)]


def test_what_is_said_of_a_volume_and_of_a_training() -> None:
    assert excess_words((3, 0, 1), (1, 1, 0)) == "two pieces and one cavity too many, one tunnel too few"
    assert excess_words((1, 0), (1, 0)) == ""
    row = LabellingRow("a", Path(), status="proposed", origin="net", betti=(1, 0, 0), found=(2, 0, 0))
    assert row_words(row, (1, 0, 0)) == (
        "a, proposed by net: one piece, no holes. Before it was certified: one piece too many."
    )
    assert "right about that by itself" in row_words(replace(row, found=(1, 0, 0)), (1, 0, 0))
    edited = replace(row, status="accepted", betti=(2, 0, 0))
    assert row_words(edited, (1, 0, 0)) == "a, accepted: two pieces, no holes. That is one piece too many."
    assert summary_words([row, row, edited]) == "1 accepted, 2 proposed"
    assert progress_words(TrainingProgress()) == "Nothing was trained yet"
    running = TrainingProgress(2, True, "epoch 7", 60, (0.5, 0.75, 0.7), 3)
    assert progress_words(running) == "Round 2: epoch 4 of 60, best Dice 0.750"
    stopped = replace(running, running=False, stage="stopped", resumable=True)
    assert progress_words(stopped) == "Round 2 was stopped after 3 of 60 epochs, best Dice 0.750"
