"""Reports beside the mask."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import complete_report, read_nifti, write_report
from napari_toposeg.volume import Volume


def test_a_report_names_the_hash_of_the_image_s_file_and_knows_no_nan(nifti, tmp_path):
    path = nifti(np.ones((3, 4, 5), np.int16))
    facts = {"losses": {"chan-vese": float("nan")}, "input": {"path": str(path)}, "betti_mask": (1, 0, 0), "prior": "Ä"}
    write_report(facts, read_nifti(path), tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert report == {
        "losses": {"chan-vese": None},
        "input": {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "betti_mask": [1, 0, 0],
        "prior": "Ä",
    }
    assert "sha256" not in facts["input"]


def test_an_image_that_never_was_a_file_has_no_hash():
    volume = Volume.from_stored(np.ones((3, 4, 5)), np.eye(4))
    assert complete_report({}, volume)["input"]["sha256"] is None


def test_an_image_that_is_gone_leaves_no_half_report(nifti, tmp_path):
    path = nifti(np.ones((3, 4, 5), np.int16))
    volume = read_nifti(path)
    path.unlink()
    with pytest.raises(ToposegError, match="no file"):
        write_report({}, volume, tmp_path / "report.json")
    assert not list(tmp_path.iterdir())
