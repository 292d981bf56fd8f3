"""The other two directions beside the main view: one crosshair, one mask, prompts and brush in each."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.docks.drawn_layers import labels, put
from napari_toposeg.docks.shortcut_actions import open_views
from napari_toposeg.docks.views_dock import NAME
from napari_toposeg.inference import PixelwiseSegmentation, Settings
from napari_toposeg.priors import find_prior
from napari_toposeg.topology import certify


class Event:
    """What napari tells a callback of the mouse."""

    button, modifiers, view_direction = 1, (), None

    def __init__(self, position, dims_displayed) -> None:
        self.position, self.dims_displayed, self.type = tuple(position), list(dims_displayed), "mouse_press"


@pytest.fixture
def views(window, ball, ball_file, open_the_views):
    window.open(ball_file)
    window.session.choose_prior("ball")
    volume = window.session.volume
    made = PixelwiseSegmentation(
        volume=volume, prior=find_prior("ball"), box=volume.frame.box, mask=ball.mask.copy(),
        certificate=certify(ball.mask, (1, 0, 0), folding_voxels=None, least_jacobian=None), settings=Settings(),
        device="cpu", seconds={"total": 0.0}, start="nothing",
    )  # fmt: skip
    window.session.take_result(made)
    window.until(lambda: window.workspace.layers.mask is not None)
    return window, open_the_views()


def test_the_views_show_the_other_directions_in_step_and_strokes_there_are_the_sessions(views, gudhi_betti) -> None:
    window, dock = views
    session, viewer, layers = window.session, window.viewer, window.workspace.layers
    assert [view.title.text() for view in dock.views] == ["Coronal", "Sagittal"]
    assert [tuple(view.model.dims.order) for view in dock.views] == [(1, 0, 2), (2, 0, 1)]
    middle = np.round(np.argwhere(session.mask).mean(axis=0)).astype(int)
    world = window.workspace.layout.world(middle)
    for axis, place in enumerate(world):
        viewer.dims.set_point(axis, float(place))
    for view in dock.views:
        assert np.allclose(view.model.dims.point, viewer.dims.point)
        (lines,) = (layer for layer in view.model.layers if layer.name == "Crosshair")
        assert np.allclose(np.asarray(lines.data)[0, 0, 1:], np.asarray(viewer.dims.point)[1:])
    coronal = dock.views[0]
    coronal.model.dims.set_point(1, float(world[1] + viewer.dims.range[1].step * 2))
    assert np.allclose(viewer.dims.point, coronal.model.dims.point)
    assert np.allclose(dock.views[1].model.dims.point, coronal.model.dims.point)

    # The same voxels, not a copy of them.
    mirror = coronal.mirrored.mirror_of(layers.mask)
    assert np.shares_memory(np.asarray(mirror.data), np.asarray(layers.mask.data))
    layers.painting.start(erase=True)
    assert str(mirror.mode) == "erase"
    session.brush.radius = 2.0
    before = session.mask.copy()
    edge = middle.copy()
    while session.mask[tuple(edge)]:
        edge[0] += 1
    event = Event(window.workspace.layout.world(edge - [1, 0, 0]), coronal.model.dims.displayed)
    for _ in mirror.mouse_drag_callbacks[-1](mirror, event):
        event.type = "mouse_release"
    changed = np.argwhere(session.mask != before)
    assert len(changed)
    assert (changed[:, 1] == middle[1]).all()
    assert gudhi_betti(session.mask) == (1, 0, 0)

    window.workspace.prompt_drawing.toggle(include=False)
    window.until(lambda: dock.complete)
    prompts = coronal.mirrored.mirror_of(window.workspace.prompt_drawing.layer)
    event = Event(window.workspace.layout.world([3, 4, 5]), coronal.model.dims.displayed)
    for callback in prompts.mouse_drag_callbacks:
        for _ in callback(prompts, event) or ():
            event.type = "mouse_release"
    assert [prompt.voxel for prompt in session.prompts.prompts] == [(3, 4, 5)]
    window.until(lambda: len(prompts.data) == 1)

    viewer.dims.order = (1, 0, 2)
    window.until(lambda: [view.title.text() for view in dock.views] == ["Axial", "Sagittal"])
    layers.mask.visible = False
    assert not mirror.visible
    viewer.layers.remove(layers.mask)
    assert coronal.mirrored.mirror_of(layers.mask) is None
    assert "Mask" not in coronal.model.layers
    open_views(window.workspace)
    assert NAME not in viewer.window.dock_widgets
    viewer.dims.set_point(0, 0.0)


def test_a_line_stays_a_line(views) -> None:
    window, dock = views
    lines = labels(np.asarray(window.workspace.layers.mask.data).copy(), name="Lines", contour=3)
    put(window.workspace, lines)
    for view in dock.views:
        window.until(lambda view=view: view.mirror_of(lines) is not None)
        assert view.mirror_of(lines).contour == 3


def test_a_flat_image_has_no_other_directions(views) -> None:
    window, dock = views
    window.viewer.add_image(np.random.default_rng(0).random((30, 40)))
    window.until(lambda: window.session.volume.ndim == 2)
    assert not any(view.isVisible() for view in dock.views)
