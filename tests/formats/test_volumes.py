"""The ending of a name says what is read and written."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import ENDINGS, read_volume, write_image, write_mask
from napari_toposeg.volume import Volume


def test_nifti_and_pictures_are_told_apart_by_their_endings(nifti, tmp_path):
    assert read_volume(nifti(np.ones((3, 4, 5), np.int16))).shape == (3, 4, 5)
    Image.fromarray(np.ones((5, 7), np.uint8)).save(tmp_path / "a.jpg")
    assert read_volume(tmp_path / "a.jpg").stored.shape == (5, 7)


def test_a_frame_is_passed_on(nifti):
    array = np.arange(120, dtype=np.int16).reshape(3, 4, 5, 2)
    np.testing.assert_array_equal(read_volume(nifti(array, np.eye(4)), 1).voxels, array[..., 1])


def test_an_unknown_kind_is_answered_with_the_known_ones(tmp_path):
    for name in ("a.mgz", "a"):
        (tmp_path / name).write_text("something")
        with pytest.raises(ToposegError) as caught:
            read_volume(tmp_path / name)
        assert all(ending in str(caught.value) for ending in ENDINGS)
    with pytest.raises(ToposegError, match="no DICOM image"):
        read_volume(tmp_path)
    with pytest.raises(ToposegError, match="no file"):
        read_volume(tmp_path / "none")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.png", "a.tif"])
def test_images_go_round_in_every_kind_that_is_written(name, tmp_path):
    volume = Volume.from_stored(np.arange(48, dtype=np.uint8).reshape(6, 8), np.eye(4))
    write_image(volume, tmp_path / name)
    np.testing.assert_array_equal(read_volume(tmp_path / name).voxels, volume.voxels)


def test_masks_are_0_and_1_in_nifti_and_0_and_255_in_pictures(tmp_path):
    volume = Volume.from_stored(np.arange(48, dtype=np.uint8).reshape(6, 8), np.eye(4))
    for name, foreground in {"a.nii": 1, "a.png": 255}.items():
        write_mask(3 * (volume.voxels > 20), volume, tmp_path / name)
        np.testing.assert_array_equal(read_volume(tmp_path / name).voxels, foreground * (volume.voxels > 20))


@pytest.mark.parametrize("name", ["a.hdr", "a.jpg", "a.mgz"])
def test_what_is_only_read_is_not_written(name, tmp_path):
    volume = Volume.from_stored(np.ones((6, 8), np.uint8), np.eye(4))
    with pytest.raises(ToposegError, match="of no kind known here"):
        write_image(volume, tmp_path / name)
    with pytest.raises(ToposegError, match="of no kind known here"):
        write_mask(volume.voxels, volume, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_reading_an_image_loads_neither_torch_nor_qt():
    code = "import sys, napari_toposeg.formats; print({'torch', 'qtpy', 'napari', 'numba'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
