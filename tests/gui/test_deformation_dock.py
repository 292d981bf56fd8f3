"""The Deformation dock in the real window: what its layers hold, voxel by voxel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from qtpy.QtCore import Qt
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_toposeg.data import phantom
from napari_toposeg.deformation import Displacement, border_window
from napari_toposeg.docks.display import from_display, image_layer_data
from napari_toposeg.frame import box_of, box_slices, grow_box
from napari_toposeg.inference import Settings, site_in_box
from napari_toposeg.inference.finishing import finished
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.inference.prediction import segmentation_of
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.waypoints import Waypoint
from napari_toposeg.priors import find_prior, signed_distance


def folded_result(volume, box, prior="ball"):
    """What a network without any regularity would come to: a wild field that folds, repaired and certified."""
    template = find_prior(prior)
    site = site_in_box(template, volume, box)
    # Beyond the image on all sides, as a fit's field may reach.
    frame = volume.frame.crop(grow_box(volume.frame.box, (2,) * volume.ndim))
    noise = np.random.default_rng(1).normal(size=(volume.ndim, *frame.shape)).astype(np.float32)
    values = np.stack([gaussian_filter(one, 2.5) for one in noise]) * border_window(frame.shape)[0].numpy()
    values *= np.float32(4.0 / np.linalg.norm(values, axis=0).max())
    fitted = Fitted(site.placement, torch.from_numpy(values)[None], frame)
    field = Displacement(values, frame)
    found = finished(volume, template, site.placement, fitted, field, site.region, "strict", Stopwatch())
    result = segmentation_of(volume, template, found, Settings(), torch.device("cpu"), (), {})
    assert result.unfolded is not None
    way = (Waypoint("as placed", site.placement, None), Waypoint("grid 1", site.placement, field.scaled(0.5)))
    return replace(result, way=way)


def shown(window, result):
    """Let the session have a result, as after a run, and wait until the dock says its numbers."""
    dock = window.deformation
    window.session.take_result(result)
    window.until(lambda: dock.table.rowCount() > 0 and dock.layers.settled)
    parent = dock.parent()
    parent.show()
    parent.raise_()
    return dock


@pytest.fixture
def looked_at(deformation_window, ball_file, organ_box):
    window = deformation_window
    window.open(ball_file)
    result = folded_result(window.session.volume, organ_box)
    return window, shown(window, result), result


def settled(window, dock) -> None:
    window.qtbot.wait(30)
    window.until(lambda: dock.layers.settled)


def on_grid(field, layer, volume):
    """What a layer of the displacement's grid holds, on the whole grid; 0 beyond the image."""
    to_field = volume.frame.index_in(field.frame)
    start = np.round(to_field[:3, 3]).astype(int)
    whole = np.zeros(field.frame.shape, layer.data.dtype)
    part = from_display(np.asarray(layer.data))
    whole[tuple(slice(low, low + size) for low, size in zip(start, part.shape, strict=True))] = part
    return whole, tuple(slice(low, low + size) for low, size in zip(start, part.shape, strict=True))


def test_a_double_click_and_enter_go_to_the_worst_cell(looked_at) -> None:
    window, dock, _ = looked_at
    dock.before_button.click()
    window.until(lambda: dock.table.rowCount() > 0 and dock.table.cells[0].determinant < 0)
    dock.show_folding.setChecked(True)
    settled(window, dock)
    dock.tabs.setCurrentIndex(2)
    window.qtbot.wait(50)
    field = window.session.deformation.field
    worst = dock.table.cells[0]
    assert field.jacobian.least[worst.cell] == np.float32(worst.determinant)
    # The field reaches two voxels beyond the image; there is nothing to see there.
    within = field.jacobian.least[(slice(2, -2),) * 3]
    assert within.min() == np.float32(worst.determinant)
    item = dock.table.item(0, 2)
    window.qtbot.mouseDClick(
        dock.table.viewport(), Qt.MouseButton.LeftButton, pos=dock.table.visualItemRect(item).center()
    )
    layout = window.workspace.layout
    world = layout.world(np.array(worst.index))
    assert np.allclose(window.viewer.dims.point, world, atol=1e-3)
    folding = dock.layers.layer("folding")
    at = tuple(np.round(folding.world_to_data(window.viewer.dims.point)).astype(int))
    assert folding.data[at] == 1
    ring = dock.layers.layer("worst")
    assert np.allclose(ring.data_to_world(ring.data[0]), world, atol=1e-3)
    window.viewer.dims.set_point(0, window.viewer.dims.range[0].start)
    window.qtbot.keyClick(dock.table, Qt.Key.Key_Return)
    assert np.allclose(window.viewer.dims.point, world, atol=1e-3)


def test_the_scrubber_goes_from_the_placed_template_to_the_mask_and_plays(looked_at) -> None:
    window, dock, result = looked_at
    volume = result.volume
    dock.show_grid.setChecked(True)
    dock.player.slider.setValue(0)
    settled(window, dock)
    moving = dock.layers.layer("moving")
    distance = signed_distance(result.prior, result.placement, volume.frame).numpy()
    assert (distance > 0).sum() == (distance[box_slices(result.box)] > 0).sum() > 1000
    there = from_display(np.asarray(moving.data)) != 0
    # The ball's poles are the very centres of voxels: on which side they fall is rounding.
    sure = np.abs(distance[box_slices(result.box)]) > 1e-5
    assert (~sure).sum() < 20
    assert np.array_equal(there[sure], distance[box_slices(result.box)][sure] > 0)
    low = np.array([start for start, _ in result.box])
    first = moving.data_to_world(np.array(moving.data.shape) - 1)
    assert np.allclose(first, window.workspace.layout.world(low))
    straight = dock.layers.layer("grid").data[:, 1]
    assert np.isclose(np.abs(straight[:, 1:]).min(axis=1), 0.0, atol=1e-6).all()
    dock.player.slider.setValue(100)
    settled(window, dock)
    assert np.array_equal(from_display(np.asarray(dock.layers.layer("moving").data)) != 0, result.mask)
    assert not np.isclose(np.abs(dock.layers.layer("grid").data[:, 1, 1:]).min(axis=1), 0.0, atol=1e-3).all()
    shares = []
    window.session.deformation.events.share.connect(shares.append)
    dock.player.play_button.click()
    window.until(lambda: not dock.player.playing)
    settled(window, dock)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0 == dock.player.value.value()
    assert np.array_equal(from_display(np.asarray(dock.layers.layer("moving").data)) != 0, result.mask)


def test_before_and_after_the_repair_in_map_folds_histogram_and_numbers(looked_at) -> None:
    window, dock, result = looked_at
    volume = result.volume
    assert dock.states.isVisibleTo(dock)
    assert (dock.folding.number.text(), dock.after_button.isChecked()) == ("0", True)
    dock.show_folding.setChecked(True)
    dock.show_jacobian.setChecked(True)
    settled(window, dock)
    assert not dock.layers.layer("folding").data.any()
    before_of_the_after = dock.histogram.before
    assert dock.histogram.histogram.counts.sum() == before_of_the_after.counts.sum() == result.jacobian.least.size
    dock.before_button.click()
    window.until(lambda: dock.folding.number.text() == f"{result.unfolded.repaired_cells:,}")
    settled(window, dock)
    field = window.session.deformation.field
    folds, part = on_grid(field, dock.layers.layer("folding"), volume)
    assert np.array_equal(folds[part] != 0, field.jacobian.folding_voxels[part])
    assert folds.any()
    map_, part = on_grid(field, dock.layers.layer("jacobian"), volume)
    assert np.array_equal(map_[part], field.jacobian.at_voxels[part])
    assert np.array_equal(dock.histogram.histogram.counts, field.histogram().counts)
    # A mask that is filled would give the colours another meaning.
    assert window.workspace.layers.mask.contour > 0
    dock.choices.log.setChecked(True)
    window.until(lambda: dock.histogram.histogram.log)
    settled(window, dock)
    doublings, part = on_grid(field, dock.layers.layer("jacobian"), volume)
    positive = field.jacobian.at_voxels[part] > 2.0 ** (-field.reach(log=True) - 1)
    assert np.allclose(doublings[part][positive], np.log2(field.jacobian.at_voxels[part][positive]), atol=1e-5)
    low, high = dock.layers.layer("jacobian").contrast_limits
    assert np.isclose(low, -high)
    assert (doublings[part][field.jacobian.at_voxels[part] <= 0] < low).all()


def test_vectors_by_length_template_by_level_and_everything_saved(looked_at, tmp_path, ball_file) -> None:
    window, dock, result = looked_at
    dock.show_vectors.setChecked(True)
    dock.show_levels.setChecked(True)
    settled(window, dock)
    vectors = dock.layers.layer("vectors")
    view = dock.layers.scene.view
    lengths = view.lengths(vectors.data, result.displacement.frame.spacing)
    assert lengths.max() > 2 * lengths.min()
    by_length = vectors.edge_color[np.argsort(lengths), 0]
    assert len(np.unique(np.round(vectors.edge_color, 3), axis=0)) > 5
    assert by_length[-1] > by_length[0]  # pale blue is short, red is long
    assert [chip.text() for chip in dock.choices.chips] == ["as placed", "grid 1", "before repair", "deformed"]
    levels = dock.layers.layer("levels")
    window.viewer.dims.set_point(0, float(levels.data_to_world(np.array([result.mask.shape[2] // 2, 0, 0]))[0]))
    settled(window, dock)
    for chip in dock.choices.chips[1:]:
        chip.setChecked(False)
    settled(window, dock)
    levels = dock.layers.layer("levels")
    assert len(levels.data) > 20
    starts = levels.data[:, 0]
    assert len(np.unique(starts[:, 0])) == 1
    distance = window.session.deformation.template_levels()[0].distance
    turned = np.flip(distance.transpose())
    # The contour lies where the placed template's distance is 0, to a tenth of a voxel.
    assert np.abs(map_coordinates(turned, starts.T, order=1)).max() < 0.1
    assert len(np.unique(levels.edge_color, axis=0)) == 1
    dock.choices.chips[0].setChecked(False)
    settled(window, dock)
    assert len(dock.layers.layer("levels").data) == 0
    dock.save(str(tmp_path / "out"))
    window.until(lambda: "Saved" in window.line.message.text())
    names = {path.name.removeprefix("ball_") for path in (tmp_path / "out").iterdir()}
    assert {"displacement.nii.gz", "jacobian_before_repair.nii.gz", "worst_cells.csv", "deformation.png"} <= names
    # Another image takes all of it away.
    window.open(ball_file)
    window.until(lambda: not dock.tabs.isEnabled())
    assert all(dock.layers.layer(kind) is None for kind in ("vectors", "levels", "moving"))
    assert dock.table.rowCount() == 0
    assert not dock.states.isVisibleTo(dock)


def test_a_picture_is_played_too(deformation_window) -> None:
    window = deformation_window
    image = phantom("disk", (48, 44), seed=3)
    data, arguments = image_layer_data(image.volume)
    window.viewer.add_image(data, **arguments)
    window.until(lambda: window.session.volume is not None and window.session.volume.ndim == 2)
    result = folded_result(window.session.volume, grow_box(box_of(image.mask), (1, 1)), prior="disk")
    dock = shown(window, result)
    for box in dock.choices.boxes:
        box.setChecked(True)
    dock.player.slider.setValue(0)
    settled(window, dock)
    placed = signed_distance(result.prior, result.placement, result.volume.frame).numpy() > 0
    assert np.array_equal(
        from_display(np.asarray(dock.layers.layer("moving").data)) != 0, placed[box_slices(result.box)]
    )
    assert len(dock.layers.layer("levels").data) > 40
    assert len(dock.layers.layer("vectors").data) > 20
    dock.table.selectRow(0)
    worst = dock.table.cells[0]
    assert np.allclose(
        np.asarray(window.viewer.scene.camera.center)[-2:],
        window.workspace.layout.world(np.array(worst.index)),
        atol=1e-3,
    )
