"""What we do to napari's canvases: a repair, without which hiding a layer may end the process, and a pause."""

from __future__ import annotations

import weakref

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QWidget
from vispy.gloo import gl

_ATTRIBUTES = 16
"""Vertex attributes that every OpenGL has at least."""
LATER = 15
"""Milliseconds after which it is another turn of the window's loop."""

_guards: weakref.WeakSet[_CanvasGuard] = weakref.WeakSet()


def guard_canvases(widget: QWidget) -> None:
    """Leave no vertex attribute switched on after a frame.

    vispy switches on the attributes of what it draws, and off only where it draws the same again. Once such a layer is
    removed, its buffers are gone while their attributes are on, and any other layer's next draw reads them: an access
    violation, or the end of the process, after removing a Shapes, Points or Vectors layer (napari issue
    6472; in 0.9.2 every time with software OpenGL). A second call does nothing.

    Parameters
    ----------
    widget : QWidget
        The viewer's window, or a part of it.
    """
    for canvas in widget.findChildren(QOpenGLWidget):
        if canvas.findChild(_CanvasGuard) is None:
            _CanvasGuard(canvas)


def draw_later() -> None:
    """Draw what changes in this turn of the window's loop only after what comes between, a click or a key.

    A new layer's first picture takes a quarter of what the layer itself takes, and another mask's half: one after the
    other they are not felt. Holds for every canvas that is guarded.
    """
    for guard in tuple(_guards):
        if isalive(guard):
            guard.pause()


class _CanvasGuard(QObject):
    def __init__(self, canvas: QOpenGLWidget) -> None:
        super().__init__(canvas)
        self._drawn = False
        canvas.frameSwapped.connect(self._after_frame)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(LATER)
        self._again.timeout.connect(self._go_on)
        _guards.add(self)

    def pause(self) -> None:
        """Draw nothing for a moment; not again before something has been drawn since the last one."""
        canvas = self.parent()
        if self._drawn and isinstance(canvas, QOpenGLWidget):
            self._drawn = False
            canvas.setUpdatesEnabled(False)
            self._again.start()

    def _go_on(self) -> None:
        canvas = self.parent()
        if isinstance(canvas, QOpenGLWidget):
            canvas.setUpdatesEnabled(True)

    def _after_frame(self) -> None:
        self._drawn = True
        canvas = self.parent()
        if isinstance(canvas, QOpenGLWidget):
            canvas.makeCurrent()
            for number in range(_ATTRIBUTES):
                gl.glDisableVertexAttribArray(number)
            # It stays current, as vispy believes: with none, napari's first image asks in vain what OpenGL can do.
