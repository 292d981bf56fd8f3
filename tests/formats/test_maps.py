"""Maps of any tool and layout: the right numbers in the right places, or a sentence why not."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.special import expit, softmax

from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.formats import read_map, read_nifti, write_map
from napari_toposeg.topology import barcode


def random_map(shape=(5, 6, 7)):
    return np.random.default_rng(0).uniform(size=shape).astype(np.float32)


def everywhere(map_):
    return np.argwhere(np.ones(map_.values.shape, bool))


def holds_its_file_s_numbers(map_, array) -> bool:
    """Whether each canonical voxel has the value that its place in the file's array has."""
    index = everywhere(map_)
    places = map_.index_in_file(index)
    return (
        map_.file_shape == array.shape
        and np.array_equal(array[tuple(places.T)], map_.values[tuple(index.T)])
        and np.array_equal(map_.to_file(map_.values), array)
    )


def test_a_place_is_that_in_the_file_s_own_array_in_every_axis_order(axis_order, nifti):
    array = random_map()
    map_ = read_map(nifti(array, axis_order))
    assert map_.values.dtype == np.float32
    assert holds_its_file_s_numbers(map_, array)


def test_a_barcode_s_places_have_the_values_of_its_bars_in_the_file_s_own_array(axis_order, nifti):
    path = nifti(random_map(), axis_order)
    map_ = read_map(path)
    bars = map_.barcode_in_file(barcode(map_.values))
    seen = nibabel.load(path).get_fdata(dtype=np.float32)
    assert bars.shape == seen.shape
    assert len(bars) > 20
    for bar in bars:
        assert seen[bar.birth_voxel] == np.float32(bar.birth)
        if bar.death_voxel is not None:
            assert seen[bar.death_voxel] == np.float32(bar.death)
    assert (bars.death_voxel[bars.everlasting] == -1).all()


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 1, 5), (1, 6, 5)])
def test_a_slice_keeps_as_many_axes_as_its_file_has(shape, nifti):
    array = random_map(shape)
    map_ = read_map(nifti(array, np.diag([-1.0, -1, 2, 1])))
    assert map_.ndim == 2
    assert holds_its_file_s_numbers(map_, array)


def test_what_is_written_is_the_same_file_but_for_the_values(axis_order, nifti, tmp_path):
    array = random_map()
    path = nifti(array, axis_order)
    map_ = read_map(path)
    write_map(1 - map_.values, map_, tmp_path / "out.nii.gz")
    written, read = nibabel.load(tmp_path / "out.nii.gz"), nibabel.load(path)
    assert written.get_data_dtype() == np.float32
    np.testing.assert_array_equal(written.get_fdata(dtype=np.float32), 1 - array)
    np.testing.assert_array_equal(written.affine, read.affine)


def test_a_channel_of_four_axes_is_chosen_and_none_is_guessed(nifti):
    array = random_map((4, 5, 6, 3))
    path = nifti(array)
    with pytest.raises(ToposegError, match=r"3 channels.*--channel 0 to --channel 2"):
        read_map(path)
    for channel in range(3):
        map_ = read_map(path, channel=channel)
        assert map_.channel == channel
        assert holds_its_file_s_numbers(map_, array[..., channel])
    for channel in (3, -1):
        with pytest.raises(ToposegError, match=f"no channel {channel}"):
            read_map(path, channel=channel)


def test_one_channel_needs_no_choice(nifti):
    array = random_map((4, 5, 6, 1))
    map_ = read_map(nifti(array))
    assert map_.channel is None
    assert holds_its_file_s_numbers(map_, array[..., 0])


@pytest.mark.parametrize("key", ["probabilities", "softmax"])
def test_nnu_net_s_arrays_lie_where_the_segmentation_beside_them_says(key, axis_order, nifti, tmp_path):
    array = random_map()
    written_by_it = nifti((array > 0.5).astype(np.uint8), axis_order, name="case.nii.gz")
    np.savez(tmp_path / "case.npz", **{key: np.stack([1 - array.T, array.T]), "other": np.zeros(3)})
    with pytest.warns(ToposegWarning, match=r"case\.nii\.gz beside it"):
        map_ = read_map(tmp_path / "case.npz", channel=1)
    grid = read_nifti(written_by_it)
    np.testing.assert_array_equal(map_.source.affine, grid.affine)
    np.testing.assert_array_equal(map_.values > 0.5, grid.voxels != 0)
    assert holds_its_file_s_numbers(map_, array.T)
    write_map(map_.values, map_, tmp_path / "again.npz")
    with np.load(tmp_path / "again.npz") as again:
        np.testing.assert_array_equal(again["probabilities"], array.T[None])


