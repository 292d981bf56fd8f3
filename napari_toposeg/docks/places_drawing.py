"""Points and lines that a person draws to say where the template goes."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_toposeg.docks import colours
from napari_toposeg.docks.workspace import Workspace, derived
from napari_toposeg.priors import LEAST_POINTS, MOST_POINTS

if TYPE_CHECKING:
    from napari.layers import Points, Shapes

_BEFORE = ("adding", "changing", "removing")
"""What napari tells before a change: the data are not yet those that will be there."""

_LEAST_LENGTH = 1.5
"""Voxels that a line must be long: a path that has just been begun has no length."""


class PlacesDrawing(QObject):
    """A layer that a person draws into, and the places that are drawn there."""

    _mode: str

    changed = Signal()
    """Places came, went or moved."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._layer: weakref.ref[Any] | None = None
        self._setting = False
        workspace.signals.volume.connect(self.forget)

    @property
    def layer(self) -> Any:
        """The layer that is drawn into; None where there is none."""
        layer = self._layer() if self._layer is not None else None
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    @property
    @abstractmethod
    def places(self) -> NDArray[np.float64]:
        """(n, ndim) canonical voxels, not necessarily whole, in the order in which they were drawn."""

    @property
    @abstractmethod
    def enough(self) -> bool:
        """Whether a template can be placed by what is drawn."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """What there is, and what to do next."""

    def draw(self) -> None:
        """Let clicks or drags in the canvas draw."""
        if self._workspace.image is None:
            return
        viewer = self._workspace.viewer
        if viewer.dims.ndisplay == 3:
            viewer.dims.ndisplay = 2
        layer = self._made_layer()
        layer.visible = True
        viewer.layers.selection.active = layer
        layer.mode = self._mode

    def undo(self) -> None:
        """Take back what was drawn last."""
        layer = self.layer
        if layer is not None and len(layer.data):
            self._set(list(layer.data)[:-1])
            self.changed.emit()

    def show(self, visible: bool) -> None:
        """Show or hide what is drawn; it is kept."""
        layer = self.layer
        if layer is not None:
            layer.visible = visible

    @abstractmethod
    def _make_layer(self) -> Any: ...

    @abstractmethod
    def _set(self, data: Sequence[NDArray[np.float64]]) -> None:
        """Replace all that is drawn, without a word."""

    @abstractmethod
    def _edited(self) -> None: ...

    def _made_layer(self) -> Any:
        layer = self.layer
        if layer is None:
            layer = self._make_layer()
            layer.events.data.connect(self._data_changed)
            self._layer = weakref.ref(layer)
        return layer

    def _data_changed(self, event: Any) -> None:
        if not self._setting and self.layer is not None and str(getattr(event, "action", "")) not in _BEFORE:
            self._edited()

    def _canonical(self, index: NDArray[np.float64]) -> NDArray[np.float64]:
        layout = self._workspace.layout
        assert layout is not None
        return layout.canonical_index(index)

    def _place_of_layer(self) -> dict[str, Any]:
        """How to add a layer whose data count the voxels of the image's layer."""
        layout = self._workspace.layout
        assert layout is not None
        return layout.box_arguments(tuple((0, size) for size in layout.shape))

    def forget(self, _: object = None) -> None:
        """Take all away that is drawn."""
        layer = self.layer
        self._layer = None
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)
        self.changed.emit()


class PointsDrawing(PlacesDrawing):
    """Two to six points on the organ's surface, one a click."""

    _mode = "add"

    @property
    def places(self) -> NDArray[np.float64]:
        """(n, ndim) canonical voxels, in the order of the clicks."""
        layer = self.layer
        return self._canonical(np.asarray(layer.data, float)) if layer is not None else np.zeros((0, 0))

    @property
    def enough(self) -> bool:
        """Whether there are two points or more."""
        return len(self.places) >= LEAST_POINTS

    @property
    def sentence(self) -> str:
        """How many points there are, and where the next one goes."""
        count = len(self.places)
        if count < LEAST_POINTS:
            return ("Click both ends of the organ, then its sides.", "One end. Click the other one.")[count]
        if count == MOST_POINTS:
            return f"{count} points: no more are needed. They can be dragged."
        return f"{count} points. Click where a side of the organ is, or drag one."

    def set_points(self, places: NDArray[Any]) -> None:
        """Show these canonical places (n, ndim), as if they had been clicked."""
        layout = self._workspace.layout
        if layout is not None:
            self._made_layer()
            self._set(list(layout.index(np.asarray(places, float))))
            self.changed.emit()

    def _make_layer(self) -> Points:
        layout = self._workspace.layout
        assert layout is not None
        return self._workspace.viewer.add_points(
            np.empty((0, layout.ndim)),
            ndim=layout.ndim,
            name="Points",
            size=max(max(layout.shape) / 45.0, 1.5),
            face_color=colours.BOX,
            border_color=colours.ACCENT,
            border_width=0.2,
            metadata=derived(),
            **self._place_of_layer(),
        )

    def _set(self, data: Sequence[NDArray[np.float64]]) -> None:
        layer = self.layer
        self._setting = True
        try:
            layer.selected_data = set()
            layer.data = np.reshape(np.asarray(data, float), (len(data), layer.ndim))
        finally:
            self._setting = False

    def _edited(self) -> None:
        if len(self.layer.data) > MOST_POINTS:
            # napari is still busy with the click.
            QTimer.singleShot(0, self._drop_last)
            return
        self.changed.emit()

    def _drop_last(self) -> None:
        layer = self.layer
        if layer is not None and len(layer.data) > MOST_POINTS:
            self._set(list(layer.data)[:MOST_POINTS])
            self._workspace.signals.said.emit(f"{MOST_POINTS} points are enough. Drag one, or take the last one back.")


