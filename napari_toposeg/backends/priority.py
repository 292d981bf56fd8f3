"""Who stands back where the window and what is computed both want the processor."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

_NICENESS = 10


def let_stand_back(process: int) -> None:
    """Let a process stand back behind the window's; nothing where it is over already, or where the system has none.

    Parameters
    ----------
    process : int
        Its id.
    """
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process, _NICENESS)


def stand_back() -> None:
    """Let this thread, and those that it starts, stand back behind the window's; only Linux has that for threads.

    With two cores the window's thread waited up to 50 ms for one of them after a run, while the deformation's numbers
    were computed and the session was written.
    """
    if sys.platform == "linux":
        let_stand_back(threading.get_native_id())
