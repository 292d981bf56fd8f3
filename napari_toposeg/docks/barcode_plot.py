"""A barcode as bars and as a diagram: hovered, clicked, and cut by a line that can be dragged."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QHBoxLayout, QTabWidget, QVBoxLayout, QWidget

from napari_toposeg.docks import colours
from napari_toposeg.docks.barcode_drawn import Drawn, Look
from napari_toposeg.docks.barcode_views import BarcodeView, BarsView, DiagramView
from napari_toposeg.topology.persistence.plots import DIMENSION_COLOURS


class BarcodePlot(QWidget):
    """Both pictures as tabs; what is done in one shows in the other."""

    chosen = Signal(int)
    """A bar was clicked: its number in the barcode."""
    hovered = Signal(int)
    """The bar under the mouse; -1: none."""
    threshold_moved = Signal(float)
    """The line was dragged to a level from 0 to 1."""
    restyled = Signal()
    """The window has another theme, and `dimension_colours` are others."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars = BarsView()
        self.diagram = DiagramView()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.bars, "Bars")
        self.tabs.addTab(self.diagram, "Diagram")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.tabs)
        self.setMinimumHeight(150)
        for view in self.views:
            view.chosen.connect(self.chosen)
            view.hovered.connect(self.hovered)
            view.threshold_moved.connect(self.threshold_moved)
        self._take_on_the_theme()

    def put_beside_the_tabs(self, *widgets: QWidget) -> None:
        """Give widgets the room to the right of the tabs."""
        corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, 0, 2)
        row.setSpacing(4)
        for widget in widgets:
            row.addWidget(widget)
        self.tabs.setCornerWidget(corner)

    @property
    def views(self) -> tuple[BarcodeView, ...]:
        """Bars, diagram."""
        return self.bars, self.diagram

    @property
    def shows_diagram(self) -> bool:
        """Whether the diagram is in front."""
        return self.tabs.currentWidget() is self.diagram

    @property
    def dimension_colours(self) -> tuple[str, ...]:
        """The colours of pieces, loops and cavities in the window's theme."""
        return colours.DIMENSIONS_ON_DARK if self._ink().lightnessF() > 0.5 else DIMENSION_COLOURS

    def show_barcode(self, drawn: Drawn | None) -> None:
        """Draw another barcode, or none."""
        for view in self.views:
            view.show_barcode(drawn)

    def set_threshold(self, level: float) -> None:
        """Move the line."""
        for view in self.views:
            view.set_threshold(level)

    def select(self, number: int | None) -> None:
        """Mark a bar, or none."""
        for view in self.views:
            view.select(number)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the window into another theme."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._take_on_the_theme()

    def _ink(self) -> QColor:
        return self.palette().color(self.foregroundRole())

    def _take_on_the_theme(self) -> None:
        look = Look(self._ink(), self.dimension_colours)
        for view in self.views:
            view.set_look(look)
        self.restyled.emit()