class StrokeDrawing(PlacesDrawing):
    """A line along the organ's middle; it may go on from slice to slice, a path in each."""

    _mode = "add_path"

    @property
    def places(self) -> NDArray[np.float64]:
        """(n, ndim) canonical voxels along the line, from end to end."""
        layer, layout = self.layer, self._workspace.layout
        if layer is None or layout is None or not len(layer.data):
            return np.zeros((0, 0))
        return self._canonical(joined([np.asarray(part, float) for part in layer.data], layout.scale))

    @property
    def enough(self) -> bool:
        """Whether a line is drawn."""
        return len(self.places) > 1

    @property
    def sentence(self) -> str:
        """What a drag does next."""
        layer = self.layer
        count = len(layer.data) if layer is not None else 0
        if count == 0:
            return "Drag along the organ's middle, from end to end."
        if self._workspace.layout is not None and self._workspace.layout.ndim == 2:
            return "Drag again to begin anew."
        begun = "The line is drawn." if count == 1 else f"The line runs through {count} slices."
        return f"{begun} In a slice beyond it, a drag goes on with it; elsewhere it begins anew."

    def set_stroke(self, places: NDArray[Any]) -> None:
        """Show this line of canonical places (n, ndim), in one slice, as if it had been drawn."""
        layout = self._workspace.layout
        if layout is not None:
            self._made_layer()
            self._set([layout.index(np.asarray(places, float))])
            self.changed.emit()

    def _make_layer(self) -> Shapes:
        layout = self._workspace.layout
        assert layout is not None
        layer = self._workspace.viewer.add_shapes(
            ndim=layout.ndim,
            name="Stroke",
            edge_color=colours.BOX,
            face_color="transparent",
            edge_width=max(min(layout.shape) / 150.0, 0.4),
            metadata=derived(),
            **self._place_of_layer(),
        )
        layer.current_face_color, layer.current_edge_color = "#00000000", colours.BOX
        return layer

    def _set(self, data: Sequence[NDArray[np.float64]]) -> None:
        layer = self.layer
        self._setting = True
        try:
            layer.selected_data = set()
            layer.data = [(part, "path") for part in data]
        finally:
            self._setting = False

    def _edited(self) -> None:
        parts = [np.asarray(part, float) for part in self.layer.data]
        if parts and np.linalg.norm(np.diff(parts[-1], axis=0), axis=1).sum() < _LEAST_LENGTH:
            return
        if len(parts) > 1 and not self._goes_on(parts[:-1], parts[-1]):
            # napari still holds on to the path that has just been finished.
            QTimer.singleShot(0, self._begin_anew)
            return
        self.changed.emit()

    def _begin_anew(self) -> None:
        layer = self.layer
        if layer is not None and len(layer.data) > 1:
            self._set(list(layer.data)[-1:])
            self.changed.emit()

    def _goes_on(self, parts: list[NDArray[np.float64]], newest: NDArray[np.float64]) -> bool:
        """Whether a path lies in a slice before or behind all others."""
        if newest.shape[1] < 3:
            return False
        ends = [(part.min(axis=0), part.max(axis=0)) for part in parts]
        low = np.min([start for start, _ in ends], axis=0)
        high = np.max([end for _, end in ends], axis=0)
        flat = np.ptp(newest, axis=0) < 0.5
        return bool((flat & ((newest[0] < low - 0.5) | (newest[0] > high + 0.5))).any())


def joined(parts: list[NDArray[np.float64]], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """One line through all parts (n, ndim): each goes on at the end that is nearest to one of its own."""
    line = parts[0]
    for part in parts[1:]:
        ways = [(line, part), (line, part[::-1]), (part, line), (part[::-1], line)]
        line = np.concatenate(min(ways, key=lambda way: float(np.linalg.norm((way[0][-1] - way[1][0]) * scale))))
    return line
