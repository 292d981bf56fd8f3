"""The Measure dock in the real window: its figures, its copies, its coloured surface."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from napari_toposeg.docks.launch import _dock_of
from napari_toposeg.evaluation import evaluate_case, measure_shape, surface_distances


@pytest.fixture
def dock(window, ball_file, organ_box):
    """The dock in front, an image with a result, and its label as a layer that was shifted by a voxel."""
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    dock = window.docks["Measure"]
    _dock_of(dock).raise_()
    window.until(lambda: dock.measures is not None)
    return dock


@pytest.fixture
def reference(window, ball, dock):
    layout, volume = window.workspace.layout, window.session.volume
    # Loads MONAI here, where nobody waits for a window: 4 s, and minutes on a busy machine.
    surface_distances(ball.mask, ball.mask, volume.spacing)
    return window.viewer.add_labels(
        layout.array(np.roll(ball.mask, 1, axis=0).astype(np.uint8)),
        name="Truth",
        **layout.box_arguments(volume.frame.box),
    )


def choose(window, dock, choice, layer) -> None:
    before = dock.measures
    choice.choose(layer)
    choice.activated.emit(choice.currentIndex())
    window.until(lambda: dock.measures is not before and dock.measures is not None)


def cells(table) -> dict[str, tuple[str, ...]]:
    found = {}
    for line in range(table.rowCount()):
        texts = [table.item(line, column) for column in range(table.columnCount())]
        if texts[1] is not None:
            found[texts[0].text()] = tuple(item.text() for item in texts[1:])
    return found


def test_the_table_has_the_evaluations_figures_and_follows_the_brush(window, dock, reference, ball) -> None:
    mask, spacing = window.session.result.full_mask(), window.session.volume.spacing
    shape = measure_shape(mask, spacing)
    assert cells(dock.table)["Volume"] == (f"{shape.volume / 1000:.3f}", "ml")
    assert not dock.distances_button.isEnabled()

    choose(window, dock, dock.reference, reference)
    shown = cells(dock.table)
    expected = evaluate_case(mask, np.roll(ball.mask, 1, axis=0), spacing)
    assert shown["Dice"] == (f"{expected.dice:.3f}", "")
    assert shown["Hausdorff, 95 %"] == (f"{expected.hausdorff_95:.2f}", "mm")
    assert shown["Hausdorff"] == (f"{expected.hausdorff:.2f}", "mm")
    assert shown["Surface distance"] == (f"{expected.average_surface_distance:.2f}", "mm")
    assert shown["Volume error"] == (f"{100 * expected.volume_error:.1f}", "%")

    # A stroke in the mask's layer: one voxel more, far away from the rest, which the locked brush would refuse.
    window.session.brush.locked = False
    before = dock.measures
    layer = window.workspace.layers.mask
    layer.paint((0, 0, 0), 1)
    window.until(lambda: dock.measures is not before)
    (measured,) = dock.measures.objects
    assert measured.shape.voxels == np.count_nonzero(layer.data) > mask.sum()
    assert cells(dock.table)["Topology"] == ("two pieces, no holes", "")
    assert dock.table.item(0, 0).text() == "Result, edited by hand"


def test_what_is_copied_and_exported_is_what_is_shown(window, dock, tmp_path) -> None:
    dock.copy_button.click()
    copied = [line.split("\t") for line in QGuiApplication.clipboard().text().split("\n")]
    assert copied[0] == ["What", "Value", "Unit"]
    assert {what: tuple(texts) for what, *texts in copied[1:]} == cells(dock.table)

    line = next(row for row in range(dock.table.rowCount()) if dock.table.item(row, 0).text() == "Surface")
    dock.table.selectRow(line)
    dock.table.setFocus()
    window.qtbot.keyClick(dock.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "\t".join(("Surface", *cells(dock.table)["Surface"]))

    dock.export(str(tmp_path / "figures.csv"))
    window.until(lambda: "Saved figures.csv" in window.line.message.text())
    with (tmp_path / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = {what: value for what, value, _ in csv.reader(file)}
    assert float(rows["Volume"]) == dock.measures.objects[0].shape.volume / 1000


def test_the_distances_are_a_surface_where_the_mask_is_and_go_as_they_came(window, dock, reference) -> None:
    choose(window, dock, dock.reference, reference)
    shown_before = {layer.name: layer.visible for layer in window.viewer.layers}
    dock.distances_button.click()
    window.until(lambda: dock.layers.layer is not None)
    surface, mask = dock.layers.layer, window.workspace.layers.mask
    assert window.viewer.dims.ndisplay == 3
    # In the world the surface reaches from the outer faces of the mask's voxels to their outer faces.
    indices = np.argwhere(np.asarray(mask.data))
    corners = [mask.data_to_world(indices.min(0) - 0.5), mask.data_to_world(indices.max(0) + 0.5)]
    assert np.allclose(np.sort(surface.extent.world, axis=0), np.sort(corners, axis=0), atol=1e-5)
    # Where a vertex lies a voxel beside the reference's surface it says so, and on which side.
    found = window.session.measurements.distances()
    assert np.allclose(surface.data[2], found.distances)
    canonical = np.array([window.workspace.layout.canonical_index(vertex) for vertex in surface.data[0][:50]])
    assert np.allclose(canonical, found.mesh.vertices[:50], atol=1e-4)
    low, high = surface.contrast_limits
    assert low == -high
    assert dock.scale.isVisible()

    dock.distances_button.click()
    assert dock.layers.layer is None
    assert window.viewer.dims.ndisplay == 2
    assert {layer.name: layer.visible for layer in window.viewer.layers} == shown_before
    dock.distances_button.click()
    window.until(lambda: dock.layers.layer is not None)
    window.viewer.layers.remove(dock.layers.layer)
    window.until(lambda: not dock.distances_button.isChecked())
    assert window.viewer.dims.ndisplay == 2


def test_a_label_map_is_measured_object_by_object_and_goes_with_its_layer(window, dock, ball) -> None:
    labels = ball.mask.astype(np.uint8)
    labels[:, : labels.shape[1] // 2] *= 2
    layout, volume = window.workspace.layout, window.session.volume
    layer = window.viewer.add_labels(layout.array(labels), name="Organs", **layout.box_arguments(volume.frame.box))
    choose(window, dock, dock.measured, layer)
    head = [dock.table.horizontalHeaderItem(column).text() for column in range(4)]
    assert head == ["What", "Label 1", "Label 2", "Unit"]
    sizes = [(labels == value).sum() * np.prod(volume.spacing) / 1000 for value in (1, 2)]
    assert [float(text) for text in cells(dock.table)["Volume"][:2]] == pytest.approx(sizes, rel=1e-3)
    window.viewer.layers.remove(layer)
    window.until(lambda: dock.measures is not None and dock.measures.mask == "result")


def test_behind_another_tab_nothing_is_measured(window, dock, reference) -> None:
    before = dock.measures
    _dock_of(window.prior).raise_()
    window.until(lambda: not dock.in_sight)
    dock.reference.choose(reference)
    dock.reference.activated.emit(1)
    window.qtbot.wait(600)
    assert dock.measures is before
    _dock_of(dock).raise_()
    window.until(lambda: dock.measures is not before)
    assert dock.measures.reference == "Truth"
