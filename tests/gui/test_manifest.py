"""The manifest, and what napari calls through it."""

from __future__ import annotations

from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

import nibabel
import numpy as np
import pytest
from npe2 import PluginManifest

from napari_toposeg.docks.launch import DOCKS
from napari_toposeg.docks.reader import get_reader, read
from napari_toposeg.docks.writer import write_labels, write_volume


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(Path(str(files("napari_toposeg").joinpath("napari.yaml"))))


def test_the_manifest_is_valid_and_all_that_it_names_exists(manifest) -> None:
    manifest.validate_imports()
    assert all(command.id.startswith("napari-toposeg.") for command in manifest.contributions.commands)
    assert tuple(widget.display_name for widget in manifest.contributions.widgets) == DOCKS


def test_pictures_are_left_to_napari(manifest) -> None:
    (reader,) = manifest.contributions.readers
    assert reader.accepts_directories
    for name in ("photo.png", "0001.png", "IM0001.jpg", "I12.tif", "12345678.tiff"):
        assert not any(fnmatch(name, pattern) for pattern in reader.filename_patterns), name
    assert get_reader("photo.txt") is None


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".mhd", ".nhdr"])
def test_every_kind_of_volume_is_ours(ending, manifest, tmp_path) -> None:
    (reader,) = manifest.contributions.readers
    name = f"scan{ending}"
    assert any(fnmatch(name, pattern) for pattern in reader.filename_patterns)
    assert get_reader(str(tmp_path / name)) is not None


@pytest.mark.parametrize("name", ["IM0001", "IM000012", "I0000003", "00000042", "1.2.840.113619.2", "CT.1.2", "a.dcm"])
def test_files_are_dicom_that_have_no_ending(name, manifest) -> None:
    (reader,) = manifest.contributions.readers
    assert any(fnmatch(name, pattern) for pattern in reader.filename_patterns)


def test_a_folder_and_a_file_of_a_dicom_series_open_the_series(dicom_series, tmp_path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    paths = [str(path) for path in dicom_series(tmp_path / "series", array)]
    for path in (str(tmp_path / "series"), paths[1]):
        reader = get_reader(path)
        ((data, attributes, kind),) = reader(path)
        assert (data.shape, kind) == ((3, 4, 5), "image")
        assert np.allclose(attributes["scale"], (2.0, 1.5, 1.0))
    # All files of a series at once are the series, once.
    assert len(get_reader(paths)(paths)) == 1
    assert get_reader(str(tmp_path)) is not None
    (tmp_path / "empty").mkdir()
    assert get_reader(str(tmp_path / "empty")) is None


def test_labels_drawn_on_a_dicom_series_are_written_as_a_segmentation(dicom_series, tmp_path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    dicom_series(tmp_path / "series", array)
    ((data, attributes, _),) = read(str(tmp_path / "series"))
    write_labels(str(tmp_path / "mask.dcm"), np.asarray(data) > 30, attributes)
    ((back, again, _),) = read(str(tmp_path / "mask.dcm"))
    assert np.array_equal(back > 0, np.asarray(data) > 30)
    assert np.allclose(again["translate"], attributes["translate"])


def test_of_several_series_the_window_asks(dicom_series, tmp_path, monkeypatch, qapp) -> None:
    from qtpy.QtWidgets import QInputDialog

    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    dicom_series(tmp_path / "study" / "a", array, SeriesNumber=1, SeriesDescription="Native")
    dicom_series(tmp_path / "study" / "b", array[:, :3], SeriesNumber=2, SeriesDescription="Venous")
    asked = []

    def choose(parent, title, label, items, *rest):
        asked.append(items)
        return items[1], True

    monkeypatch.setattr(QInputDialog, "getItem", choose)
    ((data, attributes, _),) = read(str(tmp_path / "study"))
    assert asked == [["1: Native (CT, 3 of 5 x 4)", "2: Venous (CT, 3 of 5 x 3)"]]
    assert (data.shape, attributes["name"]) == ((3, 3, 5), "Venous")


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SPR", "ILA"])
def test_an_image_is_written_as_it_was_read(codes, tmp_path) -> None:
    orientation = nibabel.orientations.axcodes2ornt(tuple(codes))
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    affine = np.diag([2.0, 1.0, 3.0, 1.0]) @ nibabel.orientations.inv_ornt_aff(orientation, (3, 4, 5))
    nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / "in.nii.gz")
    ((data, attributes, kind),) = read(str(tmp_path / "in.nii.gz"))
    assert kind == "image"
    write_volume(str(tmp_path / "out.nii.gz"), data, attributes)
    written = nibabel.load(tmp_path / "out.nii.gz")
    assert np.array_equal(np.asarray(written.dataobj), array)
    assert np.allclose(written.affine, affine)


def test_labels_stay_labels_and_keep_their_numbers(tmp_path) -> None:
    array = np.zeros((6, 7, 8), np.uint8)
    array[1:3, 2:5, 3:6] = 7
    array[4, 4, 4] = 200
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.0, 1.0, 2.0, 1.0])), tmp_path / "in.nii")
    ((data, attributes, kind),) = read(str(tmp_path / "in.nii"))
    assert kind == "labels"
    write_labels(str(tmp_path / "out.nii.gz"), np.asarray(data, np.int32), attributes)
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "out.nii.gz").dataobj), array)


def test_a_layer_without_a_file_is_written_where_it_was_seen(tmp_path) -> None:
    data = np.arange(60.0).reshape(3, 4, 5)
    write_volume(
        str(tmp_path / "out.nii"), data, {"scale": (2.0, 1.0, 0.5), "translate": (1.0, 2.0, 3.0), "name": "new"}
    )
    ((back, attributes, _),) = read(str(tmp_path / "out.nii"))
    assert np.array_equal(back, data)
    assert np.allclose(attributes["scale"], (2.0, 1.0, 0.5))
    assert np.allclose(attributes["translate"], (1.0, 2.0, 3.0))
