"""Fields on disk: ITK, through SimpleITK, warps with them as we do."""

from __future__ import annotations

import tracemalloc

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from napari_toposeg.deformation import Displacement
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import (
    picture_volume,
    read_displacement,
    read_nifti,
    write_displacement,
    write_image,
    write_jacobian,
)
from napari_toposeg.frame import box_slices
from napari_toposeg.volume import Volume


def smooth(shape, seed, size):
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.0)
    return (size * values / np.abs(values).max()).astype(np.float32)


def displacement_on(volume, box):
    """Up to 1.5 voxels anywhere in a box, and abruptly nothing beyond it."""
    frame = volume.frame.crop(box)
    values = np.stack([smooth(frame.shape, component, 1.5) for component in range(volume.ndim)])
    return Displacement(values, frame)


def on_whole_grid(displacement, box, volume):
    """The field on the image's grid, put there by hand."""
    values = np.zeros((volume.ndim, *volume.shape), np.float32)
    inside = tuple((max(low, 0), min(high, size)) for (low, high), size in zip(box, volume.shape, strict=True))
    there = tuple(slice(low - start, high - start) for (low, high), (start, _) in zip(inside, box, strict=True))
    values[(slice(None), *box_slices(inside))] = displacement.values[(slice(None), *there)]
    return values


def warped_by_hand(volume, values):
    positions = np.indices(volume.shape) + values
    return map_coordinates(volume.voxels, positions, order=1, mode="nearest"), positions


def assert_itk_warps_alike(volume, values, image_path, field_path):
    image = sitk.ReadImage(image_path)
    field = sitk.ReadImage(field_path)
    assert field.GetSize() == image.GetSize()
    transform = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    theirs = sitk.GetArrayFromImage(sitk.Resample(image, image, transform, sitk.sitkLinear, 0.0)).T
    ours, positions = warped_by_hand(volume, values)
    # Beyond the image ITK fills in zeros, where we repeat its border.
    last = np.array(volume.shape).reshape(-1, *[1] * volume.ndim) - 1
    seen = ((positions >= 0.01) & (positions <= last - 0.01)).all(axis=0)
    assert seen.mean() > 0.4
    assert np.abs(ours - volume.voxels)[seen].max() > 1
    np.testing.assert_allclose(
        theirs[volume.to_stored(seen)], volume.to_stored(ours)[volume.to_stored(seen)], atol=0.02
    )


BOX = ((2, 12), (-3, 9), (1, 16))


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.3, -0.2, 0.5)], ids=["straight", "oblique"])
def test_itk_warps_a_template_as_we_do_in_every_axis_order(axis_order, turn, tmp_path):
    affine = axis_order.copy()
    affine[:3, :3] = Rotation.from_rotvec(turn).as_matrix() @ affine[:3, :3]
    volume = Volume.from_stored(smooth((14, 15, 13), 9, 100), affine)
    box = tuple((low, min(high, size + 2)) for (low, high), size in zip(BOX, volume.shape, strict=True))
    displacement = displacement_on(volume, box)
    write_image(volume, tmp_path / "image.nii")
    write_displacement(displacement, volume, tmp_path / "field.nii")
    header = nibabel.load(tmp_path / "field.nii").header
    assert header.get_data_shape() == (14, 15, 13, 1, 3)
    assert header.get_data_dtype() == np.float32
    assert header.get_intent()[0] == "vector"
    values = on_whole_grid(displacement, box, volume)
    assert_itk_warps_alike(volume, values, tmp_path / "image.nii", tmp_path / "field.nii")
    back = read_displacement(tmp_path / "field.nii")
    np.testing.assert_allclose(back.values, values, atol=1e-5)
    np.testing.assert_allclose(back.frame.affine, volume.affine, atol=1e-5)


@pytest.mark.parametrize("flip", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_itk_warps_a_slice_with_two_axes_as_we_do(flip, tmp_path):
    turn = Rotation.from_rotvec((0, 0, 0.4)).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.8 * flip[0], 1.2 * flip[1], 1.0])
    affine[:3, 3] = (7, -9, 30)
    volume = Volume.from_stored(smooth((24, 31), 9, 100), affine)
    box = ((2, 20), (-3, 25))
    displacement = displacement_on(volume, box)
    write_image(volume, tmp_path / "image.nii")
    write_displacement(displacement, volume, tmp_path / "field.nii")
    assert nibabel.load(tmp_path / "field.nii").shape == (24, 31, 1, 1, 2)
    values = on_whole_grid(displacement, box, volume)
    assert_itk_warps_alike(volume, values, tmp_path / "image.nii", tmp_path / "field.nii")
    np.testing.assert_allclose(read_displacement(tmp_path / "field.nii").values, values, atol=1e-5)


