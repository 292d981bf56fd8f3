"""Where a person put the docks, remembered from one start to the next."""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QByteArray, QEvent, QObject
from qtpy.QtWidgets import QDockWidget, QMainWindow

FILE_VARIABLE = "TOPOSEG_LAYOUT"
_VERSION = 1

_logger = logging.getLogger(__name__)


def layout_file() -> Path | None:
    """Where it is kept: what TOPOSEG_LAYOUT says (nothing: nowhere), else where the system keeps the user's data."""
    given = os.environ.get(FILE_VARIABLE)
    if given is not None:
        return Path(given).expanduser() if given else None
    from platformdirs import user_data_path

    return user_data_path("toposeg", appauthor=False) / "layout.json"


class LayoutMemory(QObject):
    """Writes down how the docks of a window stand when it is closed.

    Parameters
    ----------
    window : QMainWindow
        Which owns it.
    docks : sequence of QDockWidget
        Those without which what was remembered is of no use.
    """

    def __init__(self, window: QMainWindow, docks: Sequence[QDockWidget]) -> None:
        super().__init__(window)
        self._docks = tuple(docks)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Remember when the window is closed; nothing is kept from it."""
        if event is not None and event.type() == QEvent.Type.Close:
            self.remember()
        return False

    def remember(self) -> None:
        """Write it down. That it cannot be written is no reason to keep a window open: it is logged."""
        window, path = self.parent(), layout_file()
        if path is None or not isinstance(window, QMainWindow):
            return
        state = base64.b64encode(bytes(window.saveState(_VERSION).data())).decode("ascii")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"docks": self._names(), "state": state}), encoding="utf-8")
        except OSError as error:
            _logger.warning("The layout of the docks is not remembered: %s", error)

    def recall(self) -> bool:
        """Put the docks where they stood; whether that could be done. If not, they stand as before.

        What is broken, of other docks, or would leave none of them in sight is not taken.
        """
        window, path = self.parent(), layout_file()
        if path is None or not isinstance(window, QMainWindow):
            return False
        before = window.saveState(_VERSION)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            names, state = kept["docks"], base64.b64decode(kept["state"], validate=True)
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            _logger.warning("What is remembered of the docks in %s cannot be used: %s", path, error)
            return False
        if names != self._names() or not window.restoreState(QByteArray(state), _VERSION):
            return False
        if all(dock.isHidden() for dock in self._docks):
            window.restoreState(before, _VERSION)
            return False
        return True

    def _names(self) -> list[str]:
        return sorted(dock.objectName() for dock in self._docks)
