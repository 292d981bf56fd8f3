"""The Prior dock in the real window: points, strokes, and moving what was placed."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_toposeg.docks.placement_panel import Way
from napari_toposeg.frame import box_slices


def drawn_template(window) -> np.ndarray:
    """(*volume.shape) bool: what the template's layer shows, put back on to the volume's canonical voxels."""
    layer, layout = window.workspace.layers.template, window.workspace.layout
    shown = np.argwhere(np.asarray(layer.data))
    world = [layer.data_to_world(index) for index in shown]
    image = window.workspace.image
    index = np.array([image.world_to_data(place) for place in world])
    voxels = np.round(layout.canonical_index(index)).astype(int)
    mask = np.zeros(window.session.volume.shape, bool)
    mask[tuple(voxels.T)] = True
    return mask


def meant_template(window) -> np.ndarray:
    """The same from the session, which has no window."""
    seen = window.session.outline()
    mask = np.zeros(window.session.volume.shape, bool)
    mask[box_slices(seen.box)] = seen.distance > 0
    return mask


def until_drawn(window, before=None) -> np.ndarray:
    """The template's layer, once it shows where the session's template stands."""

    def so() -> bool:
        session = window.session
        if session.placement is None or session.placement is before or window.workspace.layers.template is None:
            return False
        return np.array_equal(drawn_template(window), meant_template(window))

    window.until(so)
    return drawn_template(window)


def canvas_of(window) -> QWidget:
    main = window.prior.window()
    assert isinstance(main, QMainWindow)
    return next(child for child in main.findChildren(QWidget) if type(child).__name__ == "CanvasBackendDesktop")


@pytest.fixture
def ready(window, ball_file):
    window.open(ball_file)
    window.prior.gallery.button("ball").click()
    window.viewer.fit_to_view()
    # The slice in the middle.
    window.viewer.dims.set_current_step(0, window.session.volume.shape[2] // 2)
    window.qtbot.wait(200)
    return window


def test_every_click_from_the_second_on_places_the_template_anew(ready) -> None:
    window, panel = ready, ready.prior.placement
    panel.choose(Way.POINTS)
    panel.points_button.click()
    canvas = canvas_of(window)
    middle = canvas.rect().center()

    def click(x: int, y: int) -> None:
        window.qtbot.mouseMove(canvas, middle + QPoint(x, y))
        window.qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(x, y))

    click(-80, 0)
    window.until(lambda: len(window.prior.points.places) == 1)
    assert "One end" in panel.points_state.text()
    assert window.session.placement is None
    click(80, 10)
    two = until_drawn(window)
    before = window.session.placement
    click(0, -70)
    three = until_drawn(window, before)
    # Two points say nothing of the width, and the third does.
    assert three.sum() > 1.5 * two.sum()
    from scipy.ndimage import distance_transform_edt

    surface = np.abs(distance_transform_edt(three) - distance_transform_edt(~three))
    for place in window.prior.points.places:
        assert surface[tuple(np.round(place).astype(int))] < 2.5
    # The outline is there in every slice, not only in that of the clicks.
    assert (three.any(axis=(0, 1))).sum() > 5

    points, matrix = window.prior.points.places, window.session.placement.matrix
    window.prior.gallery.button("ellipsoid").click()
    window.until(lambda: window.session.prior.name == "ellipsoid")
    np.testing.assert_allclose(window.session.placement.matrix, matrix)
    np.testing.assert_allclose(window.prior.points.places, points)

    now = window.session.placement
    panel.points_undo.click()
    np.testing.assert_array_equal(until_drawn(window, now), two)


def test_a_drawn_line_bends_the_template(ready) -> None:
    window, panel = ready, ready.prior.placement
    panel.choose(Way.STROKE)
    panel.radius.setValue(4.0)
    panel.stroke_button.click()
    canvas = canvas_of(window)
    middle = canvas.rect().center()
    arc = [QPoint(round(100 * np.cos(t)), round(50 - 100 * np.sin(t))) for t in np.linspace(np.pi, 0, 16)]
    window.qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle + arc[0])
    for place in arc[1:]:
        window.qtbot.mouseMove(canvas, middle + place)
        window.qtbot.wait(20)
    window.qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + arc[-1])
    bent = until_drawn(window)
    assert window.session.site.template.name == "ball along a stroke"
    line = window.prior.stroke.places
    inner = line[len(line) // 4 : -len(line) // 4]
    assert all(bent[tuple(np.round(place).astype(int))] for place in inner)
    # Between the ends of the bow there is nothing.
    assert not bent[tuple(np.round((line[0] + line[-1]) / 2).astype(int))]

    window.prior.gallery.button("tube").click()
    window.until(lambda: window.session.site is not None and window.session.site.template.betti == (1, 1, 0))
    np.testing.assert_allclose(window.prior.stroke.places, line)


def test_a_line_goes_on_in_another_slice_and_begins_anew_in_the_same(ready) -> None:
    window, panel, stroke = ready, ready.prior.placement, ready.prior.stroke
    panel.choose(Way.STROKE)
    panel.stroke_button.click()
    stroke.layer.add_paths([[10, 10, 12], [10, 20, 14], [10, 26, 18]])
    until_drawn(window)
    before = window.session.placement
    # The nearest ends meet, whichever way the second part was drawn.
    stroke.layer.add_paths([[14, 30, 26], [14, 28, 20], [14, 27, 19]])
    through = until_drawn(window, before)
    index = window.workspace.layout.index(stroke.places)
    np.testing.assert_array_equal(index[:, 0], [10, 10, 10, 14, 14, 14])
    np.testing.assert_array_equal(index[3], [14, 27, 19])
    slices = np.flatnonzero(window.workspace.layout.array(through).any(axis=(1, 2)))
    assert slices[0] <= 10
    assert slices[-1] >= 14
    stroke.layer.add_paths([[12, 10, 12], [12, 20, 14], [12, 26, 18]])
    window.until(lambda: len(stroke.layer.data) == 1)
    np.testing.assert_array_equal(window.workspace.layout.index(stroke.places)[:, 0], [12, 12, 12])


def test_what_cannot_be_placed_is_said_and_too_many_points_are_not_taken(ready) -> None:
    window, panel, points = ready, ready.prior.placement, ready.prior.points
    panel.choose(Way.POINTS)
    points.set_points(np.array([[10, 20, 14], [18, 20, 14], [26, 20, 14]]))
    window.until(lambda: "All points lie on one line" in window.line.message.text())
    points.set_points(np.array([[10, 20, 14], [26, 20, 14], [18, 12, 14], [18, 28, 14], [18, 20, 8], [18, 20, 20]]))
    until_drawn(window)
    assert window.line.message.text() == ""
    points.layer.add([14, 14, 14])
    window.until(lambda: "enough" in window.line.message.text())
    assert len(points.places) == 6


def test_steps_go_as_they_are_seen(ready, organ_box) -> None:
    window, adjust = ready, ready.prior.adjustment
    assert not adjust.isVisible()
    window.place(organ_box, prior="ellipsoid")
    first = until_drawn(window)
    layout = window.workspace.layout
    step = float(window.workspace.image.scale[-1])
    adjust.distance.setValue(round(3 * step, 1))

    def after(button) -> np.ndarray:
        before = window.session.placement
        button.click()
        return until_drawn(window, before)

    def middle(mask: np.ndarray) -> np.ndarray:
        return np.argwhere(layout.array(mask)).mean(axis=0)

    moved = after(adjust.right)
    assert middle(moved)[2] - middle(first)[2] == pytest.approx(3.0, abs=0.2)
    np.testing.assert_allclose(middle(moved)[:2], middle(first)[:2], atol=0.2)
    # The rectangle comes along, and places nothing anew.
    np.testing.assert_array_equal(window.prior.drawing.box, window.session.site.within)
    assert window.session.adjusted
    down = after(adjust.down)
    assert middle(down)[1] > middle(moved)[1] + 1
    adjust.share.setValue(30)
    wider = after(adjust.wider)
    assert wider.any(axis=(1, 2)).sum() > 1.15 * down.any(axis=(1, 2)).sum()
    assert wider.any(axis=(0, 2)).sum() == pytest.approx(down.any(axis=(0, 2)).sum(), abs=1)
    adjust.angle.setValue(45)
    turned = layout.array(after(adjust.right_about)).any(axis=0)
    # Clockwise on the screen: what is long from left to right now goes from the upper left to the lower right.
    rows, columns = np.argwhere(turned).T
    assert np.corrcoef(rows, columns)[0, 1] > 0.1
    adjust.reset_button.click()
    window.until(lambda: not window.session.adjusted)
    np.testing.assert_array_equal(until_drawn(window), first)
    np.testing.assert_array_equal(window.prior.drawing.box, organ_box)


def test_handles_move_turn_and_scale_the_template_and_come_along(ready, organ_box) -> None:
    window, adjust = ready, ready.prior.adjustment
    window.place(organ_box, prior="ellipsoid")
    until_drawn(window)
    adjust.handles_button.click()
    layer = adjust.handles.layer
    assert layer.mode == "select"
    places, before = np.array(layer.data), window.session.placement
    columns = np.array([0, 0, 4])
    layer.data = np.stack([places[0] + columns, places[1]])
    until_drawn(window, before)
    window.until(lambda: np.allclose(layer.data, places + columns))
    size = np.linalg.det(window.session.placement.matrix[:3, :3])
    # A quarter clockwise, and half as long again: from the right to below, in mm.
    scale = np.array(window.workspace.image.scale)
    arm = (places[1] - places[0]) * scale
    end = np.array([0.0, arm[2], -arm[1]]) * 1.5 / scale
    wanted = np.stack([places[0], places[0] + end]) + columns
    layer.data = wanted
    window.until(
        lambda: (
            np.isclose(np.linalg.det(window.session.placement.matrix[:3, :3]), 1.5**3 * size)
            and np.allclose(layer.data, wanted)
        )
    )
    until_drawn(window)
    adjust.handles_button.click()
    assert layer not in window.viewer.layers