def test_nnu_net_s_array_of_a_slice_keeps_its_three_axes(nifti, tmp_path):
    array = random_map((6, 5, 1))
    grid = read_nifti(nifti(array, np.diag([-1.0, 1, 3, 1])))
    np.savez(tmp_path / "flat.npz", probabilities=np.stack([1 - array.T, array.T]))
    for given in (grid, None):
        map_ = read_map(tmp_path / "flat.npz", channel=1, grid=given)
        assert map_.ndim == 2
        assert holds_its_file_s_numbers(map_, array.T)
    assert map_.index_in_file(np.full((1, 2), -1)).tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize("ending", ["npz", "npy"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_bare_array_is_put_on_its_image_in_whichever_order_fits(ending, turned, nifti, tmp_path):
    array = random_map()
    grid = read_nifti(nifti(array, np.diag([-1.0, 1, 2, 1])))
    saved = array.T if turned else array
    path = tmp_path / f"map.{ending}"
    np.savez(path, saved) if ending == "npz" else np.save(path, saved)
    map_ = read_map(path, grid=grid)
    np.testing.assert_array_equal(map_.values, grid.voxels)
    assert holds_its_file_s_numbers(map_, saved)
    assert holds_its_file_s_numbers(read_map(path), saved)
    write_map(map_.values, map_, tmp_path / f"again.{ending}")
    assert np.array_equal(read_map(tmp_path / f"again.{ending}", grid=grid).values, map_.values)
    with pytest.raises(ToposegError, match=r"5 x 6 x 7 voxels|7 x 6 x 5 voxels"):
        read_map(path, grid=read_nifti(nifti(random_map((5, 6, 8)), name="other.nii")))


def test_a_flat_array_comes_out_of_a_mask_s_picture_as_it_is(tmp_path):
    from napari_toposeg.formats import write_mask

    array = random_map((6, 9))
    np.save(tmp_path / "map.npy", array)
    map_ = read_map(tmp_path / "map.npy")
    assert holds_its_file_s_numbers(map_, array)
    write_mask(map_.values >= 0.5, map_.source, tmp_path / "mask.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "mask.png")) > 0, array >= 0.5)


def test_logits_of_one_channel_are_squashed_and_of_several_compete(nifti, tmp_path):
    logits = np.random.default_rng(0).normal(scale=4, size=(4, 5, 6, 3)).astype(np.float32)
    found = read_map(nifti(logits[..., 0]), logits=True)
    np.testing.assert_allclose(found.values, expit(logits[..., 0]), rtol=1e-5)
    np.save(tmp_path / "logits.npy", np.moveaxis(logits, -1, 0))
    for path in (nifti(logits), tmp_path / "logits.npy"):
        for channel in range(3):
            found = read_map(path, channel=channel, logits=True)
            np.testing.assert_allclose(found.values, softmax(logits, axis=-1)[..., channel], rtol=1e-4, atol=1e-7)


def test_logits_of_any_size_give_probabilities(nifti):
    logits = np.full((3, 4, 5, 2), -3e4, np.float32)
    logits[..., 1] = 3e4
    assert (read_map(nifti(logits), channel=1, logits=True).values == 1).all()
    assert (read_map(nifti(logits), channel=0, logits=True).values == 0).all()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.linspace(-3, 3, 60).astype(np.float32), "look like logits. Add --logits"),
        (np.linspace(0, 100, 60).astype(np.float32), "--full-scale 100"),
        (np.arange(60, dtype=np.uint8), "whole numbers from 0 to 59.*--full-scale 255.*toposeg betti"),
        (np.full(60, np.nan, np.float32), "60 are NaN"),
        (np.array([np.inf] + [0.5] * 59, np.float32), "1 is NaN or infinite"),
    ],
)
def test_what_are_no_probabilities_is_refused_with_what_to_do(array, expected, nifti):
    with pytest.raises(ToposegError, match=expected):
        read_map(nifti(array.reshape(3, 4, 5)))


def test_probabilities_that_are_said_to_be_logits_are_refused(nifti):
    with pytest.raises(ToposegError, match="Leave out --logits"):
        read_map(nifti(random_map()), logits=True)


