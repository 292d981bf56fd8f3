"""A folder that is labelled: what is found, what is written where, and that all of it is there again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import write_image, write_labels, write_mask
from napari_toposeg.session.labelling_folder import LabellingFolder
from napari_toposeg.session.labelling_settings import LabellingSettings


@pytest.fixture(scope="module")
def organs():
    return {name: phantom("ball", (24, 26, 28), seed=seed) for seed, name in enumerate("abc")}


@pytest.fixture
def place(tmp_path, organs) -> Path:
    """Three volumes, one of them with a label."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name, organ in organs.items():
        write_image(organ.volume, tmp_path / "images" / f"{name}.nii.gz")
    write_mask(organs["b"].mask, organs["b"].volume, tmp_path / "labels" / "b_seg.nii.gz")
    return tmp_path


def opened(place: Path) -> LabellingFolder:
    return LabellingFolder(place / "images", place / "labels")


def statuses(folder: LabellingFolder) -> dict[str, tuple[str, str]]:
    return {row.name: (row.status, row.origin) for row in folder.rows}


def test_a_label_that_is_there_counts_as_accepted_and_is_said_to_be_given(place, organs) -> None:
    folder = opened(place)
    assert statuses(folder) == {"a": ("unlabelled", ""), "b": ("accepted", "given"), "c": ("unlabelled", "")}
    volume, mask = folder.read("b")
    assert np.array_equal(mask, organs["b"].mask)
    assert np.array_equal(volume.voxels, organs["b"].volume.voxels)
    assert folder.read("a")[1] is None


def test_of_a_given_label_the_values_count_that_were_chosen(place, organs) -> None:
    labels = organs["b"].mask.astype(np.uint8)
    labels[:, :13] *= 2
    write_labels(labels, organs["b"].volume, place / "labels" / "b_seg.nii.gz")
    folder = opened(place)
    assert np.array_equal(folder.read("b")[1], labels > 0)
    folder.update(settings=LabellingSettings(labels=(2,)))
    assert np.array_equal(folder.read("b")[1], labels == 2)


def test_masks_are_written_on_the_grid_of_the_image_and_are_there_again(place, organs) -> None:
    folder = opened(place)
    mask = organs["a"].mask
    volume, _ = folder.read("a")
    folder.keep("a", volume, mask, "proposed", origin="hearts", disagreement=3, uncertainty=0.25, found=(4, 0, 0))
    assert statuses(opened(place))["a"] == ("proposed", "hearts")
    again = opened(place).row("a")
    assert again == folder.row("a")
    assert (again.disagreement, again.uncertainty, again.found, again.betti) == (3, 0.25, (4, 0, 0), (1, 0, 0))

    folder.keep("a", volume, mask, "accepted")
    assert [path.name for path in (place / "images_masks" / "proposed").iterdir()] == []
    written = nibabel.load(place / "images_masks" / "a.nii.gz")
    image = nibabel.load(place / "images" / "a.nii.gz")
    assert written.shape == image.shape
    assert np.array_equal(written.affine, image.affine)
    # The file's axes run to the left, back and head.
    assert np.array_equal(np.asarray(written.dataobj)[::-1, ::-1], mask)
    assert statuses(opened(place))["a"] == ("accepted", "by hand")
    assert np.array_equal(opened(place).read("a")[1], mask)


def test_a_given_label_that_is_corrected_stays_as_it_was_given(place, organs) -> None:
    before = (place / "labels" / "b_seg.nii.gz").read_bytes()
    folder = opened(place)
    volume, mask = folder.read("b")
    changed = np.roll(mask, 1, axis=0)
    folder.keep("b", volume, changed, "corrected")
    assert (place / "labels" / "b_seg.nii.gz").read_bytes() == before
    again = opened(place)
    assert again.row("b").status == "corrected"
    assert np.array_equal(again.read("b")[1], changed)


def test_a_mask_that_is_gone_is_said_to_be_and_one_without_memory_counts(place, organs) -> None:
    folder = opened(place)
    for name in "ac":
        folder.keep(name, folder.read(name)[0], organs[name].mask, "accepted")
    (place / "images_masks" / "a.nii.gz").unlink()
    row = opened(place).row("a")
    assert row.status == "unlabelled"
    assert "no longer there" in row.note
    (place / "images_masks" / "labelling.json").unlink()
    assert statuses(opened(place)) == {
        "a": ("unlabelled", ""),
        "b": ("accepted", "given"),
        "c": ("accepted", "by hand"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2}',
        '{"version": 1}',
        '{"version": 1, "labels": 3}',
        '{"version": 1, "settings": {"labels": []}, "kept_back": [], "rows": {"a": {"status": "finished"}}}',
    ],
)
def test_what_is_remembered_and_cannot_be_read_is_refused_and_left_as_it_is(place, text) -> None:
    opened(place)
    path = place / "images_masks" / "labelling.json"
    path.write_text(text)
    with pytest.raises(ToposegError, match="cannot be read, and what was labelled"):
        opened(place)
    assert path.read_text() == text


def test_all_of_it_can_be_moved_together_and_the_labels_are_remembered(place, tmp_path_factory) -> None:
    folder = opened(place)
    (place / "images_masks" / "trainings").mkdir()
    (place / "images_masks" / "trainings" / "net.safetensors").touch()
    folder.update(weights=folder.short(place / "images_masks" / "trainings" / "net.safetensors"), prior="ball")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    place.rename(elsewhere)
    again = LabellingFolder(elsewhere / "images")
    assert again.labels == elsewhere / "labels"
    assert statuses(again)["b"] == ("accepted", "given")
    assert again.whole(again.state.weights) == str(elsewhere / "images_masks" / "trainings" / "net.safetensors")
    assert again.whole(again.state.prior) == "ball"


def test_a_write_that_fails_changes_nothing(place, organs, monkeypatch) -> None:
    folder = opened(place)
    volume, _ = folder.read("a")
    folder.keep("a", volume, organs["a"].mask, "proposed", origin="hearts")
    before = (place / "images_masks" / "labelling.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ToposegError, match="No space left"):
            folder.keep("a", volume, organs["a"].mask, "accepted")
    assert (place / "images_masks" / "labelling.json").read_bytes() == before
    assert json.loads(before)["rows"]["a"]["status"] == "proposed"
    assert statuses(opened(place))["a"] == ("proposed", "hearts")
    assert statuses(folder)["a"] == ("proposed", "hearts")


def test_folders_that_cannot_be_used_are_refused(place, organs) -> None:
    with pytest.raises(ToposegError, match="There is no folder"):
        LabellingFolder(place / "nowhere")
    for folder in ("images", "labels"):
        with pytest.raises(ToposegError, match="Masks cannot be written"):
            LabellingFolder(place / "images", place / "labels", place / folder)
    np.savez(place / "images" / "d.npz", images=np.zeros((2, 8, 8)))
    with pytest.raises(ToposegError, match="Packed images cannot be labelled: d/0, d/1"):
        LabellingFolder(place / "images")
