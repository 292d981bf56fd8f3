"""`toposeg train` from a person's side: the issue's command, what is refused, Ctrl-C and a kill."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_toposeg.data import phantom
from napari_toposeg.formats import write_image, write_mask

FLAGS = ["--shape", "24", "24", "--around", "image", "--device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five rings as NIfTI, in two folders."""
    folder = tmp_path_factory.mktemp("rings")
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for number in range(5):
        made = phantom("annulus", (32, 32), seed=number)
        write_image(made.volume, folder / "images" / f"ring_{number}.nii.gz")
        write_mask(made.mask, made.volume, folder / "labels" / f"ring_{number}_seg.nii.gz")
    return folder


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own weights."""
    monkeypatch.setenv("TOPOSEG_WEIGHTS", str(tmp_path / "own"))
    return tmp_path / "own"


def small_config(data: Path, folder: Path, **more: object) -> Path:
    """A config in JSON, which is YAML too."""
    told = {
        "data": {"images": str(data / "images"), "labels": str(data / "labels"), "test": 0.2, "validation": 0.2},
        "objects": [{"prior": "annulus"}],
        "network": "tpsn",
        "settings": {"features": 2, "resolutions": 2},
        "window": {"shape": [24, 24], "around": "image"},
        "optimisation": {"epochs": 2, "batch": 2},
        "device": "cpu",
        **more,
    }
    path = folder / "small.yaml"
    path.write_text(json.dumps(told))
    return path


def test_folders_a_prior_and_a_network_make_weights_with_a_name(toposeg: Callable, data: Path, own: Path) -> None:
    words = ["--images", data / "images", "--labels", data / "labels", "--prior", "annulus", "--network", "mltpsn"]
    outcome = toposeg("train", *words, "--out", "ring", "--epochs", 1, *FLAGS)
    assert outcome.code == 0, outcome.err
    assert "dice" in outcome.out
    assert str(own / "ring" / "ring.safetensors") in outcome.out
    (listed,) = [found for found in json.loads(toposeg("models", "--json").out) if found["where"] == "own"]
    assert (listed["name"], listed["trouble"]) == ("ring", None)
    assert listed["card"]["network"]["name"] == "mltpsn"
    mask = own / "mask.nii.gz"
    segmented = toposeg(
        "segment", data / "images" / "ring_0.nii.gz", "-o", mask, "--weights", "ring", "--prior", "annulus"
    )
    assert segmented.code == 0, segmented.err
    assert mask.exists()


def test_a_config_makes_a_folder_and_a_flag_goes_before_it(toposeg: Callable, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "there" / "ring"
    config = small_config(data, tmp_path)
    outcome = toposeg("train", config, "--out", out, "--seed", 5, "--network", "voxelmorph", "--json")
    # The settings are a TPSN's.
    assert outcome.is_refusal()
    assert not out.exists()
    outcome = toposeg("train", config, "--out", out, "--seed", 5, "--json")
    assert outcome.code == 0, outcome.err
    card = json.loads(outcome.out)
    assert (card["seed"], card["name"], card["network"]["name"]) == (5, "ring", "tpsn")
    assert card["sha256"] == hashlib.sha256((out / "ring.safetensors").read_bytes()).hexdigest()
    assert [line.split(" ")[0] for line in outcome.err.splitlines()] == ["read", "epoch", "epoch", "train"]


def test_weights_that_were_damaged_or_renamed_are_refused_in_a_sentence(
    toposeg: Callable, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ring"
    assert toposeg("train", small_config(data, tmp_path), "--out", out, "--quiet").code == 0
    words = ["segment", data / "images" / "ring_0.nii.gz", "-o", tmp_path / "mask.nii.gz", "--prior", "annulus"]
    (out / "ring.safetensors").rename(out / "other.safetensors")
    outcome = toposeg(*words, "--weights", out / "other.safetensors")
    assert outcome.is_refusal()
    (out / "other.safetensors").rename(out / "ring.safetensors")
    content = bytearray((out / "ring.safetensors").read_bytes())
    content[-1] ^= 1
    (out / "ring.safetensors").write_bytes(content)
    outcome = toposeg(*words, "--weights", out / "ring.safetensors")
    assert outcome.is_refusal()
    assert "SHA-256" in outcome.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "There is nothing to train"),
        (["--images", "nowhere", "--labels", "nowhere", "--prior", "annulus"], "no folder"),
        (["--images", "IMAGES", "--prior", "annulus"], "needs labels"),
        (["--images", "IMAGES", "--labels", "EMPTY", "--prior", "annulus"], "EMPTY"),
        (["--images", "IMAGES", "--labels", "LABELS", "--prior", "dodecahedron"], "There is no prior"),
        (["--images", "IMAGES", "--labels", "LABELS", "--prior", "annulus", "--network", "brain"], "no network"),
        (["--images", "IMAGES", "--labels", "LABELS", "--prior", "annulus", "--shape", "16", "16", "16"], "2-D"),
        (["--images", "IMAGES", "--labels", "LABELS", "--prior", "annulus", "--patient", "x"], "No patient"),
        (["--images", "IMAGES", "--labels", "LABELS", "--prior", "annulus", "--device", "abacus"], "no device"),
        (["--images", "IMAGES", "--labels", "LABELS", "--prior", "annulus", "--mode", "lucky"], "mode"),
        (["--images", "IMAGES", "--labels", "LABELS", "--prior", "annulus", "--epochs", "0"], "epochs"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line_and_leaves_nothing(
    flags: list[str], said: str, toposeg: Callable, data: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "EMPTY"
    empty.mkdir()
    places = {"IMAGES": data / "images", "LABELS": data / "labels", "EMPTY": empty}
    outcome = toposeg("train", *(places.get(word, word) for word in flags), "--out", tmp_path / "ring")
    assert outcome.is_refusal(), outcome.err
    assert said in outcome.err
    assert not (tmp_path / "ring").exists()


def test_a_prior_of_other_dimensions_is_refused_with_the_case(toposeg: Callable, data: Path, tmp_path: Path) -> None:
    words = ["--images", data / "images", "--labels", data / "labels", "--prior", "ball"]
    outcome = toposeg("train", *words, "--out", tmp_path / "ring", "--quiet")
    assert outcome.is_refusal(), outcome.err
    assert "2-D, and the network's window 3-D" in outcome.err


@pytest.mark.parametrize("out", ["", ".", "..", "ring.safetensors"])
def test_what_is_no_name_is_refused(out: str, toposeg: Callable, data: Path, tmp_path: Path) -> None:
    assert toposeg("train", small_config(data, tmp_path), "--out", out).is_refusal()


def test_stopped_and_killed_it_goes_on_to_the_same_weights(toposeg: Callable, data: Path, tmp_path: Path) -> None:
    config = small_config(data, tmp_path, optimisation={"epochs": 25, "batch": 3, "patience": 0})
    out = tmp_path / "ring"
    command = [sys.executable, "-m", "napari_toposeg", "train", str(config), "--out", str(out)]
    for stage, sent, code in (("epoch 2 ", signal.SIGINT, 130), ("epoch 5 ", signal.SIGKILL, -signal.SIGKILL)):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(stage):
                    break
            process.send_signal(sent)
            _, err = process.communicate(timeout=120)
        assert process.returncode == code
        assert "Traceback" not in err
        if sent == signal.SIGINT:
            assert "The epochs that were completed are kept; the same command goes on after them." in err
    outcome = toposeg("train", config, "--out", out)
    assert outcome.code == 0
    started = next(line for line in outcome.err.splitlines() if line.startswith("epoch"))
    assert int(started.split()[1]) >= 5
    assert toposeg("train", config, "--out", tmp_path / "again" / "ring", "--quiet").code == 0
    first, second = ((folder / "ring.safetensors").read_bytes() for folder in (out, tmp_path / "again" / "ring"))
    assert first == second
