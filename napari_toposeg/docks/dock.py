"""What every dock has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_toposeg.docks.workspace import Workspace, workspace_of

if TYPE_CHECKING:
    from napari import Viewer

_QUIET = "QLabel { color: rgb(124, 132, 144); }"


class Dock(QWidget):
    """A view of the viewer's session; holds nothing that is not shown in it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari, which goes by the parameter's name.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.workspace: Workspace = workspace_of(napari_viewer)
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(10, 8, 10, 8)
        self.rows.setSpacing(6)
        self._holder: QDockWidget | None = None
        # What is seen of a dock is known only after the event that shows it.
        self._look_soon = QTimer(self)
        self._look_soon.setSingleShot(True)
        self._look_soon.timeout.connect(self._look)
        # After napari has put this dock into the window: whichever dock comes first, the certificate is in sight.
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(self._show_certificate)
        timer.start(0)

    def _show_certificate(self) -> None:
        from napari_toposeg.docks.certificate_line import show_certificate_line

        show_certificate_line(self.workspace)

    @property
    def in_sight(self) -> bool:
        """Whether a person can see some of it. To Qt a dock behind another one's tab is visible, and always was."""
        return not self.visibleRegion().isEmpty()

    def came_in_sight(self) -> None:
        """The dock was opened, or its tab was brought to the front: for docks that do nothing while nobody looks."""

    def showEvent(self, event: QShowEvent | None) -> None:
        """Hear from now on when the tab of this dock is brought to the front."""
        super().showEvent(event)
        holder = self.parentWidget()
        while holder is not None and not isinstance(holder, QDockWidget):
            holder = holder.parentWidget()
        if holder is not None and holder is not self._holder:
            self._holder = holder
            holder.visibilityChanged.connect(self._sight_changed)
        self._look_soon.start(0)

    def _sight_changed(self, seen: bool) -> None:
        if seen:
            self._look_soon.start(0)

    def _look(self) -> None:
        if self.in_sight:
            self.came_in_sight()

    def event(self, event: QEvent | None) -> bool:
        """Die when the dock is closed: napari only takes its widget out of the window."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.deleteLater()
        return super().event(event)


def heading(text: str) -> QLabel:
    """The title of a part of a dock."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def caption(text: str = "") -> QLabel:
    """A quieter line of explanation, broken where it is long."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setStyleSheet(_QUIET)
    return label


def quiet(text: str = "") -> QLabel:
    """A quieter line that is short enough to stay one."""
    label = QLabel(text)
    label.setStyleSheet(_QUIET)
    return label


def rule() -> QFrame:
    """A thin line between two parts."""
    line = QFrame()
    line.setFixedHeight(1)
    line.setStyleSheet("QFrame { background: rgba(127, 140, 160, 80); border: none; }")
    return line
