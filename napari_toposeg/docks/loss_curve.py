"""A small curve of the objective while it is minimised."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_toposeg.docks import colours

_MOST_POINTS = 4000


class LossCurve(QWidget):
    """The total over the steps, with a thin line wherever another stage begins.

    Each stage looks at another grid and starts from another value, so each is drawn on its own scale of height.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[float] = []
        self._stages: list[tuple[int, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(56)

    def sizeHint(self) -> QSize:
        """Flat and wide."""
        return QSize(300, 110)

    @property
    def values(self) -> tuple[float, ...]:
        """What is drawn."""
        return tuple(self._values)

    def clear(self) -> None:
        """Begin anew."""
        self._values, self._stages = [], []
        self.update()

    def add(self, value: float, stage: str) -> None:
        """Add a step's value."""
        if not self._stages or self._stages[-1][1] != stage:
            self._stages.append((len(self._values), stage))
        if len(self._values) < _MOST_POINTS:
            self._values.append(value)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw it in the colours of the window."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(self.foregroundRole())
        faint = QColor(text)
        faint.setAlpha(70)
        metrics = QFontMetricsF(self.font())
        room = QRectF(self.rect()).adjusted(1, metrics.height() + 4, -1, -2)
        painter.setPen(QPen(faint, 1))
        painter.drawLine(room.bottomLeft(), room.bottomRight())
        if not self._values:
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The objective is drawn here while a run goes on."
            )
            return
        ends = [start for start, _ in self._stages[1:]] + [len(self._values)]
        across = max(len(self._values) - 1, 1)
        for (start, stage), end in zip(self._stages, ends, strict=True):
            values = self._values[start:end]
            left = room.left() + room.width() * start / across
            painter.setPen(QPen(faint, 1, Qt.PenStyle.DashLine))
            if start:
                painter.drawLine(QPointF(left, room.top() - 2), QPointF(left, room.bottom()))
            width = room.width() * (end - start) / across
            label = metrics.elidedText(f"{stage}  {values[-1]:.3g}", Qt.TextElideMode.ElideRight, max(width - 6, 0))
            painter.setPen(text)
            if label != "…":
                painter.drawText(QPointF(left + 4, metrics.ascent() + 2), label)
            low, high = min(values), max(values)
            span = (high - low) or 1.0
            points = [
                QPointF(
                    room.left() + room.width() * (start + number) / across,
                    room.bottom() - 3 - (room.height() - 6) * (value - low) / span,
                )
                for number, value in enumerate(values)
            ]
            painter.setPen(QPen(QColor(colours.ACCENT), 2))
            painter.drawPolyline(QPolygonF(points))
