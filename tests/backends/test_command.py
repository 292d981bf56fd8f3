"""A command in a process of its own: what it says, how it ends, and that it is gone when it was stopped."""

from __future__ import annotations

import os
import threading

import pytest

from napari_toposeg.backends import Command


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_lines_and_the_exit_code_are_told(tmp_path) -> None:
    lines, codes = [], []
    # A file of that name in its folder must not be taken for the library.
    (tmp_path / "numpy.py").write_text("raise SystemExit(77)")
    command = Command(["train", "nowhere.yaml", "--out", "x"], tmp_path, on_line=lines.append, on_end=codes.append)
    assert command.wait(60)
    assert codes == [2]
    assert lines[-1].startswith("toposeg: There is no file nowhere.yaml.")
    assert not command.running


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="this system has other priorities")
def test_what_is_stopped_is_gone_and_tells_nothing_more(tmp_path) -> None:
    told, codes = threading.Event(), []
    command = Command(["demo", "--out", "demo"], tmp_path, on_line=lambda line: told.set(), on_end=codes.append)
    # It stands back behind the window.
    assert os.getpriority(os.PRIO_PROCESS, command.id) > os.getpriority(os.PRIO_PROCESS, 0)
    command.stop()
    assert gone(command.id)
    assert not command.running
    assert codes == []
