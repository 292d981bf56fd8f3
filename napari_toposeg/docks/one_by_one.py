"""Work of the window's thread in small parts, so that none of them adds to another's stall."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal


class OneByOne(QObject):
    """Does one thing in every other turn of the window's loop; events and pictures come in between.

    Parameters
    ----------
    parent : QObject
        While it lives.
    """

    done = Signal()
    """One more thing was done."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._urgent: deque[Callable[[], None]] = deque()
        self._others: deque[Callable[[], None]] = deque()
        self._busy = self._rests = False
        self._turn = QTimer(self)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self._do_next)

    @property
    def waiting(self) -> int:
        """How much there still is to do."""
        return len(self._urgent) + len(self._others)

    @property
    def busy(self) -> bool:
        """Whether something is just being done."""
        return self._busy

    def add(self, do: Callable[[], None], *, urgent: bool = False) -> None:
        """Do something in a turn of its own, after what was added before, but before all that is not urgent."""
        (self._urgent if urgent else self._others).append(do)
        if not self._turn.isActive():
            self._turn.start()

    def clear(self) -> None:
        """Forget what is still waiting."""
        self._urgent.clear()
        self._others.clear()
        self._turn.stop()

    def _do_next(self) -> None:
        # What was made is drawn in the next turn, for the first time: that takes as long as to make it.
        self._rests = not self._rests
        if not self._rests:
            return
        waiting = self._urgent or self._others
        if not waiting:
            self._turn.stop()
            self._rests = False
            return
        self._busy = True
        try:
            waiting.popleft()()
        finally:
            self._busy = False
        self.done.emit()
