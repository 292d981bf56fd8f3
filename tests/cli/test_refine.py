"""`toposeg refine`: any tool's map in, one with the wanted topology out, on its own grid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.special import logit

from napari_toposeg.topology import betti_numbers

# Axes turned, and two of them flipped.
AFFINE = np.array([[0, 0, 2.0, 5], [-1.5, 0, 0, -7], [0, -1, 0, 3], [0, 0, 0, 1]])


def two_balls() -> np.ndarray:
    """A large and a small one in a corner, and between them nothing."""
    i, j, k = np.indices((20, 17, 14))
    large = np.exp(-((i - 12) ** 2 + (j - 10) ** 2 + (k - 8) ** 2) / 30)
    small = 0.8 * np.exp(-((i - 2) ** 2 + (j - 3) ** 2 + (k - 2) ** 2) / 4)
    return np.clip(large + small, 0.001, 0.99).astype(np.float32)


def broken_ring() -> np.ndarray:
    i, j = np.indices((32, 40)) - np.array([15, 20])[:, None, None]
    p = np.where(np.abs(np.hypot(i, j) - 10) < 2, 0.9, 0.05)
    p[(np.abs(i) <= 1) & (j > 0) & (p > 0.5)] = 0.3
    return p.astype(np.float32)


@pytest.fixture
def balls(tmp_path: Path) -> Path:
    path = tmp_path / "balls.nii.gz"
    nibabel.Nifti1Image(two_balls(), AFFINE).to_filename(path)
    return path


def test_mask_and_map_lie_on_the_maps_own_grid(toposeg: Callable, balls: Path, tmp_path: Path) -> None:
    mask, refined = tmp_path / "mask.nii.gz", tmp_path / "refined.nii.gz"
    outcome = toposeg("refine", balls, "--betti", "1,0,0", "-o", mask, "--map-out", refined)
    assert outcome.code == 0
    found, values = nibabel.load(mask), nibabel.load(refined)
    assert np.allclose(found.affine, AFFINE)
    assert np.allclose(values.affine, AFFINE)
    found, values = np.asarray(found.dataobj), values.get_fdata()
    assert betti_numbers(found) == (1, 0, 0)
    assert np.array_equal(found > 0, values > 0.5)
    # The large ball is where it was in the file, and the small one is gone.
    assert found[12, 10, 8]
    assert not found[:5, :6, :5].any()


def test_the_table_says_who_did_it_and_what_it_cost(toposeg: Callable, balls: Path, tmp_path: Path) -> None:
    outcome = toposeg("refine", balls, "--betti", "1,0,0", "-o", tmp_path / "mask.nii.gz")
    said = " ".join(outcome.out.split())
    assert "wanted one piece, no holes before two pieces, no holes after one piece, no holes (26-connected)" in said
    assert "done by the loss: right after" in said
    assert "the topology stayed right" in said
    assert "% of" in said
    assert "wrote" in said


@pytest.mark.parametrize("objective", ["ph", "ph-dense"])
def test_the_report_has_what_happened_and_the_hash_of_the_map(
    objective: str, toposeg: Callable, balls: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    words = ["--betti", "1,0,0", "--objective", objective, "--keep", "50", "--iterations", "90", "--connectivity", "6"]
    outcome = toposeg("refine", balls, *words, "-o", tmp_path / "mask.nii.gz", "--report", report, "--json", "--quiet")
    facts = json.loads(report.read_text(encoding="utf-8"))
    assert json.loads(outcome.out) == facts
    assert outcome.err == ""
    assert facts["input"]["sha256"] == hashlib.sha256(balls.read_bytes()).hexdigest()
    assert (facts["betti_before"], facts["betti_after"], facts["target"]) == ([2, 0, 0], [1, 0, 0], "1,0,0")
    assert (facts["solved_by"], facts["topology_ok"], facts["connectivity"]) == ("loss", True, 6)
    assert facts["settings"]["objective"] == objective
    assert (facts["settings"]["keep"], facts["settings"]["iterations"]) == (50, 90)
    assert 0 < facts["right_at"] <= facts["iterations"] <= 90
    assert facts["seconds"]["total"] > 0
    before, after = two_balls() > 0.5, np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj) > 0
    assert facts["changed_voxels"] == np.count_nonzero(before != after)


def test_logits_give_the_mask_of_their_probabilities(toposeg: Callable, balls: Path, tmp_path: Path) -> None:
    path = tmp_path / "logits.nii.gz"
    nibabel.Nifti1Image(logit(two_balls()), AFFINE).to_filename(path)
    masks = [tmp_path / "one.nii.gz", tmp_path / "other.nii.gz"]
    toposeg("refine", balls, "--betti", "1,0,0", "-o", masks[0])
    toposeg("refine", path, "--logits", "--betti", "1,0,0", "-o", masks[1])
    one, other = (np.asarray(nibabel.load(mask).dataobj) for mask in masks)
    assert np.array_equal(one, other)


def test_a_channel_of_an_npz_is_refined_on_the_grid_of_its_image(
    toposeg: Callable, balls: Path, tmp_path: Path
) -> None:
    # As nnU-Net writes it: channels first, axes reversed, two classes.
    path = tmp_path / "case.npz"
    reversed_ = two_balls().transpose()
    np.savez(path, probabilities=np.stack([1 - reversed_, reversed_]))
    mask, refined = tmp_path / "mask.nii.gz", tmp_path / "refined.npz"
    words = ["--channel", "1", "--betti", "1,0,0", "--grid", balls, "-o", mask, "--map-out", refined]
    assert toposeg("refine", path, *words).code == 0
    found = nibabel.load(mask)
    assert np.allclose(found.affine, AFFINE)
    voxels = np.asarray(found.dataobj)
    assert betti_numbers(voxels) == (1, 0, 0)
    assert voxels[12, 10, 8]
    with np.load(refined) as written:
        assert np.array_equal(written["probabilities"][0].transpose() > 0.5, voxels > 0)


def test_a_picture_is_refined_into_a_picture(toposeg: Callable, tmp_path: Path) -> None:
    path, mask = tmp_path / "ring.png", tmp_path / "mask.png"
    Image.fromarray((255 * broken_ring()).astype(np.uint8)).save(path)
    assert toposeg("refine", path, "--betti", "1,1", "-o", mask).code == 0
    with Image.open(mask) as picture:
        found = np.asarray(picture) > 0
    assert found.shape == broken_ring().shape
    assert betti_numbers(found) == (1, 1)
    assert (found & (broken_ring() > 0.5)).sum() > 0.95 * (broken_ring() > 0.5).sum()


def test_a_prior_gives_the_betti_numbers(toposeg: Callable, tmp_path: Path) -> None:
    np.save(tmp_path / "ring.npy", broken_ring())
    outcome = toposeg(
        "refine", tmp_path / "ring.npy", "--prior", "annulus", "-o", tmp_path / "mask.png", "--json", "--quiet"
    )
    facts = json.loads(outcome.out)
    assert (outcome.code, facts["target"], facts["betti_after"]) == (0, "1,1", [1, 1])


def test_a_range_is_enough(toposeg: Callable, balls: Path, tmp_path: Path) -> None:
    outcome = toposeg("refine", balls, "--betti", "1-2,0,0+", "-o", tmp_path / "mask.nii.gz")
    said = " ".join(outcome.out.split())
    assert outcome.code == 0
    assert "wanted one to two pieces, no tunnels, any number of cavities" in said
    assert "nobody: the map has the topology already" in said
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "mask.nii.gz").dataobj) > 0, two_balls() > 0.5)


def test_what_cannot_be_had_is_written_all_the_same_and_said_by_exit_code_1(toposeg: Callable, tmp_path: Path) -> None:
    # Six holes do not fit on 5 x 5 pixels.
    p = np.full((5, 5), 0.6, np.float32)
    p[2, 2] = 0.7
    np.save(tmp_path / "map.npy", p)
    outcome = toposeg("refine", tmp_path / "map.npy", "--betti", "1,6", "-o", tmp_path / "mask.png")
    said = " ".join(outcome.out.split())
    assert outcome.code == 1
    assert "wanted one piece, six holes" in said
    assert "done by NOBODY" in said
    assert (tmp_path / "mask.png").exists()


BAD_OPTIONS = {
    "a Betti number too few": (["--betti", "1,0"], "2 Betti numbers are given, and the map is 3-D"),
    "holes in nothing": (["--betti", "0,1,0"], "No piece and one tunnel is impossible"),
    "words": (["--betti", "one"], "'one' cannot be read"),
    "nothing that is wanted": ([], "Nothing says what the topology should be"),
    "two that say what is wanted": (["--betti", "1,0,0", "--prior", "ball"], "exclude each other"),
    "a prior of the wrong dimension": (["--prior", "disk"], "'disk' is 2-D and the map 3-D"),
    "an unknown objective": (["--betti", "1,0,0", "--objective", "dice"], "no objective 'dice'"),
    "less than no iterations": (["--betti", "1,0,0", "--iterations", "-1"], "iterations cannot be -1"),
    "a negative weight": (["--betti", "1,0,0", "--keep", "-1"], "keep cannot be -1"),
    "a connectivity of 2-D": (["--betti", "1,0,0", "--connectivity", "8"], "Connectivity 8 does not exist"),
    "a map of an unknown kind": (["--betti", "1,0,0", "--map-out", "{folder}/map.mat"], "Its ending is not"),
    "a map over the mask": (["--betti", "1,0,0", "--map-out", "{folder}/mask.nii.gz"], "two outputs"),
    "a map over itself": (["--betti", "1,0,0", "--map-out", "{folder}/../balls.nii.gz"], "both read and written"),
    "probabilities for logits": (["--betti", "1,0,0", "--logits"], "probabilities already"),
}


@pytest.mark.parametrize("what", BAD_OPTIONS)
def test_refine_refuses(what: str, toposeg: Callable, balls: Path, tmp_path: Path) -> None:
    options, expected = BAD_OPTIONS[what]
    folder = tmp_path / "out"
    folder.mkdir()
    words = [word.format(folder=folder) for word in options]
    outcome = toposeg("refine", balls, "-o", folder / "mask.nii.gz", "--quiet", *words)
    assert outcome.is_refusal(), outcome
    assert expected in outcome.err
    assert not any(folder.iterdir())


def test_nan_is_refused(toposeg: Callable, tmp_path: Path) -> None:
    p = two_balls()
    p[3, 3, 3] = np.nan
    np.save(tmp_path / "map.npy", p)
    outcome = toposeg("refine", tmp_path / "map.npy", "--betti", "1,0,0", "-o", tmp_path / "mask.nii.gz")
    assert outcome.is_refusal()
    assert "NaN" in outcome.err
