"""A radiologist's story in the real window, with the real mouse: DICOM series in, DICOM SEG out, voxels asserted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless
from qtpy.QtCore import Qt

from napari_toposeg.data import phantom
from napari_toposeg.docks.going import go_to
from napari_toposeg.formats import read_mask, read_volume
from napari_toposeg.frame import Box, box_of, grow_box
from napari_toposeg.session import Session

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
CORD = 79
"""The spinal cord in the real CT's label map: the vertebra with its arch is a ring around it."""


@dataclass(frozen=True)
class Scan:
    """A DICOM series on disk: where its ring is, in canonical voxels, and what is known of it."""

    folder: Path
    box: Box
    ring: NDArray[np.bool_] | None


@pytest.fixture
def made(tmp_path: Path, dicom_series: Callable[..., list[Path]]) -> Scan:
    """A compressed series of a tilted ring, whose planes are turned by 12 degrees in the scanner."""
    organ = phantom("torus", (40, 40, 28), seed=4)
    volume = organ.volume
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.21), -np.sin(0.21)], [np.sin(0.21), np.cos(0.21)]]
    affine = turn @ RAS_TO_LPS @ volume.stored.affine
    for path in dicom_series(tmp_path / "series", np.ascontiguousarray(volume.to_stored(volume.voxels).T), affine):
        dataset = dcmread(path)
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        dataset.save_as(path)
    box = box_of(organ.mask)
    assert box is not None
    return Scan(tmp_path / "series", grow_box(box, (1, 1, 1)), organ.mask)


@pytest.fixture
def real(tmp_path: Path, data_folder: Path) -> Scan:
    """A real CT: around the spinal cord, where the vertebra's arch closes."""
    source = data_folder / "dicom_ct_totalsegmentator"
    shutil.copytree(source / "series", tmp_path / "series")
    cord, _ = read_mask(source / "labels.nii.gz", label=CORD, volume=read_volume(source / "series"))
    box = box_of(cord)
    assert box is not None
    return Scan(tmp_path / "series", (*grow_box(box[:2], (12, 12)), (3, 17)), None)


@pytest.fixture(params=["made", "real"])
def scan(request: pytest.FixtureRequest) -> Scan:
    return request.getfixturevalue(request.param)


def look_at(window: Any, index: NDArray[Any], view: Any = None) -> None:
    """Bring a voxel to the middle, large enough to be hit with the mouse."""
    go_to(window.workspace, index)
    model = window.viewer if view is None else view.model
    model.scene.camera.center = tuple(window.workspace.layout.world(index))
    model.scene.camera.zoom = 7.0
    window.qtbot.wait(100)


def lps(image: sitk.Image) -> NDArray[np.float64]:
    """(n, 3) Where the voxels of a mask are that are not zero, by SimpleITK alone."""
    found = np.argwhere(sitk.GetArrayFromImage(image).T).tolist()
    return np.array([image.TransformIndexToPhysicalPoint(index) for index in found])


