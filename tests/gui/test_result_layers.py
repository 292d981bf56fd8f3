"""Preview and mask are one layer: what it shows, whose work it is, and what becomes of it where a run gives nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_toposeg.docks.display import from_display
from napari_toposeg.docks.workspace import DERIVED


@pytest.fixture
def ran(window: Any, ball_file: Any, organ_box: Any) -> Any:
    window.open(ball_file)
    window.place(organ_box)
    window.run(iterations=8)
    return window


def shown(layer: Any) -> np.ndarray:
    return from_display(np.asarray(layer.data)) != 0


def test_the_template_is_seen_right_after_the_click_and_the_masks_layer_comes_of_it(
    window: Any, ball_file: Any, organ_box: Any
) -> None:
    window.open(ball_file)
    window.place(organ_box)
    layers, segment = window.workspace.layers, window.segment
    segment.method.iterations.setValue(8)
    put: list[Any] = []
    first: list[Any] = []

    def look(event: Any) -> None:
        put.append(event.value)
        first.append(np.array(event.value.data))

    window.viewer.layers.events.inserted.connect(look)
    segment.run_button.click()
    assert layers.mask is None
    # Before any step has come.
    window.until(lambda: bool(put))
    (preview,), template = put, layers.template
    assert np.array_equal(first[0], np.asarray(template.data))
    assert np.allclose(preview.translate, template.translate)
    assert DERIVED in preview.metadata
    window.until(segment.run_button.isEnabled)
    assert layers.mask is preview
    assert layers.preview is None
    assert (preview.name, DERIVED in preview.metadata) == ("Mask", False)
    assert np.array_equal(shown(preview), window.session.mask != 0)
    assert [layer.name for layer in window.viewer.layers].count("Preview") == 0


def test_the_next_run_borrows_the_layer_and_gives_it_back_as_somebody_had_it(ran: Any) -> None:
    layers = ran.workspace.layers
    mask = layers.mask
    mask.opacity, mask.contour = 0.3, 5
    ran.segment.run_button.click()
    assert (layers.preview, layers.mask) == (mask, None)
    assert (mask.name, mask.contour) == ("Preview", 0)
    ran.until(ran.segment.run_button.isEnabled)
    assert layers.mask is mask
    assert (mask.name, mask.opacity, mask.contour) == ("Mask", 0.3, 5)
    assert np.array_equal(shown(mask), ran.session.mask != 0)


def test_a_run_that_gives_nothing_gives_the_mask_back_with_its_brush(ran: Any) -> None:
    layers, session = ran.workspace.layers, ran.session
    mask, before = layers.mask, session.mask.copy()
    failed: list[str] = []
    ran.workspace.signals.failed.connect(failed.append)
    session.network = "no-such-weights"
    ran.segment.run_button.click()
    assert layers.preview is mask
    ran.until(lambda: bool(failed) and not session.running and layers.mask is mask)
    assert (mask.name, mask.visible, layers.preview) == ("Mask", True, None)
    assert np.array_equal(shown(mask), before != 0)
    # A stroke reaches the session, and the layer shows what came of it.
    middle = np.round(np.argwhere(before).mean(axis=0))
    stroke = session.brush.begin(erase=True, locked=False)
    stroke.draw(middle)
    stroke.end()
    ran.until(lambda: session.edited)
    assert (session.mask != before).any()
    assert np.array_equal(shown(mask), session.mask != 0)


def test_what_was_painted_is_not_borrowed(ran: Any) -> None:
    layers, session = ran.workspace.layers, ran.session
    mask = layers.mask
    stroke = session.brush.begin(erase=True, locked=False)
    stroke.draw(np.round(np.argwhere(session.mask).mean(axis=0)))
    stroke.end()
    ran.until(lambda: session.edited)
    painted = shown(mask).copy()
    ran.segment.run_button.click()
    assert layers.preview is not mask
    ran.until(ran.segment.run_button.isEnabled)
    assert layers.mask is not mask
    assert mask in ran.viewer.layers
    assert np.array_equal(shown(mask), painted)
    assert np.array_equal(shown(layers.mask), session.mask != 0)
