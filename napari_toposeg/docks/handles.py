"""Two handles in the picture by which the placed template is dragged."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_toposeg.docks import colours
from napari_toposeg.docks.seen_axes import seen_axes
from napari_toposeg.docks.workspace import Workspace, derived

if TYPE_CHECKING:
    from napari.layers import Points

_MIDDLE, _END = 0, 1

_LEAST_ARM = 1e-3
"""Millimetres between both handles below which a drag says nothing of a size or an angle."""


class Handles(QObject):
    """A layer with a point in the template's middle and one at the end of its longest axis in the slice that is seen.

    Both follow the slider, and the template. napari tells of a drag when it is over: that is when the template follows.
    """

    moved = Signal(object)
    """(ndim,) mm along the canonical axes by which the middle was dragged."""
    turned = Signal(float, float)
    """A factor and an angle in degrees, clockwise on the screen, by which the end was dragged about the middle."""
    shown = Signal(bool)
    """Whether the handles are there."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._layer: weakref.ref[Points] | None = None
        self._drawn: NDArray[np.float64] | None = None
        self._setting = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._follow)
        workspace.signals.placement.connect(self._placement_changed)
        dims = workspace.viewer.dims.events
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._follow)

    @property
    def layer(self) -> Points | None:
        """The layer with both points; None where they are not shown."""
        layer = self._layer() if self._layer is not None else None
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    def show(self, visible: bool) -> None:
        """Show the handles, ready to be dragged, or take them away."""
        layer = self.layer
        viewer = self._workspace.viewer
        if not visible:
            if layer is not None:
                self._layer = None
                viewer.layers.remove(layer)
        elif layer is None:
            if viewer.dims.ndisplay == 3:
                viewer.dims.ndisplay = 2
            places = self._places()
            if places is None:
                self.shown.emit(False)
                return
            layer = self._make_layer(places)
            viewer.layers.selection.active = layer
            layer.mode = "select"

    def _make_layer(self, places: NDArray[np.float64]) -> Points:
        layout = self._workspace.layout
        assert layout is not None
        layer = self._workspace.viewer.add_points(
            places,
            name="Handles",
            size=max(max(layout.shape) / 30.0, 2.0),
            symbol=["cross", "disc"],
            face_color=colours.TEMPLATE,
            border_color="black",
            border_width=0.1,
            metadata=derived(),
            **layout.box_arguments(tuple((0, size) for size in layout.shape)),
        )
        layer.events.data.connect(self._data_changed)
        # A drag changes the layer's own array.
        self._layer, self._drawn = weakref.ref(layer), places.copy()
        return layer

    def _places(self) -> NDArray[np.float64] | None:
        """(2, ndim) data indices of the middle and of the end, in the slice that is seen."""
        workspace = self._workspace
        seen, layout, image = seen_axes(workspace), workspace.layout, workspace.image
        session = workspace.session
        volume, prior, site = session.volume, session.prior, session.site
        if seen is None or layout is None or image is None or volume is None or prior is None or site is None:
            return None
        ndim = volume.ndim
        to_index = np.linalg.inv(volume.frame.affine) @ site.placement.matrix
        template = site.template_for(prior)
        # Half of each own axis, in mm along the canonical ones, flattened into the plane that is seen.
        own = to_index[:ndim, :ndim] * volume.spacing[:, None] * np.array(template.extent or (1.0,) * ndim)
        plane = np.stack([seen.right, seen.down])
        flat = plane.T @ (plane @ own)
        arm = flat[:, np.linalg.norm(flat, axis=0).argmax()]
        middle = to_index[:ndim, 3]
        places = layout.index(np.stack([middle, middle + arm / volume.spacing]))
        if seen.on is not None:
            dims = workspace.viewer.dims
            axis = int(dims.not_displayed[-1]) - (dims.ndim - ndim)
            places[:, axis] = round(float(image.world_to_data(dims.point)[image.ndim - ndim + axis]))
        return places

    def _placement_changed(self, placement: object) -> None:
        if placement is None:
            self.show(False)
            self.shown.emit(False)
        elif self.layer is not None:
            self._soon.start()
        elif self._layer is not None:
            # Removed by hand.
            self._layer = None
            self.shown.emit(False)

    def _follow(self, _: object = None) -> None:
        layer, places = self.layer, None
        if layer is not None:
            places = self._places()
        if layer is None or places is None:
            return
        self._setting = True
        try:
            layer.selected_data = set()
            layer.data = places
        finally:
            self._setting = False
        self._drawn = places.copy()

    def _data_changed(self, event: Any) -> None:
        layer, before = self.layer, self._drawn
        if self._setting or layer is None or before is None or str(getattr(event, "action", "")) != "changed":
            return
        after = np.array(layer.data, float)
        layout, volume, seen = self._workspace.layout, self._workspace.session.volume, seen_axes(self._workspace)
        if after.shape != before.shape or layout is None or volume is None or seen is None:
            return
        was, now = (layout.canonical_index(places) * volume.spacing for places in (before, after))
        # Whatever the template does, its handles come back to it: napari is still busy with the drag.
        self._soon.start()
        if not np.allclose(was[_MIDDLE], now[_MIDDLE]):
            self.moved.emit(now[_MIDDLE] - was[_MIDDLE])
            return
        plane = np.stack([seen.right, seen.down])
        old, new = plane @ (was[_END] - was[_MIDDLE]), plane @ (now[_END] - now[_MIDDLE])
        if min(np.linalg.norm(old), np.linalg.norm(new)) > _LEAST_ARM:
            angle = np.degrees(np.arctan2(new[1], new[0]) - np.arctan2(old[1], old[0]))
            self.turned.emit(float(np.linalg.norm(new) / np.linalg.norm(old)), float((angle + 180.0) % 360.0 - 180.0))
