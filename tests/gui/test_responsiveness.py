"""The window lives while a fit, a barcode and a training run at once; how well, benchmarks/window.py measures."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from qtpy.QtCore import QTimer

from napari_toposeg.docks import responsiveness
from napari_toposeg.inference import Window as NetworkWindow
from napari_toposeg.training import Data, Optimisation, TrainedObject, TrainingConfig, train


class Training:
    """A training in a thread of its own, for as long as it is wanted."""

    def __init__(self, folder: Path) -> None:
        config = TrainingConfig(
            Data(synthetic=6),
            (TrainedObject("disk"),),
            "tpsn",
            NetworkWindow((32, 32)),
            {"features": 4, "resolutions": 2},
            optimisation=Optimisation(epochs=1000),
            device="cpu",
        )
        self.steps = 0
        self._wanted = True
        self._thread = threading.Thread(target=self._work, args=(config, folder), daemon=True)
        self._thread.start()

    def _work(self, config: TrainingConfig, folder: Path) -> None:
        steps = train(config, folder)
        for _ in steps:
            self.steps += 1
            if not self._wanted:
                steps.close()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._wanted = False
        self._thread.join(60.0)


def test_events_are_handled_and_cancel_is_obeyed_while_three_jobs_run(
    window: Any, ball_file: Path, organ_box: Any, tmp_path: Path
) -> None:
    window.open(ball_file)
    window.place(organ_box)
    session, segment = window.session, window.segment
    training = Training(tmp_path / "training")
    try:
        # Its first step comes after the cases are drawn, and the loop's when Lightning is loaded.
        window.until(lambda: training.steps > 8, 120)
        together, fitted = [], []
        session.events.step.connect(lambda step: fitted.append(step.number))
        beat = QTimer()
        beat.timeout.connect(
            lambda: (
                together.append((len(fitted), training.steps))
                if session.running and session.barcode.computing and training.running
                else None
            )
        )
        beat.start(1)
        segment.method.iterations.setValue(5000)
        segment.run_button.click()
        noise = np.random.default_rng(0).random(session.volume.shape, np.float32)
        for _ in range(20):
            # A barcode is soon found: another one, until a person had time to do something meanwhile.
            session.barcode.of_map(noise, box=session.volume.frame.box)
            window.until(lambda: not session.barcode.computing)
            if len(together) > 20 and together[-1][0] > together[0][0] + 2 and together[-1][1] > together[0][1] + 2:
                break
        # While all three were under way, the window came to its turn between the steps of each.
        assert len({fit for fit, _ in together}) > 2
        assert len({step for _, step in together}) > 2

        session.barcode.of_map(noise, box=session.volume.frame.box)
        segment.cancel_button.click()
        window.until(segment.run_button.isEnabled)
        beat.stop()
        assert session.result.iterations < 5000
        assert session.result.certificate.topology_ok
        assert training.running
    finally:
        training.stop()


def test_what_stands_is_not_searched_for_garbage_until_its_image_goes(window: Any, ball_file: Path) -> None:
    window.open(ball_file)
    assert gc.get_freeze_count() == 0
    window.until(lambda: gc.get_freeze_count() > 0, 30)
    window.viewer.layers.remove(window.workspace.image)
    assert gc.get_freeze_count() == 0


def test_threads_take_turns_more_often_than_python_lets_them_by_itself() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)
        responsiveness.take_short_turns()
        assert sys.getswitchinterval() == pytest.approx(0.0005, rel=0.02)
        sys.setswitchinterval(0.0001)
        responsiveness.take_short_turns()
        assert sys.getswitchinterval() == pytest.approx(0.0001, rel=0.02)  # who has shorter ones keeps them
    finally:
        sys.setswitchinterval(before)


def test_every_step_of_a_run_is_given_in_order_and_not_each_by_itself(
    window: Any, ball_file: Path, organ_box: Any
) -> None:
    window.open(ball_file)
    window.place(organ_box)
    came: list[int] = []
    given: list[list[int]] = []
    window.session.events.step.connect(lambda step: came.append(step.number))
    window.workspace.signals.steps.connect(lambda steps: given.append([step.number for step in steps]))
    window.run(iterations=12)
    assert [number for steps in given for number in steps] == came
    assert len(given) < len(came)


def test_pytorch_keeps_a_core_free_after_napari_has_compiled_its_labels(
    window: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, threads = window.workspace.later, []

    def at_once(work: Any, then: Any, **owner: Any) -> None:
        if threading.current_thread() is thread:
            then(work())
        else:
            later(work, then, **owner)

    def as_the_compute_thread_does() -> None:
        window.workspace.warm_up()
        threads.append(torch.get_num_threads())

    # As napari's compiled code leaves them the first time; PyTorch counts them for each thread.
    monkeypatch.setattr(responsiveness, "load_labels", lambda: torch.set_num_threads(os.cpu_count() or 2))
    thread = threading.Thread(target=as_the_compute_thread_does)
    monkeypatch.setattr(window.workspace, "later", at_once)
    thread.start()
    window.until(lambda: not thread.is_alive())
    assert threads == [max(1, (os.cpu_count() or 2) - 1)]
