"""`toposeg barcode`: a table for people, JSON for programs, a picture for papers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from napari_toposeg.formats import read_barcode


def ring() -> np.ndarray:
    """One firm piece with one firm hole, and a faint second piece."""
    values = np.full((12, 11, 9), 0.1, np.float32)
    values[2:8, 2:8, 3:6] = 0.9
    values[4:6, 4:6, 3:6] = 0.2
    values[10, 9, 8] = 0.3
    return values


@pytest.fixture
def map_(tmp_path: Path) -> Path:
    """Stored with its axes turned and flipped."""
    path = tmp_path / "map.nii.gz"
    nibabel.save(
        nibabel.Nifti1Image(ring(), np.array([[0, 0, 2.0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])), path
    )
    return path


def test_the_table_says_what_lasts_and_where(toposeg: Callable, map_: Path) -> None:
    outcome = toposeg("barcode", map_)
    assert outcome.code == 0
    rows = [line.split() for line in outcome.out.splitlines()]
    (tunnel,) = [row for row in rows if row[:1] == ["tunnel"]]
    assert tunnel[1:4] == ["0.900", "0.200", "0.700"]
    assert ring()[tuple(map(int, tunnel[5].split(",")))] == np.float32(0.2)
    everlasting, faint = [row for row in rows if row[:1] == ["piece"]]
    assert everlasting[-1] == "never"
    assert faint[1:5] == ["0.300", "0.100", "0.200", "10,9,8"]
    assert "At 0.5: one piece, one tunnel, no cavities (26-connected)" in outcome.out


def test_the_json_has_the_places_of_the_file(toposeg: Callable, map_: Path, tmp_path: Path) -> None:
    outcome = toposeg("barcode", map_, "--json", "-o", tmp_path / "bars.json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == json.loads((tmp_path / "bars.json").read_text())
    bars = read_barcode(tmp_path / "bars.json")
    assert bars.shape == ring().shape
    assert [round(length, 3) for length in bars.length] == [0.9, 0.7, 0.2]
    for bar in bars:
        assert ring()[bar.birth_voxel] == np.float32(bar.birth)
    assert bars[2].birth_voxel == (10, 9, 8)


def test_the_table_of_comma_separated_values_has_the_same_bars(toposeg: Callable, map_: Path, tmp_path: Path) -> None:
    assert toposeg("barcode", map_, "-o", tmp_path / "bars.csv", "--json").code == 0
    with open(tmp_path / "bars.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert toposeg("barcode", map_, "-o", tmp_path / "bars.json").code == 0
    bars = read_barcode(tmp_path / "bars.json")
    assert [float(row["length"]) for row in rows] == bars.length.tolist()
    for row, bar in zip(rows, bars, strict=True):
        assert ring()[tuple(int(row[f"birth_{axis}"]) for axis in "ijk")] == np.float32(row["birth"])
        assert (row["death_i"] == "") == (bar.death_voxel is None)


def test_short_bars_are_left_out_and_the_mask_is_counted_all_the_same(toposeg: Callable, map_: Path) -> None:
    outcome = toposeg("barcode", map_, "--min-persistence", 0.75)
    assert "tunnel " not in outcome.out
    assert "At 0.5: one piece, one tunnel" in outcome.out
    found = json.loads(toposeg("barcode", map_, "--min-persistence", 0.5, "--json").out)
    assert [bar["dimension"] for bar in found["bars"]] == [0, 1]
    assert found["min_persistence"] == 0.5


def test_a_band_and_a_connectivity_are_passed_on(toposeg: Callable, map_: Path) -> None:
    found = json.loads(toposeg("barcode", map_, "--band", 0.4, "--connectivity", 6, "--json").out)
    assert (found["band"], found["connectivity"]) == (0.4, 6)
    (tunnel,) = [bar for bar in found["bars"] if bar["dimension"] == 1]
    assert (tunnel["birth"], tunnel["death"]) == pytest.approx((0.6, 0.4))


def test_the_plot_is_a_picture(toposeg: Callable, map_: Path, tmp_path: Path) -> None:
    outcome = toposeg("barcode", map_, "--plot", tmp_path / "bars.png", "--quiet")
    assert outcome.code == 0
    assert not outcome.out
    colours = np.asarray(Image.open(tmp_path / "bars.png").convert("RGB")).reshape(-1, 3)
    assert (colours == (0x0F, 0x6F, 0xC6)).all(axis=1).sum() > 1000
    assert (colours == (0xE0, 0x7B, 0x00)).all(axis=1).sum() > 1000


def test_logits_and_channels_of_nnu_net_s_arrays_are_read(toposeg: Callable, tmp_path: Path) -> None:
    logit = np.log(ring() / (1 - ring())).T
    np.savez(tmp_path / "case.npz", probabilities=np.stack([np.zeros_like(logit), logit]))
    outcome = toposeg("barcode", tmp_path / "case.npz", "--channel", 1, "--logits", "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert found["shape"] == list(ring().T.shape)
    assert found["bars"][0]["birth"] == pytest.approx(0.9)


REFUSED = {
    "a negative length": (["{map}", "--min-persistence=-0.1"], "--min-persistence of -0.1"),
    "a length that is no number": (["{map}", "--min-persistence", "nan"], "--min-persistence of nan"),
    "a band of a half": (["{map}", "--band", "0.5"], "--band of 0.5"),
    "a negative band": (["{map}", "--band=-0.1"], "--band of -0.1"),
    "a connectivity of slices": (["{map}", "--connectivity", "8"], "Connectivity 8 does not exist in 3-D"),
    "no map": (["{folder}/none.nii"], "no file"),
    "an unknown kind": (["{map}", "-o", "{folder}/bars.txt"], "Its ending is not .json or .csv"),
    "an unknown picture": (["{map}", "--plot", "{folder}/bars.bmp"], "Its ending is not .png or .pdf or .svg"),
    "a folder that is not there": (["{map}", "-o", "{folder}/none/bars.json"], "There is no folder"),
    "a channel too many": (["{map}", "--channel", "1"], "no channel 1"),
    "logits without the word": (["{folder}/logits.npy"], "Add --logits"),
    "probabilities with the word": (["{map}", "--logits"], "Leave out --logits"),
    "several channels": (["{folder}/channels.npy"], "--channel 0 to --channel 1"),
    "NaN": (["{folder}/nan.npy"], "NaN"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(what: str, toposeg: Callable, map_: Path) -> None:
    folder = map_.parent
    np.save(folder / "logits.npy", ring() * 9 - 4)
    np.save(folder / "channels.npy", np.stack([ring(), ring()]))
    np.save(folder / "nan.npy", np.where(ring() > 0.5, np.nan, 0))
    before = sorted(folder.iterdir())
    words, expected = REFUSED[what]
    outcome = toposeg("barcode", *[word.format(map=map_, folder=folder) for word in words])
    assert outcome.is_refusal(), outcome
    assert expected in outcome.err
    assert sorted(folder.iterdir()) == before
