"""A bar of colours with what they stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

_SIDES = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight)
_BESIDE = 6


class ColourScale(QWidget):
    """Colours from the least to the greatest, and what is written below the left end, the middle and the right end.

    Parameters
    ----------
    rgba : (N, 4) array
        The colours.
    """

    def __init__(self, rgba: NDArray[np.float64]) -> None:
        super().__init__()
        self._rgba = rgba
        self.texts = ("", "", "")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def tell(self, low: str, middle: str, high: str) -> None:
        """Write other texts."""
        self.texts = (low, middle, high)
        self.update()

    def sizeHint(self) -> QSize:
        """A bar and a line of text."""
        return QSize(120, 10 + self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bar over a dark grey: a scale may be clear where nothing changes, and shows the image there."""
        painter = QPainter(self)
        bar = QRectF(_BESIDE, 0, self.width() - 2 * _BESIDE, self.height() - self.fontMetrics().height() - 2)
        painter.fillRect(bar, QColor(90, 90, 90))
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for position, colour in zip(np.linspace(0, 1, len(self._rgba)), self._rgba, strict=True):
            gradient.setColorAt(float(position), QColor.fromRgbF(*(float(part) for part in colour)))
        painter.fillRect(bar, gradient)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.setOpacity(1.0 if self.isEnabled() else 0.45)
        for text, side in zip(self.texts, _SIDES, strict=True):
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignBottom | side, text)
