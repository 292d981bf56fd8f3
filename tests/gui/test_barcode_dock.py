"""The Barcode dock in the real window: what is clicked in it is seen in the viewer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt

from napari_toposeg.docks.display import from_display
from napari_toposeg.frame import box_slices
from napari_toposeg.topology import betti_numbers


def barcode_dock(window):
    dock = window.docks["Barcode"]
    dock.parent().show()
    dock.parent().raise_()
    window.until(dock.isVisible)
    return dock


def found(window) -> None:
    barcode = window.session.barcode
    window.until(lambda: barcode.barcode is not None and not barcode.computing)
    dock = window.docks["Barcode"]
    window.until(lambda: dock.find_button.text() == "Find" and dock.plot.bars._drawn is not None)


def image_s(window, ball_file, organ_box):
    """The barcode of the image near the template, by the dock's own button."""
    window.open(ball_file)
    window.place(organ_box)
    dock = barcode_dock(window)
    dock.find_button.click()
    found(window)
    return dock


def pixel_of(view, number: int):
    """Where a bar is in the picture, in the view's own pixels."""
    level, row = view.place_of(number)
    scene = view.plotItem.vb.mapViewToScene(QPointF(level, row))
    return view.mapFromScene(scene), scene


def seen(window) -> np.ndarray:
    """The canonical voxel through which the viewer shows its slices."""
    image, layout = window.workspace.image, window.workspace.layout
    return layout.canonical_index(np.array(image.world_to_data(window.viewer.dims.point)))


def test_a_click_on_the_longest_bar_lands_on_its_birth_voxel(window, ball_file, organ_box) -> None:
    dock = image_s(window, ball_file, organ_box)
    window.viewer.dims.set_point(0, window.viewer.dims.range[0].start)
    view = dock.plot.bars
    window.qtbot.wait(300)
    place, scene = pixel_of(view, 0)
    assert view.bar_at(scene) == 0
    # A quarter along the bar: the line of the threshold crosses its middle, and takes clicks of its own.
    level = window.session.barcode.barcode.birth[0] - 0.12
    place = view.mapFromScene(view.plotItem.vb.mapViewToScene(QPointF(level, view.place_of(0)[1])))
    window.qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    window.until(lambda: window.session.barcode.selected is not None)
    selected = window.session.barcode.selected
    assert selected.number == 0
    birth = np.array(selected.bar.birth_voxel)
    assert np.allclose(seen(window), birth, atol=1e-6)
    # It is the brightest voxel of the region: the oldest piece begins there.
    region = window.session.volume.voxels[box_slices(window.session.region)]
    assert window.session.volume.voxels[tuple(birth)] == region.max()
    points = dock.layers.ends
    assert np.allclose(window.workspace.layout.canonical_index(points.data[0]), birth)
    assert np.allclose(
        points.data_to_world(points.data[0]), window.workspace.image.data_to_world(points.data[0]), atol=1e-6
    )


def test_birth_and_death_are_marked_and_both_can_be_gone_to(window, ball_file, organ_box) -> None:
    dock = image_s(window, ball_file, organ_box)
    bars = window.session.barcode.barcode
    number = int(np.flatnonzero(bars.dimension == 1)[0])
    dock.plot.chosen.emit(number)
    birth, death = (np.array(voxel) for voxel in (bars[number].birth_voxel, bars[number].death_voxel))
    assert np.allclose(window.workspace.layout.canonical_index(dock.layers.ends.data), [birth, death])
    assert np.allclose(seen(window), birth, atol=1e-6)
    dock.to_death.click()
    assert np.allclose(seen(window), death, atol=1e-6)
    dock.to_birth.click()
    assert np.allclose(seen(window), birth, atol=1e-6)
    assert f"lasts {bars[number].length * (dock._barcode.scale.high - dock._barcode.scale.low):.0f}" in (
        dock.detail.text()
    )
    window.session.barcode.select(None)
    assert dock.layers.ends is None


def test_the_set_and_its_numbers_follow_the_line_the_slider_and_the_number(window, ball_file, organ_box) -> None:
    dock = image_s(window, ball_file, organ_box)
    barcode = window.session.barcode
    window.until(lambda: dock.layers.level_set is not None)
    values = window.session.volume.voxels[box_slices(window.session.region)]
    ways = (
        lambda: dock.slider.setValue(1300),
        lambda: dock.plot.threshold_moved.emit(0.4),
        lambda: dock.value.setValue(round(float(np.quantile(values, 0.6)))),
        lambda: setattr(barcode, "threshold", 0.2),
    )
    levels = []
    for way in ways:
        way()
        window.qtbot.wait(50)
        shown = from_display(np.asarray(dock.layers.level_set.data)) > 0
        at = barcode.scale.value(barcode.threshold)
        assert np.array_equal(shown, barcode.super_level_set())
        # Whole numbers: within a half of it, rounding of the slider apart.
        assert (values[shown] >= at - 0.5).all()
        assert (values[~shown] <= at + 0.5).all()
        assert barcode.betti_at() == betti_numbers(shown)
        assert dock.slider.value() == round(2000 * barcode.threshold)
        assert dock.plot.bars.line.value() == pytest.approx(barcode.threshold)
        assert dock.plot.diagram.line.value() == pytest.approx(barcode.threshold)
        levels.append(barcode.threshold)
    assert levels[:2] == pytest.approx([0.65, 0.4])
    box = dock.layers.level_set
    first = np.array(window.workspace.layout.box(window.session.region))[:, 0]
    assert np.allclose(box.data_to_world(np.zeros(3)), window.workspace.image.data_to_world(first))
    dock.show_set.setChecked(False)
    assert not dock.layers.level_set.visible


