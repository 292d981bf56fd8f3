"""What a dock puts into the viewer: napari's tools on it, what stays chosen, and that pictures go on coming."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.docks.canvas_guard import draw_later
from napari_toposeg.docks.drawn_layers import DrawnLayers, labels, put


@pytest.fixture
def opened(window, ball_file):
    window.open(ball_file)
    return window


def test_a_put_layer_leaves_the_choice_as_it_was_and_is_forgotten_once_it_was_removed(opened) -> None:
    viewer = opened.viewer
    image = opened.workspace.image
    viewer.layers.selection = {image}
    drawn = DrawnLayers(opened.workspace)
    layer = labels(np.zeros(image.data.shape, np.uint8), name="Drawn", editable=False, contour=2)
    drawn.put("a", layer)
    assert viewer.layers.selection == {image}
    assert drawn.get("a") is layer
    assert layer.contour == 2
    assert not layer.editable
    viewer.layers.remove(layer)
    assert drawn.get("a") is None
    drawn.remove("a")
    # What somebody else adds is chosen, as ever.
    assert viewer.layers.selection == {viewer.add_image(np.zeros(image.data.shape, np.uint8))}


def test_a_polygon_can_be_drawn_into_it(opened) -> None:
    image = opened.workspace.image
    layer = labels(np.zeros(image.data.shape, np.uint8), name="Drawn", scale=image.scale, translate=image.translate)
    put(opened.workspace, layer)
    opened.viewer.layers.selection = {layer}
    before = len(layer.mouse_drag_callbacks)
    layer.mode = "polygon"
    assert len(layer.mouse_drag_callbacks) > before
    at = round(float(opened.viewer.dims.current_step[0]))
    polygon = layer._overlays["polygon"]
    polygon.points = [(at, 5, 5), (at, 5, 15), (at, 15, 15)]
    polygon.add_polygon_to_labels(layer)
    assert np.asarray(layer.data)[at].sum() > 40
    layer.mode = "pan_zoom"
    layer.mode = "paint"
    layer.mode = "polygon"
    assert layer.visible


def test_pictures_come_however_often_they_are_put_off(opened) -> None:
    canvas, frames = opened.canvas(), []
    canvas.frameSwapped.connect(lambda: frames.append(1))
    opened.viewer.dims.set_point(0, 0.0)
    opened.until(lambda: bool(frames))
    frames.clear()
    for step in range(60):
        draw_later()
        opened.viewer.dims.set_point(0, float(step % 5))
        opened.qtbot.wait(5)
    assert len(frames) > 3
    opened.until(canvas.updatesEnabled)