def test_a_full_scale_is_divided_by(nifti):
    percent = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    np.testing.assert_allclose(read_map(nifti(percent), full_scale=100).values, percent / 100, rtol=1e-6)
    with pytest.raises(ToposegError, match="another --full-scale"):
        read_map(nifti(percent), full_scale=50)
    with pytest.raises(ToposegError, match="makes no sense"):
        read_map(nifti(percent), full_scale=0)
    with pytest.raises(ToposegError, match="exclude each other"):
        read_map(nifti(percent), full_scale=100, logits=True)


@pytest.mark.parametrize("one", [1, 2, 100, 255])
def test_a_mask_is_a_map_of_zeros_and_ones(one, nifti):
    mask = random_map() > 0.5
    np.testing.assert_array_equal(read_map(nifti(mask.astype(np.uint8) * np.uint8(one))).values, mask)


def test_half_precision_may_leave_the_range_by_a_hair(nifti):
    array = random_map()
    array[0, 0, :2] = 1.0005, -0.0005
    values = read_map(nifti(array)).values
    assert values.min() == 0
    assert values.max() == 1


def test_pictures_of_8_and_16_bits_have_their_own_scale(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (6, 9)).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "map.png")
    assert holds_its_file_s_numbers(read_map(tmp_path / "map.png"), grey / np.float32(255))
    deep = grey.astype(np.uint16) * 200
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_allclose(
        read_map(tmp_path / "deep.png").to_file(read_map(tmp_path / "deep.png").values), deep / 65535, rtol=1e-6
    )
    half = np.where(grey > 99, 128, 0).astype(np.uint8)
    Image.fromarray(half).save(tmp_path / "half.png")
    assert read_map(tmp_path / "half.png").values.max() == np.float32(128) / np.float32(255)


def test_colours_are_refused_unless_they_are_grey(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (6, 9)).astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "grey.png")
    assert holds_its_file_s_numbers(read_map(tmp_path / "grey.png"), grey / np.float32(255))
    Image.fromarray(np.stack([grey, grey, 255 - grey], axis=-1)).save(tmp_path / "colours.png")
    with pytest.raises(ToposegError, match="picture in colours"):
        read_map(tmp_path / "colours.png")


def _pickle(path):
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)


BAD_ARRAYS = {
    "two arrays": (lambda path: np.savez(path, a=random_map(), b=random_map()), "npz", "2 arrays: a, b"),
    "no array": (np.savez, "npz", "0 arrays"),
    "text": (lambda path: path.write_text("0.5"), "npz", "cannot be read as an array"),
    "a pickle": (_pickle, "npy", "cannot be read as an array"),
    "complex numbers": (lambda path: np.save(path, random_map() * 1j), "npy", "type complex64"),
    "a line": (lambda path: np.save(path, np.zeros(5)), "npy", "array of 5"),
    "a batch": (lambda path: np.save(path, np.zeros((2, 2, 3, 4, 5))), "npy", "array of 2 x 2 x 3 x 4 x 5"),
    "an unknown kind": (lambda path: path.write_text("x"), "h5", "of no kind known"),
}


@pytest.mark.parametrize("what", BAD_ARRAYS)
def test_what_is_no_map_is_refused_with_the_reason(what, tmp_path):
    write, ending, expected = BAD_ARRAYS[what]
    path = tmp_path / f"map.{ending}"
    write(path)
    with pytest.raises(ToposegError, match=expected):
        read_map(path)


def test_a_batch_of_one_and_channels_over_a_plane_are_understood(tmp_path):
    array = random_map((3, 6, 9))
    np.save(tmp_path / "batch.npy", array[None, :, None])
    np.save(tmp_path / "plane.npy", array)
    assert np.array_equal(
        read_map(tmp_path / "batch.npy", channel=2).to_file(read_map(tmp_path / "batch.npy", channel=2).values),
        array[2:3],
    )
    assert holds_its_file_s_numbers(read_map(tmp_path / "plane.npy", channel=1), array[1])
    assert read_map(tmp_path / "plane.npy").ndim == 3


def test_a_map_is_written_as_no_other_kind(nifti, tmp_path):
    map_ = read_map(nifti(random_map()))
    with pytest.raises(ToposegError, match="of no kind known"):
        write_map(map_.values, map_, tmp_path / "map.png")
    with pytest.raises(ValueError, match="does not fit"):
        write_map(map_.values[1:], map_, tmp_path / "map.nii")
    assert [path.name for path in tmp_path.iterdir()] == ["image.nii"]
