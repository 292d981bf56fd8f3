"""Pictures in and out, pixel for pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import picture_volume, read_picture, write_picture


def grey(dtype=np.uint8, shape=(5, 7)):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_pictures_go_round_pixel_for_pixel(name, dtype, tmp_path):
    Image.fromarray(grey(dtype)).save(tmp_path / name)
    volume = read_picture(tmp_path / name)
    assert volume.voxels.dtype == dtype
    assert volume.name == "a"
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), grey(dtype))
    write_picture(volume.voxels, tmp_path / "again.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "again.png")), grey(dtype))


def test_the_first_row_is_the_front_and_the_first_column_the_right():
    picture = np.zeros((4, 6), np.uint8)
    picture[0, 0] = 1
    volume = picture_volume(picture)
    assert volume.shape == (6, 4)
    assert volume.voxels[5, 3] == 1
    np.testing.assert_array_equal(volume.frame.world(np.array([5, 3])), [0, 0, 0])
    np.testing.assert_array_equal(volume.spacing, [1, 1])


def test_a_region_counts_rows_and_columns():
    picture = grey()
    volume = picture_volume(picture)
    (low, high), (left, right) = volume.box_from_stored(((1, 3), (2, 7)))
    np.testing.assert_array_equal(volume.to_stored(volume.voxels[low:high, left:right]), picture[1:3, 2:7])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_colours_become_their_luminance(mode, tmp_path):
    red, green, blue = 200, 100, 50
    picture = Image.new("RGB", (7, 5), (red, green, blue))
    # Not convert("P"), which dithers to a palette of its own.
    picture = picture.quantize() if mode == "P" else picture.convert(mode)
    name = "a.png" if mode in ("RGB", "RGBA", "P") else "a.tif"
    picture.save(tmp_path / name)
    volume = read_picture(tmp_path / name)
    assert volume.voxels.dtype == np.uint8
    np.testing.assert_allclose(volume.voxels, 0.299 * red + 0.587 * green + 0.114 * blue, atol=3)


def test_transparency_is_ignored(tmp_path):
    pixels = np.dstack([grey()] * 3 + [np.zeros((5, 7), np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    volume = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), grey())


def test_black_and_white_are_0_and_255(tmp_path):
    Image.fromarray(grey() > 127).save(tmp_path / "a.png")
    volume = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), np.where(grey() > 127, 255, 0))


def test_floats_of_a_tiff_are_kept(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    volume = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), values)


def test_the_turn_that_a_camera_noted_is_not_made(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(grey()).save(tmp_path / "a.png", exif=exif)
    assert read_picture(tmp_path / "a.png").stored.shape == (5, 7)


def test_a_page_is_chosen_by_its_number(tmp_path):
    pages = [Image.fromarray(grey() // (number + 1)) for number in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ToposegError, match=r"holds 3 pages.*--frame 0 to --frame 2"):
        read_picture(tmp_path / "a.tif")
    with pytest.raises(ToposegError, match="no frame 3"):
        read_picture(tmp_path / "a.tif", frame_number=3)
    volume = read_picture(tmp_path / "a.tif", frame_number=1)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels), grey() // 2)


def test_what_is_no_picture_is_refused(tmp_path):
    Image.fromarray(grey(shape=(50, 70))).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("This is a text. " * 50)
    for length in (20, 60, len(whole) // 2, len(whole) - 40):
        (tmp_path / "short.png").write_bytes(whole[:length])
        with pytest.raises(ToposegError, match="cannot be read as a picture"):
            read_picture(tmp_path / "short.png")
    for name, said in {
        "none.png": "no file",
        "empty.png": "is empty",
        "text.png": "cannot be read as a picture",
    }.items():
        with pytest.raises(ToposegError, match=said) as caught:
            read_picture(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    Image.fromarray(grey(shape=(50, 70))).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ToposegError, match="cannot be read as a picture"):
        read_picture(tmp_path / "huge.png")


@pytest.mark.parametrize(
    ("voxels", "name", "said"),
    [
        (np.zeros((3, 4, 5), np.uint8), "a.png", "cannot hold 3 axes"),
        (np.zeros((3, 4), np.float32), "a.png", "cannot hold float32"),
        (np.zeros((3, 4), np.uint8), "a.jpg", "of no kind known here"),
    ],
)
def test_what_a_picture_cannot_hold_is_refused(voxels, name, said, tmp_path):
    with pytest.raises(ToposegError, match=said):
        write_picture(voxels, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_real_photographs_and_their_masks_have_the_same_size(data_folder):
    for photograph in sorted((data_folder / "isic2017").glob("*.jpg"))[:3]:
        mask = read_picture(photograph.with_name(f"{photograph.stem}_segmentation.png"))
        assert read_picture(photograph).shape == mask.shape
        assert set(np.unique(mask.voxels)) == {0, 255}
