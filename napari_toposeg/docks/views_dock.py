"""The two directions that the main view does not show, beside it: one crosshair, and prompts and brush in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSplitter, QVBoxLayout, QWidget

from napari_toposeg.docks.canvas_guard import guard_canvases
from napari_toposeg.docks.dock import Dock, caption, heading
from napari_toposeg.docks.mirrored_layers import MirroredLayers
from napari_toposeg.docks.one_by_one import OneByOne
from napari_toposeg.docks.shortcuts import bind_history, bind_shortcuts
from napari_toposeg.docks.workspace import Workspace

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer
    from numpy.typing import NDArray

_NAMES = ("Axial", "Coronal", "Sagittal")
"""By the axis of a layer that is not displayed: napari's axes are the patient's, the other way round."""

NAME = "Views"

_LINE = "#8ad4ff"


class _Canvas(QtViewer):  # type: ignore[misc]  # napari says no types of it
    """napari's canvas of one more viewer model."""

    def _bind_shortcuts(self) -> None:
        """The main window has bound them for all: once more they take 40 ms of the window's thread."""


class LinkedView(QWidget):
    """One more view of the main viewer's layers, in another direction; empty until its canvas is made.

    A double click brings the crosshair there, in all views.
    """

    def __init__(self, workspace: Workspace, turns: OneByOne, parent: QWidget) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._turns = turns
        self.title = heading("")
        self.model = ViewerModel()
        self.canvas: QtViewer | None = None
        self.mirrored: MirroredLayers | None = None
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        rows.addWidget(self.title)
        rows.addStretch(0)
        # Keys go to the canvas that was clicked last; without these they would do nothing here, or what napari does.
        bind_shortcuts(workspace, self.model)
        self.model.layers.events.inserted.connect(self._bind_undo)
        self._crosshair: Any = None

    def make_canvas(self) -> None:
        """Make the canvas, and from then on show the main viewer's layers in it, one after the other."""
        self.canvas = _Canvas(self.model, show_welcome_screen=False)
        rows = self.layout()
        assert isinstance(rows, QVBoxLayout)
        rows.insertWidget(1, self.canvas, 1)
        self.model.mouse_double_click_callbacks.clear()
        self.model.mouse_double_click_callbacks.append(self._double_clicked)
        # Before there is a layer, it costs nothing to turn to the axis and to the slice that will be seen.
        main = self._workspace.viewer.dims
        self.model.dims.ndim, self.model.dims.range = main.ndim, main.range
        self.mirrored = MirroredLayers(self._workspace.viewer, self.model, self._turns, self)

    def mirror_of(self, layer: Layer | None) -> Any:
        """What shows a layer of the main viewer here; None where it is not shown, or not yet."""
        return None if self.mirrored is None else self.mirrored.mirror_of(layer)

    def show_axis(self, axis: int) -> None:
        """Show the slices across an axis of the layers."""
        ndim = self.model.dims.ndim
        first = ndim - 3
        others = [other for other in range(3) if other != axis]
        order = (*range(first), *(first + one for one in (axis, *others)))
        if tuple(self.model.dims.order) != order:
            self.model.dims.order = order
            self.title.setText(_NAMES[axis])
            self.model.fit_to_view()

    def go_to(self, point: tuple[float, ...]) -> None:
        """Show the slice through a point of napari's world, and the crosshair there."""
        if len(point) == self.model.dims.ndim and not np.allclose(point, self.model.dims.point):
            self.model.dims.point = point
        if self._crosshair is not None and self._crosshair in self.model.layers:
            self._crosshair.data = self._lines(np.asarray(point, float)[-3:])

    def close_view(self) -> None:
        """Let go of everything."""
        if self.mirrored is not None:
            self.mirrored.close()
        if self.canvas is not None:
            self.canvas.close()

    def refresh(self, layer: Layer | None) -> None:
        """Its voxels changed in place."""
        if self.mirrored is not None:
            self.mirrored.refresh(layer)

    def follow_tools(self) -> None:
        """The layer that is worked on, and what drags do there, are those of the main view."""
        workspace = self._workspace
        painting, drawing = workspace.layers.painting, workspace.prompt_drawing
        mask, prompts = self.mirror_of(workspace.layers.mask), self.mirror_of(drawing.layer)
        if mask is not None:
            mode = painting.painting or "pan_zoom"
            if str(mask.mode) != mode:
                mask.mode = mode
                painting.take_over(mask)
        if prompts is not None:
            if drawing.drag not in prompts.mouse_drag_callbacks:
                prompts.mouse_drag_callbacks.append(drawing.drag)
            prompts.mouse_pan = drawing.include is None
        active = mask if painting.painting else prompts if drawing.include is not None else None
        if active is not None:
            self.model.layers.selection.active = active
        elif self.model.layers:
            self.model.layers.selection.active = self.model.layers[0]

    def _bind_undo(self, event: Any) -> None:
        bind_history(self._workspace, event.value)

    def _double_clicked(self, _: ViewerModel, event: Any) -> None:
        self._workspace.viewer.dims.point = tuple(event.position)

    def draw_crosshair(self) -> None:
        """Draw it for the first time; it follows from then on."""
        image = self.mirror_of(self._workspace.image)
        if image is not None and (self._crosshair is None or self._crosshair not in self.model.layers):
            low, high = np.asarray(image.extent.world)[:, -3:]
            self._crosshair = self.model.add_vectors(
                self._lines(np.asarray(self.model.dims.point, float)[-3:]),
                name="Crosshair",
                edge_color=_LINE,
                edge_width=float(np.min((high - low) / 250.0)),
                vector_style="line",
                units=image.units[-3:],
                opacity=0.8,
            )

    def _lines(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """(3, 2, 3) starts and lengths of the lines through a point, as long as the image."""
        image = self.mirror_of(self._workspace.image)
        low, high = np.asarray((self._crosshair if image is None else image).extent.world)[:, -3:]
        lines = np.repeat(at[None, None], 3, axis=0).repeat(2, axis=1)
        for axis in range(3):
            lines[axis, :, axis] = low[axis], high[axis]
        return np.stack([lines[:, 0], lines[:, 1] - lines[:, 0]], axis=1)


class ViewsDock(Dock):
    """The other two of the axial, coronal and sagittal views, in step with the main one."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.hint = caption("A double click brings the crosshair there. Prompts and brush work in each view.")
        splitter = QSplitter(Qt.Orientation.Vertical)
        self._turns = OneByOne(self)
        self._turns.done.connect(self._part_made)
        self.views = [LinkedView(self.workspace, self._turns, splitter) for _ in range(2)]
        for view in self.views:
            splitter.addWidget(view)
        self.rows.addWidget(splitter, 1)
        self.rows.addWidget(self.hint)
        self._setting = False
        self._open = True
        self._begun = False
        self._fitted: WeakSet[LinkedView] = WeakSet()
        viewer = self.workspace.viewer
        viewer.dims.events.point.connect(self._main_moved)
        viewer.dims.events.order.connect(self._main_turned)
        viewer.dims.events.ndisplay.connect(self._main_turned)
        for view in self.views:
            view.model.dims.events.point.connect(self._view_moved)
        signals = self.workspace.signals
        signals.mask.connect(self._mask_changed)
        signals.steps.connect(self._preview_changed)
        for signal in (signals.volume, signals.result):
            signal.connect(self._main_turned)
        self.workspace.layers.painting.changed.connect(self._tools_changed)
        self.workspace.prompt_drawing.changed.connect(self._tools_changed)
        self._main_turned()
        self._tools_changed()

    @property
    def complete(self) -> bool:
        """Whether all that is to be seen is there: canvases and layers are made one after the other."""
        return self._begun and not self._turns.waiting

    def came_in_sight(self) -> None:
        """Nothing is made for a dock that nobody sees, or for a flat image."""
        self._main_turned()

    def _begin(self) -> None:
        """The canvases first, then the image in each: both are seen before masks and outlines come."""
        self._begun = True
        for view in self.views:
            self._turns.add(view.make_canvas, urgent=True)

    def _part_made(self) -> None:
        """A canvas or a layer is there: it is where the main view is, and has its tools."""
        guard_canvases(self)  # canvases that are made later need napari's repair, too
        self._main_turned()
        self._tools_changed()

    def event(self, event: QEvent | None) -> bool:
        """Stop following when the dock is closed."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None and self._open:
            self._let_go()
        return super().event(event)

    def _let_go(self) -> None:
        self._open = False
        self._turns.clear()
        viewer = self.workspace.viewer
        viewer.dims.events.point.disconnect(self._main_moved)
        viewer.dims.events.order.disconnect(self._main_turned)
        viewer.dims.events.ndisplay.disconnect(self._main_turned)
        for view in self.views:
            view.close_view()

    def _main_turned(self, _: Any = None) -> None:
        """Another axis is the main view's: the other two are ours."""
        volume, dims = self.workspace.session.volume, self.workspace.viewer.dims
        solid = volume is not None and volume.ndim == 3
        for view in self.views:
            view.setVisible(solid)
        if not solid or not self._open:
            self.hint.setText("A 3-D image is seen here in the two directions that the main view does not show.")
            return
        self.hint.setText("A double click brings the crosshair there. Prompts and brush work in each view.")
        if not self._begun and self.in_sight:
            self._begin()
        main = int(dims.order[-3]) - (dims.ndim - 3)
        for view, axis in zip(self.views, [axis for axis in range(3) if axis != main], strict=False):
            if view.model.dims.ndim >= 3:
                view.show_axis(axis)
            if view not in self._fitted and view.mirror_of(self.workspace.image) is not None:
                self._fitted.add(view)
                view.model.fit_to_view()
                self._turns.add(view.draw_crosshair)
        self._main_moved()

    def _main_moved(self, _: Any = None) -> None:
        volume = self.workspace.session.volume
        if self._setting or not self._open or volume is None or volume.ndim != 3:
            return
        self._setting = True
        try:
            for view in self.views:
                view.go_to(tuple(self.workspace.viewer.dims.point))
        finally:
            self._setting = False

    def _view_moved(self, event: Any) -> None:
        # What is made in a view moves it to its own middle, and is not to move the main one.
        if self._setting or self._turns.busy or not self._open:
            return
        view = next((one for one in self.views if one.model.dims is event.source), None)
        main = self.workspace.viewer.dims
        if view is not None and view.model.dims.ndim == main.ndim:
            main.point = view.model.dims.point

    def _mask_changed(self, _: object) -> None:
        if self._open:
            for view in self.views:
                view.refresh(self.workspace.layers.mask)

    def _preview_changed(self, _: object) -> None:
        if self._open:
            for view in self.views:
                view.refresh(self.workspace.layers.preview)

    def _tools_changed(self) -> None:
        if self._open:
            for view in self.views:
                view.follow_tools()


def show_views(workspace: Workspace) -> None:
    """Open the dock as a tab among the others; where it is open, close it."""
    window = workspace.viewer.window
    if NAME in window.dock_widgets:
        window.remove_dock_widget(window.dock_widgets[NAME])
        return
    dock = window.add_dock_widget(ViewsDock(workspace.viewer), name=NAME, area="right", add_vertical_stretch=False)
    main = dock.window()
    others = [one for one in main.findChildren(QDockWidget) if one.windowTitle() == "Correct"] if main else []
    if isinstance(main, QMainWindow) and others:
        main.tabifyDockWidget(others[0], dock)
    dock.show()
    dock.raise_()
