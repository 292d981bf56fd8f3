"""Work beside a run: one step at a time in the compute thread, so that the run proceeds in between."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from napari_toposeg.errors import ToposegError
from napari_toposeg.steps import Finish, Step, Steps

Result = TypeVar("Result")

_logger = logging.getLogger(__name__)


class SideJob(Generic[Result]):
    """Does the newest of several jobs; an earlier one stops at its next step, and nothing of it is kept.

    Parameters
    ----------
    later : callable
        Orders something in the compute thread, as `Session.later` does.
    called : str
        What is being made, for an error: "The barcode".
    on_running : callable
        Told whether a job is under way: True in the thread of whoever starts it, False in any.
    on_step : callable
        Given each step, in the compute thread.
    keep : callable
        Given the result, in the compute thread and under a lock: it puts it away and tells nobody.
    tell : callable
        Called after `keep`, in the compute thread: it tells whoever listens.
    on_failed : callable
        Given the sentence that a person reads, in the compute thread.
    """

    def __init__(
        self,
        later: Callable[[Callable[[], None], Callable[[None], None]], None],
        called: str,
        *,
        on_running: Callable[[bool], None],
        on_step: Callable[[Step[Result]], None],
        keep: Callable[[Result], None],
        tell: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._later = later
        self._called = called
        self._on_running = on_running
        self._on_step = on_step
        self._keep = keep
        self._tell = tell
        self._on_failed = on_failed
        self._newest = 0
        self._finishing = False
        self._paused = False
        # What goes on when the pause is over.
        self._held: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return not self._idle.is_set()

    @property
    def paused(self) -> bool:
        """Whether the job that is under way makes no steps for now."""
        return self._paused

    def start(self, make: Callable[[], Steps[Result]]) -> None:
        """Drop the job that is under way and do this one; `make` is called in the compute thread."""
        with self._lock:
            self._newest += 1
            number = self._newest
            self._idle.clear()
            self._forget_requests()
        self._on_running(True)
        self._go_on(number, make, None)

    def cancel(self) -> None:
        """Drop the job that is under way, if there is one."""
        with self._lock:
            self._newest += 1
            was = self.running
            self._idle.set()
            self._forget_requests()
        if was:
            self._on_running(False)

    def finish(self) -> None:
        """Ask the job that is under way for the best that it has; it arrives as its result. A pause is over."""
        with self._lock:
            self._finishing = self.running
        self.resume()

    def pause(self) -> None:
        """Make no further step from now on; one that is being made is still told."""
        with self._lock:
            self._paused = self.running

    def resume(self) -> None:
        """Go on after a pause."""
        with self._lock:
            self._paused = False
            held, self._held = self._held, None
        if held is not None:
            held()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no job is under way (not in a window's thread); whether that came in time."""
        return self._idle.wait(timeout)

    def _go_on(self, number: int, make: Callable[[], Steps[Result]], begun: Steps[Result] | None) -> None:
        def work() -> None:
            with self._lock:
                if number != self._newest:
                    return
                if self._paused:
                    self._held = lambda: self._go_on(number, make, begun)
                    return
                finishing = self._finishing and begun is not None
                self._finishing = self._finishing and begun is None
            try:
                steps = begun or make()
                step = steps.throw(Finish()) if finishing else next(steps)
            except Exception as error:  # noqa: BLE001 - whatever went wrong is told to whoever listens, not swallowed
                self._end(number, error)
                return
            if number != self._newest:
                return
            self._on_step(step)
            if step.result is None:
                self._go_on(number, make, steps)
            else:
                self._end(number, step.result)

        self._later(work, _nothing)

    def _end(self, number: int, outcome: Result | Exception) -> None:
        with self._lock:
            if number != self._newest:
                return
            if not isinstance(outcome, Exception):
                self._keep(outcome)
            self._idle.set()
            self._forget_requests()
        if isinstance(outcome, ToposegError):
            self._on_failed(str(outcome))
        elif isinstance(outcome, Exception):
            _logger.error("%s ended with an error.", self._called, exc_info=outcome)
            self._on_failed(
                f"{self._called} stopped: {type(outcome).__name__}: {outcome}. This is a defect; please report it."
            )
        else:
            self._tell()
        self._on_running(False)

    def _forget_requests(self) -> None:
        self._finishing, self._paused, self._held = False, False, None


def _nothing(_: Any) -> None:
    pass
