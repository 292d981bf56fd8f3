"""Masks of any layout on the grid of their image, or a sentence why not."""

from __future__ import annotations

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff
from PIL import Image
from scipy.spatial.transform import Rotation

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import picture_volume, read_mask, read_nifti, write_mask
from napari_toposeg.volume import Volume

LAYOUTS = [np.column_stack([order, signs]) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def turned(angle):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("zxy", (angle, 12, -7), degrees=True).as_matrix() @ np.diag([0.8, 0.9, 2.0])
    affine[:3, 3] = (40, -20, 7)
    return affine


def random_labels(shape=(4, 5, 6)):
    return np.random.default_rng(0).integers(0, 4, shape).astype(np.uint8)


@pytest.mark.parametrize("angle", [0, 30, 60])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mask_in_any_axis_order_is_turned_on_to_its_image(layout, angle, nifti):
    labels, affine = random_labels(), turned(angle)
    volume = Volume.from_stored(labels, affine)
    path = nifti(apply_orientation(labels, layout), affine @ inv_ornt_aff(layout, labels.shape))
    mask, source = read_mask(path, volume=volume)
    np.testing.assert_array_equal(mask, volume.voxels != 0)
    np.testing.assert_array_equal(source.to_stored(source.voxels), apply_orientation(labels, layout))
    mask, _ = read_mask(path, label=3, volume=volume)
    np.testing.assert_array_equal(mask, volume.voxels == 3)


@pytest.mark.parametrize("angle", [45, 135, -45, -135])
def test_a_hair_s_breadth_at_45_degrees_swaps_canonical_axes_and_not_the_mask(angle, nifti):
    labels = random_labels()
    affines = [np.eye(4), np.eye(4)]
    for affine, hair in zip(affines, (-1e-5, 1e-5), strict=True):
        affine[:3, :3] = Rotation.from_euler("z", angle + hair, degrees=True).as_matrix()
    volume, path = Volume.from_stored(labels, affines[0]), nifti(labels, affines[1])
    mask, source = read_mask(path, volume=volume)
    assert source.shape != volume.shape
    np.testing.assert_array_equal(mask, volume.voxels != 0)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 1, 5), (1, 6, 5)])
def test_a_flat_mask_with_two_axes_fits_the_image_with_three(shape, nifti):
    labels, affine = random_labels(shape), turned(20)
    volume = Volume.from_stored(labels, affine)
    flat = labels.reshape(6, 5)
    single = shape.index(1) if 1 in shape else 2
    columns = [axis for axis in range(3) if axis != single]
    path = nifti(flat.T, affine[:, [columns[1], columns[0], single, 3]])
    np.testing.assert_array_equal(read_mask(path, volume=volume)[0], volume.voxels != 0)


@pytest.mark.parametrize(
    "change",
    ["shape", "shifted by a voxel", "shifted by a tenth", "spacing", "turned", "mirrored", "flat"],
)
def test_a_mask_on_another_grid_is_refused_with_both_grids_named(change, nifti):
    labels, affine = random_labels(), turned(0)
    volume = Volume.from_stored(labels, affine)
    other, place = labels, affine.copy()
    if change == "shape":
        other = labels[:, :, :5]
    elif change == "shifted by a voxel":
        place[:3, 3] += place[:3, 0]
    elif change == "shifted by a tenth":
        place[:3, 3] += place[:3, 2] * 0.1
    elif change == "spacing":
        place[:3, :3] *= 1.02
    elif change == "turned":
        place = turned(2)
    elif change == "mirrored":
        place[:3, 0] *= -1
    else:
        other = labels[..., 0]
    with pytest.raises(ToposegError, match="lies on another grid") as caught:
        read_mask(nifti(other, place), volume=volume)
    assert " x ".join(map(str, other.shape)) in caught.value.why
    assert "4 x 5 x 6 voxels of 0.8 x 0.9 x 2 mm" in caught.value.why


def test_a_plane_elsewhere_in_the_patient_is_another_grid(nifti):
    volume = Volume.from_stored(random_labels((6, 5)), turned(0))
    lifted = turned(0)
    lifted[:3, 3] += lifted[:3, 2]
    with pytest.raises(ToposegError, match="lies on another grid"):
        read_mask(nifti(random_labels((6, 5)), lifted), volume=volume)


