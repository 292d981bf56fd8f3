"""A repair of napari's canvas: layers may be hidden and removed without ending the process."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QObject, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QWidget
from vispy.gloo import gl

_ATTRIBUTES = 16
"""Vertex attributes that every OpenGL has at least."""
_LATER = 15
"""Milliseconds."""


def guard_canvases(window: QWidget) -> None:
    """Leave no vertex attribute switched on after a frame.

    vispy switches on the attributes of what it draws, and off only where it draws the same again. Once such a layer is
    removed, its buffers are gone while their attributes are on, and any other layer's next draw reads them: an access
    violation, or the end of the process, after removing a Shapes, Points or Vectors layer (napari issue
    6472; in 0.9.2 every time with software OpenGL). A second call does nothing.

    Parameters
    ----------
    window : QWidget
        The viewer's window.
    """
    for canvas in window.findChildren(QOpenGLWidget):
        if canvas.findChild(_CanvasGuard) is None:
            _CanvasGuard(canvas)


def draw_later(window: QWidget) -> None:
    """Draw what is changed in this turn of the window's loop after what comes between, a click or a key.

    A layer's first picture takes a quarter of what the layer itself takes; together they were felt.

    Parameters
    ----------
    window : QWidget
        The viewer's window.
    """
    for canvas in window.findChildren(QOpenGLWidget):
        if canvas.updatesEnabled():
            canvas.setUpdatesEnabled(False)
            again = QTimer(canvas)
            again.setSingleShot(True)
            again.timeout.connect(partial(canvas.setUpdatesEnabled, True))
            again.timeout.connect(again.deleteLater)
            again.start(_LATER)


class _CanvasGuard(QObject):
    def __init__(self, canvas: QOpenGLWidget) -> None:
        super().__init__(canvas)
        canvas.frameSwapped.connect(self._switch_off)

    def _switch_off(self) -> None:
        canvas = self.parent()
        if isinstance(canvas, QOpenGLWidget):
            canvas.makeCurrent()
            for number in range(_ATTRIBUTES):
                gl.glDisableVertexAttribArray(number)
            # It stays current, as vispy believes: with none, napari's first image asks in vain what OpenGL can do.