def test_itk_warps_an_upright_slice_with_three_axes_as_we_do(tmp_path):
    affine = np.array([[0, 0, 1.5, 4], [0.8, 0, 0, 5], [0, -1.2, 0, 6], [0, 0, 0, 1]])
    volume = Volume.from_stored(smooth((1, 24, 31), 9, 100), affine[:, [2, 0, 1, 3]])
    displacement = displacement_on(volume, volume.frame.box)
    write_image(volume, tmp_path / "image.nii")
    write_displacement(displacement, volume, tmp_path / "field.nii")
    assert_itk_warps_alike(volume, displacement.values, tmp_path / "image.nii", tmp_path / "field.nii")
    np.testing.assert_allclose(read_displacement(tmp_path / "field.nii").values, displacement.values, atol=1e-5)


def test_an_upright_slice_with_two_axes_keeps_all_three_components(tmp_path):
    affine = np.array([[0, 0, 1.5, 4], [0.8, 0, 0, 5], [0, -1.2, 0, 6], [0, 0, 0, 1]])
    volume = Volume.from_stored(smooth((24, 31), 9, 100), affine)
    displacement = displacement_on(volume, volume.frame.box)
    write_displacement(displacement, volume, tmp_path / "field.nii")
    assert nibabel.load(tmp_path / "field.nii").shape == (24, 31, 1, 1, 3)
    np.testing.assert_allclose(read_displacement(tmp_path / "field.nii").values, displacement.values, atol=1e-5)


def test_a_field_of_a_picture_goes_round(tmp_path):
    volume = picture_volume(smooth((24, 31), 9, 100))
    displacement = displacement_on(volume, volume.frame.box)
    write_displacement(displacement, volume, tmp_path / "field.nii.gz")
    np.testing.assert_allclose(read_displacement(tmp_path / "field.nii.gz").values, displacement.values, atol=1e-5)


def test_vectors_are_millimetres_to_the_left_back_and_head_even_where_the_image_counts_micrometres(nifti, tmp_path):
    affine = np.diag([-500.0, 500, 1000, 1])
    volume = read_nifti(nifti(np.zeros((6, 7, 8), np.int16), affine, xyzt_units=3))
    displacement = displacement_on(volume, volume.frame.box)
    write_displacement(displacement, volume, tmp_path / "field.nii")
    written = nibabel.load(tmp_path / "field.nii")
    assert written.header.get_xyzt_units()[0] == "micron"
    stored = volume.to_stored(displacement.in_millimetres() * np.array([-1, -1, 1]))
    np.testing.assert_allclose(np.asarray(written.dataobj)[:, :, :, 0], stored, atol=1e-6)
    np.testing.assert_allclose(read_displacement(tmp_path / "field.nii").values, displacement.values, atol=1e-5)


@pytest.mark.parametrize("pixel", [sitk.sitkVectorFloat32, sitk.sitkVectorFloat64])
def test_fields_that_itk_wrote_are_read(pixel, tmp_path):
    field = sitk.Image([6, 7, 8], pixel, 3)
    field.SetSpacing((0.8, 1.2, 2.0))
    field.SetOrigin((4, 5, 6))
    field.SetDirection(Rotation.from_rotvec((0.3, -0.2, 0.5)).as_matrix().ravel())
    vectors = np.random.default_rng(0).normal(size=(8, 7, 6, 3))
    filled = sitk.GetImageFromArray(vectors, isVector=True)
    filled.CopyInformation(field)
    sitk.WriteImage(sitk.Cast(filled, pixel), tmp_path / "itk.nii.gz")
    displacement = read_displacement(tmp_path / "itk.nii.gz")
    for index in np.argwhere(np.ones(displacement.frame.shape, bool))[::17]:
        world = displacement.frame.world(index)
        there = field.TransformPhysicalPointToIndex(world * (-1, -1, 1))
        expected = vectors[there[::-1]] * (-1, -1, 1)
        np.testing.assert_allclose(displacement.in_millimetres()[tuple(index)], expected, atol=1e-5)


