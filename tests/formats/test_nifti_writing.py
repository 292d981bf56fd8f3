"""What goes out is what came in: byte for byte for images, place for place for masks."""

from __future__ import annotations

import dataclasses
import gzip
import tracemalloc

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_nifti, write_nifti_image, write_nifti_mask
from napari_toposeg.volume import Volume

TYPES = [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]
LIVED_IN = {
    "descrip": b"a scanner's own words",
    "aux_file": b"colours.txt",
    "intent_code": 3,
    "intent_p1": 12.5,
    "intent_name": b"t-test",
    "cal_max": 90.0,
    "cal_min": -5.0,
    "slice_code": 3,
    "slice_end": 4,
    "slice_duration": 0.05,
    "toffset": 1.5,
    "xyzt_units": 11,
    "qform_code": 1,
    "sform_code": 4,
    "dim_info": 57,
}


def any_bits(shape, dtype):
    """Numbers with any bit pattern that the type has, NaN and infinity among them."""
    content = np.random.default_rng(0).bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.frombuffer(content, dtype).reshape(shape)


def oblique():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec((0.3, -0.2, 0.5)).as_matrix() @ np.diag([0.8, -1.2, 2.0])
    affine[:3, 3] = (-20, 31.5, 7)
    return affine


def header_bytes(path):
    """The header's 348 bytes, as a structure that repairs nothing."""
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    return nibabel.Nifti1Header(content[:348], check=False)


@pytest.mark.parametrize("dtype", TYPES)
def test_images_of_all_axis_orders_and_types_come_out_byte_for_byte(axis_order, dtype, nifti, tmp_path):
    path = nifti(any_bits((4, 5, 6), dtype), axis_order, **LIVED_IN)
    write_nifti_image(read_nifti(path), tmp_path / "again.nii")
    assert (tmp_path / "again.nii").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("slope", "inter"), [(0.37, -1024), (2, 0), (-1e-4, 1e5), (1, 7)])
def test_scaled_images_come_out_byte_for_byte(dtype, slope, inter, nifti, tmp_path):
    path = nifti(any_bits((4, 5, 6), dtype), oblique(), scl_slope=slope, scl_inter=inter, **LIVED_IN)
    with np.errstate(all="ignore"):
        write_nifti_image(read_nifti(path), tmp_path / "again.nii")
    assert (tmp_path / "again.nii").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 1, 5), (1, 6, 5), (4, 5, 6, 1), (4, 5, 6, 1, 1)])
@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_images_of_all_shapes_come_out_byte_for_byte(shape, endianness, kind, nifti, tmp_path):
    path = nifti(any_bits(shape, np.int16), oblique(), kind=kind, endianness=endianness, extension=b"words", **LIVED_IN)
    write_nifti_image(read_nifti(path), tmp_path / "again.nii")
    assert (tmp_path / "again.nii").read_bytes() == path.read_bytes()


def test_a_compressed_image_holds_the_same_bytes_and_nothing_of_when_and_where(nifti, tmp_path):
    path = nifti(any_bits((4, 5, 6), np.int16), oblique(), name="a.nii.gz")
    write_nifti_image(read_nifti(path), tmp_path / "again.nii.gz")
    again = (tmp_path / "again.nii.gz").read_bytes()
    assert gzip.decompress(again) == gzip.decompress(path.read_bytes())
    # RFC 1952: no flag is set (no name, no comment), and the time is 0.
    assert again[3:8] == bytes(5)


def test_one_frame_of_several_comes_out_as_a_3d_image_in_its_place(nifti, tmp_path):
    array = any_bits((4, 5, 6, 3), np.int16)
    path = nifti(array, oblique(), **LIVED_IN)
    write_nifti_image(read_nifti(path, frame_number=2), tmp_path / "frame.nii")
    frame, source = nibabel.load(tmp_path / "frame.nii"), nibabel.load(path)
    assert frame.shape == (4, 5, 6)
    np.testing.assert_array_equal(frame.dataobj, array[..., 2])
    np.testing.assert_array_equal(frame.affine, source.affine)
    for field in source.header:
        if field != "dim":
            np.testing.assert_array_equal(frame.header[field], source.header[field])