def by_pydicom(path: Path) -> NDArray[np.float64]:
    """(n, 3) The same of a DICOM segmentation, by pydicom alone, frame by frame."""
    dataset = dcmread(path)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    along = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    rows_apart, columns_apart = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    places = []
    for frame, group in zip(dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        row, column = np.nonzero(frame)
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        places.append(origin + np.outer(column * columns_apart, along[:3]) + np.outer(row * rows_apart, along[3:]))
    return np.concatenate(places)


def in_order(places: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = np.round(places, 2) + 0.0
    return places[np.lexsort(rounded.T)]


def test_a_series_comes_in_is_corrected_by_hand_and_goes_out_to_the_same_place(
    scan: Scan, window: Any, open_the_views: Callable[[], Any], tmp_path: Path, gudhi_betti: Callable[..., Any]
) -> None:
    session, correct = window.session, window.docks["Correct"]
    correct.parent().show()
    correct.parent().raise_()

    # In, a ring placed, run.
    window.open(scan.folder)
    volume = session.volume
    window.place(scan.box, prior="torus")
    window.run(iterations=20)
    assert gudhi_betti(session.mask) == (1, 1, 0)
    if scan.ring is not None:
        assert 2 * (session.mask & scan.ring).sum() / (session.mask.sum() + scan.ring.sum()) > 0.85

    # Two exclude points, clicked where the mask begins; heeded without a new run.
    middle = np.round(np.argwhere(session.mask).mean(axis=0)).astype(int)
    slice_ = np.argwhere(session.mask[:, :, middle[2]])
    ends = (slice_[:, 0].argmin(), slice_[:, 0].argmax())
    excluded = [(int(slice_[end][0]), int(slice_[end][1]), int(middle[2])) for end in ends]
    look_at(window, middle)
    correct.exclude.click()
    for voxel in excluded:
        assert session.mask[voxel]
        look_at(window, np.array(voxel))
        window.drag(voxel, voxel)
    assert [prompt.voxel for prompt in session.prompts.prompts] == excluded
    assert not any(prompt.include for prompt in session.prompts.prompts)
    first = session.result
    correct.follow.click()
    window.until(lambda: session.result is not first and not session.running and correct.follow.isEnabled())
    assert gudhi_betti(session.mask) == (1, 1, 0)
    fates = session.prompts.fates()
    assert set(fates) <= {"satisfied", "impossible"}
    for voxel, fate in zip(excluded, fates, strict=True):
        assert session.mask[voxel] == (fate == "impossible")
    assert correct.fates.text() == session.prompts.sentence
    assert session.certificate.betti_mask == (1, 1, 0)

    # A locked stroke on the coronal view, undone and done again by its keys.
    coronal = open_the_views().views[0]
    assert coronal.title.text() == "Coronal"
    before = session.mask.copy()
    start = np.argwhere(before)[before.sum() // 2]
    while before[tuple(start)]:
        start[0] += 1
    look_at(window, start, coronal)
    session.brush.radius = 2.0 * float(volume.spacing[0])
    correct.paint.click()
    names = session.history.names
    window.drag(start, start + np.array([2, 0, 0]), view=coronal)
    painted = session.mask.copy()
    changed = np.argwhere(painted != before)
    assert len(changed) > 3
    assert (changed[:, 1] == start[1]).all()
    assert painted[tuple(changed.T)].all()
    assert gudhi_betti(painted) == (1, 1, 0)
    assert session.history.names == (*names, session.history.names[-1])
    canvas = window.canvas(coronal)
    window.qtbot.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.until(lambda: session.history.position == len(names))
    assert np.array_equal(session.mask, before)
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    window.qtbot.keyClick(canvas, Qt.Key.Key_Z, both)
    window.until(lambda: session.history.position == len(names) + 1)
    assert np.array_equal(session.mask, painted)

    # Accepted: from now on a crash loses none of it.
    kept = session.autosave.path
    kept.unlink(missing_ok=True)
    correct.accept.click()
    assert "Accepted, and kept" in window.line.message.text()
    window.until(kept.exists)
    offered = Session()
    offered.open_session(kept)
    assert np.array_equal(offered.mask, painted)
    assert offered.prompts.marks == session.prompts.marks
    assert (offered.history.names, offered.history.position) == (session.history.names, session.history.position)
    assert np.array_equal(offered.volume.stored.affine, volume.stored.affine)
    offered.close()

    # Out, as DICOM SEG and as NIfTI.
    for name in ("mask.seg.dcm", "mask.nii.gz"):
        window.segment.save(str(tmp_path / name))
        window.until(lambda name=name: f"Saved {name}" in window.line.message.text())
    image = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    places = in_order(lps(image))
    assert gudhi_betti(sitk.GetArrayFromImage(image)) == (1, 1, 0)
    assert len(places) == painted.sum()
    np.testing.assert_allclose(in_order(by_pydicom(tmp_path / "mask.seg.dcm")), places, atol=2e-3)
    segments = highdicom.seg.segread(tmp_path / "mask.seg.dcm").get_volume(combine_segments=True)
    np.testing.assert_allclose(in_order(apply_affine(segments.affine, np.argwhere(segments.array))), places, atol=2e-3)
    assert gudhi_betti(segments.array) == (1, 1, 0)
    np.testing.assert_allclose(
        in_order(apply_affine(RAS_TO_LPS @ volume.frame.affine, np.argwhere(painted))), places, atol=2e-3
    )
    # And where SimpleITK finds these places in the series, there are the numbers that were seen under the mask.
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(scan.folder)))
    series = reader.Execute()
    seen = [series[series.TransformPhysicalPointToIndex(place)] for place in places.tolist()]
    assert sorted(seen) == sorted(volume.voxels[painted].tolist())
