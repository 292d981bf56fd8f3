"""A small curve of Dice, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_toposeg.docks import colours

_LINES = (0.0, 0.5, 1.0)


class DiceCurve(QWidget):
    """Dice from 0 to 1 over the epochs that there will be, with the best one marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: tuple[float, ...] = ()
        self._epochs = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Dice on the accepted masks that are kept back, before any correction.")

    def sizeHint(self) -> QSize:
        """Flat and wide."""
        return QSize(300, 64)

    @property
    def values(self) -> tuple[float, ...]:
        """What is drawn."""
        return self._values

    def show_values(self, values: Sequence[float], epochs: int) -> None:
        """Draw these, of so many epochs that there will be."""
        self._values, self._epochs = tuple(values), max(epochs, len(values), 2)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw it in the colours of the window."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(self.foregroundRole())
        faint = QColor(text)
        faint.setAlpha(60)
        metrics = QFontMetricsF(self.font())
        left = metrics.horizontalAdvance("0.5") + 6
        room = QRectF(self.rect()).adjusted(left, 6, -6, -6)

        def at(epoch: float, value: float) -> QPointF:
            return QPointF(
                room.left() + room.width() * epoch / (self._epochs - 1), room.bottom() - room.height() * value
            )

        for value in _LINES:
            height = at(0, value).y()
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(room.left(), height), QPointF(room.right(), height))
            painter.setPen(text)
            painter.drawText(QPointF(0, height + metrics.ascent() / 2 - 1), f"{value:g}")
        if not self._values:
            return
        points = [at(epoch, value) for epoch, value in enumerate(self._values)]
        painter.setPen(QPen(QColor(colours.ACCENT), 2))
        painter.drawPolyline(QPolygonF(points))
        best = max(range(len(points)), key=lambda epoch: self._values[epoch])
        painter.setBrush(QColor(colours.GOOD))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(points[best], 4, 4)
