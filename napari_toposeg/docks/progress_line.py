"""A progress bar that is painted when the window is, not at once."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_toposeg.docks import colours


class ProgressLine(QWidget):
    """How far a run is, with words in it.

    Qt's own bar repaints before it returns, and with it the whole window: once a step, in the middle of what the step
    changes.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share = 0.0
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return self._share

    def text(self) -> str:
        """The words in it."""
        return self._text

    def tell(self, share: float, text: str) -> None:
        """Show how much is done, from 0 to 1, and say it."""
        self._share, self._text = share, text
        self.update()

    def sizeHint(self) -> QSize:
        """A line of text with some room."""
        return QSize(200, self.fontMetrics().height() + 6)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bar, and the words over it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), 4, 4)
        painter.setClipPath(outline)
        painter.fillRect(self.rect(), QColor(127, 140, 160, 60))
        done = QRectF(0, 0, self.width() * self._share, self.height())
        painter.fillRect(done, QColor(colours.ACCENT))
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._text)
