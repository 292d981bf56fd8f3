"""DICOM series in: real ones beside SimpleITK, made ones with known answers, and everything that makes no volume."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRBigEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import SeveralFramesError, complete_report, find_series, read_mask, read_volume, source_hash

TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def block() -> np.ndarray:
    """Five slices of four rows and six columns, every number different."""
    return np.random.default_rng(3).permutation(np.arange(-60, 60, dtype=np.int16)).reshape(5, 4, 6)


def by_simpleitk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), TO_RAS @ affine


@pytest.mark.parametrize("series", ["dicom_ct_totalsegmentator/series", "dicom_mr_hippocrop/Study1_HCropVolume"])
def test_real_series_are_as_simpleitk_reads_them(series, data_folder):
    array, affine = by_simpleitk(data_folder / series)
    volume = read_volume(data_folder / series)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, array)
    np.testing.assert_allclose(volume.stored.affine, affine, atol=1e-9)


def test_any_file_of_a_series_stands_for_all_of_it(data_folder):
    folder = data_folder / "dicom_mr_hippocrop/Study1_HCropVolume"
    whole = read_volume(folder)
    for name in ("1.dcm", "17.dcm"):
        np.testing.assert_array_equal(read_volume(folder / name).voxels, whole.voxels)
    again = read_volume(whole.path)
    np.testing.assert_array_equal(again.voxels, whole.voxels)
    assert source_hash(again) == source_hash(whole) == complete_report({}, whole)["input"]["sha256"]


def test_the_real_ct_and_its_label_lie_in_the_same_place(data_folder):
    ct = read_volume(data_folder / "dicom_ct_totalsegmentator/series")
    spleen, _ = read_mask(data_folder / "dicom_ct_totalsegmentator/labels.nii.gz", label=5, volume=ct)
    # On another grid than the right one `read_mask` refuses; soft tissue, not air and not bone, says that it is not
    # mirrored.
    inside = ct.voxels[spleen]
    assert len(inside) > 10_000
    assert np.mean((inside > -50) & (inside < 250)) > 0.9


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda one: one.name)
def test_compressed_slices_are_the_same_numbers(syntax, dicom_series, block, tmp_path):
    whole = block.repeat(16, axis=1).repeat(16, axis=2) + np.int16(60)
    for path in dicom_series(tmp_path / "a", whole.astype(np.uint16)):
        dataset = dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    volume = read_volume(tmp_path / "a")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, whole)


def test_lossless_jpeg_of_older_scanners_is_read(dicom_series, block, tmp_path):
    gdcm = pytest.importorskip("gdcm")
    whole = (block + 60).astype(np.uint16).repeat(4, axis=1).repeat(4, axis=2)
    for path in dicom_series(tmp_path / "a", whole):
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(path))
        assert writer.Write()
    volume = read_volume(tmp_path / "a")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, whole)


def test_big_endian_slices_are_the_same_numbers(dicom_series, block, tmp_path):
    dicom_series(tmp_path / "a", block, syntax=ExplicitVRBigEndian)
    volume = read_volume(tmp_path / "a")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, block)


def test_whole_slopes_and_intercepts_give_whole_numbers(dicom_series, block, tmp_path):
    dicom_series(tmp_path / "a", (block + 60).astype(np.uint16), RescaleSlope=2, RescaleIntercept=-1024, BitsStored=12)
    volume = read_volume(tmp_path / "a")
    assert volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, 2 * (block.astype(int) + 60) - 1024)


def test_each_slice_has_its_own_slope_as_in_pet(dicom_series, block, tmp_path):
    dicom_series(tmp_path / "a", block, RescaleSlope=lambda k: f"{0.5 + k:g}", RescaleIntercept=0, Modality="PT")
    volume = read_volume(tmp_path / "a")
    assert volume.voxels.dtype == np.float32
    slopes = 0.5 + np.arange(5)[:, None, None]
    np.testing.assert_allclose(volume.to_stored(volume.voxels).T, block * slopes)


def test_a_tilted_gantry_is_in_the_affine(dicom_series, block, tmp_path):
    affine = np.array([[0.5, 0, 0, -20], [0, 0.5, 0.7, 30], [0, 0, 2.5, 100], [0, 0, 0, 1.0]])
    dicom_series(tmp_path / "a", block, affine)
    volume = read_volume(tmp_path / "a")
    np.testing.assert_allclose(volume.stored.affine, TO_RAS @ affine, atol=1e-9)
    (slice_number, row, column) = np.argwhere(block == block.max())[0]
    place = volume.frame.world(np.argwhere(volume.voxels == block.max())[0])
    np.testing.assert_allclose(place, (TO_RAS @ affine @ [column, row, slice_number, 1])[:3], atol=1e-6)


def test_a_localiser_in_the_folder_is_left_out(dicom_series, block, tmp_path):
    dicom_series(tmp_path / "a", block, SeriesNumber=2, SeriesDescription="Abdomen")
    scout = np.zeros((1, 9, 9), np.int16)
    dicom_series(tmp_path / "a", scout, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesNumber=1)
    volume = read_volume(tmp_path / "a")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, block)
    assert volume.name == "Abdomen"
    assert [one.localiser for one in find_series(tmp_path / "a")] == [False, True]


def test_several_series_are_listed_and_one_is_chosen(dicom_series, block, tmp_path):
    dicom_series(tmp_path / "study" / "one", block, SeriesNumber=1, SeriesDescription="Native")
    second = dicom_series(tmp_path / "study" / "two", block + 1, SeriesNumber=2, SeriesDescription="Venous")
    with pytest.raises(ToposegError, match=r"2 series.*1: Native .CT, 5 of 6 x 4.; 2: Venous.*--series 2"):
        read_volume(tmp_path / "study")
    for series in (2, "2", dcmread(second[0]).SeriesInstanceUID):
        volume = read_volume(tmp_path / "study", series=series)
        np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, block + 1)
    np.testing.assert_array_equal(read_volume(second[3]).voxels, volume.voxels)
    with pytest.raises(ToposegError, match="no series 3"):
        read_volume(tmp_path / "study", series=3)


def test_copies_of_an_image_count_once(dicom_series, block, tmp_path):
    paths = dicom_series(tmp_path / "a", block)
    shutil.copy(paths[2], tmp_path / "a" / "copy of it")
    assert read_volume(tmp_path / "a").stored.shape == (6, 4, 5)


def test_several_times_are_frames(dicom_series, block, tmp_path):
    uid = "1.2.3.4"
    for time in (0, 1, 2):
        dicom_series(
            tmp_path / "a",
            block + time,
            SeriesInstanceUID=uid,
            TemporalPositionIdentifier=time + 1,
            InstanceNumber=lambda k, time=time: 3 * k + time + 1,
        )
    with pytest.raises(SeveralFramesError, match=r"3 frames.*--frame 2") as caught:
        read_volume(tmp_path / "a")
    assert caught.value.frames == 3
    volume = read_volume(tmp_path / "a", 1)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, block + 1)
    assert volume.frame_number == 1
    with pytest.raises(ToposegError, match="no frame 3"):
        read_volume(tmp_path / "a", 3)


def multi_frame(path, block, order):
    """One file with all slices, in any order; each frame says where it lies."""
    dataset = dcmread(path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    dataset.NumberOfFrames = len(block)
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = dataset.PixelSpacing, 2
    orientation.ImageOrientationPatient = dataset.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    value = Dataset()
    value.RescaleSlope, value.RescaleIntercept = 1, 10
    shared.PixelValueTransformationSequence = [value]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for number in order:
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, 2 * int(number)]
        group.PlanePositionSequence = [position]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    for name in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"):
        delattr(dataset, name)
    dataset.PixelData = block[order].tobytes()
    dataset.save_as(path)


def test_a_file_with_many_frames_is_a_volume(dicom_series, block, tmp_path):
    (path,) = dicom_series(tmp_path / "a", block[:1])
    multi_frame(path, block, np.array([2, 0, 4, 1, 3]))
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, block + 10)
    np.testing.assert_allclose(volume.stored.affine, TO_RAS @ np.diag([1.0, 1.5, 2.0, 1.0]))


def test_a_single_plane_is_a_2d_image_in_its_place(dicom_series, block, tmp_path):
    affine = np.array([[0, 0, 1, 5], [0.5, 0, 0, 6], [0, -0.75, 0, 7], [0, 0, 0, 1.0]])
    dicom_series(tmp_path / "a", block[:1], affine)
    volume = read_volume(tmp_path / "a")
    assert volume.ndim == 2
    np.testing.assert_allclose(volume.stored.affine[:, [0, 1, 3]], (TO_RAS @ affine)[:, [0, 1, 3]], atol=1e-9)


def test_colours_become_their_luminance(dicom_series, tmp_path):
    colours = np.random.default_rng(1).integers(0, 256, (1, 4, 6, 3), dtype=np.uint8)
    facts = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, "Columns": 6}
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None}
    dicom_series(tmp_path / "a", colours, **facts, **nowhere)
    volume = read_volume(tmp_path / "a")
    expected = np.round(colours[0] @ np.array([0.299, 0.587, 0.114]))
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, expected)


def lacking(write, block, folder):
    paths = write(folder, block)
    paths[2].unlink()


def uneven(write, block, folder):
    write(folder, block, ImagePositionPatient=lambda k: [0, 0, (0, 2, 4.4, 6, 8)[k]])


def askew(write, block, folder):
    write(folder, block, ImagePositionPatient=lambda k: [(0, 0, 3, 0, 0)[k], 0, 2 * k])


def unequal(write, block, folder):
    write(folder, block, SeriesInstanceUID="1.2.3")
    write(folder, block[:2], SeriesInstanceUID="1.2.3")


def cut_short(write, block, folder):
    path = write(folder, block)[1]
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            lacking,
            r"1 slice is missing.*4 mm where others have 2 mm, is between slices 2 and 3 of 4 .007_1 and 021_3.\.",
        ),
        (uneven, r"unevenly.*1.6 to 2.4 mm; farthest from its place, by 0.4 mm, is slice 3 of 5 .014_2.\."),
        (askew, r"do not lie above one another. Farthest from its place, by 3 mm, is slice 3 of 5 .014_2.\."),
        (unequal, r"make no volume.*there are 2 of them, in others 1, first at slice 3 of 5 .014_2.\."),
        (cut_short, "cannot be read as DICOM"),
    ],
)
def test_what_makes_no_volume_is_refused_in_a_sentence(case, said, dicom_series, block, tmp_path):
    case(dicom_series, block, tmp_path / "a")
    with pytest.raises(ToposegError, match=said) as caught:
        read_volume(tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_folders_and_files_without_an_image_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ToposegError, match="no DICOM image in"):
        read_volume(tmp_path)
    (tmp_path / "a.dcm").write_bytes(b"no dicom at all" * 20)
    with pytest.raises(ToposegError, match="is no DICOM image"):
        read_volume(tmp_path / "a.dcm")
