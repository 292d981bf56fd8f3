"""How late a timer of the window's thread comes, and what it waited for."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import vispy.app
from napari._qt.qt_main_window import _QtMainWindow
from qtpy.QtCore import QEvent, QTimer

vispy.app.use_app("pyqt6")
from vispy.app.backends import _qt  # noqa: E402 - vispy has it only once it knows which Qt there is

BEAT = 0.005
"""Seconds between two beats."""

_SCHEDULE = Path("/proc/thread-self/schedstat")


@dataclass(frozen=True)
class Beat:
    """What happened from one beat to the next, in seconds.

    Attributes
    ----------
    late : float
        By how much the second came too late.
    worked : float
        Processor time of the window's thread.
    queued : float
        How long that thread was ready and other threads, ours or of other processes, had all cores. 0 where the system
        does not say.
    painted : float
        How long the window was painted and put together, all that vispy drew included: with software OpenGL, mostly
        the processor's work for a graphics card that is not there.
    """

    late: float
    worked: float
    queued: float
    painted: float


class Heartbeat:
    """A timer of the window's thread, and a watch on its canvases. To be made before the first viewer."""

    def __init__(self) -> None:
        self._beats: list[Beat] = []
        self._painted = 0.0
        self.canvases: weakref.WeakSet[object] = weakref.WeakSet()
        """Those that have drawn since it was cleared."""
        self._last = (0.0, 0.0, 0.0, 0.0)
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        paint = _qt.CanvasBackendDesktop.paintGL

        def noted(canvas: object) -> None:
            paint(canvas)
            self.canvases.add(canvas)

        _qt.CanvasBackendDesktop.paintGL = noted
        event = _QtMainWindow.event

        def watched(window: _QtMainWindow, what: QEvent) -> bool:
            begun = time.perf_counter()
            taken = event(window, what)
            if what.type() == QEvent.Type.UpdateRequest:
                self._painted += time.perf_counter() - begun
            return taken

        _QtMainWindow.event = watched

    def _now(self) -> tuple[float, float, float, float]:
        queued = int(_SCHEDULE.read_text().split()[1]) / 1e9 if _SCHEDULE.exists() else 0.0
        return time.perf_counter(), time.thread_time(), queued, self._painted

    def _beat(self) -> None:
        now = self._now()
        passed, worked, queued, painted = (after - before for after, before in zip(now, self._last, strict=True))
        self._beats.append(Beat(passed - BEAT, worked, queued, painted))
        self._last = now

    def during(self, work: Callable[[], None]) -> tuple[Beat, ...]:
        """All beats while something is done that lets the window live."""
        self._beats.clear()
        self._last = self._now()
        self._timer.start(round(1000 * BEAT))
        work()
        self._timer.stop()
        return tuple(self._beats)


def longest(beats: tuple[Beat, ...]) -> Beat:
    """The beat that came latest."""
    return max(beats, key=lambda beat: beat.late)


def rows_of(beats: tuple[Beat, ...], when: str) -> list[list[str]]:
    """A table's rows of figure and what is wanted: the longest stall, and what is left of it without this and that."""
    late, worked, queued, painted = np.array([(beat.late, beat.worked, beat.queued, beat.painted) for beat in beats]).T
    worst = longest(beats)

    def row(what: str, seconds: float, wanted: str = "") -> list[str]:
        return [what, f"{1000 * seconds:.0f} ms", wanted]

    return [
        row(f"longest stall, {when}", worst.late, "100 ms"),
        row("- the window's thread itself worked for", worst.worked),
        row("- it waited for a core that others had for", worst.queued),
        row("- the window was painted for", worst.painted),
        row("longest stall less the wait for a core", float((late - queued).max()), "100 ms"),
        row("longest stall less the window's painting", float((late - painted).max()), "100 ms"),
        row("longest work of the window's thread in one turn", float(worked.max()), "100 ms"),
        row("99 of 100 beats are late by at most", float(np.percentile(late, 99))),
    ]
