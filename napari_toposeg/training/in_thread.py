"""Work that calls back, as a generator."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any


def from_thread(work: Callable[[Callable[[Any], None]], None]) -> Iterator[Any]:
    """What a job in a thread of its own puts out, one by one; the job waits until each is asked for.

    Lightning's loop calls back and gives nothing in between, while all long work here is a generator of steps.

    Parameters
    ----------
    work : callable
        The job. It is given a function, and puts out what it calls that with.

    Yields
    ------
    what the job puts out
        Closing the generator ends the job at its next word, and waits for that.

    Raises
    ------
    whatever the job raises
    """
    words: queue.Queue[Any] = queue.Queue()
    go = threading.Semaphore(0)
    dropped = threading.Event()
    end = object()

    def put(word: Any) -> None:
        words.put(word)
        go.acquire()
        if dropped.is_set():
            raise _Dropped

    def job() -> None:
        try:
            work(put)
        except _Dropped:
            pass
        except BaseException as error:  # noqa: BLE001  it is raised again, in the thread that asked
            words.put(error)
        words.put(end)

    thread = threading.Thread(target=job, name="toposeg-training", daemon=True)
    thread.start()
    try:
        while (word := words.get()) is not end:
            if isinstance(word, BaseException):
                raise word
            yield word
            go.release()
    finally:
        dropped.set()
        go.release()
        thread.join()


class _Dropped(Exception):  # noqa: N818  not an error: nobody wants the rest
    """The generator was closed."""
