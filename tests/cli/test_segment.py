"""`toposeg segment`: files in, files out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from napari_toposeg.evaluation import dice
from napari_toposeg.formats import read_mask

KEYS = {
    "version", "prior", "betti_prior", "betti_mask", "connectivity", "topology_ok", "folding_voxels", "least_jacobian",
    "repaired_voxels", "iterations", "losses", "device", "seed", "seconds", "input",
}  # fmt: skip


def voxels(path: Path) -> NDArray[np.generic]:
    return np.asarray(nibabel.load(path).dataobj)


@pytest.fixture(scope="module")
def outputs(solid, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that segmenting the ellipsoid's image writes."""
    from napari_toposeg.cli import main

    folder = tmp_path_factory.mktemp("outputs")
    words = ["segment", solid.image, "--prior", "ellipsoid", "--roi-from", f"{solid.label}:1", "--iterations", "60"]
    for name, file in (("-o", "mask.nii.gz"), ("--field", "field.nii.gz"), ("--jacobian", "jacobian.nii.gz")):
        words += [name, folder / file]
    assert main([str(word) for word in [*words, "--report", folder / "report.json", "--quiet"]]) == 0
    return folder


def test_the_mask_lies_on_the_images_own_grid_and_over_the_organ(outputs: Path, solid) -> None:
    mask, image = nibabel.load(outputs / "mask.nii.gz"), nibabel.load(solid.image)
    assert mask.shape == image.shape
    assert np.array_equal(mask.affine, image.affine)
    assert mask.get_data_dtype() == np.uint8
    assert set(np.unique(voxels(outputs / "mask.nii.gz"))) == {0, 1}
    assert dice(voxels(outputs / "mask.nii.gz"), voxels(solid.label)) > 0.9


def test_the_report_holds_what_is_promised(outputs: Path, solid) -> None:
    report = json.loads((outputs / "report.json").read_text())
    assert report.keys() >= KEYS
    assert report["topology_ok"] is True
    assert report["betti_prior"] == report["betti_mask"] == [1, 0, 0]
    assert report["connectivity"] == 26
    assert report["folding_voxels"] == 0
    assert report["least_jacobian"] > 0
    assert report["iterations"] == 60
    assert report["input"]["path"] == str(solid.image)
    assert report["input"]["shape"] == [40, 40, 28]
    assert report["input"]["spacing"] == pytest.approx([1.0, 1.0, 1.5])
    assert report["input"]["sha256"] == hashlib.sha256(solid.image.read_bytes()).hexdigest()
    assert report["seconds"]["total"] == pytest.approx(
        sum(seconds for stage, seconds in report["seconds"].items() if stage != "total"), abs=0.01
    )


def test_the_field_and_the_jacobian_lie_on_the_images_grid(outputs: Path) -> None:
    field, jacobian = voxels(outputs / "field.nii.gz"), voxels(outputs / "jacobian.nii.gz")
    assert field.shape == (40, 40, 28, 1, 3)
    assert np.abs(field).max() > 0.1
    assert jacobian.shape == (40, 40, 28)
    assert jacobian.min() > 0
    assert jacobian.std() > 0.01


def test_a_second_run_writes_the_same_files(outputs: Path, toposeg: Callable, solid, tmp_path: Path) -> None:
    words = ["--prior", "ellipsoid", "--roi-from", f"{solid.label}:1", "--iterations", "60"]
    toposeg("segment", solid.image, "--output", tmp_path / "mask.nii.gz", *words)
    assert (tmp_path / "mask.nii.gz").read_bytes() == (outputs / "mask.nii.gz").read_bytes()


def test_a_roi_counts_voxels_of_the_file_as_stored(toposeg: Callable, solid, tmp_path: Path, outputs: Path) -> None:
    label = voxels(solid.label)  # its first two axes run against the canonical ones
    box = [(int(found.min()), int(found.max()) + 1) for found in np.nonzero(label)]
    roi = ",".join(f"{low}:{high}" for low, high in box)
    mask = tmp_path / "mask.nii.gz"
    outcome = toposeg("segment", solid.image, "-o", mask, "--prior", "ellipsoid", "--roi", roi, "--iterations", 60)
    assert outcome.code == 0
    # The same box as that of --roi-from.
    assert np.array_equal(voxels(mask), voxels(outputs / "mask.nii.gz"))


