"""One person's walk through the real window: open, choose, place, run, look, save."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_toposeg.docks.display import from_display, volume_of_layer
from napari_toposeg.docks.placement_panel import Way
from napari_toposeg.frame import box_slices


def test_a_run_is_watched_and_its_field_goes_beside_the_mask(window, ball_file, organ_box, tmp_path) -> None:
    previews = []
    window.open(ball_file)
    window.place(organ_box)
    window.workspace.signals.steps.connect(lambda steps: previews.append(window.workspace.layers.preview is not None))
    window.run(iterations=20)
    result = window.session.result
    assert any(previews)
    assert window.workspace.layers.preview is None
    assert len(window.segment.curve.values) >= 10
    assert window.line.sentence.text() == result.certificate.sentence

    window.segment.with_field.setChecked(True)
    window.segment.with_jacobian.setChecked(True)
    window.segment.save(str(tmp_path / "mask.nii.gz"))
    window.until(lambda: "Saved" in window.line.message.text())
    shape = result.volume.stored.shape
    field, determinant = (nibabel.load(tmp_path / f"mask_{name}.nii.gz") for name in ("field", "jacobian"))
    assert field.shape == (*shape, 1, 3)
    assert determinant.shape == shape
    assert np.asarray(determinant.dataobj).min() > 0


def test_a_rectangle_drawn_with_the_mouse_places_the_template(window, ball_file) -> None:
    window.open(ball_file)
    window.prior.gallery.button("ball").click()
    window.viewer.fit_to_view()
    window.prior.placement.draw_button.click()
    main = window.prior.window()
    assert isinstance(main, QMainWindow)
    canvas = next(child for child in main.findChildren(QWidget) if _is_canvas(child))
    middle = canvas.rect().center()
    start, end = middle - QPoint(60, 50), middle + QPoint(60, 50)
    window.qtbot.wait(200)
    window.qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    for share in range(1, 6):
        window.qtbot.mouseMove(canvas, start + (end - start) * (share / 5))
        window.qtbot.wait(30)
    window.qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=end)
    window.until(lambda: window.session.placement is not None, 10)
    box = window.prior.drawing.box
    shape = window.session.volume.shape
    assert all(0 <= low < high <= size for (low, high), size in zip(box, shape, strict=True))
    # Drawn around the middle of the picture, and as deep as it is wide.
    assert abs(sum(box[0]) / 2 - shape[0] / 2) < 2
    assert abs(sum(box[1]) / 2 - shape[1] / 2) < 2
    assert window.prior.drawing.layer.mode == "select"


def _is_canvas(widget) -> bool:
    return type(widget).__name__ == "CanvasBackendDesktop"


def test_a_corrected_rectangle_moves_the_template_without_anything_else_pressed(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    before = window.session.placement
    layer = window.prior.drawing.layer
    corners = np.array(layer.data[0])
    corners[:, -1] += 3.0
    layer.data = [(corners, "rectangle")]
    window.until(lambda: window.session.placement is not before)
    moved = window.session.placement.matrix[:3, 3] - before.matrix[:3, 3]
    # Columns run to the patient's left: three voxels to the right on the screen are -3 in R.
    assert np.allclose(moved, [-3.0 * window.session.volume.spacing[0], 0, 0], atol=0.51)


def test_the_slices_of_the_box_are_those_of_the_slider(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    low, high = window.prior.placement.slices.value()
    size = window.session.volume.shape[2]
    assert (size - 1 - high, size - low) == organ_box[2]
    window.prior.placement.slices.setValue((low + 2, high))
    window.until(lambda: window.prior.drawing.box[2] == (organ_box[2][0], organ_box[2][1] - 2))


def test_the_rectangle_follows_the_slider(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    step = window.viewer.dims.range[0].step
    middle = window.viewer.dims.range[0].start + step * (window.session.volume.shape[2] - 1 - (organ_box[2][0] + 3))
    window.viewer.dims.set_point(0, middle)
    assert np.allclose(
        np.array(window.prior.drawing.layer.data[0])[:, 0], window.session.volume.shape[2] - 4 - organ_box[2][0]
    )


def test_every_layer_lies_where_its_image_lies(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    window.deformation.show_vectors.setChecked(True)
    window.deformation.show_grid.setChecked(True)
    window.deformation.show_jacobian.setChecked(True)
    window.deformation.show_folding.setChecked(True)
    window.until(lambda: window.deformation.table.rowCount() > 0 and window.deformation.layers.settled)
    window.deformation.table.selectRow(0)
    image = window.workspace.image
    extent = np.array(window.viewer.layers.extent.world)
    assert len(window.viewer.layers) == 9
    for layer in window.viewer.layers:
        assert np.allclose(layer.scale, image.scale), layer.name
        assert layer.units == image.units, layer.name
        # Nothing stretches the sliders beyond the image.
        assert (np.array(layer.extent.world)[0] >= extent[0] - 1e-6).all()
    assert np.allclose(extent, image.extent.world)
    mask = window.workspace.layers.mask
    template = window.workspace.layers.template
    box = window.session.outline().box
    canonical = np.zeros(window.session.volume.shape, bool)
    canonical[box_slices(box)] = from_display(np.asarray(template.data)) > 0
    drawn = [template.data_to_world(index) for index in np.argwhere(np.asarray(template.data))]
    meant = window.workspace.layout.world(np.argwhere(canonical))
    assert np.allclose(sorted(map(tuple, np.round(drawn, 6))), sorted(map(tuple, np.round(meant, 6))))
    assert np.allclose(mask.data_to_world(np.zeros(3)), image.data_to_world(np.zeros(3)))


def test_cancel_keeps_the_best_so_far_and_certifies_it(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.segment.method.iterations.setValue(5000)
    window.segment.run_button.click()
    window.until(lambda: len(window.segment.curve.values) > 3)
    assert window.line.badge.text() == "Running"
    window.segment.cancel_button.click()
    window.until(lambda: not window.session.running)
    assert window.session.result is not None
    assert window.session.result.iterations < 5000
    assert window.session.result.certificate.topology_ok
    window.until(lambda: "Certified" in window.line.badge.text())


def test_the_table_counts_voxels_as_the_file_has_them(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    table = window.deformation.table
    window.until(lambda: table.rowCount() > 0)
    result = window.session.result
    place = result.displacement.frame.world(np.array(table.cells[2].cell))
    # The file runs to the left, back and head.
    voxel = [int(part) for part in table.item(2, 2).text().split(",")]
    assert np.allclose(
        result.volume.stored.affine[:3, :3] @ voxel + result.volume.stored.affine[:3, 3], place, atol=0.8
    )


def test_another_image_takes_the_certificate_and_the_template_away(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    mask = window.workspace.layers.mask
    window.open(ball_file)
    window.until(lambda: window.session.result is None and window.workspace.layers.template is None)
    assert window.line.badge.text() == "No certificate"
    assert mask in window.viewer.layers  # work that was done stays
    assert not window.segment.save_button.isEnabled()


def test_a_run_is_dropped_when_its_image_is_removed(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.segment.method.iterations.setValue(5000)
    window.segment.run_button.click()
    window.until(lambda: len(window.segment.curve.values) > 3)
    window.viewer.layers.remove(window.workspace.image)
    window.until(lambda: window.session.volume is None and not window.session.running)
    window.qtbot.wait(300)
    assert window.session.result is None
    assert window.workspace.layers.mask is None


def test_layers_can_be_removed_at_any_time(window, ball_file, organ_box) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    window.deformation.show_vectors.setChecked(True)
    window.deformation.show_jacobian.setChecked(True)
    names = ("Box", "Template", "Mask", "Displacement", "Jacobian determinant")
    window.until(lambda: all(name in window.viewer.layers for name in names))
    for name in names:
        window.viewer.layers.remove(name)
    window.viewer.dims.set_point(0, 0.0)
    window.run()
    assert window.workspace.layers.mask is not None
    window.viewer.layers.clear()
    window.until(lambda: window.session.volume is None)


def test_painting_in_the_mask_without_the_lock_ends_its_certificate(window, ball_file, organ_box, tmp_path) -> None:
    window.open(ball_file)
    window.place(organ_box)
    window.run()
    mask = window.workspace.layers.mask
    mask.selected_label = 1
    window.session.brush.locked = False
    mask.data_setitem((np.array([1]), np.array([2]), np.array([3])), 1)
    window.until(lambda: window.session.edited)
    window.until(lambda: window.line.badge.text() == "! Not as the prior")
    window.segment.save(str(tmp_path / "edited.nii.gz"))
    window.until(lambda: "Saved" in window.line.message.text())
    assert not (tmp_path / "edited_report.json").exists()
    written = np.asarray(nibabel.load(tmp_path / "edited.nii.gz").dataobj)
    result = window.session.result
    assert written.sum() == result.mask.sum() + 1
    assert np.array_equal(written != 0, result.volume.to_stored(from_display(np.asarray(mask.data)) != 0))
    # Somebody's work is not overwritten by the next run.
    painted = mask.data.copy()
    window.run()
    assert window.workspace.layers.mask is not mask
    assert np.array_equal(mask.data, painted)
    assert not window.session.edited


def test_an_error_is_a_sentence_in_the_line_and_no_traceback(window, ball_file, organ_box, qtbot) -> None:
    with qtbot.captureExceptions() as raised:
        window.open(ball_file)
        window.place(organ_box)
        window.session.settings = type(window.session.settings)(device="cuda:7")
        window.segment.run_button.click()
        window.until(lambda: not window.session.running and window.line.message.isVisible())
    assert not raised
    assert "cuda:7" in window.line.message.text()
    assert window.segment.run_button.isEnabled()


def test_the_template_is_placed_on_a_painted_layer(window, ball, ball_file) -> None:
    window.open(ball_file)
    window.prior.gallery.button("ellipsoid").click()
    image = window.workspace.image
    labels = window.viewer.add_labels(
        np.ascontiguousarray(window.workspace.layout.array(ball.mask.astype(np.uint8) * 3)),
        scale=image.scale,
        translate=image.translate,
        units=image.units,
        name="rough",
    )
    window.prior.placement.choose(Way.LABEL)
    assert window.prior.placement.layers.currentText() == labels.name
    window.prior.placement.label.setValue(3)
    window.prior.placement.layer_button.click()
    window.until(lambda: window.session.placement is not None)
    centre = window.session.volume.frame.world(np.argwhere(ball.mask)).mean(axis=0)
    assert np.linalg.norm(window.session.placement.matrix[:3, 3] - centre) < 3.0


def test_own_masks_become_templates(window, ball, ball_file, tmp_path) -> None:
    from napari_toposeg.formats import write_mask

    write_mask(ball.mask, ball.volume, tmp_path / "mine.nii.gz")
    window.open(ball_file)
    window.prior.load_prior(str(tmp_path / "mine.nii.gz"))
    window.until(lambda: window.session.prior is not None and window.session.prior.name == "mine")
    assert window.prior.gallery.button("mine").isChecked()
    window.prior.load_prior(str(tmp_path / "absent.nii.gz"))
    window.until(lambda: "absent" in window.line.message.text())


def test_the_gallery_offers_what_fits_the_image(window, ball_file) -> None:
    assert {prior.ndim for prior in window.prior.gallery.priors} == {2, 3}
    window.open(ball_file)
    assert {prior.ndim for prior in window.prior.gallery.priors} == {3}
    window.prior.gallery.button("torus").click()
    assert window.prior.placement.axis.isVisible()
    window.prior.gallery.button("ball").click()
    assert not window.prior.placement.axis.isVisible()
    window.viewer.add_image(np.random.default_rng(0).random((30, 40)))
    window.until(lambda: window.session.volume.ndim == 2)
    assert {prior.ndim for prior in window.prior.gallery.priors} == {2}
    assert window.session.prior is None


@pytest.mark.parametrize("sample", ["ball", "annulus"])
def test_samples_open_and_segment_in_the_whole_image(window, sample) -> None:
    window.viewer.open_sample("napari-toposeg", sample)
    window.until(lambda: window.session.volume is not None)
    window.prior.gallery.button(sample).click()
    window.prior.placement.choose(Way.IMAGE)
    window.until(lambda: window.workspace.layers.template is not None)
    window.run()
    assert window.session.result.certificate.topology_ok
    window.deformation.show_vectors.setChecked(True)
    window.deformation.show_grid.setChecked(True)
    assert volume_of_layer(window.workspace.layers.mask) is window.session.volume


def test_docks_opened_one_by_one_share_one_session_and_the_line(tidy, make_napari_viewer, qtbot) -> None:
    from napari_toposeg.docks.workspace import workspace_of

    viewer = make_napari_viewer(show=True)
    _, prior = viewer.window.add_plugin_dock_widget("napari-toposeg", "Prior")
    qtbot.waitUntil(lambda: "Certificate" in viewer.window.dock_widgets, timeout=5000)
    _, segment = viewer.window.add_plugin_dock_widget("napari-toposeg", "Segment")
    assert prior.workspace is segment.workspace is workspace_of(viewer)
    viewer.window.remove_dock_widget(prior)
    viewer.add_image(np.zeros((8, 9, 10)))
    qtbot.waitUntil(lambda: segment.workspace.session.volume is not None, timeout=5000)
    segment.workspace.session.close()
