"""Folders become cases with the right labels, and a case becomes a volume with its label on the same grid."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff
from PIL import Image

from napari_toposeg.data import Case, find_cases, read_case
from napari_toposeg.errors import ToposegError, ToposegWarning

RNG = np.random.default_rng(0)
AFFINE = np.array([[-0.75, 0, 0, 10], [0, 0, 2.5, -4], [0, 1.25, 0, 7], [0, 0, 0, 1]])
VOXELS = RNG.integers(0, 500, (7, 8, 9)).astype(np.int16)
LABELS = RNG.integers(0, 4, (7, 8, 9)).astype(np.uint8)


def nifti(path: Path, array: np.ndarray = VOXELS, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def picture(path: Path, array: np.ndarray | None = None) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(RNG.integers(0, 255, (6, 9)).astype(np.uint8) if array is None else array).save(path)
    return path


def packed(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    np.savez_compressed(path, **arrays)
    return path


def names(cases: tuple[Case, ...]) -> list[str]:
    return [case.name for case in cases]


def test_files_of_the_same_name_belong_together_whatever_their_kind(tmp_path: Path) -> None:
    for name in ("b", "a", "c.1"):
        nifti(tmp_path / "images" / f"{name}.nii.gz")
        nifti(tmp_path / "labels" / f"{name}.nii", LABELS)
    (tmp_path / "images" / ".a.nii.gz").touch()
    (tmp_path / "images" / "notes.txt").touch()
    cases = find_cases(tmp_path / "images", str(tmp_path / "labels"))
    assert names(cases) == ["a", "b", "c.1"]
    assert [case.patient for case in cases] == ["a", "b", "c.1"]
    assert [case.label and case.label.name for case in cases] == ["a.nii", "b.nii", "c.1.nii"]
    assert {case.number for case in cases} == {None}
    assert all(case.label is None for case in find_cases(tmp_path / "images"))


def test_a_label_stored_in_another_axis_order_comes_on_the_image_s_grid(tmp_path: Path) -> None:
    turned = np.array([[2, -1], [0, 1], [1, -1]])
    nifti(tmp_path / "images" / "a.nii.gz")
    nifti(tmp_path / "same" / "a.nii.gz", LABELS)
    nifti(
        tmp_path / "turned" / "a.nii.gz",
        np.ascontiguousarray(apply_orientation(LABELS, turned)),
        AFFINE @ inv_ornt_aff(turned, LABELS.shape),
    )
    for folder in ("same", "turned"):
        volume, label = read_case(find_cases(tmp_path / "images", tmp_path / folder)[0])
        assert volume.name == "a"
        assert np.array_equal(volume.to_stored(volume.voxels), VOXELS)
        assert label is not None
        assert np.array_equal(volume.to_stored(label), LABELS)


def test_names_of_nnunet_s_images_end_in_a_channel_which_is_no_part_of_the_case(tmp_path: Path) -> None:
    for name in ("liver_1", "liver_2"):
        nifti(tmp_path / "imagesTr" / f"{name}_0000.nii.gz")
        nifti(tmp_path / "labelsTr" / f"{name}.nii.gz", LABELS)
    for labels in (tmp_path / "labelsTr", None):
        cases = find_cases(tmp_path / "imagesTr", labels)
        assert names(cases) == [case.patient for case in cases] == ["liver_1", "liver_2"]


def test_slices_that_are_counted_in_four_digits_keep_their_number(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "images" / f"slice_{number:04}.png")
        picture(tmp_path / "labels" / f"slice_{number:04}.png")
    cases = find_cases(tmp_path / "images", tmp_path / "labels")
    assert names(cases) == ["slice_0000", "slice_0001", "slice_0002"]
    assert all(case.label is not None and case.label.name == case.image.name for case in cases)


@pytest.mark.parametrize("suffix", ["_segmentation", "_seg", "_label", "_labels", "_mask", "_gt", "_seg-manual"])
def test_a_label_beside_its_image_is_known_by_its_suffix_and_is_never_an_image(suffix: str, tmp_path: Path) -> None:
    for name in ("ISIC_1", "ISIC_2"):
        picture(tmp_path / f"{name}.jpg")
        picture(tmp_path / f"{name}{suffix}.png")
    cases = find_cases(tmp_path, tmp_path)
    assert [(case.name, case.label) for case in cases] == [
        ("ISIC_1", tmp_path / f"ISIC_1{suffix}.png"),
        ("ISIC_2", tmp_path / f"ISIC_2{suffix}.png"),
    ]
    assert [(case.name, case.label) for case in find_cases(tmp_path)] == [("ISIC_1", None), ("ISIC_2", None)]


def test_a_suffix_counts_in_another_folder_too_and_so_does_a_channel_in_the_same(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "masks" / "a_mask.png")
    assert names(find_cases(tmp_path / "images", tmp_path / "masks")) == ["a"]
    nifti(tmp_path / "both" / "b_0000.nii.gz")
    nifti(tmp_path / "both" / "b_seg.nii.gz", LABELS)
    (case,) = find_cases(tmp_path / "both", tmp_path / "both")
    assert (case.name, case.label) == ("b", tmp_path / "both" / "b_seg.nii.gz")


@pytest.mark.parametrize("keys", [("images", "labels"), ("images", "segs"), ("images", "masks")])
def test_a_stack_is_one_case_for_each_image_and_one_patient(keys: tuple[str, str], tmp_path: Path) -> None:
    stacks = {
        name: {keys[0]: RNG.integers(0, 99, (count, 5, 8)), keys[1]: RNG.integers(0, 3, (count, 5, 8), np.uint8)}
        for name, count in (("p2", 1), ("p1", 12))
    }
    for name, arrays in stacks.items():
        packed(tmp_path / f"{name}.npz", **arrays, voxel_size_mm=np.array([1.5, 0.5, 8.0], np.float32))
    cases = find_cases(tmp_path, tmp_path)
    assert names(cases) == [f"p1/{number}" for number in range(12)] + ["p2/0"]
    assert [case.patient for case in cases] == ["p1"] * 12 + ["p2"]
    for case in cases:
        volume, label = read_case(case)
        assert volume.name == case.name
        assert label is not None
        assert case.number is not None
        assert np.array_equal(volume.to_stored(volume.voxels), stacks[case.patient][keys[0]][case.number])
        assert np.array_equal(volume.to_stored(label), stacks[case.patient][keys[1]][case.number])
        # The rows of the file run along the canonical second axis.
        assert volume.spacing == pytest.approx([0.5, 1.5])
    unlabelled = find_cases(tmp_path)
    assert names(unlabelled) == names(cases)
    assert all(case.label is None and read_case(case)[1] is None for case in unlabelled)


def test_the_same_slice_looks_alike_from_an_npz_and_from_a_png(tmp_path: Path) -> None:
    shown, drawn = RNG.integers(0, 255, (6, 9)).astype(np.uint8), RNG.integers(0, 2, (6, 9)).astype(np.uint8)
    packed(tmp_path / "npz" / "a.npz", image=shown, label=drawn)
    picture(tmp_path / "png" / "a.png", shown)
    picture(tmp_path / "png" / "a_mask.png", drawn)
    (one, first), (other, second) = (
        read_case(*find_cases(tmp_path / kind, tmp_path / kind)) for kind in ("npz", "png")
    )
    assert np.array_equal(one.voxels, other.voxels)
    assert np.array_equal(one.affine, other.affine)
    assert first is not None
    assert second is not None
    assert np.array_equal(first, second)


def test_a_volume_of_an_npz_keeps_its_axes_and_its_labels_may_lie_in_another_folder(tmp_path: Path) -> None:
    packed(tmp_path / "images" / "a.npz", image=VOXELS, spacing=np.array([1.0, 2.0, 3.0]))
    packed(tmp_path / "labels" / "a.npz", mask=LABELS > 1)
    (case,) = find_cases(tmp_path / "images", tmp_path / "labels")
    assert (case.name, case.number) == ("a", None)
    volume, label = read_case(case)
    assert np.array_equal(volume.voxels, VOXELS)
    assert volume.spacing == pytest.approx([1, 2, 3])
    assert label is not None
    assert label.dtype.kind == "u"
    assert np.array_equal(label, LABELS > 1)


def test_labels_stored_as_floats_become_whole_and_those_of_a_jpeg_sharp(tmp_path: Path) -> None:
    nifti(tmp_path / "images" / "a.nii.gz")
    nifti(tmp_path / "labels" / "a.nii.gz", LABELS.astype(np.float32))
    volume, label = read_case(*find_cases(tmp_path / "images", tmp_path / "labels"))
    assert label is not None
    assert label.dtype.kind == "i"
    assert np.array_equal(volume.to_stored(label), LABELS)
    square = np.zeros((32, 32), np.uint8)
    square[9:21, 9:21] = 255
    picture(tmp_path / "pictures" / "b.png", square)
    picture(tmp_path / "pictures" / "b_mask.jpg", square)
    volume, label = read_case(*find_cases(tmp_path / "pictures", tmp_path / "pictures"))
    assert np.array_equal(label, volume.voxels > 0)


@pytest.mark.parametrize(
    ("pattern", "patients"), [("", ["p1_a", "p1_b", "p2_a"]), ("p.", ["p1", "p1", "p2"]), ("p(.)_", ["1", "1", "2"])]
)
def test_a_pattern_finds_the_patient_in_the_name(pattern: str, patients: list[str], tmp_path: Path) -> None:
    for name in ("p1_a", "p1_b", "p2_a"):
        picture(tmp_path / f"{name}.png")
    assert [case.patient for case in find_cases(tmp_path, patient=pattern)] == patients


def test_labels_without_image_are_left_out_and_said(tmp_path: Path) -> None:
    nifti(tmp_path / "images" / "a.nii")
    for name in ("a", "b"):
        nifti(tmp_path / "labels" / f"{name}.nii", LABELS)
    with pytest.warns(ToposegWarning, match=r"1 label\(s\) in .* have no image and are left out: b\."):
        assert names(find_cases(tmp_path / "images", tmp_path / "labels")) == ["a"]


def write_pickle(folder: Path) -> None:
    """An npz whose array would run a program as it is unpickled."""
    with zipfile.ZipFile(folder / "a.npz", "w") as archive, archive.open("image.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (4, 4)})
        stream.write(pickle.dumps(np.zeros((4, 4), object)))


@pytest.mark.parametrize(
    ("make", "pattern", "said"),
    [
        (lambda folder: None, "", "There is no image in"),
        (lambda folder: picture(folder / "a.png"), "x", r"No patient is found in the name 'a' by 'x'"),
        (lambda folder: picture(folder / "a.png"), "(x)?a", "No patient is found in the name 'a'"),
        (lambda folder: picture(folder / "a.png"), "(", r"'\(' is no regular expression"),
        (lambda folder: (picture(folder / "a.png"), nifti(folder / "a.nii")), "", "are both case 'a'"),
        (lambda folder: packed(folder / "a.npz", picture=VOXELS), "", "has no image: it holds 'picture'"),
        (lambda folder: packed(folder / "a.npz", image=VOXELS, images=VOXELS), "", "has more than one image"),
        (lambda folder: packed(folder / "a.npz", image=np.zeros(5)), "", "holds 'image' of 5"),
        (lambda folder: packed(folder / "a.npz", images=np.zeros((5, 5))), "", "holds 'images' of 5 x 5"),
        (lambda folder: packed(folder / "a.npz", images=np.zeros((0, 5, 5))), "", "holds 'images' of 0 x 5 x 5"),
        (lambda folder: packed(folder / "a.npz", image=np.zeros((5, 5), complex)), "", "of the type complex128"),
        (lambda folder: (folder / "a.npz").write_bytes(b"PK\x03\x04 no zip"), "", "cannot be read as an array"),
        (write_pickle, "", "of the type object"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    make: Callable[[Path], Any], pattern: str, said: str, tmp_path: Path
) -> None:
    make(tmp_path)
    with pytest.raises(ToposegError, match=said):
        find_cases(tmp_path, patient=pattern)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: picture(folder / "a.png"), r"Of 1 images in .*, 1 have no label in .*: a\."),
        (
            lambda folder: [picture(folder / f"a{end}.png") for end in ("", "_mask", "_seg")],
            "a.png in .* has 2 labels: a_seg.png, a_mask.png",
        ),
        (lambda folder: packed(folder / "a.npz", image=VOXELS), "has no label map: it holds 'image'"),
        (
            lambda folder: packed(folder / "a.npz", image=VOXELS, mask=LABELS, segs=LABELS),
            "more than one label map: it holds 'segs', 'mask'",
        ),
        (
            lambda folder: packed(folder / "a.npz", image=VOXELS, mask=LABELS[:, :, :8]),
            "holds 'mask' of 7 x 8 x 8 and a.npz 'image' of 7 x 8 x 9",
        ),
    ],
)
def test_an_image_without_its_one_label_is_refused(make: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(ToposegError, match=said):
        find_cases(tmp_path, tmp_path)


def test_where_somebody_is_still_at_work_images_may_lack_a_label(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        nifti(tmp_path / "images" / f"{name}.nii.gz")
    nifti(tmp_path / "labels" / "b_seg.nii.gz", LABELS)
    cases = find_cases(tmp_path / "images", tmp_path / "labels", partly=True)
    assert {case.name: case.label and case.label.name for case in cases} == {"a": None, "b": "b_seg.nii.gz", "c": None}
    nifti(tmp_path / "labels" / "b.nii.gz", LABELS)
    with pytest.raises(ToposegError, match="has 2 labels"):
        find_cases(tmp_path / "images", tmp_path / "labels", partly=True)


def test_an_npz_and_a_picture_are_no_pair(tmp_path: Path) -> None:
    packed(tmp_path / "images" / "a.npz", image=np.zeros((6, 9)))
    picture(tmp_path / "labels" / "a.png")
    with pytest.raises(ToposegError, match="have no label"):
        find_cases(tmp_path / "images", tmp_path / "labels")


def test_folders_that_are_not_there_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(ToposegError, match=r"There is no folder .*nowhere"):
        find_cases(tmp_path / "nowhere")
    with pytest.raises(ToposegError, match=r"There is no folder .*nowhere"):
        find_cases(tmp_path, tmp_path / "nowhere")
    with pytest.raises(ToposegError, match=r"There is no folder .*a\.png"):
        find_cases(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: nifti(folder / "labels" / "a.nii", LABELS, np.eye(4)), "^a: The label lies on another grid"),
        (lambda folder: nifti(folder / "labels" / "a.nii", LABELS * np.float32(0.3)), r"^a: .*a\.nii is no label map"),
    ],
)
def test_a_label_that_does_not_fit_is_refused_with_the_case(
    make: Callable[[Path], Any], said: str, tmp_path: Path
) -> None:
    nifti(tmp_path / "images" / "a.nii")
    make(tmp_path)
    (case,) = find_cases(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(ToposegError, match=said):
        read_case(case)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.full((2, 4, 4), np.nan)}, "^a/1: Of the image's 16 voxels 16 are NaN"),
        ({"images": np.ones((2, 4, 4)), "spacing": [1.0]}, "^a/1: .* holds 'spacing' which is not 2 lengths"),
        ({"images": np.ones((2, 4, 4)), "spacing": [1.0, 0.0]}, "^a/1: .* holds 'spacing' which is not 2 lengths"),
        ({"images": np.ones((2, 4, 4)), "spacing": ["1", "1"]}, "^a/1: .* holds 'spacing' which is not 2 lengths"),
    ],
)
def test_an_image_of_a_stack_that_cannot_be_used_is_refused_with_its_number(
    arrays: dict[str, Any], said: str, tmp_path: Path
) -> None:
    packed(tmp_path / "a.npz", **arrays)
    with pytest.raises(ToposegError, match=said):
        read_case(find_cases(tmp_path)[1])


def test_a_stack_that_became_shorter_is_refused(tmp_path: Path) -> None:
    packed(tmp_path / "a.npz", images=np.ones((3, 4, 4)))
    case = find_cases(tmp_path)[2]
    packed(tmp_path / "a.npz", images=np.ones((2, 4, 4)))
    with pytest.raises(ToposegError, match="no image 2 any more"):
        read_case(case)


@pytest.mark.parametrize(
    ("images", "labels", "count", "patients", "values"),
    [
        ("acdc2d", "acdc2d", 800, 80, {0, 1, 2, 3}),
        ("sunnybrook_scd", "sunnybrook_scd", 189, 20, {0, 1}),
        ("msd_hippocampus/images", "msd_hippocampus/labels", 210, 210, {0, 1, 2}),
        ("isic2017", "isic2017", 30, 30, {0, 255}),
    ],
)
def test_real_folders_hold_as_many_cases_as_their_readme_says(
    data_folder: Path, images: str, labels: str, count: int, patients: int, values: set[int]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cases = find_cases(data_folder / images, data_folder / labels)
    assert len(cases) == len({case.name for case in cases}) == count
    assert len({case.patient for case in cases}) == patients
    for case in cases[:: count // 6]:
        volume, label = read_case(case)
        assert label is not None
        assert label.shape == volume.shape
        assert set(np.unique(label).tolist()) <= values
        assert (label > 0).any()
        assert volume.ndim == (3 if "hippocampus" in images else 2)
