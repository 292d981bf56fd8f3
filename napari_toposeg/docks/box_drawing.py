"""A box drawn as a rectangle in the slice that is seen, and as deep as a range of slices."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_toposeg.docks import colours
from napari_toposeg.docks.workspace import Workspace, derived
from napari_toposeg.frame import Box, clip_box

if TYPE_CHECKING:
    from napari.layers import Shapes

_REST = 120
"""Milliseconds without a change after which the template is placed: a drag sends one change a frame."""

_LEAST_SIDE = 1.5
"""Voxels that a drag must span to count as a rectangle."""


class BoxDrawing(QObject):
    """The rectangle's layer, and the box that it stands for.

    The box has one range of voxels for each axis of the image's layer. `set_slices` sets that along the
    slider; the rectangle follows the slider within it, so that it can be seen and dragged in each of its slices.
    """

    rested = Signal(object)
    """The canonical box, once it has not changed for a moment."""
    changed = Signal()
    """The box, or the axis that its slices count along, changed."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._layer: weakref.ref[Shapes] | None = None
        self._box: list[tuple[int, int]] | None = None
        self._setting = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST)
        self._rest.timeout.connect(self._tell)
        workspace.signals.volume.connect(self.forget)
        dims = workspace.viewer.dims.events
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._follow)

    @property
    def layer(self) -> Shapes | None:
        """The layer with the rectangle."""
        layer = self._layer() if self._layer is not None else None
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    @property
    def box(self) -> Box | None:
        """The canonical box, or None where none is drawn."""
        layout = self._workspace.layout
        return layout.canonical_box(tuple(self._box)) if self._box is not None and layout is not None else None

    @property
    def slice_axis(self) -> int | None:
        """The axis of the image's layer along which the slider runs; None for a 2-D image and in 3-D views."""
        dims, image = self._workspace.viewer.dims, self._workspace.image
        if image is None or dims.ndisplay == 3 or self._ndim < 3:
            return None
        return int(dims.not_displayed[-1]) - (dims.ndim - self._ndim)

    @property
    def slices(self) -> tuple[int, int] | None:
        """First and last slice of the box, as the slider counts them; None where there is no box or no slider."""
        axis = self.slice_axis
        if axis is None or self._box is None:
            return None
        low, high = self._box[axis]
        return low, high - 1

    @property
    def slice_count(self) -> int:
        """How many slices the image has along the slider."""
        axis, layout = self.slice_axis, self._workspace.layout
        return 1 if axis is None or layout is None else layout.shape[::-1][axis]

    def draw(self) -> None:
        """Let the next drag in the canvas draw the rectangle."""
        if self._workspace.image is None:
            return
        viewer = self._workspace.viewer
        if viewer.dims.ndisplay == 3:
            viewer.dims.ndisplay = 2
        layer = self.layer or self._make_layer()
        viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"

    def set_box(self, box: Box, *, place: bool = True) -> None:
        """Show this canonical box, as if it had been drawn; without `place` the template stands in it already."""
        layout = self._workspace.layout
        if layout is None:
            return
        self._box = list(layout.box(clip_box(box, layout.shape)))
        if self.layer is None:
            self._make_layer()
        self._redraw()
        self.changed.emit()
        if place:
            self._rest.start()
        else:
            self._rest.stop()

    def follow_box(self, box: Box) -> None:
        """Show this canonical box where one is drawn, and place nothing in it: the template stands there already."""
        layout = self._workspace.layout
        if layout is not None and self._box is not None:
            self._box = list(layout.box(box))
            self._redraw()
            self.changed.emit()

    def set_slices(self, first: int, last: int) -> None:
        """Let the box reach from one slice to another, both included."""
        axis = self.slice_axis
        if axis is None or self._box is None or self._box[axis] == (first, last + 1):
            return
        self._box[axis] = (first, last + 1)
        self._redraw()
        self._rest.start()

    def show(self, visible: bool) -> None:
        """Show or hide the rectangle; hidden it can still be the box."""
        layer = self.layer
        if layer is not None:
            layer.visible = visible

    @property
    def _ndim(self) -> int:
        layout = self._workspace.layout
        return layout.ndim if layout is not None else 0

    def _make_layer(self) -> Shapes:
        layout = self._workspace.layout
        assert layout is not None
        layer = self._workspace.viewer.add_shapes(
            ndim=layout.ndim,
            name="Box",
            edge_color=colours.BOX,
            face_color="transparent",
            edge_width=max(min(layout.shape) / 300.0, 0.2),
            metadata=derived(),
            **layout.box_arguments(tuple((0, size) for size in layout.shape)),
        )
        layer.current_face_color, layer.current_edge_color = "#00000000", colours.BOX
        layer.events.data.connect(self._edited)
        self._layer = weakref.ref(layer)
        return layer

    def _edited(self, event: Any) -> None:
        layer = self.layer
        # napari tells of a change before and after it; the corners are only right after.
        if self._setting or layer is None or str(getattr(event, "action", "")) in ("adding", "changing", "removing"):
            return
        if len(layer.data) == 0:
            self._box = None
            self.changed.emit()
            return
        corners = np.asarray(layer.data[-1], float)
        if np.ptp(corners, axis=0).max() < _LEAST_SIDE:
            # A click, not a drag: nothing is meant by it, and the box that there was comes back.
            QTimer.singleShot(0, self._undo_click)
            return
        self._box = self._box_of(corners)
        if len(layer.data) > 1 or layer.mode == "add_rectangle":
            # The newest rectangle is the box; its handles are there at once.
            QTimer.singleShot(0, self._take_newest)
        self.changed.emit()
        self._rest.start()

    def _undo_click(self) -> None:
        layer = self.layer
        if layer is not None and self._box is None:
            self._setting = True
            layer.data = []
            self._setting = False
        self._redraw()

    def _take_newest(self) -> None:
        layer = self.layer
        if layer is None:
            return
        self._redraw()
        layer.mode = "select"
        layer.selected_data = {0}

    def _box_of(self, corners: NDArray[np.float64]) -> list[tuple[int, int]]:
        """Ranges of voxels; along the slider as before, or as deep as the rectangle is wide on average."""
        layout, axis = self._workspace.layout, self.slice_axis
        assert layout is not None
        sizes = layout.shape[::-1]
        low, high = corners.min(axis=0), corners.max(axis=0)
        box = []
        for size, start, end in zip(sizes, low, high, strict=True):
            first = int(np.clip(round(start + 0.5), 0, size - 1))
            box.append((first, int(np.clip(round(end + 0.5), first + 1, size))))
        if axis is not None:
            here = round(float(low[axis]))
            before = self._box[axis] if self._box is not None else None
            if before is not None and before[0] <= here < before[1]:
                box[axis] = before
            else:
                sides = [(end - start) * layout.scale[k] for k, (start, end) in enumerate(box) if k != axis]
                half = round(float(np.mean(sides)) / abs(layout.scale[axis]) / 2.0)
                box[axis] = (max(here - half, 0), min(here + half + 1, sizes[axis]))
        return box

    def _rectangle(self) -> NDArray[np.float64]:
        """(4, ndim) corners on the outer faces of the box's voxels, in the slice that is seen where it has that."""
        box, axis = self._box, self.slice_axis
        assert box is not None
        drawn = [k for k in self._drawn_axes() if k != axis]
        corners = np.array([[(low + high - 1) / 2.0 for low, high in box]] * 4)
        for axis_drawn, ends in zip(drawn, ((0, 0, 1, 1), (0, 1, 1, 0)), strict=True):
            low, high = box[axis_drawn]
            corners[:, axis_drawn] = [high - 0.5 if end else low - 0.5 for end in ends]
        if axis is not None:
            corners[:, axis] = np.clip(self._slice(), box[axis][0], box[axis][1] - 1)
        return corners

    def _drawn_axes(self) -> list[int]:
        dims = self._workspace.viewer.dims
        return [int(axis) - (dims.ndim - self._ndim) for axis in dims.displayed][-2:]

    def _slice(self) -> int:
        """The slice that is seen, counted in the image's layer."""
        image, axis = self._workspace.image, self.slice_axis
        assert image is not None
        assert axis is not None
        return round(float(image.world_to_data(self._workspace.viewer.dims.point)[image.ndim - self._ndim + axis]))

    def _redraw(self) -> None:
        layer = self.layer
        if layer is None or self._box is None:
            return
        self._setting = True
        try:
            selected = layer.mode == "select" and bool(layer.selected_data)
            layer.selected_data = set()
            layer.data = [(self._rectangle(), "rectangle")]
            if selected:
                layer.selected_data = {0}
        finally:
            self._setting = False

    def _follow(self) -> None:
        """The slider moved or the axes were turned: the rectangle comes along."""
        layer = self.layer
        if layer is None or self._box is None or self._setting or self._workspace.image is None:
            return
        if layer.mode == "add_rectangle" or self._workspace.viewer.dims.ndisplay == 3:
            return
        corners = self._rectangle()
        if len(layer.data) != 1 or not np.array_equal(np.asarray(layer.data[0]), corners):
            self._redraw()
        self.changed.emit()

    def _tell(self) -> None:
        box = self.box
        if box is not None:
            self.rested.emit(box)

    def forget(self, _: object = None) -> None:
        """Take the rectangle away."""
        self._rest.stop()
        self._box = None
        layer = self.layer
        self._layer = None
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)
        self.changed.emit()
