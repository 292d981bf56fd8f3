"""`toposeg demo`: an image with a known answer, all the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FILES = {
    "phantom.nii.gz", "phantom_label.nii.gz", "mask.nii.gz", "displacement.nii.gz", "jacobian.nii.gz", "report.json",
    "picture.png",
}  # fmt: skip


@pytest.mark.parametrize(("prior", "betti"), [("shell", [1, 0, 1]), ("annulus", [1, 1])])
def test_the_demo_finds_the_phantom_and_writes_everything(
    prior: str, betti: list[int], toposeg: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "demo"
    outcome = toposeg("demo", "-o", folder, "--prior", prior, "--json", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert {path.name for path in folder.iterdir()} == FILES
    facts = json.loads(outcome.out)
    assert facts["betti_mask"] == betti
    assert facts["topology_ok"]
    assert facts["dice"] > 0.85
    assert json.loads((folder / "report.json").read_text()) == facts
    picture = np.asarray(Image.open(folder / "picture.png").convert("RGB"))
    # Drawn in colours: an orange outline, a Jacobian map in blue and red.
    spread = picture.max(axis=-1).astype(int) - picture.min(axis=-1)
    assert (spread > 80).mean() > 0.005


def test_the_command_that_the_demo_shows_is_the_one_that_it_ran(toposeg: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    outcome = toposeg("demo", "-o", folder, "--prior", "ellipse")
    assert outcome.code == 0
    assert "Dice" in outcome.out
    begin = outcome.err.index("$ toposeg ")
    shown = outcome.err[begin:].split("report.json")[0] + "report.json"
    words = shown.replace("\\\n", " ").split()[2:]
    mask = (folder / "mask.nii.gz").read_bytes()
    (folder / "mask.nii.gz").unlink()
    assert toposeg(*words, "--quiet").code == 0
    assert (folder / "mask.nii.gz").read_bytes() == mask
