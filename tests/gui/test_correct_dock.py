"""Correcting in the window: strokes and clicks with the real mouse, undo by its keys, in each direction of slicing."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QToolTip

from napari_toposeg.docks.display import from_display
from napari_toposeg.docks.going import go_to
from napari_toposeg.docks.shortcuts import SHORTCUTS, ShortcutSheet
from napari_toposeg.inference import PixelwiseSegmentation, Settings
from napari_toposeg.priors import find_prior
from napari_toposeg.topology import certify


@pytest.fixture
def corrected(window, ball, ball_file):
    """The window with an image and a mask that nobody had to wait for."""
    window.open(ball_file)
    window.session.choose_prior("ball")
    volume = window.session.volume
    made = PixelwiseSegmentation(
        volume=volume, prior=find_prior("ball"), box=volume.frame.box, mask=ball.mask.copy(),
        certificate=certify(ball.mask, (1, 0, 0), folding_voxels=None, least_jacobian=None), settings=Settings(),
        device="cpu", seconds={"total": 0.0}, start="nothing",
    )  # fmt: skip
    window.session.take_result(made, name="Run: stub")
    window.until(lambda: window.workspace.layers.mask is not None)
    dock = window.docks["Correct"]
    dock.parent().show()
    dock.parent().raise_()
    window.qtbot.wait(100)
    return window


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_stroke_with_the_mouse_paints_in_the_slice_that_is_seen_and_can_be_undone(corrected, gudhi_betti, axis):
    window, session = corrected, corrected.session
    layer = window.workspace.layers.mask
    # Slices across this canonical axis; napari's are the other way round.
    others = [other for other in range(3) if other != 2 - axis]
    window.viewer.dims.order = (2 - axis, *others)
    window.viewer.fit_to_view()
    mask = session.mask.copy()
    middle = np.round(np.argwhere(mask).mean(axis=0)).astype(int)
    go_to(window.workspace, middle)
    session.brush.radius = 2.0
    window.docks["Correct"].erase.click()
    assert str(layer.mode) == "erase"
    across = [other for other in range(3) if other != axis]
    edge = middle.copy()
    while mask[tuple(edge)]:
        edge[across[0]] += 1
    inner = edge.copy()
    inner[across[0]] -= 4
    window.drag(edge, inner)
    changed = np.argwhere(session.mask != mask)
    assert len(changed) > 5
    assert (changed[:, axis] == middle[axis]).all()
    assert not session.mask[tuple(inner)]
    assert np.array_equal(from_display(np.asarray(layer.data)) != 0, session.mask)
    assert gudhi_betti(session.mask) == (1, 0, 0)
    assert window.line.badge.text() == "✓ Certified"
    assert "Corrected by hand" in window.line.sentence.text()
    assert session.history.names[-1] == "Erased with radius 2 mm"
    layer.keymap[_binding("Control-Z")](layer)
    assert np.array_equal(session.mask, mask)
    assert np.array_equal(from_display(np.asarray(layer.data)) != 0, mask)
    layer.keymap[_binding("Control-Shift-Z")](layer)
    assert not session.mask[tuple(inner)]


def _binding(key):
    from napari.utils.key_bindings import coerce_keybinding

    return coerce_keybinding(key)


def test_where_a_stroke_would_break_the_topology_it_says_why_and_shift_lifts_the_lock(corrected, gudhi_betti):
    window, session, dock = corrected, corrected.session, corrected.docks["Correct"]
    mask = session.mask.copy()
    middle = np.round(np.argwhere(mask).mean(axis=0)).astype(int)
    go_to(window.workspace, middle)
    session.brush.radius = 1.0
    dock.erase.click()
    dock.reach.setCurrentIndex(1)
    dock.reach.activated.emit(1)
    assert window.workspace.layers.mask.n_edit_dimensions == 3
    window.drag(middle, middle)
    assert np.array_equal(session.mask, mask)
    assert "a cavity would appear" in dock.refused.text()
    window.drag(middle, middle, Qt.KeyboardModifier.ShiftModifier)
    assert not session.mask[tuple(middle)]
    window.until(lambda: session.certificate is not None)
    window.until(lambda: window.line.badge.text() == "! Not as the prior")
    assert gudhi_betti(session.mask) == (1, 0, 1) == session.certificate.betti_mask
    assert session.history.names[-1].endswith("not locked")
    dock.undo.click()
    assert np.array_equal(session.mask, mask)
    assert window.line.badge.text() == "✓ Certified"


def test_where_the_brush_would_break_the_topology_the_cursor_says_so_before_it_is_pressed(corrected):
    window, session, dock = corrected, corrected.session, corrected.docks["Correct"]
    mask = session.mask.copy()
    middle = np.round(np.argwhere(mask).mean(axis=0)).astype(int)
    go_to(window.workspace, middle)
    session.brush.radius = 1.0
    dock.reach.setCurrentIndex(1)
    dock.reach.activated.emit(1)
    dock.erase.click()
    window.hover(middle)
    said = "Erases nothing here. This lies within the mask: a cavity would appear."
    window.until(lambda: dock.refused.text() == said)
    assert QToolTip.text() == said
    edge = middle.copy()
    while mask[edge[0] + 1, edge[1], edge[2]]:
        edge[0] += 1
    window.hover(edge)
    window.until(lambda: dock.refused.text() == "Erases here.")
    window.until(lambda: QToolTip.text() != said)
    window.hover((1, 1, middle[2]))
    window.until(lambda: dock.refused.text() == "There is no mask to erase here.")
    dock.paint.click()
    window.hover((2, 2, middle[2]))
    window.until(lambda: "a new piece would appear" in dock.refused.text())
    assert np.array_equal(session.mask, mask)
    assert not session.edited
    dock.paint.click()
    assert dock.refused.text() == "A stroke goes as far as it breaks nothing, and says why where it stops."
    window.hover(middle)
    window.qtbot.wait(200)
    assert "A stroke goes" in dock.refused.text()


def test_other_tools_of_napari_keep_the_topology_too(corrected, gudhi_betti):
    window, session = corrected, corrected.session
    layer = window.workspace.layers.mask
    mask = session.mask.copy()
    layer.fill(tuple(np.argwhere(np.asarray(layer.data) == 0)[0]), 1)
    assert np.asarray(layer.data)[0].any()
    window.until(lambda: not np.asarray(layer.data)[0].any())
    assert gudhi_betti(session.mask) == (1, 0, 0)
    assert np.array_equal(from_display(np.asarray(layer.data)) != 0, session.mask)
    session.brush.locked = False
    layer.data_setitem(tuple(np.array([[1], [2], [3]])), 1)
    window.until(lambda: session.edited)
    window.until(lambda: session.certificate is not None)
    assert session.certificate.betti_mask == (2, 0, 0)
    session.history.undo()
    assert np.array_equal(session.mask, mask)
    layer.brush_size = 7
    assert session.brush.radius == pytest.approx(3.5 * window.session.volume.spacing.min())
    window.docks["Correct"].radius.setValue(2.0)
    assert layer.brush_size == round(4.0 / window.session.volume.spacing.min())


def test_clicks_and_drags_are_prompts_in_the_slice_that_is_seen(corrected):
    window, session, dock = corrected, corrected.session, corrected.docks["Correct"]
    middle = np.round(np.argwhere(session.mask).mean(axis=0)).astype(int)
    go_to(window.workspace, middle)
    dock.include.click()
    assert dock.include.isChecked()
    window.drag(middle, middle)
    assert [mark.words for mark in session.prompts.marks] == ["Include point"]
    assert session.prompts.prompts[0].voxel == tuple(middle)
    dock.exclude.click()
    assert not dock.include.isChecked()
    window.drag(middle + np.array([-8, 6, 0]), middle + np.array([8, 6, 0]))
    assert session.prompts.marks[1].words == "Exclude scribble"
    voxels = np.array([prompt.voxel for prompt in session.prompts.marks[1].prompts])
    assert (voxels[:, 2] == middle[2]).all()
    assert np.ptp(voxels[:, 0]) >= 14
    layer = window.workspace.prompt_drawing.layer
    assert len(layer.data) == 1 + len(voxels)
    assert "1 satisfied" in dock.fates.text()
    assert window.segment.prompts.text() == dock.fates.text()
    # Points that are deleted in the layer take their whole mark along.
    layer.selected_data = {3}
    layer.remove_selected()
    window.until(lambda: len(session.prompts.marks) == 1)
    window.until(lambda: len(layer.data) == 1)
    dock.undo.click()
    assert len(session.prompts.marks) == 2
    dock.exclude.click()
    assert not dock.exclude.isChecked()
    assert layer.mouse_pan
    session.prompts.add((900, 0, 0), include=True)
    window.until(lambda: "outside of the image" in window.line.message.text())


def test_the_list_goes_back_and_forth(corrected):
    window, session, dock = corrected, corrected.session, corrected.docks["Correct"]
    session.prompts.add((4, 4, 4), include=False)
    session.prompts.add((5, 4, 4), include=False)
    window.until(lambda: dock.history.count() == 4)
    dock.history.itemClicked.emit(dock.history.item(2))
    assert len(session.prompts.marks) == 1
    assert dock.history.currentRow() == 2
    assert dock.redo.isEnabled()
    dock.history.itemClicked.emit(dock.history.item(0))
    assert session.result is None
    assert window.workspace.layers.mask is None
    dock.history.itemClicked.emit(dock.history.item(3))
    assert len(session.prompts.marks) == 2
    assert window.workspace.layers.mask is not None


def test_every_key_is_bound_free_in_naparis_layers_and_on_the_sheet(corrected):
    from napari.layers import Image, Labels, Points, Shapes

    window = corrected
    for shortcut in SHORTCUTS:
        binding = _binding(shortcut.key)
        assert binding in window.viewer.keymap
        if "Z" not in shortcut.key:
            for kind in (Image, Labels, Points, Shapes):
                assert binding not in kind.class_keymap, (shortcut.key, kind)
    window.viewer.keymap[_binding("Shift-H")](window.viewer)
    sheet = next(one for one in QApplication.topLevelWidgets() if isinstance(one, ShortcutSheet))
    assert all(shortcut.shown in sheet.text.text() for shortcut in SHORTCUTS)
    sheet.close()
    layers = window.viewer.layers
    window.viewer.keymap[_binding("H")](window.viewer)
    assert [layer.visible for layer in layers] == [layer is window.workspace.image for layer in layers]
    window.viewer.keymap[_binding("H")](window.viewer)
    assert window.workspace.layers.mask.visible
    window.viewer.keymap[_binding("Shift-Y")](window.viewer)
    window.until(lambda: "Accepted, and kept" in window.line.message.text())
    window.viewer.keymap[_binding("J")](window.viewer)
    window.until(lambda: "Nothing folds" in window.line.message.text())


def test_in_3d_a_click_means_the_first_voxel_of_the_mask_on_the_line_of_sight(corrected, gudhi_betti):
    window, session, dock = corrected, corrected.session, corrected.docks["Correct"]
    window.viewer.dims.ndisplay = 3
    window.viewer.fit_to_view()
    window.qtbot.wait(300)
    centre = np.argwhere(session.mask).mean(axis=0)
    window.viewer.scene.camera.center = tuple(window.workspace.layout.world(centre))
    canvas = window.canvas()
    middle = canvas.rect().center()

    def click() -> None:
        window.qtbot.wait(100)
        window.qtbot.mouseMove(canvas, middle)
        window.qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
        window.qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle)
        window.qtbot.wait(50)

    dock.include.click()
    click()
    (mark,) = session.prompts.marks
    voxel = np.array(mark.prompts[0].voxel)
    assert session.mask[tuple(voxel)]
    # On the surface that faces the camera, and within the image's line of sight through the middle.
    beside = voxel[:, None] + np.hstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)])
    assert not session.mask[tuple(beside)].all()
    before = session.mask.copy()
    session.brush.radius = 1.5
    dock.erase.click()
    click()
    assert (before & ~session.mask).any()
    assert not session.mask[tuple(voxel)]
    assert gudhi_betti(session.mask) == (1, 0, 0)
