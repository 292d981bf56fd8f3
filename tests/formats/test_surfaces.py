"""Surfaces on disk, read back by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import write_surface
from napari_toposeg.volume import Volume


def read_stl(path):
    content = path.read_bytes()
    assert b"SPACE=LPS" in content[:80]
    assert not content.startswith(b"solid")
    count = int(np.frombuffer(content, "<u4", 1, 80)[0])
    records = np.frombuffer(content, np.dtype([("n", "<f4", 3), ("c", "<f4", (3, 3)), ("r", "<u2")]), count, 84)
    assert 84 + records.nbytes == len(content)
    corners = records["c"].astype(float)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((normals * records["n"]).sum(axis=1) >= 0).all()
    return corners


def read_ply(path):
    header, content = path.read_bytes().split(b"end_header\n", 1)
    words = header.decode().split()
    vertices, faces = (int(words[words.index(name) + 1]) for name in ("vertex", "face"))
    assert b"SPACE=LPS" in header
    points = np.frombuffer(content, "<f4", 3 * vertices).reshape(-1, 3)
    records = np.frombuffer(content, np.dtype([("n", "u1"), ("f", "<i4", 3)]), faces, points.nbytes)
    assert (records["n"] == 3).all()
    assert points.nbytes + records.nbytes == len(content)
    return points[records["f"]].astype(float)


def read_vtk(path):
    content = path.read_bytes()
    assert content.startswith(b"# vtk DataFile Version 3.0\n")
    assert b"SPACE=LPS" in content[:90]
    at = content.index(b"POINTS")
    end = content.index(b"\n", at) + 1
    vertices = int(content[at:end].split()[1])
    points = np.frombuffer(content, ">f4", 3 * vertices, end).reshape(-1, 3)
    at = content.index(b"POLYGONS", end + points.nbytes)
    end = content.index(b"\n", at) + 1
    faces, numbers = (int(word) for word in content[at:end].split()[1:])
    records = np.frombuffer(content, ">i4", numbers, end).reshape(faces, 4)
    assert (records[:, 0] == 3).all()
    return points[records[:, 1:]].astype(float)


READERS = {".stl": read_stl, ".ply": read_ply, ".vtk": read_vtk}


@pytest.mark.parametrize("ending", READERS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_surface_lies_around_its_mask_in_the_world_and_looks_outwards(ending, mirrored, tmp_path):
    affine = np.array([[-0.8, 0, 0.1, 40], [0, 1.2, 0, -30], [0, 0.2, 2.0, 900], [0, 0, 0, 1.0]])
    affine[:, 0] *= -1 if mirrored else 1
    volume = Volume.from_stored(np.zeros((20, 22, 14), np.uint8), affine)
    mask = np.zeros(volume.shape, bool)
    mask[4:11, 5:13, 3:9] = True
    write_surface(mask, volume, tmp_path / f"a{ending}")
    corners = READERS[ending](tmp_path / f"a{ending}")
    lps = volume.frame.world(np.argwhere(mask)) * [-1, -1, 1]
    np.testing.assert_allclose(corners.reshape(-1, 3).mean(axis=0), lps.mean(axis=0), atol=0.4)
    size = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert size == pytest.approx(mask.sum() * abs(np.linalg.det(affine)), rel=0.1)


def test_another_ending_is_refused(tmp_path):
    volume = Volume.from_stored(np.ones((8, 8, 8), np.uint8), np.eye(4))
    with pytest.raises(ToposegError, match=r"\.stl, \.ply, \.vtk"):
        write_surface(volume.voxels, volume, tmp_path / "a.obj")
