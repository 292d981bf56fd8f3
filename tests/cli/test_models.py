"""`toposeg models`: what it lists, and what it says where there is nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_toposeg.inference.weights import Card, TrainedPrior, registry, save_weights
from napari_toposeg.inference.window import Window
from napari_toposeg.networks import UNetSettings, build


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where weights can be."""
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "weights.json").write_text("{}")
    monkeypatch.setattr(registry, "files", lambda package: tmp_path / "resources")
    monkeypatch.setenv("TOPOSEG_WEIGHTS", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def save(path: Path) -> Card:
    settings = UNetSettings(ndim=2, inputs=1, outputs=1, features=1, resolutions=1)
    card = Card(
        network="unet",
        settings=settings,
        priors=(TrainedPrior("annulus", (1, 1)),),
        window=Window((16, 16)),
        spacing=(1.0, 1.0),
        data="rings",
        licence="CC0",
        split={"train": ("a",)},
        seed=0,
        metrics={"dice": 0.875, "hd95": None},
    )
    return save_weights(build("unet", settings), card, path).card


def test_without_any_it_says_so_and_how_to_get_some(toposeg: Callable, folder: Path) -> None:
    outcome = toposeg("models")
    assert (outcome.code, outcome.err) == (0, "")
    assert "no trained networks" in outcome.out
    assert str(folder) in outcome.out
    assert "TOPOSEG_WEIGHTS" in outcome.out
    assert json.loads(toposeg("models", "--json").out) == []


def test_it_lists_name_network_prior_data_metrics_and_place(toposeg: Callable, folder: Path) -> None:
    save(folder / "ring.safetensors")
    outcome = toposeg("models")
    assert outcome.code == 0
    words = outcome.out.split()
    for word in ("ring", "unet", "2-D", "annulus", "rings", "(CC0)", "dice", "0.875", "own"):
        assert word in words, word
    assert "hd95" not in words  # not measured
    assert "no trained networks" not in outcome.out
    table = outcome.out.partition("To add")[0]
    assert max(map(len, table.splitlines())) <= 80


def test_as_json_it_gives_the_whole_card(toposeg: Callable, folder: Path) -> None:
    card = save(folder / "ring.safetensors")
    (listed,) = json.loads(toposeg("models", "--json").out)
    assert listed["name"] == "ring"
    assert (listed["where"], listed["path"]) == ("own", str(folder / "ring.safetensors"))
    assert (listed["url"], listed["trouble"]) == (None, None)
    assert listed["card"]["sha256"] == card.sha256
    assert listed["card"]["network"]["name"] == "unet"


def test_weights_that_cannot_be_used_are_named_with_the_reason(toposeg: Callable, folder: Path) -> None:
    save(folder / "ring.safetensors")
    (folder / "ring.json").unlink()
    outcome = toposeg("models")
    assert outcome.code == 0
    assert "ring.json is not beside it" in outcome.out
    (listed,) = json.loads(toposeg("models", "--json").out)
    assert listed["card"] is None
    assert "ring.json is not beside it" in listed["trouble"]


def test_a_folder_name_with_brackets_is_shown_as_it_is(
    toposeg: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPOSEG_WEIGHTS", str(folder / "[bold]"))
    assert str(folder / "[bold]") in toposeg("models").out
