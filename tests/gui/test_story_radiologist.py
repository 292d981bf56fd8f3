"""A radiologist's story in the real window: a slice in, a ring placed, the shipped network asked, the mask saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_toposeg.data import phantom
from napari_toposeg.docks.placement_panel import Way
from napari_toposeg.formats import read_mask
from napari_toposeg.frame import box_of, grow_box

AFFINE = np.array([[0.0, -1.4, 0, 96.5], [-1.4, 0.0, 0, 41.0], [0, 0, 8.0, -12.0], [0, 0, 0, 1.0]])
"""Rows run to the back and columns to the left, and the slice lies 12 mm below the origin."""


def slice_of_acdc(data_folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The middle slice of the first patient, and the heart's muscle in it."""
    with np.load(sorted((data_folder / "acdc2d").glob("patient*.npz"))[0]) as arrays:
        middle = len(arrays["images"]) // 2
        return arrays["images"][middle], arrays["labels"][middle] == 2


def slice_of_phantom() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    made = phantom("annulus", (96, 112), seed=5)
    voxels = made.volume.voxels
    return (255.0 * (voxels - voxels.min()) / np.ptp(voxels)).astype(np.uint8), made.mask


@pytest.fixture(params=["phantom", "heart"])
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, NDArray[np.bool_]]:
    """A file on disk, and where the ring is in its array."""
    image, ring = (
        slice_of_phantom() if request.param == "phantom" else slice_of_acdc(request.getfixturevalue("data_folder"))
    )
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti1Image(image, AFFINE), path)
    return path, ring


def test_a_slice_comes_in_and_its_ring_goes_out_to_the_same_place(
    scan: tuple[Path, NDArray[np.bool_]], window: Any, tmp_path: Path, gudhi_betti: Callable[..., tuple[int, ...]]
) -> None:
    path, ring = scan
    window.session.network = None  # what a person finds who has changed nothing
    window.open(path)
    volume = window.session.volume
    nibabel.save(nibabel.Nifti1Image(ring.astype(np.uint8), AFFINE), tmp_path / "ring.nii.gz")
    truth = read_mask(tmp_path / "ring.nii.gz", volume=volume)[0]
    box = box_of(truth)
    assert box is not None
    window.place(grow_box(box, (2, 2)), prior="annulus")
    assert window.prior.placement.way is Way.BOX
    method = window.segment.method
    window.until(lambda: method.network.currentText() == "Automatic: synthetic-annulus")

    window.segment.run_button.click()
    window.until(lambda: window.session.result is not None and window.segment.run_button.isEnabled())
    result, mask = window.session.result, window.workspace.layers.mask
    assert [network["weights"] for network in result.networks] == ["synthetic-annulus"]
    assert "Certified" in window.line.badge.text()
    assert gudhi_betti(result.full_mask()) == (1, 1)
    found = result.full_mask() & truth
    assert 2 * found.sum() / (result.full_mask().sum() + truth.sum()) > 0.6

    saved = tmp_path / "mask.nii.gz"
    window.segment.save(str(saved))
    window.until(lambda: "Saved" in window.line.message.text())
    assert json.loads((tmp_path / "mask_report.json").read_text())["betti_mask"] == [1, 1]
    written, source = nibabel.load(saved), nibabel.load(path)
    assert np.array_equal(written.affine, source.affine)
    assert np.array_equal(np.asarray(written.dataobj) != 0, volume.to_stored(result.full_mask()))

    (reopened,) = window.viewer.open(str(saved), plugin="napari-toposeg")
    drawn, shown = np.argwhere(np.asarray(reopened.data)), np.argwhere(np.asarray(mask.data))
    assert np.array_equal(drawn, shown)
    for corner in (drawn[0], drawn[-1]):
        assert np.allclose(reopened.data_to_world(corner), mask.data_to_world(corner))
    assert gudhi_betti(np.asarray(reopened.data) != 0) == (1, 1)
