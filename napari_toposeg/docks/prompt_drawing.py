"""Include and exclude marks in the canvas: one layer of points in two colours, by clicks and by drags."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_toposeg.docks import colours
from napari_toposeg.docks.workspace import Workspace, derived

if TYPE_CHECKING:
    from napari.layers import Points

_LEAST_DRAG = 1.0
"""Voxels that a drag must leave its beginning to be a scribble: a hand that clicks trembles."""

_BEFORE = ("adding", "changing", "removing")


class PromptDrawing(QObject):
    """The layer of the marks. A click makes a point, a drag a scribble; points that are deleted take their mark along.

    In 3-D a click means the first voxel of the mask on the line of sight.
    """

    changed = Signal()
    """Whether clicks include, exclude, or move the camera."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.signals)
        self._workspace = weakref.proxy(workspace)
        self._layer: weakref.ref[Points] | None = None
        self._include: bool | None = None
        self._drawn: list[NDArray[np.float64]] = []
        self._setting = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._show)
        prompts = workspace.session.prompts
        workspace.signals.follow(prompts.events.changed, self._show, owner=None)
        workspace.signals.follow(prompts.events.hint, workspace.signals.said.emit, owner=None)
        workspace.signals.volume.connect(self._forget)
        workspace.viewer.layers.selection.events.active.connect(self._active_changed)

    @property
    def layer(self) -> Points | None:
        """The layer with the marks; None where there is none."""
        layer = self._layer() if self._layer is not None else None
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    @property
    def include(self) -> bool | None:
        """Whether the next click includes; None where it moves the camera."""
        return self._include

    def toggle(self, *, include: bool) -> None:
        """Let clicks include or exclude from now on; where they do so already, let them move the camera again."""
        if self._include is include:
            self.stop()
            return
        if self._workspace.image is None:
            return
        layer = self.layer or self._make_layer()
        layer.visible = True
        self._include = include
        self._workspace.viewer.layers.selection.active = layer
        layer.mode = "pan_zoom"
        layer.mouse_pan = False
        layer.cursor = "crosshair"
        self.changed.emit()

    def stop(self) -> None:
        """Let clicks move the camera again."""
        if self._include is None:
            return
        self._include = None
        layer = self.layer
        if layer is not None:
            layer.mouse_pan = True
            layer.cursor = "standard"
        self.changed.emit()

    def _make_layer(self) -> Points:
        layout = self._workspace.layout
        assert layout is not None
        layer = self._workspace.viewer.add_points(
            np.zeros((0, layout.ndim)),
            ndim=layout.ndim,
            name="Prompts",
            symbol="disc",
            border_color="black",
            border_width=0.12,
            metadata=derived(),
            **layout.box_arguments(tuple((0, size) for size in layout.shape)),
        )
        layer.mouse_drag_callbacks.append(self.drag)
        layer.events.data.connect(self._edited)
        self._layer = weakref.ref(layer)
        self._show()
        return layer

    # What a person does in the canvas

    def drag(self, _: Points, event: Any) -> Iterator[None]:
        """One mark, from the press of the button to its release, in whichever view."""
        include = self._include
        place = self._place(event)
        if include is None or event.button != 1 or place is None:
            return
        self._drawn = [place]
        self._show()
        yield
        while event.type == "mouse_move":
            place = self._place(event)
            if place is not None and np.abs(place - self._drawn[-1]).max() >= _LEAST_DRAG:
                self._drawn.append(place)
                self._show()
            yield
        drawn, self._drawn = self._drawn, []
        with self._workspace.telling():
            self._workspace.session.prompts.add(np.stack(drawn), include=include)
        self._show()

    def _place(self, event: Any) -> NDArray[np.float64] | None:
        """Where the cursor points to, in canonical voxels."""
        workspace = self._workspace
        image, layout, mask = workspace.image, workspace.layout, workspace.session.mask
        if image is None or layout is None:
            return None
        if len(event.dims_displayed) == 2:
            return layout.canonical_index(np.asarray(image.world_to_data(event.position), float)[-layout.ndim :])
        start, end = image.get_ray_intersections(
            event.position, event.view_direction, list(event.dims_displayed), world=True
        )
        if start is None or end is None or mask is None:
            return None
        steps = int(np.ceil(np.linalg.norm(end - start))) + 1
        along = layout.canonical_index(np.linspace(start, end, steps)[:, -layout.ndim :])
        voxels = np.clip(np.round(along).astype(int), 0, np.array(mask.shape) - 1)
        hit = np.flatnonzero(mask[tuple(voxels.T)])
        return voxels[hit[0]].astype(float) if len(hit) else None

    def _edited(self, event: Any) -> None:
        """Somebody deleted points in the layer: their marks go; anything else is put back."""
        layer = self.layer
        if self._setting or layer is None or str(getattr(event, "action", "")) in _BEFORE:
            return
        prompts = self._workspace.session.prompts
        left = list(layer.features["mark"]) if len(layer.data) else []
        gone = [number for number, mark in enumerate(prompts.marks) if left.count(number) < len(mark.prompts)]
        for number in reversed(gone):
            prompts.remove(number)
        self._soon.start()

    # What the session says

    def _show(self, _: object = None) -> None:
        layer, layout = self.layer, self._workspace.layout
        marks = self._workspace.session.prompts.marks
        if layer is None and marks and layout is not None:
            self._make_layer()
            return
        if layer is None or layout is None:
            return
        places: list[tuple[float, ...]] = []
        numbers: list[int] = []
        including: list[bool] = []
        for number, mark in enumerate(marks):
            for prompt in mark.prompts:
                places.append(prompt.point)
                numbers.append(number)
                including.append(mark.include)
        for drawn in self._drawn:
            places.append(tuple(drawn))
            numbers.append(-1)
            including.append(bool(self._include))
        self._setting = True
        try:
            layer.selected_data = set()
            layer.data = layout.index(np.array(places)) if places else np.zeros((0, layout.ndim))
            layer.features = {"mark": numbers}
            if places:
                layer.face_color = [colours.INCLUDE if one else colours.EXCLUDE for one in including]
                of_scribble = np.bincount(np.array(numbers) + 1)[np.array(numbers) + 1] > 1
                size = max(max(layout.shape) / 45.0, 1.6)
                layer.size = np.where(of_scribble, 0.55 * size, size)
        finally:
            self._setting = False

    def _active_changed(self, _: Any) -> None:
        """Another layer was chosen: clicks are its business now."""
        if self._include is not None and self._workspace.viewer.layers.selection.active is not self.layer:
            self.stop()

    def _forget(self, _: object = None) -> None:
        self.stop()
        layer = self.layer
        self._layer = None
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)
