"""Each format that can hold a place in the world gives it back exactly: 48 axis orders and 20 oblique grids."""

from __future__ import annotations

from itertools import permutations, product

import highdicom
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_mask, read_volume, write_image, write_labels, write_mask, write_surface
from napari_toposeg.volume import Volume

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SPACING = (0.75, 1.25, 2.5)
ORIGIN = (-31.5, 12.25, 104.0)


def _place(directions: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions * SPACING, ORIGIN
    return affine


def _places() -> list:
    straight = [
        pytest.param(_place(np.eye(3)[:, order] * signs), id=f"{order}{signs}")
        for order in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
    oblique = [
        pytest.param(_place(turn.as_matrix()), id=f"oblique {number}")
        for number, turn in enumerate(Rotation.random(20, rng=np.random.default_rng(20)))
    ]
    return straight + oblique


PLACES = _places()
RIGHT_HANDED = [one for one in PLACES if np.linalg.det(one.values[0][:3, :3]) > 0]


@pytest.fixture(scope="module")
def voxels() -> np.ndarray:
    """In a file's order, its first index the fastest; every number different."""
    return np.random.default_rng(5).permutation(60).astype(np.int16).reshape(4, 5, 3)


def simpleitk_writes(array, affine, path):
    lps = TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(array.T)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path))


def simpleitk_reads(path):
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, TO_LPS @ affine


@pytest.mark.parametrize("affine", PLACES)
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_grid_comes_in_and_a_mask_goes_out_in_its_place(ending, affine, voxels, tmp_path):
    source, image, mask = (tmp_path / f"{name}{ending}" for name in ("source", "image", "mask"))
    simpleitk_writes(voxels, affine, source)
    volume = read_volume(source)
    # SimpleITK keeps NIfTI's place as 32-bit numbers.
    close = {"rtol": 0, "atol": 1e-5 if ending.startswith(".nii") else 1e-12}
    np.testing.assert_allclose(volume.stored.affine, affine, **close)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), voxels)

    write_image(volume, image)
    write_mask(volume.voxels > 30, volume, mask)
    for path, expected in ((image, voxels), (mask, voxels > 30)):
        array, found = simpleitk_reads(path)
        np.testing.assert_array_equal(array, expected)
        np.testing.assert_allclose(found, affine, **close)
    if ending.startswith(".nii"):
        np.testing.assert_allclose(nibabel.load(mask).affine, affine, **close)


@pytest.mark.parametrize("affine", RIGHT_HANDED)
def test_a_dicom_segmentation_lies_where_its_series_does(affine, voxels, dicom_series, tmp_path):
    # The slices of a series are counted along its normal: it has no left-handed grids.
    dicom_series(tmp_path / "series", voxels.T, TO_LPS @ affine)
    volume = read_volume(tmp_path / "series")
    # DICOM keeps numbers as short decimal strings.
    np.testing.assert_allclose(volume.stored.affine, affine, atol=1e-6)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), voxels)
    write_mask(volume.voxels > 30, volume, tmp_path / "mask.dcm")

    again, source = read_mask(tmp_path / "mask.dcm", volume=volume)
    np.testing.assert_array_equal(again, volume.voxels > 30)
    np.testing.assert_allclose(source.stored.affine, affine, atol=1e-6)
    other = highdicom.seg.segread(tmp_path / "mask.dcm").get_volume(combine_segments=True)
    for row in np.argwhere(voxels > 30):
        index = np.linalg.inv(other.affine) @ (TO_LPS @ affine @ [*row, 1])
        assert np.abs(index - np.round(index)).max() < 1e-4
        assert other.array[tuple(np.round(index[:3]).astype(int))] == 1
    assert other.array.sum() == (voxels > 30).sum()


@pytest.mark.parametrize("name", ["mask.dcm", "mask.png", "mask.tif"])
def test_a_file_that_cannot_hold_a_volume_refuses(name, voxels, tmp_path):
    volume = Volume.from_stored(voxels, PLACES[3].values[0])
    for write in (write_mask, write_labels):
        with pytest.raises(ToposegError, match=r"cannot be written.*\.nii\.gz|cannot hold 3 axes") as caught:
            write((volume.voxels > 30).astype(np.uint8), volume, tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_flat_mask_has_no_surface(tmp_path):
    flat = Volume.from_stored(np.ones((4, 5), np.uint8), np.eye(4))
    with pytest.raises(ToposegError, match="no surface"):
        write_surface(flat.voxels, flat, tmp_path / "a.stl")


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_sheared_grid_is_held(ending, voxels, tmp_path):
    affine = np.array([[1, 0, 0, 2], [0, 1, 0.4, 3], [0, 0, 2, 4], [0, 0, 0, 1.0]])
    volume = Volume.from_stored(voxels, affine)
    write_mask(volume.voxels > 30, volume, tmp_path / f"a{ending}")
    again, source = read_mask(tmp_path / f"a{ending}", volume=volume)
    np.testing.assert_array_equal(again, volume.voxels > 30)
    np.testing.assert_allclose(source.stored.affine, affine, atol=1e-6)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_flat_image_is_written_in_its_place(ending, tmp_path):
    place = PLACES[-1].values[0]
    flat = Volume.from_stored(np.arange(20, dtype=np.uint8).reshape(4, 5), place)
    write_mask(flat.voxels > 7, flat, tmp_path / f"a{ending}")
    _, source = read_mask(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(source.to_stored(source.voxels).reshape(4, 5), np.arange(20).reshape(4, 5) > 7)
    np.testing.assert_allclose(source.stored.affine, place, atol=1e-5)
