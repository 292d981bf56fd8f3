"""napari's own tools on the mask's layer, made to keep the topology: what they paint goes through the session's brush.

The paint and erase modes stay napari's, with their cursor, size and number of dimensions; only what a drag does is
ours. What any other tool does (the bucket, the polygon, a script) is looked at afterwards, and taken back where it
would break the topology. napari's undo of labels knows one slice only; on this layer its keys are the session's.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QToolTip

from napari_toposeg.frame import Box, box_slices

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_toposeg.docks.workspace import Workspace

UNLOCKS = "Shift"
"""Held while a stroke begins, it may break the topology."""

_NAPARIS = "draw"
"""What napari calls its own drag."""

_OURS = ("paint", "erase")

_SAID_FOR = 4000
"""Milliseconds that the reason stays beside the cursor."""

_LOOKED_AFTER = 60
"""Milliseconds that the cursor must rest before it says what a stroke would do there."""


class MaskPainting(QObject):
    """Paints on the mask's layer through the session's brush, and shows there what the session's mask is."""

    changed = Signal()
    """Whether drags paint, erase, or do something else."""

    foretold = Signal(str)
    """What a stroke would do where the cursor is."""

    def __init__(self, workspace: Workspace, layer_of: Callable[[], Labels | None]) -> None:
        super().__init__(workspace.signals)
        self._workspace = weakref.proxy(workspace)
        self._layer_of = layer_of
        self._setting = False
        self._dimensions = 2
        self._take_soon = QTimer(self)
        self._take_soon.setSingleShot(True)
        self._take_soon.setInterval(0)
        self._take_soon.timeout.connect(self._take_painted)
        self._hovered: tuple[NDArray[np.float64], dict[str, Any]] | None = None
        self._hinted = False
        self._foretell_soon = QTimer(self)
        self._foretell_soon.setSingleShot(True)
        self._foretell_soon.setInterval(_LOOKED_AFTER)
        self._foretell_soon.timeout.connect(self._foretell)
        session = workspace.session
        workspace.signals.mask.connect(self._show_box)
        workspace.viewer.layers.selection.events.active.connect(self._active_changed)
        workspace.signals.follow(session.brush.events.settings, self._show_size, owner=None)
        workspace.signals.follow(session.brush.events.refused, self._say_why, owner=None)

    def take_layer(self, layer: Labels) -> None:
        """Paint on this layer from now on."""
        layer.events.mode.connect(self._mode_changed)
        layer.events.brush_size.connect(self._size_changed)
        layer.events.paint.connect(self._painted)
        layer.events.data.connect(self._painted)
        layer.n_edit_dimensions = min(self._dimensions, layer.ndim)
        layer.events.n_edit_dimensions.connect(self._dimensions_changed)
        self._show_size()

    def let_go(self, layer: Labels) -> None:
        """It is a layer like any other now."""
        layer.events.mode.disconnect(self._mode_changed)
        layer.events.brush_size.disconnect(self._size_changed)
        layer.events.paint.disconnect(self._painted)
        layer.events.data.disconnect(self._painted)
        layer.events.n_edit_dimensions.disconnect(self._dimensions_changed)
        if str(layer.mode) in _OURS:
            layer.mode = "pan_zoom"
        for callbacks, ours in self._callbacks(layer):
            if ours in callbacks:
                callbacks.remove(ours)

    def start(self, *, erase: bool = False) -> None:
        """Let the next drag in the canvas paint, or erase."""
        layer = self._layer_of()
        if layer is not None:
            layer.visible = True
            self._workspace.viewer.layers.selection.active = layer
            layer.mode = "erase" if erase else "paint"

    @property
    def dimensions(self) -> int:
        """Whether the brush is a disk in the slice that is seen (2), or a ball (3)."""
        return self._dimensions

    @dimensions.setter
    def dimensions(self, dimensions: int) -> None:
        self._dimensions = dimensions
        layer = self._layer_of()
        if layer is not None:
            layer.n_edit_dimensions = min(dimensions, layer.ndim)
        self.changed.emit()

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """What happens to the layer meanwhile is not painted by anybody."""
        before, self._setting = self._setting, True
        try:
            yield
        finally:
            self._setting = before

    @property
    def painting(self) -> str:
        """What a drag in the canvas does now: "paint" or "erase"; empty where it does neither."""
        layer = self._layer_of()
        active = self._workspace.viewer.layers.selection.active
        return str(layer.mode) if layer is not None and layer is active and str(layer.mode) in _OURS else ""

    # What a person does in the canvas

    def _mode_changed(self, _: Any) -> None:
        layer = self._layer_of()
        if layer is not None:
            self.take_over(layer)
            self.changed.emit()

    def take_over(self, layer: Labels) -> None:
        """Let drags on a layer that shows the mask paint through the session, where its mode is one of ours."""
        painting = str(layer.mode) in _OURS
        for callbacks, ours in self._callbacks(layer):
            if ours in callbacks:
                callbacks.remove(ours)
            if painting:
                for callback in [one for one in callbacks if getattr(one, "__name__", "") == _NAPARIS]:
                    callbacks.remove(callback)
                callbacks.append(ours)

    def _callbacks(self, layer: Labels) -> tuple[tuple[list[Any], Callable[..., Any]], ...]:
        return (layer.mouse_drag_callbacks, self._drag), (layer.mouse_move_callbacks, self._hover)

    def _active_changed(self, _: Any) -> None:
        self.changed.emit()

    def _dimensions_changed(self, _: Any) -> None:
        layer = self._layer_of()
        if layer is not None and layer.ndim == 3 and layer.n_edit_dimensions in (2, 3):
            self._dimensions = layer.n_edit_dimensions
            self.changed.emit()

    def _drag(self, layer: Labels, event: Any) -> Iterator[None]:
        """One stroke, from the press of the button to its release."""
        # With Alt napari changes the size of its cursor.
        if event.button != 1 or layer.cursor == "circle_frozen":
            return
        self._foretell_soon.stop()
        stroke = self._workspace.session.brush.begin(**self._manner(layer, event))
        try:
            last = self._place(layer, event)
            if last is not None:
                stroke.draw(last)
            yield
            while event.type == "mouse_move":
                place = self._place(layer, event)
                if place is not None:
                    stroke.draw([place if last is None else last, place])
                last = place
                yield
        finally:
            # Also where napari drops the drag, since the layer was removed meanwhile.
            stroke.end()

    def _manner(self, layer: Labels, event: Any) -> dict[str, Any]:
        """How a stroke that begins now paints."""
        erase = str(layer.mode) == "erase" or layer.selected_label == 0
        locked = False if UNLOCKS in event.modifiers else None
        return {"erase": erase, "axis": self._axis(layer, event), "locked": locked}

    def _hover(self, layer: Labels, event: Any) -> None:
        """The cursor moves, and no stroke is drawn: where it comes to rest it says what one would do."""
        place = self._place(layer, event)
        self._hovered = None if place is None else (place, self._manner(layer, event))
        self._foretell_soon.start()

    def _foretell(self) -> None:
        hovered, self._hovered = self._hovered, None
        if hovered is None or not self.painting:
            return
        told = self._workspace.session.brush.foretell(hovered[0], **hovered[1])
        self.foretold.emit("" if told is None else told.words)
        # Only what is in the way is worth a text over the picture.
        if told is not None and told.hindered:
            QToolTip.showText(QCursor.pos(), told.words, msecShowTime=_SAID_FOR)
        elif self._hinted:
            QToolTip.hideText()
        self._hinted = told is not None and told.hindered

    def _place(self, layer: Labels, event: Any) -> NDArray[np.float64] | None:
        """Where the cursor points to, in canonical voxels; in 3-D the first voxel of the mask on the line of sight."""
        layout = self._workspace.layout
        if layout is None:
            return None
        if len(event.dims_displayed) == 2:
            return layout.canonical_index(np.asarray(layer.world_to_data(event.position), float))
        start, end = layer.get_ray_intersections(
            event.position, event.view_direction, list(event.dims_displayed), world=True
        )
        if start is None or end is None:
            return None
        steps = int(np.ceil(np.linalg.norm(end - start))) + 1
        along = np.round(np.linspace(start, end, steps)).astype(int)
        along = np.clip(along, 0, np.array(layer.data.shape) - 1)
        hit = np.flatnonzero(np.asarray(layer.data)[tuple(along.T)])
        return layout.canonical_index(along[hit[0]]) if len(hit) else None

    def _axis(self, layer: Labels, event: Any) -> int | None:
        """The canonical axis across which the brush is a disk; None where it is a ball, or the image flat."""
        displayed = [int(axis) for axis in event.dims_displayed]
        if layer.ndim < 3 or len(displayed) == 3 or layer.n_edit_dimensions >= layer.ndim:
            return None
        first = len(event.position) - layer.ndim
        (across,) = (axis for axis in range(layer.ndim) if first + axis not in displayed)
        return layer.ndim - 1 - across

    def _painted(self, event: Any) -> None:
        """Another tool of napari's, or a script, changes the layer: napari says so before the voxels are there."""
        if not self._setting and event.source is self._layer_of():
            self._take_soon.start()

    def _take_painted(self) -> None:
        layer, layout = self._layer_of(), self._workspace.layout
        if layer is None or layout is None or self._workspace.session.result is None:
            return
        brush = self._workspace.session.brush
        with self._workspace.telling():
            brush.take(layout.canonical(np.asarray(layer.data)), "Edited by hand")

    # What the session says

    def _show_box(self, box: Box) -> None:
        """Voxels of the session's mask changed: the layer shows them."""
        layer, layout, session = self._layer_of(), self._workspace.layout, self._workspace.session
        if layer is None or layout is None or session.mask is None:
            return
        with self.quiet():
            part = box_slices(box)
            layout.canonical(np.asarray(layer.data))[part] = session.mask[part]
            layer.refresh(extent=False)
        layer.metadata["edited"] = session.edited

    def _voxel(self) -> float:
        """The shortest side of a voxel, in mm: what napari counts the size of its brush in."""
        volume = self._workspace.session.volume
        return 1.0 if volume is None else float(volume.spacing.min())

    def _show_size(self, _: object = None) -> None:
        layer = self._layer_of()
        if layer is not None and not self._setting:
            size = max(round(2.0 * self._workspace.session.brush.radius / self._voxel()), 1)
            if layer.brush_size != size:
                with self.quiet():
                    layer.brush_size = size

    def _size_changed(self, _: Any) -> None:
        layer = self._layer_of()
        if layer is not None and not self._setting:
            with self.quiet():
                self._workspace.session.brush.radius = layer.brush_size * self._voxel() / 2.0

    def _say_why(self, reason: str) -> None:
        hint = f"{reason}.\n{UNLOCKS} while the stroke begins paints all the same."
        QToolTip.showText(QCursor.pos(), hint, msecShowTime=_SAID_FOR)
        self._workspace.viewer.status = f"{reason}."
