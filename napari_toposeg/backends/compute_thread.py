"""The one thread that computes, for the life of the application."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from napari_toposeg.backends.priority import stand_back
from napari_toposeg.steps import Finish, Step, Steps

Result = TypeVar("Result")

_logger = logging.getLogger(__name__)


class Job(Generic[Result]):
    """A generator of steps, its listeners, and what is asked of it while it runs.

    All listeners are called in the compute thread. A window has to pass them on to its own.
    """

    def __init__(
        self,
        generation: int,
        make: Callable[[], Steps[Result]],
        on_step: Callable[[Step[Result]], None],
        on_end: Callable[[Result | None, Exception | None], None],
    ) -> None:
        self.generation = generation
        self._make = make
        self._on_step = on_step
        self._on_end = on_end
        self._finish = threading.Event()
        self._drop = threading.Event()
        self._ended = threading.Event()

    def finish(self) -> None:
        """Ask for the best result so far; it arrives as the job's end."""
        self._finish.set()

    def drop(self) -> None:
        """Ask the job to stop at its next step and to give nothing back."""
        self._drop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the job's end; whether it came within `timeout` seconds."""
        return self._ended.wait(timeout)

    def run(self, is_stale: Callable[[Job[Any]], bool], between: Callable[[], None]) -> None:
        """Run to the end, calling `between` after each step; called by the compute thread only."""
        result: Result | None = None
        error: Exception | None = None
        try:
            if not is_stale(self) and not self._drop.is_set():
                result = self._steps_to_result(is_stale, between)
        except Exception as raised:  # noqa: BLE001 - whatever went wrong is handed to whoever listens, not swallowed
            error = raised
        try:
            if not is_stale(self):
                self._on_end(result, error)
        finally:
            self._ended.set()

    def _steps_to_result(self, is_stale: Callable[[Job[Any]], bool], between: Callable[[], None]) -> Result | None:
        result: Result | None = None
        steps = self._make()
        finishing = False
        try:
            step = next(steps)
            while True:
                if is_stale(self) or self._drop.is_set():
                    return None
                result = step.result
                self._on_step(step)
                between()
                if self._finish.is_set() and not finishing:
                    finishing = True
                    step = steps.throw(Finish())
                else:
                    step = next(steps)
        except StopIteration:
            return result
        finally:
            steps.close()


class ComputeThread:
    """Runs one job after another in a single thread.

    A CUDA context's caches belong to a thread, and a pool that makes new threads pays for them again at each call:
    there is one thread, and it lives as long as the application.

    Starting a job makes all earlier ones stale: they stop at their next step, and nothing that they give is passed on.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._errands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._generation = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="toposeg-compute", daemon=True)
        self._thread.start()

    def start(
        self,
        make: Callable[[], Steps[Result]],
        *,
        on_step: Callable[[Step[Result]], None],
        on_end: Callable[[Result | None, Exception | None], None],
    ) -> Job[Result]:
        """Run a job after dropping whatever runs now.

        Parameters
        ----------
        make : callable
            Makes the generator; called in the compute thread, so that it may itself be slow.
        on_step : callable
            Given each step.
        on_end : callable
            Given the result (None where the job was dropped) and the exception that ended it, if any. Not called for a
            stale job.

        Returns
        -------
        Job
        """
        with self._lock:
            self._generation += 1
            job = Job(self._generation, make, on_step, on_end)
        self._jobs.put(job)
        return job

    def later(self, work: Callable[[], None]) -> None:
        """Do something small in the compute thread: at once where it is idle, else after the running job's next step.

        It makes no job stale (warming up kernels, drawing an outline). An exception that `work` lets through is logged.
        """
        self._errands.put(work)
        # Wakes an idle thread; a busy one finds the errand by itself, and this then does nothing.
        self._jobs.put(Job(-1, _nothing, lambda step: None, lambda result, error: None))

    def close(self, timeout: float = 5.0) -> None:
        """Let the running job stop at its next step, end the thread, and wait for it for up to `timeout` seconds."""
        with self._lock:
            self._generation += 1
        self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _is_stale(self, job: Job[Any]) -> bool:
        return job.generation not in (-1, self._generation)

    def _work(self) -> None:
        stand_back()
        while (job := self._jobs.get()) is not None:
            self._run_errands()
            job.run(self._is_stale, self._run_errands)

    def _run_errands(self) -> None:
        # Those that wait now. One that orders another would else keep the running job from its next step.
        with contextlib.suppress(queue.Empty):
            for _ in range(self._errands.qsize()):
                work = self._errands.get_nowait()
                try:
                    work()
                except Exception:
                    _logger.exception("Something that was to be done on the side failed.")


def _nothing() -> Steps[None]:
    yield from ()
