"""A command of ours in a process of its own: for what takes hours, and would hold up the compute thread so long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_toposeg.backends.priority import let_stand_back


class Command:
    """One `toposeg` command under way, from its start.

    It inherits the environment. Where nobody says how many threads torch may use, one core is left to the window. What
    a command writes to standard error is read line by line; with the pipe gone, because this process was killed, it
    ends at its next line.

    Parameters
    ----------
    arguments : sequence of str
        What stands behind `toposeg`.
    folder : Path
        Where it runs.
    on_line : callable
        Given each line of its standard error, in a thread of its own.
    on_end : callable
        Given its exit code, in that thread, after the last line; not called where it was stopped.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        on_line: Callable[[str], None],
        on_end: Callable[[int], None],
    ) -> None:
        self._on_line = on_line
        self._on_end = on_end
        self._stopped = threading.Event()
        environment = {**os.environ, "PYTHONUTF8": "1"}
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
        # -P: a file called torch.py in that folder is not to be imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "napari_toposeg", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        let_stand_back(self._process.pid)
        self._reader = threading.Thread(target=self._read, name="toposeg-command", daemon=True)
        self._reader.start()

    @property
    def id(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is under way, or its end is just being told."""
        return self._reader.is_alive()

    def stop(self, timeout: float = 5.0) -> None:
        """End it, by force where it does not go by itself in so many seconds; nothing more is told of it."""
        self._stopped.set()
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if threading.current_thread() is not self._reader:
            self._reader.join(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, and until that was told; whether it came in time."""
        self._reader.join(timeout)
        return not self._reader.is_alive()

    def _read(self) -> None:
        lines = self._process.stderr
        assert lines is not None  # it was asked for
        with lines:
            for line in lines:
                if not self._stopped.is_set():
                    self._on_line(line.rstrip("\r\n"))
        code = self._process.wait()
        if not self._stopped.is_set():
            self._on_end(code)
