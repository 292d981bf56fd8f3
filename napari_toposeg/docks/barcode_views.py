"""The two pictures of a barcode: bars one below the other, and points of birth and death.

However many bars there are, each dimension is one item that draws them all, and what is under the mouse is found by
arithmetic: 5,000 bars are drawn in 9 ms.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_toposeg.docks import colours
from napari_toposeg.docks.barcode_drawn import Drawn, Look
from napari_toposeg.docks.level_axis import LevelAxis
from napari_toposeg.topology.persistence import Scale

_REACH = 8.0
"""Pixels from the mouse within which a bar is meant."""
_SYMBOLS = ("o", "s", "t1")
_QUIET = 95
"""Opacity, of 255, of bars that are noise."""


class BarcodeView(pg.PlotWidget):  # type: ignore[misc]
    """What both pictures share: the level's axes, the line that can be dragged, and what the mouse does."""

    chosen = Signal(int)
    """A bar, by its number in the barcode."""
    hovered = Signal(int)
    """The bar under the mouse; -1: none."""
    threshold_moved = Signal(float)

    def __init__(self, parent: QWidget | None = None, **axes: pg.AxisItem) -> None:
        super().__init__(parent, axisItems=axes)
        self._axes = axes
        self._drawn: Drawn | None = None
        self._look: Look | None = None
        self._selected: int | None = None
        self._under_mouse = -1
        self.setBackground(None)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.line = pg.InfiniteLine(0.5, angle=90, movable=True, bounds=(0.0, 1.0))
        self.line.setZValue(20)
        self.line.sigDragged.connect(self._dragged)
        self._items: list[Any] = []
        self._mark = pg.PlotCurveItem()
        self._mark_ends = pg.ScatterPlotItem()
        self._hover = pg.PlotCurveItem()
        for item, height in ((self._hover, 10), (self._mark, 12), (self._mark_ends, 13)):
            item.setZValue(height)
        for item in (self.line, self._hover, self._mark, self._mark_ends):
            self.addItem(item)
        self.scene().sigMouseClicked.connect(self._clicked)
        self.scene().sigMouseMoved.connect(self._moved)
        self.plotItem.vb.sigRangeChanged.connect(self._zoomed)
        self.plotItem.vb.sigResized.connect(self._zoomed)

    # What is shown

    def show_barcode(self, drawn: Drawn | None) -> None:
        """Draw another barcode, or none."""
        self._drawn = drawn
        self._under_mouse = -1
        self.select(None)
        for item in self._items:
            self.removeItem(item)
        self._items = []
        for axis in self._axes.values():
            axis.set_scale(drawn.scale if drawn is not None else Scale())
        self.line.setVisible(drawn is not None)
        if drawn is not None:
            self._draw(drawn)
            self.fit()
        self._zoomed()

    def set_look(self, look: Look) -> None:
        """Draw in the colours of the window."""
        self._look = look
        for axis in self._axes.values():
            axis.setPen(pg.mkPen(look.ink, width=1))
            axis.setTextPen(look.ink)
        self.line.setPen(pg.mkPen(look.ink, width=1.5, style=Qt.PenStyle.DashLine))
        self.line.setHoverPen(pg.mkPen(colours.ACCENT, width=3))
        selected = self._selected
        self.show_barcode(self._drawn)
        self.select(selected)

    def set_threshold(self, level: float) -> None:
        """Move the line without telling."""
        self.line.blockSignals(True)
        self.line.setValue(level)
        self.line.blockSignals(False)

    def select(self, number: int | None) -> None:
        """Mark a bar, by its number in the barcode, or none."""
        self._selected = number
        self._mark_ends.setData([], [])
        self._hover.setData([], [])
        self._mark_bar(self._mark, number, 2.0)

    # What a picture of its own kind does

    @abstractmethod
    def fit(self) -> None:
        """Show all of it."""

    @abstractmethod
    def _draw(self, drawn: Drawn) -> None: ...

    @abstractmethod
    def _distances(self, drawn: Drawn, place: QPointF, width: float, height: float) -> NDArray[np.float64]:
        """(m,) pixels from a place, in levels, to each bar; a pixel is so wide and high there."""

    @abstractmethod
    def _mark_bar(self, item: pg.PlotCurveItem, number: int | None, width: float) -> None: ...

    def _zoomed(self, *_: object) -> None:
        pass

    def _colour(self, dimension: int, opacity: int = 255) -> QColor:
        assert self._look is not None
        colour = QColor(self._look.dimensions[dimension])
        colour.setAlpha(opacity)
        return colour

    def _opacity(self, drawn: Drawn, wanted: bool) -> int:
        """Noise is quiet only where something is wanted."""
        return 255 if wanted or not drawn.wanted.any() else _QUIET

    def _add(self, item: Any, height: int = 5) -> None:
        item.setZValue(height)
        self.addItem(item)
        self._items.append(item)

    # What a person does

    def bar_at(self, position: QPointF) -> int:
        """The number of the bar at a position of the scene, in pixels; -1 where there is none."""
        drawn = self._drawn
        box = self.plotItem.vb
        if drawn is None or len(drawn.numbers) == 0 or not box.sceneBoundingRect().contains(position):
            return -1
        width, height = box.viewPixelSize()
        distances = self._distances(drawn, box.mapSceneToView(position), width, height)
        nearest = int(np.argmin(distances))
        return int(drawn.numbers[nearest]) if distances[nearest] <= _REACH else -1

    def _clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self.fit()
            return
        number = self.bar_at(event.scenePos())
        if number >= 0:
            self.chosen.emit(number)

    def _moved(self, position: QPointF) -> None:
        self._hover_over(self.bar_at(position))

    def leaveEvent(self, event: Any) -> None:
        """Nothing is under the mouse any more."""
        super().leaveEvent(event)
        self._hover_over(-1)

    def _hover_over(self, number: int) -> None:
        if number != self._under_mouse:
            self._under_mouse = number
            self._mark_bar(self._hover, number if number >= 0 else None, 1.0)
            self.hovered.emit(number)

    def _dragged(self) -> None:
        self.threshold_moved.emit(float(self.line.value()))


