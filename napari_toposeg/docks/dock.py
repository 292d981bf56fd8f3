"""What every dock has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

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
        # After napari has put this dock into the window: whichever dock comes first, the certificate is in sight.
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(self._show_certificate)
        timer.start(0)

    def _show_certificate(self) -> None:
        from napari_toposeg.docks.certificate_line import show_certificate_line

        show_certificate_line(self.workspace)

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