def test_vectors_marked_as_displacements_are_in_nifti_s_own_directions(tmp_path):
    volume = Volume.from_stored(np.zeros((6, 7, 8), np.int16), np.diag([-1.0, 2, 1, 1]))
    displacement = displacement_on(volume, volume.frame.box)
    write_displacement(displacement, volume, tmp_path / "vector.nii")
    image = nibabel.load(tmp_path / "vector.nii")
    header = image.header.copy()
    header.set_intent("displacement vector")
    values = np.asarray(image.dataobj) * np.array([-1, -1, 1], np.float32)
    nibabel.save(nibabel.Nifti1Image(values, image.affine, header), tmp_path / "displacement.nii")
    np.testing.assert_allclose(read_displacement(tmp_path / "displacement.nii").values, displacement.values, atol=1e-5)


def test_what_is_no_field_is_refused(nifti):
    for shape, dtype in (((4, 5, 6), np.float32), ((4, 5, 6, 1, 4), np.float32), ((4, 5, 6, 1, 3), np.int16)):
        with pytest.raises(ToposegError, match="no displacement field"):
            read_displacement(nifti(np.zeros(shape, dtype)))


def test_jacobians_are_1_outside_of_their_box(axis_order, tmp_path):
    volume = Volume.from_stored(np.zeros((14, 15, 13), np.int16), axis_order)
    box = tuple((low, min(high, size + 2)) for (low, high), size in zip(BOX, volume.shape, strict=True))
    frame = volume.frame.crop(box)
    determinants = np.random.default_rng(0).normal(size=frame.shape).astype(np.float32)
    write_jacobian(determinants, frame, volume, tmp_path / "jacobian.nii.gz")
    written = read_nifti(tmp_path / "jacobian.nii.gz")
    expected = np.ones(volume.shape, np.float32)
    for index in np.argwhere(expected):
        there = index - [low for low, _ in box]
        if (there >= 0).all() and (there < frame.shape).all():
            expected[tuple(index)] = determinants[tuple(there)]
    assert (expected != 1).sum() > 500
    assert written.voxels.dtype == np.float32
    np.testing.assert_array_equal(written.voxels, expected)
    np.testing.assert_allclose(written.affine, volume.affine)


def test_a_box_wholly_beyond_the_image_leaves_it_unmoved(tmp_path):
    volume = Volume.from_stored(np.zeros((6, 7, 8), np.int16), np.diag([-1.0, 2, 1, 1]))
    beyond = ((10, 14), (0, 7), (-9, -3))
    write_displacement(displacement_on(volume, beyond), volume, tmp_path / "field.nii")
    assert (nibabel.load(tmp_path / "field.nii").get_fdata() == 0).all()
    frame = volume.frame.crop(beyond)
    write_jacobian(np.zeros(frame.shape, np.float32), frame, volume, tmp_path / "jacobian.nii")
    assert (nibabel.load(tmp_path / "jacobian.nii").get_fdata() == 1).all()


def test_another_lattice_is_an_error_of_the_program(tmp_path):
    volume = Volume.from_stored(np.zeros((6, 7, 8), np.int16), np.eye(4))
    flat = Volume.from_stored(np.zeros((6, 7), np.int16), np.eye(4))
    for other in (volume.frame.resized((12, 7, 8)), flat.frame):
        with pytest.raises(ValueError, match=r"lattice|no box"):
            write_displacement(Displacement.identity(other), volume, tmp_path / "field.nii")
    assert not list(tmp_path.iterdir())


def test_a_small_field_in_a_large_image_takes_a_slab_of_memory(tmp_path):
    volume = Volume.from_stored(np.zeros((160, 160, 100), np.int16), np.diag([-1.0, 1, 1, 1]))
    box = ((40, 60), (50, 70), (30, 45))
    displacement = displacement_on(volume, box)
    determinants = np.ones(displacement.frame.shape, np.float32)
    tracemalloc.start()
    write_displacement(displacement, volume, tmp_path / "field.nii.gz")
    write_jacobian(determinants, displacement.frame, volume, tmp_path / "jacobian.nii.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