def test_a_pair_comes_out_as_one_file_with_its_fields(nifti, tmp_path):
    fields = {key: value for key, value in LIVED_IN.items() if key != "intent_code"}
    path = nifti(any_bits((4, 5, 6), np.int16), oblique(), name="a.img", kind=nibabel.Nifti1Pair, **fields)
    write_nifti_image(read_nifti(path), tmp_path / "one.nii")
    one, source = nibabel.load(tmp_path / "one.nii"), nibabel.load(path)
    np.testing.assert_array_equal(one.dataobj, source.dataobj)
    for field in source.header:
        if field not in ("magic", "vox_offset"):
            np.testing.assert_array_equal(one.header[field], source.header[field])


def test_other_voxels_than_were_read_are_written_as_they_are(nifti, tmp_path):
    path = nifti(np.arange(120, dtype=np.int16).reshape(4, 5, 6), np.diag([-1.0, -1, 1, 1]), scl_slope=0.5, scl_inter=3)
    volume = read_nifti(path)
    for voxels in (volume.voxels + np.float32(0.1), volume.voxels > 20, volume.voxels.astype(np.float16)):
        write_nifti_image(dataclasses.replace(volume, voxels=voxels), tmp_path / "other.nii")
        other = nibabel.load(tmp_path / "other.nii")
        np.testing.assert_array_equal(other.get_fdata(dtype=np.float32), voxels[::-1, ::-1].astype(np.float32))
        np.testing.assert_array_equal(other.affine, nibabel.load(path).affine)


def test_an_image_that_never_was_a_file_gets_a_header_of_its_own(axis_order, tmp_path):
    array = np.arange(120, dtype=np.uint16).reshape(4, 5, 6)
    write_nifti_image(Volume.from_stored(array, axis_order), tmp_path / "new.nii.gz")
    image = nibabel.load(tmp_path / "new.nii.gz")
    np.testing.assert_array_equal(image.dataobj, array)
    np.testing.assert_allclose(image.affine, axis_order)
    np.testing.assert_allclose(image.header.get_zooms(), [0.75, 1.25, 2.5])
    assert image.header.get_xyzt_units()[0] == "mm"
    peer = sitk.ReadImage(tmp_path / "new.nii.gz")
    np.testing.assert_allclose(
        np.array(peer.TransformIndexToPhysicalPoint((1, 2, 3))) * (-1, -1, 1), axis_order[:3] @ [1, 2, 3, 1], atol=1e-5
    )


def test_an_axis_too_long_for_the_first_version_is_written_in_the_second(tmp_path):
    write_nifti_image(Volume.from_stored(np.zeros((40000, 2), np.uint8), np.eye(4)), tmp_path / "long.nii")
    assert nibabel.load(tmp_path / "long.nii").shape == (40000, 2)


