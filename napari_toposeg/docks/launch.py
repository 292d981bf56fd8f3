"""Laying the docks out, and the application that does so when it starts."""

from __future__ import annotations

import os
from itertools import pairwise

from napari import Viewer
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QTabWidget, QWidget

from napari_toposeg.docks.certificate_line import NAME as CERTIFICATE
from napari_toposeg.docks.certificate_line import show_certificate_line
from napari_toposeg.docks.layout_memory import LayoutMemory
from napari_toposeg.docks.preferences import remembers_layout
from napari_toposeg.docks.workspace import workspace_of
from napari_toposeg.formats import PICTURE_ENDINGS, split_ending

PLUGIN = "napari-toposeg"
DOCKS = ("Prior", "Segment", "Correct", "Deformation", "Barcode", "Fine-tune", "Measure", "Labelling")
"""In the order of their tabs; Segment stands below the others where there is room."""

_WIDTH = 420
_PRIOR_SHARE = 0.62
_TALL = 1260
"""Pixels of a screen from which Prior and Segment find room one above the other; on a smaller one all are tabs. The two
need 1103 with napari's menu and the certificate, and 1213 with two objects: on a screen of 1080 the window reached
beyond it."""


def open_all(viewer: Viewer) -> None:
    """Open every dock: all but Segment as tabs, Segment below them, the certificate under the canvas.

    The first time in a window they stand as they stood when a window was closed last, where that is known. Asked for
    again, they go back to where they belong.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    workspace = workspace_of(viewer)
    show_certificate_line(workspace)
    line = _dock_of(viewer.window.dock_widgets[CERTIFICATE])
    window = line.window()
    size = window.size()
    docks: dict[str, QDockWidget] = {}
    for name in DOCKS:
        docks[name] = dock = _dock_of(viewer.window.add_plugin_dock_widget(PLUGIN, name)[1])
        # Napari's title, "Prior (napari-toposeg)", leaves "Prior (…" on a tab.
        dock.setWindowTitle(name)
        dock.show()
    prior, segment, *others = (docks[name] for name in DOCKS)
    if not isinstance(window, QMainWindow) or any(dock.window() is not window for dock in docks.values()):
        return
    tall = window.screen().availableGeometry().height() >= _TALL
    if not tall:
        window.tabifyDockWidget(prior, segment)
    for before, dock in pairwise([prior if tall else segment, *others]):
        window.tabifyDockWidget(before, dock)
    layout = window.layout()
    if layout is not None and not window.isMaximized() and not window.isFullScreen():
        # napari puts one dock below the other, and the window has grown with each: three screens tall in the end.
        layout.activate()
        window.resize(size)
    window.setTabPosition(Qt.DockWidgetArea.RightDockWidgetArea, QTabWidget.TabPosition.North)
    prior.raise_()
    window.resizeDocks([prior, segment], [_WIDTH, _WIDTH], Qt.Orientation.Horizontal)
    height = prior.height() + segment.height()
    window.resizeDocks(
        [prior, segment], [round(_PRIOR_SHARE * height), round((1 - _PRIOR_SHARE) * height)], Qt.Orientation.Vertical
    )
    window.resizeDocks([line], [line.minimumSizeHint().height()], Qt.Orientation.Vertical)
    # The bar of the tabs is made by the layout, which comes after this.
    QTimer.singleShot(0, lambda: _show_whole_names(window) if isalive(window) else None)
    if window.findChild(LayoutMemory) is None:
        memory = LayoutMemory(window, [*docks.values(), line])
        if remembers_layout():
            memory.recall()


def _show_whole_names(window: QMainWindow) -> None:
    """Let the tabs of all docks find room beside each other: at napari's size eight names are cut to "P…"."""
    for bar in window.findChildren(QTabBar):
        if DOCKS[0] in [bar.tabText(number) for number in range(bar.count())]:
            bar.setStyleSheet("QTabBar::tab { font-size: 11px; padding: 3px 2px; margin: 0px 1px; }")
            bar.setElideMode(Qt.TextElideMode.ElideNone)


def open_application(path: str | os.PathLike[str] | None = None) -> None:
    """Open napari with the docks laid out, and return when its window is closed.

    Parameters
    ----------
    path : path, optional
        An image to open in it.
    """
    import napari

    viewer = napari.Viewer(title="Toposeg")
    workspace = workspace_of(viewer)
    open_all(viewer)
    if path is not None:
        # Pictures are napari's own business: our reader does not ask for them, so that it is not in anybody's way.
        viewer.open(os.fspath(path), plugin="napari" if split_ending(path)[1] in PICTURE_ENDINGS else PLUGIN)
    try:
        napari.run()
    finally:
        # A run that still goes on is dropped: nobody is left to see its result.
        workspace.session.close()


def _dock_of(widget: QWidget) -> QDockWidget:
    """The dock that a widget was put into."""
    parent = widget.parent()
    while not isinstance(parent, QDockWidget):
        assert parent is not None, "napari puts every plugin's widget into a dock"
        parent = parent.parent()
    return parent
