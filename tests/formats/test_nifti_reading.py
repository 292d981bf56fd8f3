"""What NIfTI files say, with nibabel and SimpleITK as the second opinion."""

from __future__ import annotations

import gzip
import tracemalloc
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import nifti_reading, read_nifti

TYPES = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64]


def noise(shape, dtype=np.int16, seed=0):
    values = np.random.default_rng(seed).integers(0, 120, shape)
    return values.astype(dtype) if np.dtype(dtype).kind != "f" else (values / 7).astype(dtype)


def test_each_axis_order_reads_as_nibabel_turns_it(axis_order, nifti):
    path = nifti(noise((4, 5, 6)), axis_order)
    volume, peer = read_nifti(path), nibabel.as_closest_canonical(nibabel.load(path))
    np.testing.assert_array_equal(volume.voxels, peer.get_fdata())
    np.testing.assert_allclose(volume.affine, peer.affine, atol=1e-5)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("endianness", ["<", ">"])
def test_voxels_keep_the_stored_type_in_the_machine_s_byte_order(dtype, endianness, nifti):
    array = noise((3, 4, 5), dtype)
    volume = read_nifti(nifti(array, endianness=endianness))
    assert volume.voxels.dtype == np.dtype(dtype)
    assert volume.voxels.dtype.isnative
    np.testing.assert_array_equal(volume.voxels, array)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (np.uint8, np.float32),
        (np.int16, np.float32),
        (np.float32, np.float32),
        (np.int32, np.float64),
        (np.float64, np.float64),
    ],
)
def test_a_scaling_is_applied_in_a_type_wide_enough(stored, read, nifti):
    array = noise((3, 4, 5), stored)
    volume = read_nifti(nifti(array, scl_slope=0.37, scl_inter=-1024))
    assert volume.voxels.dtype == read
    slope = float(np.float32(0.37))
    np.testing.assert_array_equal(volume.voxels, (array.astype(np.float64) * slope - 1024).astype(read))


@pytest.mark.parametrize(("slope", "inter"), [(np.nan, np.nan), (0, 0), (1, 0), (0, 5), (np.inf, 3)])
def test_a_scaling_that_says_nothing_leaves_the_stored_numbers(slope, inter, nifti):
    volume = read_nifti(nifti(noise((3, 4, 5)), scl_slope=slope, scl_inter=inter))
    assert volume.voxels.dtype == np.int16


@pytest.mark.parametrize(("code", "millimetres"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001), (10, 1.0), (11, 0.001)])
def test_lengths_are_millimetres_inside_whatever_the_file_counts_in(code, millimetres, nifti):
    path = nifti(noise((3, 4, 5)), np.diag([2.0, 3.0, 4.0, 1.0]), xyzt_units=code)
    np.testing.assert_allclose(read_nifti(path).spacing, np.array([2, 3, 4]) * millimetres)
    if code in (2, 3, 10, 11):
        np.testing.assert_allclose(read_nifti(path).spacing, sitk.ReadImage(path).GetSpacing(), rtol=1e-5)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.NII.GZ", "a.img", "a.hdr"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_every_ending_of_both_versions_reads(name, kind, nifti):
    if name[2:] in ("img", "hdr"):
        kind = nibabel.Nifti1Pair if kind is nibabel.Nifti1Image else nibabel.Nifti2Pair
    array = noise((3, 4, 5))
    volume = read_nifti(nifti(array, np.eye(4), name=name, kind=kind))
    np.testing.assert_array_equal(volume.voxels, array)
    assert volume.name == "a"


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 1, 5), (1, 6, 5)])
def test_a_single_slice_is_a_2d_image(shape, nifti):
    volume = read_nifti(nifti(noise(shape)))
    assert volume.voxels.shape == (6, 5)
    assert volume.stored.shape == shape


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1)])
def test_a_slice_without_thickness_still_has_a_place(shape, nifti):
    affine = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, 6], [0, 0, 0, 7], [0, 0, 0, 1]])
    path = nifti(noise(shape), np.eye(4), srow_x=affine[0], srow_y=affine[1], srow_z=affine[2], sform_code=1)
    volume = read_nifti(path)
    np.testing.assert_allclose(sorted(volume.spacing), [1.5, 2.0])
    np.testing.assert_allclose(abs(volume.affine[:3, 2]), [0, 0, 1])


def test_one_frame_is_taken_by_its_number(nifti):
    array = noise((3, 4, 5, 6))
    for name in ("a.nii", "a.nii.gz"):
        path = nifti(array, np.eye(4), name=name)
        for number in (0, 3, 5):
            np.testing.assert_array_equal(read_nifti(path, frame_number=number).voxels, array[..., number])


def test_the_only_frame_is_taken_without_asking(nifti):
    array = noise((3, 4, 5, 1))
    np.testing.assert_array_equal(read_nifti(nifti(array, np.eye(4))).voxels, array[..., 0])
    np.testing.assert_array_equal(read_nifti(nifti(noise((3, 4, 5))), frame_number=0).voxels, noise((3, 4, 5)))


def test_several_frames_ask_which_one(nifti):
    with pytest.raises(ToposegError, match=r"holds 6 frames.*--frame 0 to --frame 5"):
        read_nifti(nifti(noise((3, 4, 5, 6))))


