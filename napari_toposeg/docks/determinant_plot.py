"""The histogram of a deformation's determinants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_toposeg.deformation import Histogram
from napari_toposeg.docks import colours
from napari_toposeg.docks.dock import caption

_FLOOR = -0.3
"""Where bars stand, in powers of ten: a bar of one single cell, at 0, is still seen."""


class _Axis(pg.AxisItem):  # type: ignore[misc]
    """An axis on which positions may be powers of a base."""

    def __init__(self, orientation: str, base: int | None) -> None:
        super().__init__(orientation)
        self.base = base
        self.enableAutoSIPrefix(False)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Whole powers."""
        if self.base is None:
            return super().tickValues(low, high, size)
        step = max(1, int(np.ceil((high - low) / max(size / 28.0, 1.0))))
        first = int(np.ceil(low / step)) * step
        return [(float(step), [float(power) for power in range(first, int(np.floor(high)) + 1, step)])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """What the powers are."""
        if self.base is None:
            texts: list[str] = super().tickStrings(values, scale, spacing)
            return texts
        if self.base == 2:
            return [f"1/{2 ** -round(power)}" if power < 0 else f"{2 ** round(power)}" for power in values]
        return [_short(10 ** round(power)) if power >= 0 else "" for power in values]


class DeterminantPlot(QWidget):
    """Bars of how many cells have which least determinant; a line of what it was before the repair."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._across, self._up = _Axis("bottom", None), _Axis("left", 10)
        self.plot = pg.PlotWidget(axisItems={"bottom": self._across, "left": self._up})
        self.plot.setBackground(None)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.setMinimumHeight(110)
        self._across.setLabel("least determinant of a cell")
        self._up.setLabel("cells")
        self.words = caption()
        self.histogram: Histogram | None = None
        self.before: Histogram | None = None
        self._says = ""
        self._items: list[Any] = []
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 4, 0, 0)
        rows.setSpacing(2)
        rows.addWidget(self.plot, 1)
        rows.addWidget(self.words)
        self.plot.scene().sigMouseMoved.connect(self._moved)
        self._take_on_the_theme()

    def show_histogram(self, histogram: Histogram | None, before: Histogram | None = None, says: str = "") -> None:
        """Draw another histogram, or none.

        Parameters
        ----------
        histogram : Histogram or None
            Its bars.
        before : Histogram, optional
            With the same bins: a line.
        says : str
            What is written below while the mouse is elsewhere.
        """
        self.histogram, self.before, self._says = histogram, before, says
        self.words.setText(says)
        self._draw()

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the window into another theme."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._take_on_the_theme()

    def _take_on_the_theme(self) -> None:
        ink = self.palette().color(self.foregroundRole())
        for axis in (self._across, self._up):
            axis.setPen(pg.mkPen(ink, width=1))
            axis.setTextPen(ink)
        self._draw()

    def _draw(self) -> None:
        for item in self._items:
            self.plot.removeItem(item)
        self._items = []
        histogram = self.histogram
        for axis in (self._across, self._up):
            axis.setVisible(histogram is not None)
        if histogram is None:
            return
        self._across.base = 2 if histogram.log else None
        edges = self._places(histogram.edges)
        tops = _heights(histogram.counts)
        middles = (histogram.edges[:-1] + histogram.edges[1:]) / 2
        tones = [_tone(middle, histogram.log) for middle in middles]
        bars = pg.BarGraphItem(
            x0=edges[:-1],
            width=np.diff(edges),
            y0=np.full(len(tops), _FLOOR),
            height=tops - _FLOOR,
            brushes=tones,
            pens=[pg.mkPen(None)] * len(tops),
        )
        ink = self.palette().color(self.foregroundRole())
        self._add(bars)
        if self.before is not None:
            line = pg.PlotCurveItem(
                x=self._places(self.before.edges), y=_heights(self.before.counts), stepMode="center"
            )
            line.setPen(pg.mkPen(ink, width=1.2))
            self._add(line)
        unchanged = 0.0 if histogram.log else 1.0
        quiet = QColor(ink)
        quiet.setAlpha(140)
        for place, style in ((unchanged, Qt.PenStyle.SolidLine), (0.0, Qt.PenStyle.DashLine)):
            if edges[0] < place < edges[-1]:
                self._add(pg.InfiniteLine(place, angle=90, pen=pg.mkPen(quiet, width=1, style=style)))
        top = max(float(tops.max()), float(_heights(self.before.counts).max()) if self.before is not None else 0.0)
        self.plot.setRange(xRange=(edges[0], edges[-1]), yRange=(_FLOOR, top + 0.2), padding=0.01)

    def _places(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.histogram is not None
        return np.log2(edges) if self.histogram.log else edges

    def _add(self, item: Any) -> None:
        self.plot.addItem(item)
        self._items.append(item)

    def _moved(self, place: Any) -> None:
        """Say what is in the bin under the mouse."""
        histogram = self.histogram
        if histogram is None:
            return
        x = self.plot.plotItem.vb.mapSceneToView(place).x()
        number = int(np.searchsorted(self._places(histogram.edges), x)) - 1
        if not (self.plot.plotItem.vb.sceneBoundingRect().contains(place) and 0 <= number < len(histogram.counts)):
            self.words.setText(self._says)
            return
        low, high = histogram.edges[number : number + 2]
        there = f"{low:.2f} to {high:.2f}: {histogram.counts[number]:,} cells"
        if number == 0:
            there = f"below {high:.2f}: {histogram.counts[number]:,} cells"
        elif number == len(histogram.counts) - 1:
            there = f"above {low:.2f}: {histogram.counts[number]:,} cells"
        if self.before is not None:
            there += f", {self.before.counts[number]:,} before the repair"
        self.words.setText(there)


def _heights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(counts > 0, np.log10(np.maximum(counts, 1)), _FLOOR)


def _tone(determinant: float, log: bool) -> QColor:
    if determinant <= 0:
        return QColor(colours.FOLDING)
    rgba = colours.diverging_rgba()
    away = np.log2(determinant) / 2.0 if log else determinant - 1.0
    # The scale is clear in its middle: bars are not.
    place = 0.5 + 0.5 * float(np.sign(away)) * max(min(abs(away), 1.0), 0.35)
    return QColor.fromRgbF(*(float(part) for part in rgba[round(place * (len(rgba) - 1))][:3]))


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number // size}{letter}"
    return str(number)
