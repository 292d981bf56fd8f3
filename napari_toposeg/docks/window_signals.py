"""A session's signals, in the window's thread.

A run's signals come from the compute thread. A `QObject` that lives in the window's thread passes them on: Qt queues
what another thread emits, in order, and drops the connection when the receiving widget dies. (psygnal's own queue
has to be polled by a timer; here nothing runs while nothing happens.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance
from qtpy.compat import isalive
from qtpy.QtCore import QElapsedTimer, QObject, QTimer, Signal

from napari_toposeg.session import Session
from napari_toposeg.steps import Step

_PAUSE = 100
"""Milliseconds from some steps to the next, unless they carry a preview. Whatever is drawn anew beside a canvas of
OpenGL, a line of progress too, has Qt put the whole window together anew: in software, half of a run's second."""


class WindowSignals(QObject):
    """A session's signals under the same names; `steps` gives all that came since the window last had time for them."""

    volume = Signal(object)
    prior = Signal(object)
    placement = Signal(object)
    settings = Signal(object)
    network = Signal(object)
    objects = Signal(int)
    running = Signal(bool)
    result = Signal(object)
    edited = Signal(bool)
    mask = Signal(object)
    failed = Signal(str)
    steps = Signal(object)
    said = Signal(str)
    """Something worth a line that is no error: a file was saved."""

    _step_came = Signal()
    _done = Signal(object, object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._waiting: list[Step[Any]] = []
        self._running = False
        self._since = QElapsedTimer()
        self._give_soon = QTimer(self)
        self._give_soon.setSingleShot(True)
        self._give_soon.timeout.connect(self._give_steps)
        names = ("volume", "prior", "placement", "settings", "network", "objects", "result", "edited", "mask", "failed")
        for name in (*names, "running"):
            getattr(session.events, name).connect(_emitter(getattr(self, name)))
        session.events.step.connect(self._take_step)
        self._step_came.connect(self._consider_steps)
        self._done.connect(self._call)
        self.running.connect(self._forget_steps)

    def hand_over(self, then: Callable[[Any], None], value: Any) -> None:
        """Call ``then(value)`` in the window's thread; from any thread."""
        self._done.emit(then, value)

    def follow(self, signal: SignalInstance, slot: Callable[[Any], None], *, owner: QObject | None) -> None:
        """Call a slot in the window's thread whenever one of the session's signals is emitted, while its owner lives.

        Parameters
        ----------
        signal : psygnal.SignalInstance
            With one argument; emitted in any thread.
        slot : callable
            Given that argument.
        owner : QObject or None
            Whose slot it is; None where that lives as long as the session. All of it may then be collected as garbage
            at once, and there is no signal left to disconnect.
        """

        def call(value: Any) -> None:
            if owner is None or isalive(owner):
                slot(value)

        def emit(value: Any) -> None:
            self.hand_over(call, value)

        signal.connect(emit)
        if owner is not None:
            owner.destroyed.connect(lambda: signal.disconnect(emit, missing_ok=True))

    def _take_step(self, step: Step[Any]) -> None:
        """In the compute thread: a step may come every millisecond, and the window needs one call for all of them."""
        with self._lock:
            first = not self._waiting
            self._waiting.append(step)
        if first or step.preview is not None:
            self._step_came.emit()

    def _consider_steps(self) -> None:
        with self._lock:
            urgent = any(step.preview is not None for step in self._waiting)
        passed = self._since.elapsed() if self._since.isValid() else _PAUSE
        if urgent or passed >= _PAUSE:
            self._give_steps()
        elif not self._give_soon.isActive():
            self._give_soon.start(_PAUSE - passed)

    def _give_steps(self) -> None:
        with self._lock:
            steps, self._waiting = self._waiting, []
        if steps and self._running:
            self._since.start()
            self.steps.emit(steps)

    def _forget_steps(self, running: bool) -> None:
        """A run is over: its last steps are given, but no preview, which would be drawn over its mask."""
        was, self._running = self._running, running
        self._give_soon.stop()
        if not running:
            with self._lock:
                steps, self._waiting = self._waiting, []
            last = [step for step in steps if step.preview is None]
            if was and last:
                self.steps.emit(last)

    def _call(self, then: Callable[[Any], None], value: Any) -> None:
        then(value)


def _emitter(signal: Any) -> Callable[[Any], None]:
    """A plain function for psygnal, which cannot hold Qt's bound signals weakly."""

    def emit(value: Any) -> None:
        signal.emit(value)

    return emit