@pytest.mark.parametrize("shape", [(4, 5, 6), (6, 5), (6, 5, 1), (6, 1, 5), (1, 6, 5), (4, 5, 6, 3)])
def test_a_mask_lies_on_the_stored_grid_and_keeps_place_and_unit_only(shape, nifti, tmp_path):
    path = nifti(
        np.ones(shape, np.int16), oblique(), scl_slope=0.5, scl_inter=-3, extension=b"the scanner's words", **LIVED_IN
    )
    volume = read_nifti(path, frame_number=0)
    mask = np.random.default_rng(0).random(volume.shape) < 0.3
    write_nifti_mask(mask, volume, tmp_path / "mask.nii.gz")
    written = nibabel.load(tmp_path / "mask.nii.gz")
    assert written.shape == shape[:3]
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(written.dataobj), volume.to_stored(mask).astype(np.uint8))
    raw, raw_source = header_bytes(tmp_path / "mask.nii.gz"), header_bytes(path)
    for field in raw:
        expected = {
            "dim": [len(shape[:3]), *shape[:3], *[1] * (7 - len(shape[:3]))],
            "datatype": 2, "bitpix": 8, "scl_slope": 1, "scl_inter": 0, "cal_max": 0, "cal_min": 0, "vox_offset": 352,
            "intent_code": 0, "intent_p1": 0, "intent_name": b"", "aux_file": b"",
        }.get(field, raw_source[field])  # fmt: skip
        np.testing.assert_array_equal(raw[field], expected, err_msg=field)
    assert len(written.header.extensions) == 0
    # The volume's own header was not touched.
    assert len(volume.stored.header.header.extensions) == 1
    write_nifti_image(volume, tmp_path / "image.nii")
    if len(shape) < 4:
        assert (tmp_path / "image.nii").read_bytes() == path.read_bytes()


def test_a_mask_of_another_shape_is_an_error_of_the_program(nifti, tmp_path):
    with pytest.raises(ValueError, match="does not fit"):
        write_nifti_mask(np.ones((5, 4, 6), bool), read_nifti(nifti(np.ones((4, 5, 6), np.int16))), tmp_path / "m.nii")


@pytest.mark.parametrize("name", ["mask.hdr", "mask.mgz", "mask"])
def test_other_endings_are_not_written(name, nifti, tmp_path):
    volume = read_nifti(nifti(np.ones((4, 5, 6), np.int16)))
    with pytest.raises(ToposegError, match="of no kind known here"):
        write_nifti_mask(np.ones((4, 5, 6), bool), volume, tmp_path / name)


def test_writing_holds_a_slab_not_a_volume(nifti, tmp_path):
    volume = read_nifti(nifti(np.zeros((160, 160, 100), np.int16), np.diag([-1.0, 1, 1, 1])))
    mask = np.zeros(volume.shape, bool)
    tracemalloc.start()
    write_nifti_image(volume, tmp_path / "image.nii.gz")
    write_nifti_mask(mask, volume, tmp_path / "mask.nii.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("spinalcord_sct/t2.nii.gz", "spinalcord_sct/t2_seg-manual.nii.gz"),
        ("totalsegmentator_ct/example_ct.nii.gz", "totalsegmentator_ct/example_ct_labels.nii.gz"),
        ("dicom_ct_totalsegmentator/labels.nii.gz", "dicom_ct_totalsegmentator/labels.nii.gz"),
        ("msd_hippocampus/images/hippocampus_001.nii.gz", "msd_hippocampus/labels/hippocampus_001.nii.gz"),
        ("kits19_labels3d/case_00097_segmentation.nii.gz", "kits19_labels3d/case_00097_segmentation.nii.gz"),
    ],
)
def test_real_masks_go_round_and_stay_where_simpleitk_has_them(image, label, data_folder, tmp_path):
    volume = read_nifti(data_folder / image)
    mask = read_nifti(data_folder / label).voxels != 0
    write_nifti_mask(mask, volume, tmp_path / "mask.nii.gz")
    ours, theirs = sitk.ReadImage(tmp_path / "mask.nii.gz"), sitk.ReadImage(data_folder / label) != 0
    source = sitk.ReadImage(data_folder / image)
    np.testing.assert_allclose(ours.GetOrigin(), source.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(ours.GetDirection(), source.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(ours.GetSpacing(), source.GetSpacing(), rtol=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs))
    # And the foreground's centre, which our own voxels and affine say, is where ITK finds it.
    centre = volume.frame.world(np.argwhere(mask).mean(axis=0))
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(ours)
    np.testing.assert_allclose(np.array(shapes.GetCentroid(1)) * (-1, -1, 1), centre, atol=1e-3)
