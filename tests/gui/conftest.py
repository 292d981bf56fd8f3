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
