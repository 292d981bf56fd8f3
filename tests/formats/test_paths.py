"""What a path says."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import sha256_of, split_ending, split_label


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/a/scan.nii.gz", ("scan", ".nii.gz")),
        ("scan.NII.GZ", ("scan", ".nii.gz")),
        ("scan.T1.nii", ("scan.T1", ".nii")),
        ("photo.JPG", ("photo", ".jpg")),
        ("archive.tar.gz", ("archive.tar", ".gz")),
        ("folder.x/scan", ("scan", "")),
    ],
)
def test_a_name_splits_into_what_to_call_it_and_its_ending(path, parts):
    assert split_ending(path) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mask.nii.gz", ("mask.nii.gz", None)),
        ("mask.nii.gz:3", ("mask.nii.gz", 3)),
        ("mask.nii.gz:-1", ("mask.nii.gz", -1)),
        (r"C:\data\mask.nii.gz", (r"C:\data\mask.nii.gz", None)),
        (r"C:\data\mask.nii.gz:12", (r"C:\data\mask.nii.gz", 12)),
        ("C:3", ("C:3", None)),
        ("C:3:4", ("C:3", 4)),
        ("mask.nii.gz:liver", ("mask.nii.gz:liver", None)),
        ("mask.nii.gz:", ("mask.nii.gz:", None)),
        (":3", (":3", None)),
    ],
)
def test_a_label_stands_behind_the_last_colon(text, parts):
    assert split_label(text) == parts


@given(st.text(min_size=2), st.integers())
def test_a_label_comes_off_any_path(path, label):
    assert split_label(f"{path}:{label}") == (path, label)


def test_a_file_of_exactly_this_name_wins_over_a_label(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan:2").touch()
    assert split_label("scan:2") == ("scan:2", None)
    assert split_label("scan:2:1") == ("scan:2", 1)


def test_the_hash_is_that_of_the_whole_file(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    with pytest.raises(ToposegError, match="no file"):
        sha256_of(tmp_path / "none")
