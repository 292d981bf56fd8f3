"""The one way in which a user's error is said, in the window and on the command line."""

from __future__ import annotations

from collections.abc import Sequence


class ToposegError(Exception):
    """Something that the user gave, or asked for, cannot be used.

    Parameters
    ----------
    what : str
        What happened, as a whole sentence.
    why : str
        Why it is so. May be empty where `what` says it all.
    todo : str
        What to do about it.

    Notes
    -----
    ``str(error)`` is the text that a person reads: one line, the three parts in this order.
    The command line prints it and exits with code 2; the window shows it in its message area.
    """

    def __init__(self, what: str, *, why: str = "", todo: str = "") -> None:
        self.what = what
        self.why = why
        self.todo = todo
        super().__init__(" ".join(part for part in (what, why, todo) if part))


class ToposegWarning(UserWarning):
    """A fallback or a doubt that the user is told of; the work goes on."""


def listed(names: Sequence[str], shown: int = 5) -> str:
    """Names as a sentence has them: the first of them, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
