"""What is not lost in a crash: a session's file, written again and again, and found when the program starts anew.

Each session has a file of its own in the user's data folder, and beside it a file that it keeps locked. The system
takes the lock away when the process ends, however it ends: a file whose lock is free was left behind.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from napari_toposeg.backends import stand_back
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.session_file import SESSION_ENDING, read_session_head
from napari_toposeg.session.saving import Hashes, state_of, write_session

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session

EVERY = 60.0
"""Seconds from one writing to the next, where anything changed."""

FOLDER_VARIABLE = "TOPOSEG_AUTOSAVE"
"""Environment variable that names another folder."""

MOST_HISTORY = 32 * 2**20
"""Bytes of older results and strokes that are kept; it is written every minute."""

_logger = logging.getLogger(__name__)
_SOON = 0.2
_STALE = 3600.0


def autosave_folder() -> Path:
    """Where sessions are kept: what TOPOSEG_AUTOSAVE says, else where the system keeps the user's data."""
    given = os.environ.get(FOLDER_VARIABLE, "")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("toposeg", appauthor=False) / "autosave"


class Autosave:
    """Keeps a session on disk: every minute in which anything changed, and at once when a result comes or is accepted.

    What is kept begins with the first placement, prompt or result.

    It writes in a thread of its own. Where it cannot write, the session's `events.failed` says so, once.

    Parameters
    ----------
    session : Session
        What is kept.
    folder : Path, optional
        Where; made where there is none. Default: `autosave_folder`.
    every : float
        Seconds.
    """

    def __init__(self, session: Session, folder: Path | None = None, *, every: float = EVERY) -> None:
        self._session = session
        self._folder = folder or autosave_folder()
        self._every = every
        self._hashes = Hashes()
        self._changed = threading.Event()
        self._soon = threading.Event()
        self._over = threading.Event()
        self._writing = threading.Lock()
        self._lock_stream: IO[bytes] | None = None
        self._complained = False
        self.path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}{SESSION_ENDING}"
        self._connect()
        self._changed.set()
        self._thread = threading.Thread(target=self._run, name="toposeg-autosave", daemon=True)
        self._thread.start()

    def now(self) -> bool:
        """Write at once, in this thread, whatever changed; whether anything was written."""
        with self._writing:
            if self._over.is_set() or not self._changed.is_set() or not self._worth_keeping():
                return False
            # Before it is looked at: what changes meanwhile is written the next time.
            self._changed.clear()
            state = state_of(self._session, most_history=MOST_HISTORY)
            try:
                self._begin()
                write_session(state, self.path, hashes=self._hashes)
            except (ToposegError, OSError) as error:
                self._changed.set()
                self._complain(error)
                return False
            return True

    def soon(self) -> None:
        """Have it written at once, in the thread that writes."""
        self._changed.set()
        self._soon.set()

    def end(self) -> None:
        """The session ended as it should: nothing is left of it."""
        self._over.set()
        self._soon.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        with self._writing:
            self._disconnect()
            if self._lock_stream is not None:
                self.path.unlink(missing_ok=True)
                self._lock_stream.close()
                self._lock_stream = None
                _lock_path(self.path).unlink(missing_ok=True)

    def _worth_keeping(self) -> bool:
        """Whether anything was done: an image that was only looked at is not offered after a crash."""
        session = self._session
        return session.volume is not None and (bool(session.history.names) or session.result is not None)

    def _signals(self) -> Iterator[Any]:
        events = self._session.events
        yield from (events.volume, events.prior, events.placement, events.settings, events.network, events.edited)
        yield from (events.mask, self._session.prompts.events.changed, self._session.history.events.changed)

    def _connect(self) -> None:
        for signal in self._signals():
            signal.connect(self._mark, check_nargs=False)
        self._session.events.result.connect(self._mark_at_once, check_nargs=False)

    def _disconnect(self) -> None:
        for signal in self._signals():
            signal.disconnect(self._mark, missing_ok=True)
        self._session.events.result.disconnect(self._mark_at_once, missing_ok=True)

    def _mark(self, *_: object) -> None:
        self._changed.set()

    def _mark_at_once(self, result: object = None) -> None:
        self._changed.set()
        if result is not None:
            self.soon()

    def _run(self) -> None:
        stand_back()
        while not self._over.is_set():
            if self._soon.wait(self._every):
                # What an accepted result brings with it comes right behind it.
                self._over.wait(_SOON)
                self._soon.clear()
            if not self._over.is_set():
                self.now()

    def _begin(self) -> None:
        """Make the folder, and take the lock that says that this process lives."""
        if self._lock_stream is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            stream = _lock_path(self.path).open("a+b")
            _lock(stream)
            self._lock_stream = stream

    def _complain(self, error: Exception) -> None:
        _logger.warning("The session cannot be kept: %s", error)
        if not self._complained:
            self._complained = True
            self._session.events.failed.emit(f"The session cannot be kept by itself: {error}")


@dataclass(frozen=True)
class LeftOver:
    """A session that was not closed as it should be.

    Attributes
    ----------
    path : Path
        Its file.
    image : str
        What its image is called.
    saved : str
        When it was written last, in UTC, as ISO 8601 has it.
    """

    path: Path
    image: str
    saved: str


def left_over(folder: Path | None = None) -> tuple[LeftOver, ...]:
    """The sessions that crashed processes left behind, the newest first. Files that cannot be read are passed over."""
    place = folder or autosave_folder()
    _clear(place)
    found = []
    for path in place.glob(f"*{SESSION_ENDING}") if place.is_dir() else ():
        if path.name.startswith(".") or not _owner_is_gone(path):
            continue
        with contextlib.suppress(ToposegError):
            head = read_session_head(path)
            found.append(LeftOver(path, str(head["volume"]["name"]), str(head["saved"])))
    return tuple(sorted(found, key=lambda one: one.saved, reverse=True))


def _clear(place: Path) -> None:
    """Remove what was being written when a process was killed."""
    for part in place.glob(f".toposeg-*{SESSION_ENDING}"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE:
                part.unlink()


def discard(one: LeftOver) -> None:
    """Forget a session that was left behind."""
    one.path.unlink(missing_ok=True)
    _lock_path(one.path).unlink(missing_ok=True)


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _owner_is_gone(path: Path) -> bool:
    lock = _lock_path(path)
    if not lock.exists():
        return True
    with lock.open("a+b") as stream:
        try:
            _lock(stream)
        except OSError:
            return False
        return True


def _lock(stream: IO[bytes]) -> None:
    """Lock a file against other processes until it is closed; OSError where another one holds it."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
