"""A file appears whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing


@pytest.mark.parametrize("name", ["new.nii.gz", "new.PNG", "new", "a.b.json"])
def test_a_block_that_ends_well_leaves_the_file_and_nothing_else(name, tmp_path):
    with replacing(tmp_path / name) as part:
        assert part.parent == tmp_path.resolve()
        assert part.name.endswith(name[name.rindex(".nii") :] if ".nii" in name else os.path.splitext(name)[1].lower())
        part.write_text("whole")
        assert not (tmp_path / name).exists()
    assert (tmp_path / name).read_text() == "whole"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_a_block_that_is_cut_off_leaves_the_old_file_as_it_was(error, tmp_path):
    target = tmp_path / "old.txt"
    target.write_text("old")

    def write_half():
        with replacing(target) as part:
            part.write_text("half of the n")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_said_in_one_sentence_and_leaves_nothing(tmp_path):
    def write_half():
        with replacing(tmp_path / "new.txt") as part:
            part.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(ToposegError, match=r"new.txt cannot be written. No space left on device\."):
        write_half()
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_and_a_folder_as_target_are_refused_before_any_work(tmp_path):
    for target, said in {tmp_path / "none" / "new.txt": "no folder", tmp_path: "is a folder"}.items():
        with pytest.raises(ToposegError, match=said), replacing(target):
            pytest.fail("the block was entered")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(ToposegError, match="cannot be written"), replacing(tmp_path / "new.txt") as part:
            part.write_text("new")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own on Windows")
def test_a_link_keeps_pointing_to_the_file_that_is_replaced(tmp_path):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "shelf" / "real.txt")
    with replacing(tmp_path / "link.txt") as part:
        part.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "shelf" / "real.txt").read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_the_new_file_has_the_rights_that_any_new_file_has(tmp_path):
    (tmp_path / "plain").write_text("")
    with replacing(tmp_path / "new") as part:
        part.write_text("")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
