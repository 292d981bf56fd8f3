"""Reading beside the window: napari asks its readers in the window's thread, and a compressed series takes a while."""

from __future__ import annotations

import threading
from typing import Any

from qtpy.QtCore import QEventLoop, QObject, Qt, QThread, Signal
from qtpy.QtWidgets import QApplication, QMainWindow, QProgressDialog, QWidget

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import volume_steps
from napari_toposeg.steps import Step
from napari_toposeg.volume import Volume

_PATIENCE = 0.3
"""Seconds for which the window waits. Most files are read by then, and nothing else can happen meanwhile."""

_WIDEST = 420
"""Pixels of the path that is shown."""

_STAGES = {"look": "Looking through the files", "read": "Reading"}


def read_beside_window(path: str, frame_number: int | None = None, series: str | None = None) -> Volume | None:
    """Read an image; where that takes a while, the window goes on drawing and says how far it is.

    A box is in front meanwhile, so that nobody opens another image in the middle of this one.

    Parameters
    ----------
    path, frame_number, series
        As `read_volume` takes them.

    Returns
    -------
    Volume or None
        None where a person pressed Cancel.

    Raises
    ------
    ToposegError
        As `read_volume`.
    """
    application = QApplication.instance()
    reading = _Reading(path, frame_number, series)
    if application is None or application.thread() is not QThread.currentThread():
        reading.go()
        return reading.outcome()
    thread = threading.Thread(target=reading.go, name="toposeg-reading", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if thread.is_alive():
        _wait(reading)
        # After a cancellation the plane that is being decoded is still to be done.
        thread.join()
    return reading.outcome()


def _wait(reading: _Reading) -> None:
    loop = QEventLoop()
    box = QProgressDialog("", "Cancel", 0, 0, _window())
    path = box.fontMetrics().elidedText(reading.path, Qt.TextElideMode.ElideMiddle, _WIDEST)
    box.setLabelText(f"Opening:\n{path}")
    box.setWindowTitle("Opening")
    box.setWindowModality(Qt.WindowModality.ApplicationModal)
    box.setMinimumDuration(0)
    box.setAutoReset(False)
    box.setAutoClose(False)

    def show(step: Step[Any]) -> None:
        if step.total > 1:
            box.setMaximum(step.total)
            box.setValue(step.number)
        doing = _STAGES.get(step.stage, f"Slice {min(step.number + 1, step.total - 1)} of {step.total - 1}")
        box.setLabelText(f"{doing}:\n{path}")

    box.canceled.connect(reading.cancel)
    # Both come from the other thread, and wait until the loop runs.
    reading.stepped.connect(show)
    reading.over.connect(loop.quit)
    box.show()
    # What came to its end in between has told nobody.
    if not reading.ended.is_set():
        loop.exec()
    # A box that is closed says that it was cancelled.
    box.canceled.disconnect(reading.cancel)
    box.close()
    box.deleteLater()


def _window() -> QWidget | None:
    """The window in front: its colours are the box's."""
    windows = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow) and one.isVisible()]
    return QApplication.activeWindow() or next(iter(windows), None)


class _Reading(QObject):
    """One image that is read in a thread of its own."""

    stepped = Signal(object)
    over = Signal()

    def __init__(self, path: str, frame_number: int | None, series: str | None) -> None:
        super().__init__()
        self.path = path
        self.ended = threading.Event()
        self._choice = frame_number, series
        self._cancelled = threading.Event()
        self._volume: Volume | None = None
        self._error: Exception | None = None

    def cancel(self) -> None:
        """Stop at the next plane."""
        self._cancelled.set()

    def go(self) -> None:
        frame_number, series = self._choice
        try:
            for step in volume_steps(self.path, frame_number, series=series):
                if self._cancelled.is_set():
                    break
                self._volume = step.result
                self.stepped.emit(step)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is raised where the image was asked for
            self._error = error
        finally:
            self.ended.set()
            self.over.emit()

    def outcome(self) -> Volume | None:
        if self._error is not None:
            raise self._error
        if self._volume is None and not self._cancelled.is_set():
            raise ToposegError(f"{self.path} gave no image.", todo="Check that the file is whole.")
        return None if self._cancelled.is_set() else self._volume
