"""The run of a session: started, watched, cancelled, dropped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from napari_toposeg.backends import ComputeThread, Job
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import MultiSegmentation, Outcome
from napari_toposeg.session.events import SessionEvents
from napari_toposeg.steps import Steps

Ran: TypeAlias = Outcome | MultiSegmentation
"""What a run gives: of one object, or of several."""

_logger = logging.getLogger(__name__)


class Runs:
    """At most one run at a time; what a dropped one still gives is not kept.

    Parameters
    ----------
    compute : ComputeThread
        Where they are computed.
    events : SessionEvents
        Told of `running`, `step`, `result` and `failed`; all but the first `running` in the compute thread.
    keep : callable
        Given the result, in the compute thread and under a lock, before anybody is told; gives what they are told.
    """

    def __init__(self, compute: ComputeThread, events: SessionEvents, keep: Callable[[Ran], Outcome | None]) -> None:
        self._compute = compute
        self._events = events
        self._keep = keep
        self._job: Job[Any] | None = None
        # Set in the caller's thread, taken back in the compute thread: whose run it is decides, under the lock.
        self._run: object | None = None
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    def start(self, make: Callable[[], Steps[Any]], explained: Callable[[Any], Ran] = lambda result: result) -> None:
        """Drop the run that is under way, and start another.

        Parameters
        ----------
        make : callable
            Makes its steps; called in the compute thread.
        explained : callable
            Its result, with what is only known when it is over; called in the compute thread. Default: as it is.
        """
        self.stop()
        run = object()
        with self._lock:
            self._run = run
        self._events.running.emit(True)
        self._job = self._compute.start(
            make,
            on_step=self._events.step.emit,
            on_end=lambda result, error: self._ended(run, None if result is None else explained(result), error),
        )

    def cancel(self) -> None:
        """Stop at the next step, and keep the best result so far."""
        if self._job is not None:
            self._job.finish()

    def stop(self) -> None:
        """Drop the run, and all that it would still give."""
        with self._lock:
            job, self._job = self._job, None
            running, self._run = self._run is not None, None
        if job is not None:
            job.drop()
        if running:
            self._events.running.emit(False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end (not in a window's thread); whether it came in time."""
        job = self._job
        return True if job is None else job.wait(timeout)

    def _ended(self, run: object, result: Ran | None, error: Exception | None) -> None:
        with self._lock:
            # Dropped at the very end, after its last step: another volume may be open by now.
            if run is not self._run:
                return
            self._run = None
            self._job = None
            kept = None if result is None else self._keep(result)
        if result is not None:
            self._events.result.emit(kept)
        if isinstance(error, ToposegError):
            self._events.failed.emit(str(error))
        elif error is not None:
            _logger.error("A run ended with an error.", exc_info=error)
            self._events.failed.emit(
                f"The run stopped: {type(error).__name__}: {error}. This is a defect; please report it."
            )
        self._events.running.emit(False)
