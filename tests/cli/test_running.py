"""Progress and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_toposeg.cli.running import Interrupted, run
from napari_toposeg.steps import Step, Steps


def counting(closed: list[bool], *, press_at: int | None = None, presses: int = 1) -> Steps[str]:
    """Five steps; at one of them Ctrl-C is pressed."""
    try:
        for number in range(1, 6):
            if number == press_at:
                for _ in range(presses):
                    os.kill(os.getpid(), signal.SIGINT)
            yield Step(
                "count" if number < 4 else "end", number, 5, {"total": 0.5}, result="five" if number == 5 else None
            )
    finally:
        closed.append(True)


def test_a_job_is_run_to_its_result_and_each_stage_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(counting([])) == "five"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "count (step 1 of 5)\nend (step 4 of 5)\n"


def test_a_quiet_job_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run(counting([]), quiet=True)
    assert capsys.readouterr() == ("", "")


def test_the_bar_of_a_terminal_shows_stage_and_loss(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert run(counting([])) == "five"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "loss 0.5000" in captured.err


def test_ctrl_c_stops_at_the_next_step_and_closes_the_job() -> None:
    closed: list[bool] = []
    with pytest.raises(Interrupted, match=r"after step 2 of 5 \(count\). No file was written."):
        run(counting(closed, press_at=2), quiet=True)
    assert closed == [True]


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(counting([], press_at=2, presses=2), quiet=True)


def test_the_handler_of_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    run(counting([]), quiet=True)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_job_runs_in_another_thread_too() -> None:
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(run(counting([]), quiet=True)))
    thread.start()
    thread.join()
    assert results == ["five"]


def test_ctrl_c_during_a_segmentation_leaves_no_file_and_exits_with_130(solid, tmp_path: Path) -> None:
    words = ["segment", solid.image, "-o", tmp_path / "mask.nii.gz", "--iterations", 100_000, "--prior", "ball"]
    command = [sys.executable, "-m", "napari_toposeg", *map(str, words), "--report", str(tmp_path / "report.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("fit") or "(step 2 " in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert "Stopping at the next step" in err
    assert err.splitlines()[-1].startswith("toposeg: Stopped by Ctrl-C after step")
    assert "Traceback" not in err
    assert not any(tmp_path.iterdir())


def test_an_interrupt_before_anything_runs_is_no_traceback(toposeg: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_toposeg.priors.builtin_priors", pressed)
    outcome = toposeg("priors")
    assert outcome.code == 130
    assert len(outcome.err.splitlines()) == 1
