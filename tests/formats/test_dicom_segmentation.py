"""DICOM segmentations out and in, beside highdicom, on real and made series."""

from __future__ import annotations

import highdicom
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_mask, read_volume, write_labels, write_mask, write_surface

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def real(data_folder):
    """The real CT, its spleen, and where the spleen's voxels are in LPS mm by nibabel alone."""
    ct = read_volume(data_folder / "dicom_ct_totalsegmentator/series")
    file = data_folder / "dicom_ct_totalsegmentator/labels.nii.gz"
    spleen, _ = read_mask(file, label=5, volume=ct)
    label = nibabel.load(file)
    index = np.argwhere(np.asarray(label.dataobj) == 5)
    return ct, spleen, nibabel.affines.apply_affine(TO_LPS @ label.affine, index)


def in_order(places):
    places = np.round(places, 3) + 0.0
    return places[np.lexsort(places.T)]


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_mask_of_the_real_ct_lies_where_its_label_does_by_simpleitk(ending, real, tmp_path):
    ct, spleen, truth = real
    write_mask(spleen, ct, tmp_path / f"mask{ending}")
    image = sitk.ReadImage(str(tmp_path / f"mask{ending}"))
    matrix = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    found = np.argwhere(sitk.GetArrayFromImage(image).T) @ matrix.T + image.GetOrigin()
    np.testing.assert_allclose(in_order(found), in_order(truth), atol=2e-3)


def test_a_segmentation_of_the_real_ct_lies_where_its_label_does_by_highdicom_and_by_pydicom(real, tmp_path):
    ct, spleen, truth = real
    write_mask(spleen, ct, tmp_path / "mask.seg.dcm")
    volume = highdicom.seg.segread(tmp_path / "mask.seg.dcm").get_volume(combine_segments=True)
    found = nibabel.affines.apply_affine(volume.affine, np.argwhere(volume.array))
    np.testing.assert_allclose(in_order(found), in_order(truth), atol=2e-3)

    dataset = dcmread(tmp_path / "mask.seg.dcm")
    rows = []
    for frame, group in zip(dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        shared = dataset.SharedFunctionalGroupsSequence[0]
        along = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
        between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
        row, column = np.nonzero(frame)
        rows.append(origin + np.outer(column * between_columns, along[:3]) + np.outer(row * between_rows, along[3:]))
    np.testing.assert_allclose(in_order(np.concatenate(rows)), in_order(truth), atol=2e-3)
    referred = {one.ReferencedSOPInstanceUID for one in dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    files = ct.stored.header.files
    assert referred == {dcmread(file, stop_before_pixels=True).file_meta.MediaStorageSOPInstanceUID for file in files}


def test_the_surface_of_the_real_spleen_lies_around_its_label(real, tmp_path):
    ct, spleen, truth = real
    write_surface(spleen, ct, tmp_path / "mask.stl")
    content = (tmp_path / "mask.stl").read_bytes()
    corners = np.frombuffer(content, np.dtype([("n", "<f4", 3), ("c", "<f4", (3, 3)), ("r", "<u2")]), -1, 84)["c"]
    low, high = corners.reshape(-1, 3).min(axis=0), corners.reshape(-1, 3).max(axis=0)
    half = ct.spacing / 2
    assert (np.abs(low - (truth.min(axis=0) - half)) < ct.spacing).all()
    assert (np.abs(high - (truth.max(axis=0) + half)) < ct.spacing).all()


def test_labels_become_segments_and_come_back(dicom_series, tmp_path):
    dicom_series(tmp_path / "series", np.zeros((4, 8, 9), np.int16))
    volume = read_volume(tmp_path / "series")
    labels = np.zeros(volume.shape, np.uint8)
    labels[1:4, 2:5, 1:3], labels[5:7, 2:5, 0] = 2, 7
    write_labels(labels, volume, tmp_path / "labels.dcm")
    again = read_volume(tmp_path / "labels.dcm")
    np.testing.assert_array_equal(again.voxels, np.select([labels == 2, labels == 7], [1, 2]))
    names = [one.SegmentLabel for one in dcmread(tmp_path / "labels.dcm").SegmentSequence]
    assert names == ["Label 2", "Label 7"]
    seventh, _ = read_mask(tmp_path / "labels.dcm", label=2, volume=volume)
    np.testing.assert_array_equal(seventh, labels == 7)


def test_a_segmentation_in_the_folder_is_no_part_of_the_series(dicom_series, tmp_path):
    dicom_series(tmp_path / "series", np.ones((4, 8, 9), np.int16))
    volume = read_volume(tmp_path / "series")
    write_mask(volume.voxels > 0, volume, tmp_path / "series" / "mask.dcm")
    assert read_volume(tmp_path / "series").shape == volume.shape


def test_a_tilted_series_is_written_where_its_planes_are(dicom_series, tmp_path):
    tilted = np.array([[0.5, 0, 0, -20], [0, 0.5, 0.7, 30], [0, 0, 2.5, 100], [0, 0, 0, 1.0]])
    dicom_series(tmp_path / "series", np.arange(4 * 8 * 9, dtype=np.int16).reshape(4, 8, 9), tilted)
    volume = read_volume(tmp_path / "series")
    write_mask(volume.voxels % 3 == 0, volume, tmp_path / "mask.dcm")
    again, source = read_mask(tmp_path / "mask.dcm", volume=volume)
    np.testing.assert_array_equal(again, volume.voxels % 3 == 0)
    np.testing.assert_allclose(source.stored.affine, TO_LPS @ tilted, atol=1e-6)


def test_a_mask_of_a_single_plane_comes_back(dicom_series, tmp_path):
    dicom_series(tmp_path / "series", np.arange(72, dtype=np.int16).reshape(1, 8, 9))
    volume = read_volume(tmp_path / "series")
    write_mask(volume.voxels > 30, volume, tmp_path / "mask.dcm")
    again, _ = read_mask(tmp_path / "mask.dcm", volume=volume)
    np.testing.assert_array_equal(again, volume.voxels > 30)


def test_an_empty_mask_and_a_lost_series_are_refused(dicom_series, tmp_path):
    paths = dicom_series(tmp_path / "series", np.zeros((4, 8, 9), np.int16))
    volume = read_volume(tmp_path / "series")
    with pytest.raises(ToposegError, match="mask is empty"):
        write_mask(volume.voxels > 0, volume, tmp_path / "mask.dcm")
    paths[1].unlink()
    with pytest.raises(ToposegError, match="no longer there"):
        write_mask(volume.voxels == 0, volume, tmp_path / "mask.dcm")
    assert not (tmp_path / "mask.dcm").exists()


def test_a_damaged_segmentation_is_refused_in_a_sentence(dicom_series, tmp_path):
    dicom_series(tmp_path / "series", np.ones((4, 8, 9), np.int16))
    volume = read_volume(tmp_path / "series")
    write_mask(volume.voxels > 0, volume, tmp_path / "mask.dcm")
    content = (tmp_path / "mask.dcm").read_bytes()
    (tmp_path / "short.dcm").write_bytes(content[:-30])
    with pytest.raises(ToposegError, match="cannot be read as a DICOM segmentation"):
        read_volume(tmp_path / "short.dcm")
