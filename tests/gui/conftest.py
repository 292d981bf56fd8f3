"""The real window with the docks laid out, and a small image on disk."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_toposeg.data import Phantom, phantom
from napari_toposeg.formats import write_image
from napari_toposeg.frame import Box, box_of, grow_box


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.gui)


@pytest.fixture(autouse=True)
def nobody_s_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests has put the docks somewhere, and wants them there afterwards."""
    monkeypatch.setenv("TOPOSEG_LAYOUT", "")


@pytest.fixture(scope="session")
def ball() -> Phantom:
    return phantom("ball", (36, 40, 28), seed=3)


@pytest.fixture(scope="session")
def organ_box(ball: Phantom) -> Box:
    box = box_of(ball.mask)
    assert box is not None
    return grow_box(box, (1, 1, 1))


@pytest.fixture(scope="session")
def ball_file(ball: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "ball.nii.gz"
    write_image(ball.volume, path)
    return path


@dataclass
class Window:
    """The viewer, what its docks share, and the docks."""

    viewer: Any
    workspace: Any
    docks: dict[str, Any]
    qtbot: Any

    @property
    def prior(self) -> Any:
        return self.docks["Prior"]

    @property
    def segment(self) -> Any:
        return self.docks["Segment"]

    @property
    def deformation(self) -> Any:
        return self.docks["Deformation"]

    @property
    def session(self) -> Any:
        return self.workspace.session

    @property
    def line(self) -> Any:
        return self.viewer.window.dock_widgets["Certificate"]

    def until(self, so: Callable[[], bool], seconds: float = 60.0) -> None:
        self.qtbot.waitUntil(so, timeout=round(1000 * seconds))

    def open(self, path: Path) -> None:
        before = self.session.volume
        self.viewer.open(str(path), plugin="napari-toposeg")
        self.until(lambda: self.session.volume is not before)

    def place(self, box: Box, prior: str = "ball") -> None:
        self.prior.gallery.button(prior).click()
        self.prior.drawing.set_box(box)
        self.until(lambda: self.session.placement is not None and self.workspace.layers.template is not None)

    def run(self, iterations: int = 10) -> None:
        self.segment.method.iterations.setValue(iterations)
        self.segment.run_button.click()
        # The button comes back when the window has been told of the end, after the result.
        self.until(self.segment.run_button.isEnabled)
        assert self.session.result is not None

    def canvas(self, view: Any = None) -> Any:
        """The widget that vispy draws on: the main view's, or that of another one."""
        from qtpy.QtWidgets import QWidget

        # The window's own is in its middle; those of other views lie in docks.
        within = self.prior.window().centralWidget() if view is None else view.canvas
        return next(child for child in within.findChildren(QWidget) if type(child).__name__ == "CanvasBackendDesktop")

    def drag(self, start: Any, end: Any, modifier: Any = None, *, view: Any = None) -> None:
        """Drag the real mouse from one canonical voxel to another in the slice that is seen; the same twice is a click.

        In the main view, unless another one is given.
        """
        from qtpy.QtCore import Qt

        model, canvas = (self.viewer if view is None else view.model), self.canvas(view)
        modifier = Qt.KeyboardModifier.NoModifier if modifier is None else modifier
        first, last = (self._pixel_of(at, model, canvas) for at in (start, end))
        self.qtbot.wait(150)
        self.qtbot.mouseMove(canvas, first)
        self.qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, modifier, first)
        for share in range(1, 5):
            # Qt's own helper forgets the modifier while it moves; ours counts where the stroke begins.
            self.qtbot.mouseMove(canvas, first + (last - first) * (share / 4))
            self.qtbot.wait(20)
        self.qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, modifier, last)
        self.qtbot.wait(50)

    def hover(self, at: Any, *, view: Any = None) -> None:
        """Move the real mouse over a canonical voxel, with no button pressed."""
        from qtpy.QtCore import QPoint

        model, canvas = (self.viewer if view is None else view.model), self.canvas(view)
        place = self._pixel_of(at, model, canvas)
        self.qtbot.wait(150)
        self.qtbot.mouseMove(canvas, place + QPoint(3, 3))
        self.qtbot.wait(20)
        self.qtbot.mouseMove(canvas, place)

    def _pixel_of(self, index: Any, model: Any, canvas: Any) -> Any:
        """Where a canonical voxel, in the slice that is seen, lies in the canvas."""
        from qtpy.QtCore import QPoint

        world = self.workspace.layout.world(np.asarray(index, float))
        first = model.dims.ndim - 3
        seen = [int(axis) - first for axis in model.dims.displayed]
        camera = model.scene.camera
        offset = (world[seen] - np.array(camera.center)[-2:]) * camera.zoom
        middle = canvas.rect().center()
        return QPoint(round(middle.x() + offset[1]), round(middle.y() + offset[0]))


@pytest.fixture
def tidy(qapp: Any) -> Iterator[None]:
    """After the viewer is closed, let go of all that it drew with.

    What is left over would otherwise be collected while the next window draws.
    """
    from qtpy.QtCore import QEvent

    yield
    for _ in range(3):
        qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        qapp.processEvents()
        gc.collect()


@pytest.fixture
def window(tidy: None, make_napari_viewer: Any, qtbot: Any) -> Iterator[Window]:
    from napari_toposeg.docks.launch import DOCKS, PLUGIN, open_all
    from napari_toposeg.docks.workspace import workspace_of

    viewer = make_napari_viewer(show=True)
    open_all(viewer)
    docks = {name: viewer.window.add_plugin_dock_widget(PLUGIN, name)[1] for name in DOCKS}
    workspace = workspace_of(viewer)
    # The fit, whatever is shipped; tests of networks choose another.
    workspace.session.network = "none"
    yield Window(viewer, workspace, docks, qtbot)
    workspace.session.close()


@pytest.fixture
def open_the_views(window: Window) -> Iterator[Callable[[], Any]]:
    """Opens the dock with the other two directions, and closes it when the test is over."""
    from napari.qt import QtViewer

    from napari_toposeg.docks.shortcut_actions import open_views
    from napari_toposeg.docks.views_dock import NAME

    canvases: list[Any] = []

    def dock() -> Any:
        open_views(window.workspace)
        window.until(lambda: NAME in window.viewer.window.dock_widgets)
        made = window.viewer.window.dock_widgets[NAME]
        window.until(lambda: made.complete)
        window.qtbot.wait(300)
        canvases.extend(view.canvas for view in made.views)
        return made

    yield dock
    if NAME in window.viewer.window.dock_widgets:
        open_views(window.workspace)
    window.qtbot.wait(100)
    # napari 0.9.2 never lets go of the Python side of a QtViewer that has shown a layer: with no more than that, its
    # model and one image it is the same. Its own check of leaks would count these.
    for canvas in canvases:
        QtViewer._instances.discard(canvas)


@pytest.fixture
def deformation_window(tidy: None, make_napari_viewer: Any, qtbot: Any) -> Iterator[Window]:
    """The viewer with the Deformation dock alone: as somebody has it who opened only that one."""
    from napari_toposeg.docks.launch import PLUGIN
    from napari_toposeg.docks.workspace import workspace_of

    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Deformation")
    workspace = workspace_of(viewer)
    yield Window(viewer, workspace, {"Deformation": dock}, qtbot)
    workspace.session.close()


def world_of(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where a layer's first and last voxel lie in napari's world."""
    last = np.array(layer.data.shape) - 1
    return np.array(layer.data_to_world(np.zeros(layer.ndim))), np.array(layer.data_to_world(last))