def test_the_rounding_of_headers_is_not_another_grid(nifti):
    labels = random_labels((50, 60, 40))
    path = nifti(labels, turned(33))
    image = nibabel.load(path)
    image.set_qform(image.affine, 1)
    image.set_sform(None, 0)
    nibabel.save(image, path.with_name("qform.nii"))
    moved = turned(33)
    moved[:3, 3] += 1e-3
    for volume in (read_nifti(path), Volume.from_stored(labels, moved)):
        np.testing.assert_array_equal(read_mask(path.with_name("qform.nii"), volume=volume)[0], volume.voxels != 0)


def test_a_missing_label_is_answered_with_those_that_there_are(nifti):
    with pytest.raises(ToposegError, match=r"no voxel of label 7\. Its labels are 1, 2, 3\."):
        read_mask(nifti(random_labels()), label=7)
    with pytest.raises(ToposegError, match="All of it is background"):
        read_mask(nifti(np.zeros((4, 5, 6), np.uint8)), label=1)
    with pytest.raises(ToposegError, match=r"19, 20 and 99 more\."):
        read_mask(nifti(np.arange(120).reshape(4, 5, 6).astype(np.int16)), label=500)


def test_an_empty_mask_is_read_as_such(nifti):
    assert not read_mask(nifti(np.zeros((4, 5, 6), np.uint8)))[0].any()


def test_a_mask_with_voxels_that_are_no_numbers_is_refused(nifti):
    values = random_labels().astype(np.float32)
    values[0, 0, 0] = np.nan
    with pytest.raises(ToposegError, match="1 are NaN"):
        read_mask(nifti(values))


def test_labels_count_after_scaling(nifti):
    mask, _ = read_mask(nifti(random_labels(), np.eye(4), scl_slope=0.5, scl_inter=10), label=11)
    np.testing.assert_array_equal(mask, random_labels() == 2)


@pytest.mark.parametrize("foreground", [1, 255])
def test_a_picture_s_mask_is_every_pixel_that_is_not_black(foreground, tmp_path):
    drawn = random_labels((8, 9)) > 1
    Image.fromarray(drawn * np.uint8(foreground)).save(tmp_path / "mask.png")
    volume = picture_volume(np.zeros((8, 9), np.uint8))
    mask, _ = read_mask(tmp_path / "mask.png", volume=volume)
    np.testing.assert_array_equal(volume.to_stored(mask), drawn)


def test_the_blurred_edges_of_a_jpeg_do_not_grow_the_mask(tmp_path):
    drawn = np.zeros((40, 40), bool)
    drawn[8:30, 11:33] = True
    Image.fromarray(drawn * np.uint8(255)).save(tmp_path / "mask.jpg", quality=70)
    assert (np.asarray(Image.open(tmp_path / "mask.jpg")) != 0).sum() > drawn.sum()
    volume = picture_volume(np.zeros((40, 40), np.uint8))
    np.testing.assert_array_equal(volume.to_stored(read_mask(tmp_path / "mask.jpg", volume=volume)[0]), drawn)


def test_a_mask_of_another_picture_is_refused(tmp_path):
    Image.fromarray(np.ones((8, 9), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ToposegError, match="lies on another grid"):
        read_mask(tmp_path / "mask.png", volume=picture_volume(np.zeros((9, 8), np.uint8)))


@pytest.mark.parametrize("name", ["mask.png", "mask.nii.gz"])
def test_a_picture_s_mask_goes_round_as_picture_and_as_nifti(name, tmp_path):
    volume = picture_volume(random_labels((8, 9)))
    mask = np.random.default_rng(1).random(volume.shape) < 0.4
    write_mask(mask, volume, tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name, volume=volume)[0], mask)


def test_the_true_cord_mask_fits_its_image_and_no_other(data_folder):
    cord = data_folder / "spinalcord_sct"
    volume = read_nifti(cord / "t2.nii.gz")
    mask, source = read_mask(cord / "t2_seg-manual.nii.gz", volume=volume)
    np.testing.assert_array_equal(volume.to_stored(mask), source.to_stored(source.voxels) != 0)
    with pytest.raises(ToposegError, match="lies on another grid"):
        read_mask(
            cord / "t2_seg-manual.nii.gz", volume=read_nifti(data_folder / "totalsegmentator_ct/example_ct.nii.gz")
        )
