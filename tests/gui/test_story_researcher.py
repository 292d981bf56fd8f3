"""A researcher's story in the real window: an mlTPSN, its Jacobian, a barcode, a fine-tuning taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, Qt

from napari_toposeg.data import broken_map, phantom
from napari_toposeg.docks.display import from_display
from napari_toposeg.formats import read_mask, read_volume, write_image, write_mask
from napari_toposeg.frame import box_of, grow_box

Files = tuple[Path, Path]


def files_of_hippocampus(data_folder: Path) -> Files:
    folder, name = data_folder / "msd_hippocampus", "hippocampus_001.nii.gz"
    return folder / "images" / name, folder / "labels" / name


def files_of_phantom(folder: Path) -> Files:
    made = phantom("ball", (32, 40, 28), seed=7)
    image, label = folder / "image.nii.gz", folder / "label.nii.gz"
    write_image(made.volume, image)
    write_mask(made.mask, made.volume, label)
    return image, label


@pytest.fixture(params=["phantom", "hippocampus"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """An image and its label on disk."""
    if request.param == "phantom":
        return files_of_phantom(tmp_path)
    return files_of_hippocampus(request.getfixturevalue("data_folder"))


def front(window: Any, name: str) -> Any:
    dock = window.docks[name]
    dock.parent().show()
    dock.parent().raise_()
    window.until(dock.isVisible)
    return dock


def seen(window: Any) -> NDArray[np.float64]:
    """The canonical voxel through which the viewer shows its slices."""
    image, layout = window.workspace.image, window.workspace.layout
    return layout.canonical_index(np.array(image.world_to_data(window.viewer.dims.point)))


def test_from_a_network_s_deformation_to_a_fine_tuning_that_is_taken_back(
    case: Files, window: Any, tmp_path: Path, ship: Callable[..., Any], gudhi_betti: Callable[..., tuple[int, ...]]
) -> None:
    ship("small-mltpsn")
    image, label = case
    volume = read_volume(image)
    organ = read_mask(label, volume=volume)[0]
    map_ = broken_map(organ)
    write_image(replace(volume, voxels=map_), tmp_path / "map.nii.gz")
    window.open(tmp_path / "map.nii.gz")
    window.open(image)
    session, layers = window.session, window.workspace.layers
    box = box_of(organ)
    assert box is not None
    window.place(grow_box(box, (2, 2, 2)))
    session.network = None
    window.until(lambda: window.segment.method.network.currentText() == "Automatic: small-mltpsn")

    # mlTPSN: one answer, certified.
    window.segment.run_button.click()
    window.until(lambda: session.result is not None and window.segment.run_button.isEnabled())
    first = session.result
    assert [network["weights"] for network in first.networks] == ["small-mltpsn"]
    assert gudhi_betti(first.full_mask()) == (1, 0, 0)

    # The Jacobian, and a jump to its worst cell.
    deformation = front(window, "Deformation")
    deformation.show_jacobian.setChecked(True)
    window.until(lambda: deformation.table.rowCount() > 0 and deformation.layers.settled)
    listed = deformation.table.cells[0]
    worst = np.array(listed.cell)
    # The field reaches beyond the image, the table does not.
    before = np.round(worst - np.array(listed.index)).astype(int)
    within = tuple(slice(max(low, 0), low + size - 1) for low, size in zip(before, first.volume.shape, strict=True))
    assert first.jacobian.least[tuple(worst)] == first.jacobian.least[within].min()
    window.viewer.dims.set_point(0, window.viewer.dims.range[0].start)
    deformation.table.selectRow(0)
    place = first.displacement.frame.world(worst)
    index = np.linalg.inv(first.volume.affine)[:3] @ [*place, 1.0]
    assert np.abs(seen(window) - np.clip(index, 0, np.array(first.volume.shape) - 1)).max() <= 1.0

    # A map below the image; its second bar takes the viewer to the voxel where it is born.
    barcode = front(window, "Barcode")
    window.until(lambda: not session.barcode.computing)
    number = barcode.source.findText("map", Qt.MatchFlag.MatchContains)
    barcode.where.setCurrentIndex(barcode.where.findData("all"))
    barcode.source.setCurrentIndex(number)
    barcode.source.activated.emit(number)
    window.until(lambda: not session.barcode.computing and "map" in session.barcode.source)
    window.until(lambda: barcode.plot.bars.place_of(1) is not None)
    bars = session.barcode.barcode
    assert gudhi_betti(map_ > 0.5) == session.barcode.betti_at(0.5)
    view = barcode.plot.bars
    window.qtbot.wait(200)
    level, row = float(bars.birth[1]) - 0.25 * bars[1].length, view.place_of(1)[1]
    spot = view.mapFromScene(view.plotItem.vb.mapViewToScene(QPointF(level, row)))
    window.qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    window.until(lambda: session.barcode.selected is not None)
    bar = session.barcode.selected.bar
    assert np.allclose(seen(window), bar.birth_voxel, atol=1e-6)
    assert map_[bar.birth_voxel] == pytest.approx(bar.birth, abs=1e-6)

    # Fine-tuned by the persistence loss, accepted, and taken back voxel by voxel.
    tuning = front(window, "Fine-tune")
    mask = np.array(session.mask)
    tuning.choices.source.choose(window.viewer.layers["map"])
    assert tuning.choices.loss.currentData() == "ph-dense"
    window.until(tuning.start_button.isEnabled)
    tuning.start_button.click()
    window.until(tuning.accept_button.isEnabled, 120)
    tuning.accept_button.click()
    window.until(lambda: tuning.revert_button.text() == "Revert")
    accepted = np.array(session.mask) != 0
    assert gudhi_betti(accepted) == (1, 0, 0)
    assert not np.array_equal(accepted, mask != 0)
    assert np.array_equal(from_display(np.array(layers.mask.data)) != 0, accepted)
    tuning.revert_button.click()
    window.until(lambda: session.result is first)
    assert np.array_equal(session.mask, mask)
    window.until(lambda: np.array_equal(from_display(np.array(layers.mask.data)) != 0, mask != 0))
