"""What cannot be used is refused in one sentence, before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_toposeg.cli.arguments import parse_roi
from napari_toposeg.errors import ToposegError

# What follows `toposeg segment IMAGE -o MASK`, and what the sentence has to say.
BAD_OPTIONS = {
    "a region outside the volume": (["--roi", "0:20,0:20,10:40"], "10:40 on axis 2 leaves the image"),
    "a region before the volume": (["--roi=-3:20,0:20,0:20"], "-3:20 on axis 0 leaves the image"),
    "an empty region": (["--roi", "5:5,0:20,0:20"], "5:5 on axis 0 is empty"),
    "a region with an axis too few": (["--roi", "0:20,0:20"], "2 ranges"),
    "a region that is no region": (["--roi", "the liver"], "'the liver' cannot be read"),
    "two regions": (["--roi", "0:9,0:9,0:9", "--roi-from", "{label}"], "--roi and --roi-from exclude each other"),
    "a box and a rough mask": (["--roi-from", "{label}", "--place-from", "{label}"], "exclude each other"),
    "a margin round nothing": (["--margin", "4"], "--margin has nothing to go round"),
    "a box and points": (["--roi", "0:9,0:9,0:9", "--points", "1,2,3;9,9,9"], "--roi and --points exclude each other"),
    "points and a stroke": (["--points", "1,2,3;9,9,9", "--stroke", "1,2,3;9,9,9"], "exclude each other"),
    "points that are no points": (["--points", "the liver"], "'the liver' cannot be read"),
    "one point": (["--points", "9,9,9"], "by 1 point"),
    "seven points": (["--points", ";".join(f"{k},9,{2 * k}" for k in range(7))], "by 7 points"),
    "a point with an axis too few": (["--points", "9,9;20,20"], "A point has 2 indices and the image 3 axes"),
    "a point outside the volume": (["--points", "9,9,9;20,20,60"], "point number 2 lies outside of the image"),
    "a stroke of one place": (["--stroke", "9,9,9"], "stroke is too short"),
    "a stroke that crosses itself": (["--stroke", "5,5,9;30,30,9;30,5,9;5,30,9"], "crosses or touches itself"),
    "a stroke that leaves the volume": (["--stroke", "9,9,9;20,20,60"], "stroke number 2 lies outside of the image"),
    "a radius of nothing": (["--stroke", "9,9,9;20,20,20", "--radius", "0"], "radius of 0 mm"),
    "a radius round nothing": (["--radius", "4"], "--radius has nothing to go round"),
    "a negative margin": (["--roi", "0:9,0:9,0:9", "--margin", "-4"], "margin of -4 mm"),
    "a prior of the wrong dimension": (["--prior", "disk"], "'disk' is 2-D and the image 3-D"),
    "an unknown prior": (["--prior", "heart"], "no prior 'heart'"),
    "an unknown axis": (["--prior", "torus", "--axis", "w"], "no axis 'w'"),
    "an unknown objective": (["--objective", "dice"], "no objective 'dice'"),
    "an unknown certification": (["--certify", "maybe"], "no certify 'maybe'"),
    "an unknown device": (["--device", "tpu"], "no device 'tpu'"),
    "a device that is not there": (["--device", "cuda:77"], "no device 'cuda:77'"),
    "too few iterations": (["--iterations", "3"], "3 iterations are too few"),
    "a mask without that label": (["--roi-from", "{label}:7"], "no voxel of label 7"),
    "a mask that is not there": (["--roi-from", "nowhere.nii.gz"], "no file nowhere.nii.gz"),
    "a field of an unknown kind": (["--field", "{folder}/field.mat"], "Its ending is not .nii.gz or .nii"),
    "a report of an unknown kind": (["--report", "{folder}/report.txt"], "Its ending is not .json"),
    "a field in a folder that is not there": (["--field", "{folder}/none/field.nii"], "There is no folder"),
    "a report over the field": (["--field", "{folder}/f.nii", "--jacobian", "{folder}/f.nii"], "two outputs"),
    "a frame of a volume without frames": (["--frame", "2"], "has no frame 2"),
}


@pytest.mark.parametrize("what", BAD_OPTIONS)
def test_segment_refuses(what: str, toposeg: Callable, solid, tmp_path: Path) -> None:
    options, expected = BAD_OPTIONS[what]
    words = [word.format(label=solid.label, folder=tmp_path) for word in options]
    outcome = toposeg("segment", solid.image, "-o", tmp_path / "mask.nii.gz", "--quiet", *words)
    assert outcome.is_refusal(), outcome
    assert expected in outcome.err
    assert not any(tmp_path.iterdir())


def _nan(path: Path) -> None:
    voxels = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    voxels[10, 10, 10] = np.nan
    nibabel.Nifti1Image(voxels, np.eye(4)).to_filename(path)


def _flat(path: Path) -> None:
    nibabel.Nifti1Image(np.full((20, 20, 20), 7, np.int16), np.eye(4)).to_filename(path)


def _of_shape(*shape: int) -> Callable[[Path], None]:
    return lambda path: nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)).to_filename(path)


def _cut_short(path: Path) -> None:
    whole = path.with_name("whole.nii.gz")
    nibabel.Nifti1Image(
        np.random.default_rng(0).integers(0, 999, (20, 20, 20)).astype(np.int16), np.eye(4)
    ).to_filename(whole)
    path.write_bytes(whole.read_bytes()[:-4000])
    whole.unlink()


BAD_IMAGES = {
    "a NaN volume": (_nan, "1 are NaN"),
    "an empty file": (lambda path: path.touch(), "is empty"),
    "a 5-D file": (_of_shape(8, 8, 8, 1, 3), "has 5 axes"),
    "a 4-D file without a frame": (_of_shape(8, 8, 8, 5), "holds 5 frames"),
    "a line of voxels": (_of_shape(50, 1, 1), "a line of 50 voxels"),
    "a file of one intensity": (_flat, "intensity"),
    "a file that is no image": (lambda path: path.write_text("no image"), "cannot be read as NIfTI"),
    "a file that was cut short": (_cut_short, "cannot be read as NIfTI"),
    "a folder": (lambda path: path.mkdir(), "There is no DICOM image in"),
    "a missing file": (lambda path: None, "There is no file"),
}


@pytest.mark.parametrize("what", BAD_IMAGES)
def test_segment_refuses_the_image(what: str, toposeg: Callable, tmp_path: Path) -> None:
    make, expected = BAD_IMAGES[what]
    image, folder = tmp_path / "image.nii.gz", tmp_path / "out"
    make(image)
    folder.mkdir()
    outcome = toposeg("segment", image, "-o", folder / "mask.nii.gz", "--quiet")
    assert outcome.is_refusal(), outcome
    assert expected in outcome.err
    assert not any(folder.iterdir())


@pytest.mark.parametrize("option", ["--roi-from", "--place-from"])
def test_segment_refuses_a_mask_on_another_grid_and_an_empty_one(
    option: str, toposeg: Callable, solid, tmp_path
) -> None:
    other, empty = tmp_path / "other.nii.gz", tmp_path / "empty.nii.gz"
    label = nibabel.load(solid.label)
    moved = label.affine.copy()
    moved[0, 3] += 5
    nibabel.Nifti1Image(np.asarray(label.dataobj), moved).to_filename(other)
    nibabel.Nifti1Image(np.zeros(label.shape, np.uint8), label.affine).to_filename(empty)
    for mask, expected in ((other, "on another grid"), (empty, "is empty")):
        outcome = toposeg("segment", solid.image, "-o", tmp_path / "mask.nii.gz", option, mask, "--quiet")
        assert outcome.is_refusal(), outcome
        assert expected in outcome.err
    assert not (tmp_path / "mask.nii.gz").exists()


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("mask.txt", "Its ending is not"),
        ("mask", "Its ending is not"),
        ("none/mask.nii.gz", "There is no folder"),
        (".", "is a folder"),
        ("mask.png", "Its ending is not .nii.gz or .nii or .nrrd or .mha or .dcm."),  # the image is 3-D
        ("mask.dcm", "the image is of another kind"),
    ],
)
def test_segment_refuses_the_output(mask: str, expected: str, toposeg: Callable, solid, tmp_path: Path) -> None:
    outcome = toposeg("segment", solid.image, "-o", tmp_path / mask, "--quiet")
    assert outcome.is_refusal(), outcome
    assert expected in outcome.err or (mask == "." and "Its ending" in outcome.err)
    assert not any(tmp_path.iterdir())


def test_segment_does_not_overwrite_what_it_reads(toposeg: Callable, solid) -> None:
    before = solid.image.read_bytes(), solid.label.read_bytes()
    for output, more in ((solid.image, []), (solid.label, ["--roi-from", f"{solid.label}:1"])):
        outcome = toposeg("segment", solid.image, "-o", output, *more)
        assert outcome.is_refusal(), outcome
        assert "is both read and written" in outcome.err
    assert before == (solid.image.read_bytes(), solid.label.read_bytes())


def test_segment_refuses_a_folder_that_it_may_not_write_to(
    toposeg: Callable, solid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by taking the right away: root, who runs the tests in a container, may write anywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    outcome = toposeg("segment", solid.image, "-o", tmp_path / "mask.nii.gz")
    assert outcome.is_refusal()
    assert "You may not write" in outcome.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["betti", "nowhere.nii.gz"], "no file nowhere.nii.gz"),
        (["betti", "{label}", "--connectivity", "8"], "Connectivity 8 does not exist in 3-D"),
        (["betti", "{label}", "--label", "9"], "no voxel of label 9"),
        (["betti", "{label}:1", "--label", "2"], "Two labels are given"),
        (["certify", "{label}", "--prior", "disk"], "'disk' is 2-D and the mask 3-D"),
        (["certify", "{label}", "--prior", "ball", "-o", "{label}"], "both read and written"),
        (["certify", "{label}", "--prior", "ball", "-o", "fixed.doc"], "Its ending is not"),
        (["open", "nowhere.nii.gz"], "no file nowhere.nii.gz"),
        (["demo", "--prior", "heart", "-o", "{folder}/demo"], "no prior 'heart'"),
        (["demo", "-o", "{label}"], "cannot be made"),
    ],
)
def test_the_other_commands_refuse(words: list[str], expected: str, toposeg: Callable, solid, tmp_path: Path) -> None:
    outcome = toposeg(*[word.format(label=solid.label, folder=tmp_path) for word in words])
    assert outcome.is_refusal(), outcome
    assert expected in outcome.err


@pytest.mark.parametrize(
    "words", [["segment"], ["segment", "a.nii", "--loud"], ["sing"], ["betti", "a", "--label", "x"]]
)
def test_a_wrong_command_says_what_is_missing_and_exits_with_2(words: list[str], toposeg: Callable) -> None:
    outcome = toposeg(*words)
    assert outcome.code == 2
    assert outcome.err
    assert not outcome.out
    assert "Traceback" not in outcome.err


def test_a_region_is_read_as_written() -> None:
    assert parse_roi("1:2,3:4,50:61") == ((1, 2), (3, 4), (50, 61))
    assert parse_roi("0:10, 5:7") == ((0, 10), (5, 7))


@pytest.mark.parametrize(
    "text", ["", "1:2", "1:2,3", "1:2,3:4,5:6,7:8", "1-2,3-4", "a:b,c:d", "1:2:3,4:5", "1.5:2,3:4"]
)
def test_anything_else_is_no_region(text: str) -> None:
    with pytest.raises(ToposegError, match="cannot be read"):
        parse_roi(text)