class BarsView(BarcodeView):
    """One bar below the other: by dimension, and within it the longest on top. The level falls to the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, bottom=LevelAxis("bottom"))
        self._rows: NDArray[np.float64] = np.zeros(0)
        self._above = 1.5
        self._end = 0.0
        self._curves: list[tuple[pg.PlotCurveItem, int, bool]] = []
        box = self.plotItem.vb
        box.invertX(True)
        box.invertY(True)
        self.hideAxis("left")

    def fit(self) -> None:
        """Show all bars; of what never dies not more than the others need."""
        bottom = self._rows[-1] + 1.0 if len(self._rows) else 1.0
        box = self.plotItem.vb
        box.setLimits(xMin=-0.05, xMax=1.05, yMin=-1.5 * self._above, yMax=bottom + 0.8)
        self.setRange(xRange=(self._end - 0.02, 1.02), yRange=(-self._above, bottom), padding=0)

    def _draw(self, drawn: Drawn) -> None:
        dimension = drawn.barcode.dimension[drawn.numbers]
        # A gap between the dimensions, of rows, so that they stay groups where there are many.
        gap = max(1.0, 0.03 * len(dimension))
        groups_before = np.concatenate([[0], np.cumsum(np.diff(dimension) != 0)]) if len(dimension) else dimension
        self._rows = np.arange(len(dimension)) + gap * groups_before
        self._above = max(1.5, 0.05 * len(dimension))
        lasting = drawn.barcode.everlasting[drawn.numbers]
        lowest = float(drawn.death[~lasting].min()) if not lasting.all() else 0.0
        self._end = max(0.0, lowest - 0.12 * (1.0 - lowest))
        self._curves = []
        for k, wanted, bars in drawn.groups():
            if len(bars):
                curve = pg.PlotCurveItem(
                    x=np.stack([drawn.birth[bars], drawn.death[bars]], axis=1).ravel(),
                    y=np.repeat(self._rows[bars], 2),
                    connect="pairs",
                )
                self._add(curve, 6 if wanted else 5)
                self._curves.append((curve, k, wanted))
        if lasting.any():
            # It never dies: it ends in an arrow's head, which points the way that the level falls.
            head = pg.ScatterPlotItem(
                [self._end], self._rows[lasting], symbol="t2", size=11, pen=None, brush=self._colour(0)
            )
            self._add(head, 7)
        if len(drawn.right):
            strip = pg.PlotCurveItem(
                x=drawn.right.ravel(),
                y=np.full(drawn.right.size, -0.65 * self._above),
                connect="pairs",
                pen=_pen(QColor(colours.GOOD), 4.0),
            )
            self._add(strip)

    def _zoomed(self, *_: object) -> None:
        drawn = self._drawn
        if drawn is None or not self._curves:
            return
        # As thick as its row has room for.
        room = 1.0 / max(self.plotItem.vb.viewPixelSize()[1], 1e-9)
        for curve, k, wanted in self._curves:
            thick = float(np.clip((0.75 if wanted else 0.55) * room, 2.5 if wanted else 1.0, 9.0 if wanted else 6.0))
            curve.setPen(_pen(self._colour(k, self._opacity(drawn, wanted)), round(thick, 1)))

    def _distances(self, drawn: Drawn, place: QPointF, width: float, height: float) -> NDArray[np.float64]:
        beside = np.maximum(drawn.death - place.x(), place.x() - drawn.birth).clip(min=0.0) / width
        distances: NDArray[np.float64] = np.hypot(beside, (self._rows - place.y()) / height)
        return distances

    def place_of(self, number: int) -> tuple[float, float] | None:
        """Level of the middle, and row, of a bar; None where it is not drawn."""
        drawn = self._drawn
        if drawn is None or number not in drawn.numbers:
            return None
        at = int(np.flatnonzero(drawn.numbers == number)[0])
        return float(drawn.birth[at] + drawn.death[at]) / 2, float(self._rows[at])

    def _mark_bar(self, item: pg.PlotCurveItem, number: int | None, width: float) -> None:
        place = self.place_of(number) if number is not None else None
        drawn = self._drawn
        if place is None or drawn is None or number is None or self._look is None:
            item.setData([], [])
            return
        birth, death = drawn.barcode.birth[number], drawn.barcode.death[number]
        item.setData([birth, death], [place[1]] * 2)
        item.setPen(_pen(self._look.ink, width))
        if item is self._mark:
            self._mark_ends.setData([birth, death], [place[1]] * 2, symbol=["o", "x"], size=9, brush=self._look.ink)


class DiagramView(BarcodeView):
    """A point for each bar, its birth across and its death up; the longer, the farther from the diagonal."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, bottom=LevelAxis("bottom", "birth"), left=LevelAxis("left", "death"))
        box = self.plotItem.vb
        box.invertX(True)
        box.invertY(True)
        box.setLimits(xMin=-0.05, xMax=1.05, yMin=-0.05, yMax=1.05)
        self._across = pg.InfiniteLine(0.5, angle=0, movable=False)
        self._across.setZValue(19)
        self.addItem(self._across)
        self.line.sigPositionChanged.connect(self._follow)
        self.set_threshold(0.5)

    def fit(self) -> None:
        """Show the whole square."""
        self.setRange(xRange=(-0.03, 1.03), yRange=(-0.03, 1.03), padding=0)

    def set_look(self, look: Look) -> None:
        """Draw in the colours of the window."""
        self._across.setPen(pg.mkPen(look.ink, width=1, style=Qt.PenStyle.DotLine))
        super().set_look(look)

    def set_threshold(self, level: float) -> None:
        """Move both lines without telling."""
        super().set_threshold(level)
        self._across.setValue(level)

    def _follow(self) -> None:
        self._across.setValue(self.line.value())

    def _draw(self, drawn: Drawn) -> None:
        assert self._look is not None
        self._add(pg.PlotCurveItem([0.0, 1.0], [0.0, 1.0], pen=_pen(QColor(127, 140, 160), 1.0)), 1)
        many = len(drawn.numbers) > 300
        for k, wanted, bars in drawn.groups():
            if len(bars):
                size = 13 if wanted else (5 if many else 8)
                points = pg.ScatterPlotItem(
                    drawn.birth[bars],
                    drawn.death[bars],
                    symbol=_SYMBOLS[k],
                    size=size,
                    pen=None,
                    brush=self._colour(k, self._opacity(drawn, wanted)),
                )
                self._add(points, 6 if wanted else 5)

    def _distances(self, drawn: Drawn, place: QPointF, width: float, height: float) -> NDArray[np.float64]:
        distances: NDArray[np.float64] = np.hypot((drawn.birth - place.x()) / width, (drawn.death - place.y()) / height)
        return distances

    def _mark_bar(self, item: pg.PlotCurveItem, number: int | None, width: float) -> None:
        drawn = self._drawn
        if number is None or drawn is None or self._look is None:
            item.setData([], [])
            return
        # From the diagonal to the point: as long as the bar.
        birth, death = drawn.barcode.birth[number], drawn.barcode.death[number]
        item.setData([birth, birth], [birth, death])
        item.setPen(_pen(self._look.ink, width))
        if item is self._mark:
            self._mark_ends.setData([birth], [death], symbol="o", size=16, brush=None, pen=_pen(self._look.ink, 2.0))


def _pen(colour: QColor, width: float) -> Any:
    pen = pg.mkPen(colour, width=width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen
