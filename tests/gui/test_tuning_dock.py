"""The Fine-tune dock in the real window: a broken ring is mended, accepted, reverted; paused, cancelled, compared."""

from __future__ import annotations

import gudhi
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_toposeg.docks.display import from_display
from napari_toposeg.inference import Settings

SIZE = 64
_PATIENCE = 300.0
"""Seconds: after an installation numba compiles first."""


def ring_map() -> NDArray[np.float32]:
    """A network's map of a ring, as napari shows it: with a gap, and an island beside it."""
    y, x = np.mgrid[:SIZE, :SIZE] - 31.5
    ring = (np.abs(np.hypot(x, y) - 18.0) < 4.0) & ~((np.abs(x) < 2.0) & (y > 0))
    island = np.hypot(x - 24, y - 24) < 3.0
    return (0.9 * gaussian_filter((ring | island).astype(np.float32), 1.2)).clip(0.0, 1.0)


def ring_image() -> NDArray[np.float32]:
    y, x = np.mgrid[:SIZE, :SIZE] - 31.5
    image = gaussian_filter((np.abs(np.hypot(x, y) - 18.0) < 4.0).astype(np.float32), 0.7)
    return (image + np.random.default_rng(0).normal(0.0, 0.05, image.shape)).astype(np.float32)


def betti_by_gudhi(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    cells = gudhi.CubicalComplex(top_dimensional_cells=np.where(np.pad(mask, 1), 0.0, 1.0))
    cells.compute_persistence()
    return tuple(cells.persistent_betti_numbers(0.5, 0.5)[: mask.ndim])


@pytest.fixture
def dock(window):
    """The dock in front, with a map beneath the image that is worked on, and that image segmented."""
    dock = window.docks["Fine-tune"]
    dock.parent().show()
    dock.parent().raise_()
    window.viewer.add_image(ring_map(), name="map")
    window.viewer.add_image(ring_image(), name="image")
    window.until(lambda: window.workspace.image is not None and window.workspace.image.name == "image")
    session = window.session
    session.choose_prior("annulus")
    session.place_in_box(((8, 56), (8, 56)))
    session.network = "none"
    session.settings = Settings(iterations=20)
    session.run()
    window.until(lambda: session.result is not None and dock.start_button.isEnabled(), _PATIENCE)
    return dock


def choose_map(window, dock) -> None:
    layer = next(layer for layer in window.workspace.images() if layer.name == "map")
    dock.choices.source.choose(layer)
    assert dock.choices.moves.currentData() == "map"
    assert dock.choices.loss.currentData() == "ph-dense"


def test_a_map_is_mended_accepted_and_reverted_voxel_for_voxel(window, dock) -> None:
    session, first = window.session, window.session.result
    mask = np.array(session.mask)
    choose_map(window, dock)
    assert betti_by_gudhi(ring_map() > 0.5) == (2, 0)
    dock.start_button.click()
    window.until(dock.accept_button.isEnabled, _PATIENCE)
    # Nothing is changed yet; both contours are there, each with its voxels.
    assert session.result is first
    assert np.array_equal(np.array(dock.layers.before.data) != 0, window_part(ring_map() > 0.5, dock.layers.before))
    assert betti_by_gudhi(np.array(dock.layers.after.data) != 0) == (1, 1)
    assert not window.workspace.layers.mask.visible
    assert "one piece, one hole: as wanted" in dock.now.text()
    assert "two pieces, no holes" in dock.proposed.text()
    assert {"topology", "keep", "total"} == dock.curves.shown.keys()
    assert all(len(values) == len(session.tuning.curves["total"]) > 3 for values in dock.curves.shown.values())

    dock.accept_button.click()
    window.until(lambda: dock.revert_button.text() == "Revert")
    assert session.result is not first
    assert betti_by_gudhi(session.result.full_mask()) == (1, 1)
    shown = window.workspace.layers.mask
    window.until(lambda: np.array_equal(from_display(np.array(shown.data)) != 0, session.result.full_mask()))
    assert shown.visible
    assert "Certified" in window.line.badge.text()
    assert session.result.report()["tuned"][0]["loss"] == "ph-dense"

    dock.revert_button.click()
    window.until(dock.accept_button.isEnabled, _PATIENCE)
    assert session.result is first
    assert np.array_equal(session.mask, mask)
    assert np.array_equal(from_display(np.array(window.workspace.layers.mask.data)) != 0, mask != 0)
    dock.revert_button.click()
    window.until(lambda: dock.layers.before is None and not dock.revert_button.isEnabled())


def window_part(shown: NDArray[np.bool_], layer) -> NDArray[np.bool_]:
    """The part of what napari shows of the whole image that a layer covers."""
    first = np.round(np.array(layer.translate)).astype(int)
    return shown[tuple(slice(low, low + size) for low, size in zip(first, layer.data.shape, strict=True))]


def test_pause_stops_the_steps_and_cancel_keeps_the_best(window, dock) -> None:
    tuning = window.session.tuning
    assert (dock.choices.moves.currentData(), dock.choices.loss.currentData()) == ("velocity", "chan-vese")
    dock.choices.iterations.setValue(2000)
    dock.start_button.click()
    window.until(lambda: len(tuning.curves.get("total", ())) > 3)
    dock.pause_button.click()
    window.until(lambda: dock.pause_button.text() == "Resume")
    # What was ordered in the compute thread before this is done when this is.
    done = []
    window.session.later(lambda: None, done.append)
    window.until(lambda: bool(done))
    made = len(tuning.curves["total"])
    window.qtbot.wait(400)
    assert len(tuning.curves["total"]) == made
    assert "Paused at" in dock.progress.text()
    dock.pause_button.click()
    window.until(lambda: len(tuning.curves["total"]) > made)
    dock.cancel_button.click()
    window.until(lambda: tuning.proposal is not None and dock.accept_button.isEnabled(), _PATIENCE)
    after = tuning.proposal.after
    assert made < after.iterations < 2000
    assert betti_by_gudhi(after.full_mask()) == (1, 1)
    assert np.array_equal(from_display(np.array(dock.layers.after.data)) != 0, after.mask)


def test_the_key_goes_from_both_contours_to_one_and_the_other(window, dock) -> None:
    choose_map(window, dock)
    dock.start_button.click()
    window.until(dock.accept_button.isEnabled, _PATIENCE)
    assert dock.shortcut.key().toString() == "K"
    seen = []
    for _ in range(3):
        seen.append((dock.layers.before.visible, dock.layers.after.visible))
        # Without a window manager no window is active, and Qt gives no key to a shortcut.
        dock.shortcut.activated.emit()
    assert seen == [(True, True), (True, False), (False, True)]
    assert dock.side_buttons["both"].isChecked()


def test_what_makes_no_sense_cannot_be_chosen_and_what_cannot_be_done_is_said(window, dock) -> None:
    moves, loss = dock.choices.moves, dock.choices.loss

    def enabled(box, value: str) -> bool:
        return box.model().item(box.findData(value)).isEnabled()

    assert enabled(moves, "velocity")
    # The energy moves no map: to ask for it lets the velocity move.
    moves.setCurrentIndex(moves.findData("map"))
    moves.activated.emit(moves.currentIndex())
    assert loss.currentData() == "ph-dense"
    loss.setCurrentIndex(loss.findData("chan-vese"))
    loss.activated.emit(loss.currentIndex())
    assert moves.currentData() == "velocity"
    choose_map(window, dock)
    assert not enabled(moves, "velocity")
    assert not enabled(loss, "chan-vese")
    # A fit has no network.
    dock.choices.source.setCurrentIndex(0)
    moves.setCurrentIndex(moves.findData("network"))
    moves.activated.emit(moves.currentIndex())
    dock.start_button.click()
    window.until(lambda: "no network to tune" in window.line.message.text())
