"""The table of a deformation's worst cells."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_toposeg.docks import colours
from napari_toposeg.inference import WorstCell

_HEADERS = ("#", "Determinant", "Voxel in the file", "RAS, mm")


class WorstCellsTable(QTableWidget):
    """Cells, worst first."""

    chosen = Signal(object)
    """A `WorstCell` was clicked, walked to with the arrow keys, or asked for again by a double click or Enter."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_HEADERS), parent)
        self._cells: tuple[WorstCell, ...] = ()
        self.setHorizontalHeaderLabels(list(_HEADERS))
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(24)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setMinimumHeight(100)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for column in (0, 1):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.itemSelectionChanged.connect(self._selected)
        self.itemActivated.connect(self._asked)
        self.itemDoubleClicked.connect(self._asked)

    @property
    def cells(self) -> tuple[WorstCell, ...]:
        """What is listed."""
        return self._cells

    def show_cells(self, cells: Sequence[WorstCell]) -> None:
        """List other cells."""
        self.clearSelection()
        self._cells = tuple(cells)
        self.setRowCount(len(cells))
        for row, one in enumerate(cells):
            texts = (
                str(one.rank),
                f"{one.determinant:.3f}",
                ", ".join(map(str, one.voxel)),
                ", ".join(f"{number:.1f}" for number in one.place),
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                if column == 1 and one.determinant <= 0:
                    item.setForeground(QColor(colours.BAD))
                self.setItem(row, column, item)

    def _selected(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows and rows[0].row() < len(self._cells):
            self.chosen.emit(self._cells[rows[0].row()])

    def _asked(self, item: QTableWidgetItem) -> None:
        self.chosen.emit(self._cells[item.row()])
