"""`toposeg segment` from DICOM to DICOM, and the other kinds of file that it writes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from napari_toposeg.data import phantom
from napari_toposeg.formats import read_mask, read_volume

QUICK = ("--network", "none", "--prior", "ball", "--iterations", "12", "--roi", "6:34,6:34,4:24")


@pytest.fixture
def series(dicom_series, tmp_path):
    """A phantom as a DICOM series whose rows run to the left and back, as in an axial CT."""
    made = phantom("ellipsoid", (40, 40, 28), seed=1)
    voxels = made.volume.voxels
    stored = np.round(1000 * (voxels - voxels.min()) / np.ptp(voxels)).astype(np.int16)
    dicom_series(tmp_path / "series", stored[::-1, ::-1].T, np.diag([1.0, 1.0, 1.5, 1.0]), SeriesDescription="Phantom")
    return tmp_path / "series"


def test_a_dicom_folder_becomes_a_dicom_segmentation_a_surface_and_a_report(toposeg, series, tmp_path, gudhi_betti):
    mask, surface, report = tmp_path / "mask.seg.dcm", tmp_path / "mask.stl", tmp_path / "report.json"
    done = toposeg("segment", series, "-o", mask, "--surface", surface, "--report", report, *QUICK)
    assert done.code == 0, done.err
    found, _ = read_mask(mask, volume=read_volume(series))
    assert gudhi_betti(found) == (1, 0, 0)
    assert np.frombuffer(surface.read_bytes(), "<u4", 1, 80)[0] > 100
    facts = json.loads(report.read_text())
    assert facts["input"]["path"].startswith(str(series))
    assert len(facts["input"]["sha256"]) == 64
    assert str(surface) in done.out


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_masks_of_other_kinds_are_written(ending, toposeg, series, tmp_path):
    mask = tmp_path / f"mask{ending}"
    assert toposeg("segment", series, "-o", mask, *QUICK).code == 0
    assert sitk.ReadImage(str(mask)).GetSize() == (40, 40, 28)


def test_what_cannot_be_written_is_refused_before_anything_is_computed(toposeg, solid, ring, tmp_path):
    refused = toposeg("segment", solid.image, "-o", tmp_path / "mask.dcm")
    assert refused.is_refusal()
    assert "refers to the DICOM images" in refused.err
    refused = toposeg("segment", ring.image, "-o", tmp_path / "mask.nii.gz", "--surface", tmp_path / "a.stl")
    assert refused.is_refusal()
    assert "2-D mask has no surface" in refused.err
    refused = toposeg("segment", solid.image, "-o", tmp_path / "mask.nii.gz", "--surface", tmp_path / "a.obj")
    assert refused.is_refusal()
    assert not list(tmp_path.glob("mask*"))


def test_of_several_series_one_has_to_be_chosen(toposeg, series, dicom_series, tmp_path):
    dicom_series(series, np.zeros((6, 9, 9), np.int16), SeriesDescription="Other", SeriesNumber=4)
    refused = toposeg("segment", series, "-o", tmp_path / "mask.nii.gz", *QUICK)
    assert refused.is_refusal()
    assert "2 series" in refused.err
    number = 1 if refused.err.index("Phantom") < refused.err.index("Other") else 2
    assert toposeg("segment", series, "--series", number, "-o", tmp_path / "mask.nii.gz", *QUICK).code == 0
    refused = toposeg("segment", series, "--series", 9, "-o", tmp_path / "mask.nii.gz", *QUICK)
    assert refused.is_refusal()


def test_a_series_cannot_be_asked_of_another_kind_of_file(toposeg, solid, tmp_path):
    refused = toposeg("segment", solid.image, "--series", 1, "-o", tmp_path / "mask.nii.gz")
    assert refused.is_refusal()
    assert "Only DICOM" in refused.err
