"""A session to a file and back from the window, and what a crash left behind, offered in a quiet line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QWidget

from napari_toposeg.docks import colours
from napari_toposeg.docks.display import image_layer_data
from napari_toposeg.docks.workspace import Workspace
from napari_toposeg.formats import DicomOrigin, split_ending
from napari_toposeg.session import ImageNotFoundError, LeftOver, SavedSession, discard, left_over, read_session

_FILES = "Sessions (*.toposeg)"


def open_session(
    workspace: Workspace, path: str, image: str | None = None, *, then: Callable[[], None] | None = None
) -> None:
    """Go on with a session of a file: its image becomes a layer, and all else comes back with it.

    Where the image is not found, the window asks for it.
    """

    def read() -> SavedSession | ImageNotFoundError:
        try:
            return read_session(path, image=image)
        except ImageNotFoundError as error:
            return error

    def show(found: SavedSession | ImageNotFoundError) -> None:
        if isinstance(found, ImageNotFoundError):
            workspace.signals.failed.emit(str(found))
            chosen, _ = QFileDialog.getOpenFileName(None, found.what, str(Path(path).parent))
            if chosen:
                open_session(workspace, path, chosen, then=then)
            return
        data, arguments = image_layer_data(found.volume)
        with workspace.telling():
            workspace.use_image(workspace.viewer.add_image(data, **arguments))
            workspace.session.restore(found)
            workspace.signals.said.emit(f"The session on {found.volume.name} is open.")
            if then is not None:
                then()

    workspace.later(read, show)


class SessionButton(QPushButton):
    """A menu with what can be done with the session as a whole.

    Parameters
    ----------
    workspace : Workspace
        Whose session it is.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setText("Session ▾")
        self.setStyleSheet("QPushButton::menu-indicator { image: none; width: 0px; }")
        self.setToolTip("Save all of this work to one file, or go on with what was saved.")
        menu = QMenu(self)
        self.save_action = menu.addAction("Save the session…", self._ask_where_to_save)
        self.open_action = menu.addAction("Open a session…", self._ask_what_to_open)
        menu.aboutToShow.connect(self._show_state)
        self.setMenu(menu)

    def save(self, path: str) -> None:
        """Write the session."""
        path = path if split_ending(path)[1] == ".toposeg" else f"{path}.toposeg"
        session = self._workspace.session
        self._workspace.later(
            lambda: session.save_session(path),
            lambda _: self._workspace.signals.said.emit(f"Saved {Path(path).name} in {Path(path).resolve().parent}."),
        )

    def _show_state(self) -> None:
        self.save_action.setEnabled(self._workspace.session.volume is not None)

    def _ask_where_to_save(self) -> None:
        volume = self._workspace.session.volume
        if volume is None:
            return
        folder = Path(volume.path).parent if volume.path is not None else Path()
        folder = folder.parent if isinstance(volume.stored.header, DicomOrigin) else folder
        path, _ = QFileDialog.getSaveFileName(self, "Save the session", str(folder / f"{volume.name}.toposeg"), _FILES)
        if path:
            self.save(path)

    def _ask_what_to_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a session", "", _FILES)
        if path:
            open_session(self._workspace, path)


class RecoveryRow(QWidget):
    """A sentence and two buttons where a session was not closed as it should be; nothing where all were.

    Parameters
    ----------
    workspace : Workspace
        Where it is opened.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._offered: LeftOver | None = None
        self.sentence = QLabel()
        self.sentence.setStyleSheet(f"QLabel {{ color: {colours.ACCENT}; font-weight: bold; }}")
        self.sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.open_button = QPushButton("Go on with it")
        self.discard_button = QPushButton("Discard")
        self.discard_button.setToolTip("Forget it for good.")
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.sentence, 1)
        line.addWidget(self.open_button)
        line.addWidget(self.discard_button)
        self.open_button.clicked.connect(self._open)
        self.discard_button.clicked.connect(self._discard)
        self.hide()
        self.look()

    def look(self) -> None:
        """See whether anything was left behind, and offer the newest of it."""
        self._workspace.later(left_over, self._offer, owner=self)

    def _offer(self, found: tuple[LeftOver, ...]) -> None:
        self._offered = found[0] if found else None
        if self._offered is None:
            self.hide()
            return
        more = f" (and {len(found) - 1} older)" if len(found) > 1 else ""
        self.sentence.setText(
            f"Your work on {self._offered.image} was not closed; it was kept {_when(self._offered.saved)}{more}."
        )
        self.sentence.setToolTip(str(self._offered.path))
        self.show()

    def _open(self) -> None:
        offered = self._offered
        if offered is None:
            return
        self.hide()
        open_session(self._workspace, str(offered.path), then=lambda: self._keep_and_forget(offered))

    def _keep_and_forget(self, offered: LeftOver) -> None:
        """What was left behind is forgotten once this session is kept in its place."""
        autosave = self._workspace.session.autosave

        def forget() -> None:
            if autosave is not None and autosave.now():
                discard(offered)

        self._workspace.later(forget, lambda _: self.look(), owner=self)

    def _discard(self) -> None:
        offered = self._offered
        if offered is not None:
            self.hide()
            self._workspace.later(lambda: discard(offered), lambda _: self.look(), owner=self)


def _when(saved: str) -> str:
    """A time as a person says it: "at 14:32", or with its day where that is another one."""
    there = datetime.fromisoformat(saved).astimezone()
    today = datetime.now().astimezone().date() == there.date()
    return there.strftime("at %H:%M" if today else "on %d %B at %H:%M")
