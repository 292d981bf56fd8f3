"""What NRRD and MetaImage files say, with SimpleITK and pynrrd as the second opinion."""

from __future__ import annotations

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_volume, source_hash

ENDINGS = [".nrrd", ".nhdr", ".mha", ".mhd"]


def image_of(array, **facts):
    image = sitk.GetImageFromArray(array, **facts)
    image.SetSpacing([0.5, 0.75, 2.0][: image.GetDimension()])
    image.SetOrigin([3.0, -4.0, 5.0][: image.GetDimension()])
    return image


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("packed", [False, True])
def test_numbers_of_every_type_come_in(ending, kind, packed, tmp_path):
    array = np.random.default_rng(2).integers(0, 100, (3, 4, 5)).astype(kind)
    sitk.WriteImage(image_of(array), str(tmp_path / f"a{ending}"), useCompression=packed)
    volume = read_volume(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, array)
    assert volume.voxels.dtype == kind
    np.testing.assert_allclose(volume.stored.affine @ [1, 1, 1, 1], [-3.5, 3.25, 7.0, 1.0])


def test_the_hash_of_a_header_beside_its_voxels_is_of_both(tmp_path):
    hashes = set()
    for number in (1, 2):
        sitk.WriteImage(image_of(np.full((3, 4, 5), number, np.uint8)), str(tmp_path / "a.mhd"), useCompression=False)
        hashes.add(source_hash(read_volume(tmp_path / "a.mhd")))
    assert len(hashes) == 2


def test_big_endian_numbers_come_in(tmp_path):
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    lines = "NDims = 3\nDimSize = 5 4 3\nElementType = MET_SHORT\nElementByteOrderMSB = True\nElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(lines.encode() + array.astype(">i2").tobytes())
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 5 4 3\nendian: big\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + array.astype(">i2").tobytes())
    for name in ("a.mha", "a.nrrd"):
        volume = read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, array)
        assert volume.voxels.dtype.isnative


@pytest.mark.parametrize(
    ("space", "signs"),
    [("left-posterior-superior", (-1, -1, 1)), ("RAS", (1, 1, 1)), ("left-anterior-superior", (-1, 1, 1))],
)
def test_every_named_space_of_nrrd_is_turned_to_ras(space, signs, tmp_path):
    directions = np.array([[0.5, 0, 0], [0, 0, 2.0], [0, 3.0, 0]])
    header = {"space": space, "space directions": directions, "space origin": [1.0, 2.0, 3.0]}
    nrrd.write(str(tmp_path / "a.nrrd"), np.zeros((3, 4, 5), np.uint8), header)
    affine = read_volume(tmp_path / "a.nrrd").stored.affine
    np.testing.assert_allclose(affine[:3, :3], np.array(signs)[:, None] * directions.T)
    np.testing.assert_allclose(affine[:3, 3], np.array(signs) * [1.0, 2.0, 3.0])


def test_lengths_of_nrrd_become_millimetres(tmp_path):
    header = {"space": "RAS", "space directions": np.eye(3), "space origin": [1.0, 2, 3], "space units": ["um"] * 3}
    nrrd.write(str(tmp_path / "a.nrrd"), np.zeros((3, 4, 5), np.uint8), header)
    np.testing.assert_allclose(read_volume(tmp_path / "a.nrrd").spacing, 1e-3)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_a_fourth_axis_is_frames(ending, tmp_path):
    array = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    if ending == ".mha":
        size = "NDims = 4\nDimSize = 5 4 3 2\nElementSpacing = 1 1 2 1\n"
        lines = f"{size}ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
        (tmp_path / "a.mha").write_bytes(lines.encode() + array.tobytes())
    else:
        header = {
            "space": "RAS",
            "space directions": np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 2.0], [np.nan] * 3]),
            "space origin": [0.0, 0, 0],
            "kinds": ["domain", "domain", "domain", "list"],
        }
        nrrd.write(str(tmp_path / "a.nrrd"), array.T, header)
    with pytest.raises(ToposegError, match=r"2 frames.*--frame 1"):
        read_volume(tmp_path / f"a{ending}")
    volume = read_volume(tmp_path / f"a{ending}", 1)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, array[1])
    np.testing.assert_allclose(volume.spacing, [1, 1, 2])
    with pytest.raises(ToposegError, match="no frame 2"):
        read_volume(tmp_path / f"a{ending}", 2)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_colours_are_refused(ending, tmp_path):
    sitk.WriteImage(image_of(np.zeros((3, 4, 5, 3), np.uint8), isVector=True), str(tmp_path / f"a{ending}"))
    with pytest.raises(ToposegError, match="one real number for each voxel"):
        read_volume(tmp_path / f"a{ending}")


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_are_refused_in_a_sentence(ending, packed, tmp_path):
    path = tmp_path / f"a{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (9, 9, 9), dtype=np.uint8)
    sitk.WriteImage(image_of(noise), str(path), useCompression=packed)
    content = path.read_bytes()
    damaged = {"cut": content[:-40], "no header": b"nothing of the kind\n" + content, "header alone": content[:60]}
    for name, what in damaged.items():
        path.write_bytes(what)
        with pytest.raises(ToposegError, match="cannot be read as") as caught:
            read_volume(path)
        assert "\n" not in str(caught.value), name


def test_voxels_that_are_not_there_are_named(tmp_path):
    for ending, beside in ((".mhd", "a.raw"), (".nhdr", "a.raw")):
        sitk.WriteImage(image_of(np.zeros((3, 4, 5), np.uint8)), str(tmp_path / f"a{ending}"), useCompression=False)
        (tmp_path / beside).unlink()
        with pytest.raises(ToposegError, match=r"a\.raw"):
            read_volume(tmp_path / f"a{ending}")


def test_a_real_nrrd_is_as_simpleitk_reads_it(data_folder):
    path = data_folder / "pyradiomics_tumour" / "breast1_image.nrrd"
    image, volume = sitk.ReadImage(str(path)), read_volume(path)
    np.testing.assert_array_equal(volume.to_stored(volume.voxels).T, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.stored.affine[:3, 3] * [-1, -1, 1], image.GetOrigin(), atol=1e-9)
