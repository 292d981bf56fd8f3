"""Undo and redo of everything that changes a mask, a prompt or a placement: named changes in a list."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from psygnal import Signal, SignalGroup

from napari_toposeg.errors import ToposegError

MOST_BYTES = 512 * 2**20
"""What a history holds at most beside its newest change. Strokes are runs, of some kilobytes each; a result is its mask
and its field, of up to some 200 MB where the region is large."""

MOST_CHANGES = 1000


class State(Protocol):
    """What was so before a change, or after it."""

    @property
    def weight(self) -> Mapping[int, int]:
        """Bytes of the large things that it holds, by their identity: what two states share is counted once."""


@dataclass(frozen=True, eq=False)
class Change:
    """One thing that a person did.

    Attributes
    ----------
    name : str
        As a list shows it: "Stroke of radius 4 mm", "Box placed", "Run: annulus".
    what : str
        What it changed: "mask", "result", "placement", "prompts" or "objects".
    before, after : State
        What has to be restored to undo it, and to do it again.
    whose : int
        The number of the object that it was done to; where it was done to all, that is in the states.
    """

    name: str
    what: str
    before: State
    after: State
    whose: int = 0


class HistoryEvents(SignalGroup):
    """What a history tells, in the thread of whoever changed it: a result comes from the compute thread."""

    changed = Signal(object)  # int: how many of the changes are done


class History:
    """All changes since the volume was opened, and how many of them are done.

    A new change forgets those that were undone. Where the history holds more than `most_bytes`, or more than
    `most_changes`, its oldest changes are forgotten; the newest one is kept, whatever it holds.

    Parameters
    ----------
    most_bytes, most_changes : int
        See above.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, most_changes: int = MOST_CHANGES) -> None:
        self.events = HistoryEvents()
        self.lock = threading.RLock()
        self._most_bytes, self._most_changes = most_bytes, most_changes
        self._changes: list[Change] = []
        self._position = 0
        self._forgotten = 0
        self._restore: dict[str, Callable[[Any], None]] = {}
        self._resting = False
        self._holder: weakref.ref[object] | None = None
        self._whose: Callable[[], int] = lambda: 0
        self._choose: Callable[[int], None] = lambda number: None

    @property
    def names(self) -> tuple[str, ...]:
        """What each change is called, the oldest first; those that were undone come last."""
        return tuple(change.name for change in self._changes)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that can be undone, and those that can be done again."""
        return tuple(self._changes)

    @property
    def position(self) -> int:
        """How many of them are done."""
        return self._position

    @property
    def forgotten(self) -> int:
        """How many older ones there were that cannot be undone any more."""
        return self._forgotten

    @property
    def nbytes(self) -> int:
        """What the history holds, in bytes."""
        held: dict[int, int] = {}
        for change in self._changes:
            held |= {**change.before.weight, **change.after.weight}
        return sum(held.values())

    def restores(self, what: str, restore: Callable[[Any], None]) -> None:
        """Say who brings a kind of state back."""
        self._restore[what] = restore

    def belongs(self, whose: Callable[[], int], choose: Callable[[int], None]) -> None:
        """Say whose the changes are from now on, and who chooses that object again before one of them is undone."""
        self._whose, self._choose = whose, choose

    def add(self, name: str, what: str, before: State, after: State) -> None:
        """Something was done. While something is being undone this does nothing."""
        with self.lock:
            if self._resting:
                return
            del self._changes[self._position :]
            self._changes.append(Change(name, what, before, after, self._whose()))
            self._position = len(self._changes)
            while len(self._changes) > 1 and (
                len(self._changes) > self._most_changes or self.nbytes > self._most_bytes
            ):
                del self._changes[0]
                self._position -= 1
                self._forgotten += 1
        self.events.changed.emit(self._position)

    @contextlib.contextmanager
    def one_change(self, name: str, what: str, state: Callable[[], State]) -> Iterator[None]:
        """All that happens meanwhile is one change; where it fails, what there was before comes back."""
        with self.lock:
            before = state()
            try:
                with self.resting():
                    yield
            except Exception:
                with self.resting():
                    self._restore[what](before)
                raise
            self.add(name, what, before, state())

    def hold(self, holder: object) -> None:
        """Refuse to undo and redo while something is being done that is no change yet; as long as its holder lives."""
        self._holder = weakref.ref(holder)

    def release(self, holder: object) -> None:
        """It is over."""
        if self._holder is not None and self._holder() is holder:
            self._holder = None

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """What happens meanwhile is no change."""
        with self.lock:
            before, self._resting = self._resting, True
            try:
                yield
            finally:
                self._resting = before

    def undo(self) -> str:
        """Undo the newest change that is done.

        Returns
        -------
        str
            What it is called.

        Raises
        ------
        ToposegError
            If there is none.
        """
        with self.lock:
            if not self._position:
                raise ToposegError("There is nothing to undo.")
            self._go(self._position - 1)
            name = self._changes[self._position].name
        self.events.changed.emit(self._position)
        return name

    def redo(self) -> str:
        """Do the newest change again that was undone.

        Returns
        -------
        str
            What it is called.

        Raises
        ------
        ToposegError
            If there is none.
        """
        with self.lock:
            if self._position == len(self._changes):
                raise ToposegError("There is nothing to do again.")
            self._go(self._position + 1)
            name = self._changes[self._position - 1].name
        self.events.changed.emit(self._position)
        return name

    def go_to(self, position: int) -> None:
        """Undo or redo until so many changes are done.

        Raises
        ------
        ToposegError
            If there are not so many.
        """
        with self.lock:
            if not 0 <= position <= len(self._changes):
                raise ToposegError(
                    f"There are no {position} changes.", why=f"The history has {len(self._changes)} of them."
                )
            while self._position != position:
                self._go(self._position + (1 if position > self._position else -1))
        self.events.changed.emit(self._position)

    def clear(self) -> None:
        """Forget all changes: another volume was opened."""
        with self.lock:
            self._changes, self._position, self._forgotten = [], 0, 0
        self.events.changed.emit(0)

    def as_state(self, most_bytes: int) -> dict[str, Any]:
        """The changes for a file: the newest that hold no more than so many bytes, and those that were undone."""
        with self.lock:
            held: dict[int, int] = {}
            first = len(self._changes)
            while first > 0:
                change = self._changes[first - 1]
                held |= {**change.before.weight, **change.after.weight}
                if sum(held.values()) > most_bytes and first <= self._position:
                    break
                first -= 1
            return {
                "changes": tuple(self._changes[first:]),
                "position": self._position - first,
                "forgotten": self._forgotten + first,
            }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Bring back what `as_state` gave."""
        with self.lock:
            self._changes = list(state["changes"])
            self._position, self._forgotten = int(state["position"]), int(state["forgotten"])
        self.events.changed.emit(self._position)

    def _go(self, position: int) -> None:
        """One change back or forth."""
        if self._holder is not None and self._holder() is not None:
            raise ToposegError("A stroke is being drawn.", todo="Let go of the mouse first.")
        back = position < self._position
        change = self._changes[position if back else position - 1]
        with self.resting():
            self._choose(change.whose)
            self._restore[change.what](change.before if back else change.after)
        self._position = position