def test_points_count_voxels_of_the_file_as_stored(toposeg: Callable, solid, tmp_path: Path) -> None:
    label = voxels(solid.label)
    inside = np.argwhere(label)
    ends = [inside[pick(inside[:, axis])] for axis in range(3) for pick in (np.argmin, np.argmax)]
    mask, report = tmp_path / "mask.nii.gz", tmp_path / "report.json"
    points = ";".join(",".join(map(str, end)) for end in ends)
    words = ["--prior", "ellipsoid", "--points", points, "--network", "none", "--iterations", 10, "--report", report]
    outcome = toposeg("segment", solid.image, "-o", mask, *words, "--quiet")
    assert outcome.code == 0, outcome
    # Ten iterations move it little: it has to stand on the organ already.
    assert dice(voxels(mask), label) > 0.85
    assert "stroke" not in json.loads(report.read_text())["input"]


def test_a_stroke_counts_voxels_of_the_file_as_stored(toposeg: Callable, solid, tmp_path: Path) -> None:
    label = voxels(solid.label)
    inside = np.argwhere(label)
    sizes = np.ptp(inside, axis=0) * [1.0, 1.0, 1.5]
    longest = int(sizes.argmax())
    first, last = inside[inside[:, longest].argmin()], inside[inside[:, longest].argmax()]
    stroke = [first, inside.mean(axis=0).round(1), last]
    mask, report = tmp_path / "mask.nii.gz", tmp_path / "report.json"
    words = ["--stroke", ";".join(",".join(map(str, place)) for place in stroke), "--report", report]
    words += ["--radius", sorted(sizes)[1] / 2, "--prior", "ellipsoid", "--iterations", 10, "--quiet"]
    outcome = toposeg("segment", solid.image, "-o", mask, *words)
    assert outcome.code == 0, outcome
    assert dice(voxels(mask), label) > 0.7
    facts = json.loads(report.read_text())
    assert facts["prior"] == "ellipsoid along a stroke"
    assert facts["betti_mask"] == [1, 0, 0]
    assert facts["input"]["stroke"] == [[float(number) for number in place] for place in stroke]
    assert facts["input"]["radius"] == pytest.approx(sorted(sizes)[1] / 2)


def test_a_person_reads_a_table_and_a_program_json(toposeg: Callable, ring, tmp_path: Path) -> None:
    words = ["segment", ring.image, "-o", tmp_path / "mask.nii.gz", "--prior", "annulus", "--iterations", 40]
    words += ["--roi-from", ring.label]
    shown = toposeg(*words)
    assert shown.code == 0
    assert "one piece, one hole (8-connected)" in shown.out
    assert "the prior's" in shown.out
    assert str(tmp_path / "mask.nii.gz") in shown.out
    assert "fit" in shown.err
    scripted = toposeg(*words, "--json")
    facts = json.loads(scripted.out)
    assert facts.keys() >= KEYS
    assert facts["betti_mask"] == [1, 1]
    silent = toposeg(*words, "--quiet")
    assert (silent.code, silent.out, silent.err) == (0, "", "")


