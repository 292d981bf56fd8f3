"""A session in a file: all of it comes back, on this computer and on another one, and nothing is unpickled."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_mask, write_image
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Settings
from napari_toposeg.priors import Prior
from napari_toposeg.session import Session
from napari_toposeg.session.plain_state import KINDS
from napari_toposeg.session.saving import ImageNotFoundError
from napari_toposeg.volume import Volume


@pytest.fixture(scope="module")
def image():
    return phantom("annulus", (56, 48), seed=3)


@pytest.fixture
def image_file(image, tmp_path) -> Path:
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "heart.nii.gz"
    write_image(image.volume, path)
    return path


@pytest.fixture
def sessions():
    """Makes sessions, and closes them."""
    made: list[Session] = []

    def make() -> Session:
        made.append(Session())
        return made[-1]

    yield make
    for one in made:
        one.close()


def worked_on(session: Session, image, path: Path) -> Session:
    """Opened, placed, moved, prompted, run, painted on."""
    session.open(path)
    session.settings = Settings(iterations=20, seed=5)
    session.network = "none"
    session.choose_prior("annulus")
    session.place_in_box(box_of(image.mask))
    session.move_placement((0.5, 0.25))
    session.prompts.add(np.argwhere(image.mask)[10], include=True)
    session.run()
    assert session.wait(60)
    assert session.result is not None
    session.edit(np.roll(session.mask, 1, axis=0))
    return session


def same(one, other, path: str = "") -> None:
    """Two values are equal, through and through; volumes are compared by what they show, functions not at all."""
    if isinstance(one, Volume):
        np.testing.assert_array_equal(one.voxels, other.voxels, err_msg=path)
        np.testing.assert_array_equal(one.affine, other.affine, err_msg=path)
    elif isinstance(one, Prior):
        assert (one.name, one.betti, one.extent) == (other.name, other.betti, other.extent), path
    elif is_dataclass(one):
        assert type(one) is type(other), path
        for field in fields(one):
            if not callable(getattr(one, field.name)):
                same(getattr(one, field.name), getattr(other, field.name), f"{path}.{field.name}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, path
        np.testing.assert_array_equal(one, other, err_msg=path)
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), path
        for number, (first, second) in enumerate(zip(one, other, strict=True)):
            same(first, second, f"{path}[{number}]")
    elif isinstance(one, dict):
        assert list(one) == list(other), path
        for key in one:
            same(one[key], other[key], f"{path}[{key!r}]")
    else:
        assert one == other or (one != one and other != other), path


def compare(one: Session, other: Session) -> None:
    same(one.volume, other.volume, "volume")
    same(one.result, other.result, "result")
    for name in ("mask", "certificate", "edited", "settings", "network", "region"):
        same(getattr(one, name), getattr(other, name), name)
    same(one.site, other.site, "site")
    same(one.prior, other.prior, "prior")
    same(one.prompts.marks, other.prompts.marks, "prompts")
    same(one.history.changes, other.history.changes, "history")
    assert one.history.position == other.history.position


def settled(session: Session) -> None:
    """Everything that was ordered in the compute thread is done."""
    import threading

    done = threading.Event()
    session.later(lambda: None, lambda _: done.set())
    assert done.wait(60)


def test_a_session_comes_back_whole(image, image_file, sessions, tmp_path):
    before = worked_on(sessions(), image, image_file)
    settled(before)
    before.save_session(tmp_path / "work.toposeg")
    after = sessions()
    after.open_session(tmp_path / "work.toposeg")
    settled(after)
    compare(before, after)


def test_what_came_back_can_be_undone_and_gone_on_with(image, image_file, sessions, tmp_path):
    before = worked_on(sessions(), image, image_file)
    before.save_session(tmp_path / "work.toposeg")
    after = sessions()
    after.open_session(tmp_path / "work.toposeg")
    names = []
    for one in (before, after):
        undone = []
        while one.history.position:
            undone.append((one.history.undo(), None if one.mask is None else int(one.mask.sum()), one.prompts.marks))
        while one.history.position < len(one.history.names):
            one.history.redo()
        names.append(undone)
    assert names[0] == names[1]
    assert len(names[0]) >= 5
    np.testing.assert_array_equal(before.mask, after.mask)
    after.choose_prior("disk")
    assert after.placement is not None
    after.run()
    assert after.wait(60)
    assert after.result.prior.name == "disk"


def test_a_bent_template_and_a_template_of_ones_own_come_back(image, image_file, sessions, tmp_path):
    import torch

    before = sessions()
    before.open(image_file)
    label = tmp_path / "shape.nii.gz"
    from napari_toposeg.formats import write_mask

    write_mask(image.mask, image.volume, label)
    before.choose_prior(str(label))
    before.place_along_stroke([[10, 8], [20, 12], [40, 30]]) if before.prior.betti == (1, 0) else before.place_in_box(
        ((4, 40), (5, 40))
    )
    before.save_session(tmp_path / "work.toposeg")
    after = sessions()
    after.open_session(tmp_path / "work.toposeg")
    where = torch.rand((2, 500), generator=torch.Generator().manual_seed(0)) * 2 - 1
    np.testing.assert_array_equal(before.prior.signed_distance(where), after.prior.signed_distance(where))
    before.choose_prior("disk")
    before.place_along_stroke([[10, 8], [20, 12], [40, 30]])
    before.save_session(tmp_path / "bent.toposeg")
    after.open_session(tmp_path / "bent.toposeg")
    np.testing.assert_array_equal(
        before.site.template.signed_distance(where), after.site.template.signed_distance(where)
    )


def test_an_image_without_a_file_is_in_the_session_s(image, sessions, tmp_path):
    before = sessions()
    before.set_volume(image.volume)
    before.save_session(tmp_path / "work.toposeg")
    after = sessions()
    after.open_session(tmp_path / "work.toposeg")
    np.testing.assert_array_equal(after.volume.voxels, image.volume.voxels)
    np.testing.assert_allclose(after.volume.affine, image.volume.affine)


def test_a_session_opens_on_another_computer(image, image_file, sessions, tmp_path):
    session = sessions()
    session.open(image_file)
    session.save_session(image_file.parent / "work.toposeg")
    moved = tmp_path / "elsewhere"
    shutil.move(image_file.parent, moved)
    assert Path(sessions().open_session(moved / "work.toposeg").volume.path).parent == moved

    (tmp_path / "far").mkdir()
    shutil.move(moved / image_file.name, tmp_path / "far" / "renamed.nii.gz")
    with pytest.raises(ImageNotFoundError, match=r"heart\.nii\.gz, is not found.*Say where it is") as caught:
        sessions().open_session(moved / "work.toposeg")
    assert str(moved) in str(caught.value)
    found = sessions().open_session(moved / "work.toposeg", image=tmp_path / "far" / "renamed.nii.gz")
    np.testing.assert_array_equal(found.volume.voxels, image.volume.voxels)


def test_another_image_in_its_place_is_not_taken(image, image_file, sessions, tmp_path):
    session = sessions()
    session.open(image_file)
    session.save_session(tmp_path / "work.toposeg")
    write_image(phantom("annulus", (56, 48), seed=4).volume, image_file)
    with pytest.raises(ImageNotFoundError, match="another image: its hash differs"):
        sessions().open_session(tmp_path / "work.toposeg")


def test_a_dicom_series_and_a_frame_are_found_again(dicom_series, sessions, tmp_path):
    block = np.arange(5 * 12 * 14, dtype=np.int16).reshape(5, 12, 14)
    for time in (0, 1):
        dicom_series(
            tmp_path / "scans" / "series",
            block + time,
            SeriesInstanceUID="1.2.3",
            TemporalPositionIdentifier=time + 1,
        )
    session = sessions()
    session.open(tmp_path / "scans" / "series", frame_number=1)
    session.save_session(tmp_path / "scans" / "work.toposeg")
    shutil.move(tmp_path / "scans", tmp_path / "moved")
    again = sessions().open_session(tmp_path / "moved" / "work.toposeg").volume
    np.testing.assert_array_equal(again.voxels, session.volume.voxels)


def test_a_file_that_is_replaced_stays_whole_where_writing_fails(image, image_file, sessions, tmp_path, monkeypatch):
    session = sessions()
    session.open(image_file)
    session.save_session(tmp_path / "work.toposeg")
    before = (tmp_path / "work.toposeg").read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *_, **__: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(ToposegError, match="no space left"):
        session.save_session(tmp_path / "work.toposeg")
    assert (tmp_path / "work.toposeg").read_bytes() == before


@pytest.mark.parametrize("kind", ["cut", "other", "newer", "no zip", "pickle", "unknown kind", "missing array"])
def test_what_is_no_session_is_refused_in_a_sentence(kind, image, image_file, sessions, tmp_path):
    path = tmp_path / "work.toposeg"
    worked_on(sessions(), image, image_file).save_session(path)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(members["session.json"])
    if kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "no zip":
        path.write_bytes(b"nothing of the kind")
    else:
        if kind == "other":
            head["format"] = "a book"
        elif kind == "newer":
            head["version"] = 99
        elif kind == "pickle":
            array = np.lib.format.magic(1, 0)
            fact = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
            members["arrays/0.npy"] = array + len(fact).to_bytes(2, "little") + fact + pickle.dumps(Path("x"))
        elif kind == "unknown kind":
            head["state"]["objects"][0] = {"kind": "Popen", "fields": {}}
        elif kind == "missing array":
            del members["arrays/0.npy"]
        members["session.json"] = json.dumps(head).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, member in members.items():
                archive.writestr(name, member)
    after = sessions()
    with pytest.raises(ToposegError, match=r"newer version|cannot be read as a session|not known here") as caught:
        after.open_session(path)
    assert "\n" not in str(caught.value)
    assert after.volume is None


def test_without_an_image_there_is_nothing_to_save(sessions, tmp_path):
    with pytest.raises(ToposegError, match="No image is open"):
        sessions().save_session(tmp_path / "work.toposeg")


def test_every_kind_that_a_file_may_hold_is_plain_data(tmp_path):
    assert all(is_dataclass(kind) and kind.__dataclass_params__.frozen for kind in KINDS.values())


def test_the_mask_of_a_reopened_session_is_saved_as_it_was(image, image_file, sessions, tmp_path):
    before = worked_on(sessions(), image, image_file)
    before.save_session(tmp_path / "work.toposeg")
    before.save(tmp_path / "one.nii.gz")
    after = sessions()
    after.open_session(tmp_path / "work.toposeg")
    after.save(tmp_path / "two.nii.gz")
    one, two = (read_mask(tmp_path / f"{name}.nii.gz")[0] for name in ("one", "two"))
    np.testing.assert_array_equal(one, two)