@pytest.mark.parametrize("number", [-1, 6])
def test_a_frame_that_is_not_there_is_refused(number, nifti):
    with pytest.raises(ToposegError, match=f"no frame {number}.*holds 6"):
        read_nifti(nifti(noise((3, 4, 5, 6))), frame_number=number)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (noise((3, 4, 5, 1, 3)), "5 axes of 3 x 4 x 5 x 1 x 3"),
        (noise((3, 4, 5)).astype(np.complex64), "complex numbers.*magnitude"),
        (noise((3, 4, 5, 3), np.uint8).view([(c, "u1") for c in "RGB"])[..., 0], "colours.*one channel"),
        (noise((7,)), "no image"),
        (noise((7, 1, 1)), "line of 7 voxels"),
    ],
    ids=["5-D", "complex", "RGB", "1-D", "line"],
)
def test_what_cannot_be_segmented_is_refused_with_what_to_do(array, said, nifti):
    with pytest.raises(ToposegError, match=said):
        read_nifti(nifti(array))


def test_missing_empty_and_foreign_files_are_refused(tmp_path):
    (tmp_path / "empty.nii.gz").touch()
    (tmp_path / "text.nii").write_text("This is a text. " * 100)
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"This is a text. " * 100))
    (tmp_path / "short.nii").write_bytes(b"\x5c\x01\x00\x00" * 5)
    (tmp_path / "plain.nii.gz").write_text("Not compressed. " * 100)
    (tmp_path / "folder.nii").mkdir()
    for name, said in {
        "none.nii": "no file",
        "empty.nii.gz": "is empty",
        "text.nii": "cannot be read as NIfTI",
        "text.nii.gz": "cannot be read as NIfTI",
        "short.nii": "cannot be read as NIfTI",
        "plain.nii.gz": "cannot be read as NIfTI",
        "folder.nii": "is a folder",
    }.items():
        with pytest.raises(ToposegError, match=said) as caught:
            read_nifti(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert caught.value.todo


def test_an_analyze_file_is_no_nifti(tmp_path):
    nibabel.save(nibabel.Spm99AnalyzeImage(noise((3, 4, 5)), np.eye(4)), tmp_path / "old.img")
    with pytest.raises(ToposegError, match="mark of NIfTI"):
        read_nifti(tmp_path / "old.img")


def test_a_pair_without_its_voxels_is_refused(nifti):
    path = nifti(noise((3, 4, 5)), name="a.img", kind=nibabel.Nifti1Pair)
    path.unlink()
    with pytest.raises(ToposegError, match="cannot be read as NIfTI"):
        read_nifti(path.with_suffix(".hdr"))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_file_is_refused_wherever_it_ends(name, nifti):
    path = nifti(noise((6, 7, 8)), np.eye(4), name=name)
    whole = path.read_bytes()
    for length in (*range(1, len(whole), len(whole) // 23), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ToposegError, match="cannot be read as NIfTI"):
            read_nifti(path)


def test_a_flipped_bit_in_compressed_voxels_is_noticed(nifti):
    path = nifti(noise((12, 13, 14)), np.eye(4), name="a.nii.gz")
    whole = path.read_bytes()
    for place in range(300, len(whole) - 8, 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ToposegError, match="cannot be read as NIfTI"):
            read_nifti(path)


def test_a_header_that_promises_too_much_takes_no_memory(nifti):
    for name in ("a.nii", "a.nii.gz"):
        path = nifti(noise((3, 4, 5)), name="a.nii", dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
        if name.endswith(".gz"):
            path.with_name(name).write_bytes(gzip.compress(path.read_bytes()))
        with pytest.raises(ToposegError, match="promises 54000000000352 bytes"):
            read_nifti(path.with_name(name))


@given(place=st.integers(0, 351), value=st.integers(0, 255), gzipped=st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_to_a_header_gives_an_image_or_one_sentence(place, value, gzipped, nifti):
    path = nifti(noise((3, 4, 5)))
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(bytes(content))
    if gzipped:
        path = path.with_suffix(".nii.gz")
        path.write_bytes(gzip.compress(bytes(content)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            said = "" if read_nifti(path).ndim in (2, 3) else "neither"
        except ToposegError as error:
            said = str(error) if error.todo else "nothing to do"
    assert "\n" not in said
    assert said not in ("neither", "nothing to do")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_opening_holds_one_array_and_no_copy(name, nifti):
    path = nifti(np.zeros((160, 160, 100), np.int16), np.diag([-1.0, 1, 1, 1]), name=name)
    tracemalloc.start()
    volume = read_nifti(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < volume.voxels.nbytes + 2**20


def test_a_large_uncompressed_file_is_mapped_not_read(nifti, monkeypatch):
    monkeypatch.setattr(nifti_reading, "MAPPED_FROM", 2**20)
    array = noise((100, 100, 100, 2))
    path = nifti(array, np.eye(4))
    tracemalloc.start()
    volume = read_nifti(path, frame_number=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    np.testing.assert_array_equal(volume.voxels, array[..., 1])


@pytest.mark.parametrize(
    "name",
    [
        "spinalcord_sct/t2.nii.gz",
        "totalsegmentator_ct/example_ct.nii.gz",
        "dicom_ct_totalsegmentator/labels.nii.gz",
        "msd_hippocampus/images/hippocampus_001.nii.gz",
    ],
)
def test_real_images_have_their_voxels_where_simpleitk_has_them(name, data_folder: Path):
    volume, peer = read_nifti(data_folder / name), sitk.ReadImage(data_folder / name)
    generator = np.random.default_rng(0)
    for index in generator.integers(0, volume.shape, (50, 3)):
        world = volume.frame.world(index) * (-1, -1, 1)
        there = peer.TransformPhysicalPointToContinuousIndex(world)
        np.testing.assert_allclose(there, np.round(there), atol=1e-3)
        assert volume.voxels[tuple(index)] == peer[tuple(round(value) for value in there)]