@pytest.mark.parametrize("certify", ["strict", "report", "off"])
def test_the_exit_code_is_that_of_the_certificate(
    certify: str, toposeg: Callable, ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An annulus is asked for, and all of the ring's surroundings are as bright as it: nothing holds its hole open.
    mask = tmp_path / "mask.nii.gz"
    words = ["segment", ring.image, "-o", mask, "--prior", "annulus", "--roi-from", ring.label, "--iterations", 20]
    outcome = toposeg(*words, "--certify", certify, "--json")
    facts = json.loads(outcome.out)
    assert facts["certify"] == certify
    assert outcome.code == (0 if facts["topology_ok"] or certify == "off" else 1)
    counted = json.loads(toposeg("betti", mask, "--json").out)
    assert [counted["b0"], counted["b1"]] == facts["betti_mask"]
    if certify == "strict":
        assert facts["topology_ok"]


def test_a_topology_that_is_not_the_priors_is_exit_code_1_and_still_written(
    toposeg: Callable, ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from napari_toposeg.inference import finishing

    right = finishing.certify

    def wrong(mask, prior, **more):
        certificate = right(mask, prior, **more)
        return replace(certificate, betti_mask=(2, 1))

    monkeypatch.setattr(finishing, "certify", wrong)
    words = ["segment", ring.image, "-o", tmp_path / "mask.nii.gz", "--prior", "annulus", "--iterations", 10]
    words += ["--roi-from", ring.label]
    report = toposeg(*words, "--certify", "report")
    assert report.code == 1
    assert "NOT the prior's" in report.out
    assert (tmp_path / "mask.nii.gz").exists()
    assert toposeg(*words, "--certify", "off").code == 0


def test_without_a_prior_a_disk_is_taken_in_2d_and_it_is_said(toposeg: Callable, ring, tmp_path: Path) -> None:
    outcome = toposeg("segment", ring.image, "-o", tmp_path / "mask.nii.gz", "--iterations", 10, "--json")
    assert json.loads(outcome.out)["prior"] == "disk"
    assert "a disk is taken" in outcome.err


def test_a_rough_mask_places_the_template_along_its_axes(toposeg: Callable, solid, tmp_path: Path) -> None:
    mask = tmp_path / "mask.nii.gz"
    words = ["--prior", "ellipsoid", "--place-from", solid.label, "--margin", 4, "--iterations", 60]
    assert toposeg("segment", solid.image, "-o", mask, *words).code == 0
    assert dice(voxels(mask), voxels(solid.label)) > 0.9


def test_a_custom_template_is_a_mask_file(toposeg: Callable, solid, tmp_path: Path) -> None:
    words = ["--prior", solid.label, "--roi-from", solid.label, "--iterations", 20, "--json"]
    facts = json.loads(toposeg("segment", solid.image, "-o", tmp_path / "mask.nii.gz", *words).out)
    assert facts["betti_prior"] == [1, 0, 0]
    assert facts["topology_ok"]


def test_one_frame_of_a_4d_file(toposeg: Callable, ring, solid, tmp_path: Path) -> None:
    image = nibabel.load(solid.image)
    frames = np.stack([np.zeros(image.shape, np.int16), np.asarray(image.dataobj)], axis=-1)
    path = tmp_path / "frames.nii.gz"
    nibabel.Nifti1Image(frames, image.affine).to_filename(path)
    mask = tmp_path / "mask.nii.gz"
    words = ["--frame", 1, "--prior", "ellipsoid", "--roi-from", solid.label, "--iterations", 60, "--json"]
    facts = json.loads(toposeg("segment", path, "-o", mask, *words).out)
    assert facts["input"]["frame"] == 1
    assert voxels(mask).shape == (40, 40, 28)
    assert dice(voxels(mask), voxels(solid.label)) > 0.9


def test_a_picture_in_and_a_picture_out(toposeg: Callable, ring, tmp_path: Path) -> None:
    grey = np.clip(ring.made.volume.voxels / 3, 0, 255).astype(np.uint8)
    image, mask = tmp_path / "image.png", tmp_path / "mask.png"
    Image.fromarray(np.ascontiguousarray(grey[::-1, ::-1].T)).save(image)
    words = ["--prior", "annulus", "--roi-from", ring.label, "--iterations", 20]
    label = tmp_path / "label.png"
    Image.fromarray(np.ascontiguousarray(ring.made.mask[::-1, ::-1].T)).save(label)
    words[3] = label
    assert toposeg("segment", image, "-o", mask, *words).code == 0
    found, _ = read_mask(mask)
    assert dice(found, ring.made.mask) > 0.8


def test_a_tpsn_can_be_what_is_optimised(toposeg: Callable, ring, tmp_path: Path) -> None:
    words = [
        "--prior",
        "annulus",
        "--roi-from",
        ring.label,
        "--iterations",
        12,
        "--moves",
        "tpsn",
        "--seed",
        3,
        "--json",
    ]
    facts = json.loads(toposeg("segment", ring.image, "-o", tmp_path / "mask.nii.gz", *words).out)
    assert (facts["moves"], facts["seed"], facts["topology_ok"]) == ("tpsn", 3, True)


def test_fields_held_on_a_coarser_grid_are_written_on_the_images_own(
    toposeg: Callable, solid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: Path
) -> None:
    # As for a region of more than 12 million voxels.
    monkeypatch.setattr("napari_toposeg.inference.finishing.FIELD_VOXELS", 8_000)
    words = ["--prior", "ellipsoid", "--roi-from", f"{solid.label}:1", "--iterations", "60"]
    words += ["--field", tmp_path / "field.nii.gz", "--jacobian", tmp_path / "jacobian.nii.gz"]
    assert toposeg("segment", solid.image, "-o", tmp_path / "mask.nii.gz", *words).code == 0
    coarse, fine = voxels(tmp_path / "field.nii.gz"), voxels(outputs / "field.nii.gz")
    assert coarse.shape == fine.shape
    assert np.abs(coarse - fine).mean() < 0.1 * np.abs(fine).mean()
    assert voxels(tmp_path / "jacobian.nii.gz").shape == (40, 40, 28)
