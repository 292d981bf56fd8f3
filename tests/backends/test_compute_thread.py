"""The one compute thread."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from napari_toposeg.backends import ComputeThread
from napari_toposeg.steps import Finish, Step, Steps, last


def counting(total: int, *, gate: threading.Event | None = None, closed: list[bool] | None = None) -> Steps[int]:
    """Counts up; when asked to finish, gives what it has."""
    done = 0
    try:
        for number in range(total):
            if gate is not None:
                gate.wait(5)
            done = number + 1
            try:
                yield Step("count", done, total + 1)
            except Finish:
                break
        yield Step("end", total + 1, total + 1, result=done)
    except GeneratorExit:
        if closed is not None:
            closed.append(True)
        raise


class Listener:
    """Remembers what it was told, and in which thread."""

    def __init__(self) -> None:
        self.steps: list[Step[int]] = []
        self.ends: list[tuple[int | None, Exception | None]] = []
        self.threads: set[int] = set()
        self.stepped = threading.Event()

    def on_step(self, step: Step[int]) -> None:
        self.steps.append(step)
        self.threads.add(threading.get_ident())
        self.stepped.set()

    def on_end(self, result: int | None, error: Exception | None) -> None:
        self.ends.append((result, error))
        self.threads.add(threading.get_ident())


@pytest.fixture
def compute():
    thread = ComputeThread()
    yield thread
    thread.close()


def test_steps_come_in_order_and_the_result_comes_last(compute) -> None:
    heard = Listener()
    job = compute.start(lambda: counting(5), on_step=heard.on_step, on_end=heard.on_end)
    assert job.wait(5)
    assert [step.number for step in heard.steps] == [1, 2, 3, 4, 5, 6]
    assert heard.ends == [(5, None)]


def test_every_job_runs_in_the_same_thread_which_is_not_ours(compute) -> None:
    threads = set()
    for _ in range(5):
        heard = Listener()
        compute.start(lambda: counting(2), on_step=heard.on_step, on_end=heard.on_end).wait(5)
        threads |= heard.threads
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an order of threads")
def test_the_thread_stands_back_behind_the_one_that_asks(compute) -> None:
    found: list[int] = []
    done = threading.Event()

    def look() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        done.set()

    compute.later(look)
    assert done.wait(10)
    assert found[0] > os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_finishing_early_keeps_the_best_so_far(compute) -> None:
    heard, gate = Listener(), threading.Event()
    job = compute.start(lambda: counting(1000, gate=gate), on_step=heard.on_step, on_end=heard.on_end)
    job.finish()
    gate.set()
    assert job.wait(5)
    assert heard.ends == [(1, None)]


def test_a_dropped_job_gives_nothing_and_closes_its_generator(compute) -> None:
    heard, gate, closed = Listener(), threading.Event(), []
    job = compute.start(lambda: counting(1000, gate=gate, closed=closed), on_step=heard.on_step, on_end=heard.on_end)
    job.drop()
    gate.set()
    assert job.wait(5)
    assert heard.steps == []
    assert heard.ends == [(None, None)]


def test_starting_another_job_makes_the_first_stale(compute) -> None:
    first, second, gate, closed = Listener(), Listener(), threading.Event(), []
    gate.set()
    stale = compute.start(lambda: counting(10**7, gate=gate, closed=closed), on_step=first.on_step, on_end=first.on_end)
    assert first.stepped.wait(5)
    fresh = compute.start(lambda: counting(3), on_step=second.on_step, on_end=second.on_end)
    assert fresh.wait(5)
    assert stale.wait(5)
    assert closed == [True]
    assert first.ends == []
    assert second.ends == [(3, None)]


def test_an_error_is_handed_over_and_the_thread_lives_on(compute) -> None:
    def failing() -> Steps[int]:
        yield Step("count", 1, 2)
        raise RuntimeError("broken")

    heard = Listener()
    compute.start(failing, on_step=heard.on_step, on_end=heard.on_end).wait(5)
    ((result, error),) = heard.ends
    assert result is None
    assert str(error) == "broken"
    again = Listener()
    assert compute.start(lambda: counting(1), on_step=again.on_step, on_end=again.on_end).wait(5)
    assert again.ends == [(1, None)]


def test_small_work_waits_its_turn_and_makes_nothing_stale(compute) -> None:
    heard, gate, done = Listener(), threading.Event(), threading.Event()
    job = compute.start(lambda: counting(3, gate=gate), on_step=heard.on_step, on_end=heard.on_end)
    compute.later(done.set)
    assert not done.is_set()
    gate.set()
    assert job.wait(5)
    assert done.wait(5)
    assert heard.ends == [(3, None)]


def test_last_gives_the_result_of_a_job() -> None:
    assert last(counting(4)) == 4
    with pytest.raises(ValueError, match="without a result"):
        last(step for step in [Step("count", 1, 1)])