def test_a_run_s_result_is_looked_at_as_soon_as_it_is_there(window, ball_file, organ_box, tmp_path) -> None:
    window.open(ball_file)
    window.place(organ_box)
    dock = barcode_dock(window)
    window.run()
    found(window)
    result = window.session.result
    assert (dock.source.kind, dock.source.name) == ("result", "distance")
    assert np.array_equal(window.session.barcode.super_level_set(), result.mask)
    assert "one piece, no holes" in dock.words.text()
    assert "as the prior" in dock.words.text()
    number = dock.source.findText("Certified mask: its voxels")
    dock.source.setCurrentIndex(number)
    dock.source.activated.emit(number)
    window.until(lambda: window.session.barcode.source == "The certified mask")
    found(window)
    assert len(window.session.barcode.barcode) == 1
    dock.save(str(tmp_path / "bars.json"))
    window.until(lambda: "Saved bars.json" in window.line.message.text())
    assert len(json.loads((tmp_path / "bars.json").read_text())["bars"]) == 1
    # Another image: nothing of this one is left.
    window.viewer.add_image(np.random.default_rng(0).random((9, 10, 11)))
    window.until(lambda: window.session.barcode.barcode is None and dock.layers.level_set is None)
    assert not dock.exports["json"].isEnabled()


def test_a_map_in_another_layer_is_looked_at_on_the_image_s_grid(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    image = window.workspace.image
    shape = window.session.volume.shape
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    peaks = np.array([[c // 3 for c in shape], [2 * c // 3 for c in shape]])
    map_ = sum(np.exp(-((grid - peak) ** 2).sum(axis=-1) / 12.0) for peak in peaks).astype(np.float32) * 0.9
    layer = window.viewer.add_image(
        window.workspace.layout.array(map_), name="map", scale=image.scale, translate=image.translate, units=image.units
    )
    window.until(lambda: window.workspace.image is layer)
    window.workspace.use_image(image)
    window.session.choose_prior("ball")
    dock = barcode_dock(window)
    number = dock.source.findText("Image: map")
    dock.source.setCurrentIndex(number)
    dock.source.activated.emit(number)
    window.until(lambda: window.session.barcode.source == "map")
    found(window)
    assert window.session.volume.voxels.shape == map_.shape
    bars = window.session.barcode.barcode
    assert {bars[0].birth_voxel, bars[1].birth_voxel} == {tuple(peak) for peak in peaks.tolist()}
    assert np.flatnonzero(window.session.barcode.wanted).tolist() == [0]
    assert window.session.barcode.scale.name == "probability"
    assert window.session.barcode.betti_at(0.5) == (2, 0, 0)


def test_what_python_asked_for_is_named_as_what_it_is(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    dock = barcode_dock(window)
    found(window)
    assert (dock.source.kind, dock.source.name) == ("result", "distance")
    session = window.session
    session.barcode.of_image()
    window.until(lambda: dock.source.kind == "image")
    assert dock.source.currentText() == f"Image: {session.volume.name}"
    found(window)
    session.barcode.of_map(1.0 - session.volume.voxels / session.volume.voxels.max(), name="How dark it is")
    window.until(lambda: dock.source.currentText() == "How dark it is")
    found(window)
    assert dock.find_button.text() == "Find"
    assert not dock.find_button.isEnabled()
    # It goes with its barcode.
    number = dock.source.findText("Certified mask: its voxels")
    dock.source.setCurrentIndex(number)
    dock.source.activated.emit(number)
    window.until(lambda: session.barcode.source == "The certified mask" and not session.barcode.computing)
    window.viewer.layers.remove(window.workspace.layers.template)
    assert dock.source.findText("How dark it is") == -1
    assert dock.source.currentText() == "Certified mask: its voxels"


def test_a_point_of_the_diagram_is_the_bar_that_is_hovered(window, ball_file, organ_box) -> None:
    dock = image_s(window, ball_file, organ_box)
    dock.plot.tabs.setCurrentWidget(dock.plot.diagram)
    window.qtbot.wait(200)
    bars, view = window.session.barcode.barcode, dock.plot.diagram
    # The tunnel that is farthest from its neighbours is meant and no other.
    scene = view.plotItem.vb.mapViewToScene(QPointF(bars.birth[0], bars.death[0]))
    assert view.bar_at(scene) == 0
    heard = []
    dock.plot.hovered.connect(heard.append)
    view.scene().sigMouseMoved.emit(scene)
    assert heard == [0]
    assert "never dies" in dock.detail.text()
    assert view.bar_at(view.plotItem.vb.mapViewToScene(QPointF(0.1, 0.9))) == -1


def test_five_thousand_bars_are_three_items_and_each_is_found_by_its_place(window, ball_file) -> None:
    from napari_toposeg.docks.barcode_drawn import Drawn
    from napari_toposeg.topology import Barcode
    from napari_toposeg.topology.persistence import Scale

    random = np.random.default_rng(0)
    birth = random.random(5000)
    death = birth * random.random(5000)
    order = np.argsort(death - birth)
    none = np.full((5000, 3), -1)
    bars = Barcode((9, 9, 9), 26, random.integers(0, 3, 5000).astype(np.int8), birth[order], death[order], none, none)
    view = barcode_dock(window).plot.bars
    view.show_barcode(Drawn.of(bars, np.zeros(5000, bool), Scale(), np.zeros((0, 2)), 5000))
    assert len(view._items) == 3
    window.qtbot.wait(100)
    # Looked at closely enough to tell the rows apart.
    for number in (0, 2500, 4999):
        level, row = view.place_of(number)
        view.setRange(yRange=(row - 5, row + 5), padding=0)
        assert view.bar_at(view.plotItem.vb.mapViewToScene(QPointF(level, row))) == number
