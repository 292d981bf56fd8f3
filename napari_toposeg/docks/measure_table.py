"""The table of what was measured."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_toposeg.session.measure_table import COMPARISON, SHAPE, Measures


class MeasureTable(QTableWidget):
    """What, value, unit; a column of values for each object."""

    asked_to_copy = Signal()

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(22)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)

    def show_measures(self, measures: Measures | None) -> None:
        """Show these, or nothing."""
        self.clear()
        self.clearSpans()
        self.setRowCount(0)
        if measures is None:
            self.horizontalHeader().hide()
            return
        head = measures.head()
        self.setColumnCount(len(head))
        for column, text in enumerate(head):
            item = QTableWidgetItem(text)
            item.setTextAlignment(_side(column, len(head)))
            self.setHorizontalHeaderItem(column, item)
        header = self.horizontalHeader()
        header.show()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        if len(head) == 3:
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        group = ""
        titles = {SHAPE: measures.mask, COMPARISON: f"compared with {measures.reference}"}
        for row in measures.rows():
            if row.group != group:
                group = row.group
                self._add_title(titles[group])
            line = self.rowCount()
            self.insertRow(line)
            for column, text in enumerate((row.what, *row.texts, row.unit)):
                item = QTableWidgetItem(text)
                item.setToolTip(row.meaning)
                item.setTextAlignment(_side(column, len(head)))
                self.setItem(line, column, item)

    def _add_title(self, title: str) -> None:
        line = self.rowCount()
        self.insertRow(line)
        item = QTableWidgetItem(title[0].upper() + title[1:])
        font = item.font()
        font.setBold(True)
        item.setFont(font)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        self.setItem(line, 0, item)
        self.setSpan(line, 0, 1, self.columnCount())

    def chosen_text(self) -> str:
        """The chosen lines, cells between tabs; empty where none is chosen."""
        lines = sorted({index.row() for index in self.selectionModel().selectedIndexes()})
        cells = [[self.item(line, column) for column in range(self.columnCount())] for line in lines]
        return "\n".join("\t".join(cell.text() for cell in row if cell is not None) for row in cells)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Copy at the system's shortcut."""
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            self.asked_to_copy.emit()
        else:
            super().keyPressEvent(event)


def _side(column: int, columns: int) -> Qt.AlignmentFlag:
    """Values stand on the right, beside their unit."""
    side = Qt.AlignmentFlag.AlignRight if 0 < column < columns - 1 else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
