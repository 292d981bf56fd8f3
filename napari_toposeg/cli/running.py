"""Running a job in the terminal: its progress on standard error, and Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from napari_toposeg.steps import Step, Steps

Result = TypeVar("Result")


class Interrupted(Exception):  # noqa: N818  a wish of the user's, not an error
    """The user stopped the command; `str` says what became of it."""


def notes() -> Console:
    """A console on standard error, for what a person reads and a program does not."""
    return Console(file=sys.stderr, highlight=False)


def say(text: str) -> None:
    """One line on standard error, not broken to the terminal's width."""
    print(text, file=sys.stderr)


@contextmanager
def watching_for_interrupts() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish that a loop can ask for; the second one interrupts at once.

    Yields
    ------
    callable
        Whether Ctrl-C was pressed.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set handlers; elsewhere Ctrl-C is the caller's affair.
        yield pressed.is_set
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()
        say("Stopping at the next step (Ctrl-C again: at once) ...")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def compile_once(*, quiet: bool = False, barcodes: bool = False) -> None:
    """Compile what is compiled at first use, and say so where that takes long: half a minute on a new installation."""
    from napari_toposeg.inference import warm_up

    late = threading.Timer(3.0, say, ["Compiling, once for this installation; it takes about half a minute ..."])
    if not quiet:
        late.start()
    try:
        warm_up(barcodes=barcodes)
    finally:
        late.cancel()


def run(steps: Steps[Result], *, quiet: bool = False, stopped: str = "No file was written.") -> Result:
    """Run a job to its end, showing how it goes.

    Parameters
    ----------
    steps : generator of Step
        The job.
    quiet : bool
        Show nothing.
    stopped : str
        What becomes of the work where Ctrl-C ends it.

    Returns
    -------
    Result
        What the last step carries.

    Raises
    ------
    Interrupted
        If Ctrl-C was pressed; the job is then closed and its result dropped.
    """
    result: Result | None = None
    with watching_for_interrupts() as interrupted, _shown(quiet) as show:
        for step in steps:
            show(step)
            if interrupted():
                steps.close()
                raise Interrupted(
                    f"Stopped by Ctrl-C after step {step.number} of {step.total} ({step.stage}). {stopped}"
                )
            result = step.result
    if result is None:
        raise RuntimeError("the job ended without a result")
    return result


def _shown(quiet: bool) -> AbstractContextManager[Callable[[Step[Any]], None]]:
    if quiet:
        return nullcontext(lambda step: None)
    console = notes()
    return _bar(console) if console.is_terminal else nullcontext(_StageLines())


class _StageLines:
    """Where standard error is a file: a line for each stage."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, step: Step[Any]) -> None:
        if step.stage != self._stage:
            self._stage = step.stage
            say(f"{step.stage} (step {step.number} of {step.total})")


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Step[Any]], None]]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[loss]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("prepare".ljust(_STAGE_WIDTH), total=None, loss="")

        def show(step: Step[Any]) -> None:
            # One number: the terms, all of them, are in the report, and would squeeze the bar.
            loss = f"loss {step.losses['total']:.4f}" if "total" in step.losses else ""
            progress.update(
                task,
                completed=step.number,
                total=step.total,
                description=step.stage.ljust(_STAGE_WIDTH),
                loss=loss,
            )

        yield show


_STAGE_WIDTH = 10
