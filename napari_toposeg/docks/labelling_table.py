"""The list of the volumes of a folder that is being labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetrics, QIcon, QKeyEvent, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_toposeg.docks.labelling_words import COLOURS, row_words
from napari_toposeg.session.labelling_rows import LabellingRow, SortBy

_HEADERS: tuple[tuple[str, SortBy, str], ...] = (
    ("Status", "status", "Unlabelled, proposed by a network, corrected by hand, or accepted: trained on."),
    ("Volume", "name", "The file's name."),
    (
        "Topology off",
        "disagreement",
        "By how many pieces, tunnels and cavities the network was off, before its mask was certified.",
    ),
    (
        "Uncertainty",
        "uncertainty",
        "From 0 to 1: the entropy of the network's map near its boundary, or how far its answers lie apart where the "
        "image is moved a little.",
    ),
)
_DOT = 10


class LabellingModel(QAbstractTableModel):
    """Rows as Qt asks for them: only what is seen is made, so that a thousand are as quick as ten."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[LabellingRow, ...] = ()
        self.chosen: str | None = None
        self.betti: tuple[int, ...] | None = None
        self._dots = {status: _dot(colour) for status, colour in COLOURS.items()}

    def show_rows(self, rows: Sequence[LabellingRow]) -> None:
        """Show these; where only what they say has changed, nothing else does."""
        same = [row.name for row in rows] == [row.name for row in self.rows]
        if not same:
            self.layoutAboutToBeChanged.emit()
        self.rows = tuple(rows)
        if not same:
            self.layoutChanged.emit()
        elif self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(_HEADERS) - 1))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many volumes there are."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Status, volume, disagreement, uncertainty."""
        return 0 if parent is not None and parent.isValid() else len(_HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """The titles of the columns."""
        if orientation == Qt.Orientation.Horizontal and 0 <= section < len(_HEADERS):
            if role == Qt.ItemDataRole.DisplayRole:
                return _HEADERS[section][0]
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{_HEADERS[section][2]} Click to sort by it."
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """What a cell says."""
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return _texts(row)[index.column()]
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return self._dots[row.status]
        if role == Qt.ItemDataRole.ToolTipRole:
            return row_words(row, self.betti)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if index.column() > 1 else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and row.name == self.chosen:
            font = QFont()
            font.setBold(True)
            return font
        return None


class LabellingTable(QTableView):
    """The list; a click or Enter chooses a volume, a click on a title sorts by it."""

    asked = Signal(str)
    """The name of the volume that a person wants to work on."""
    sorted_by = Signal(object, bool)
    """`SortBy`, and whether the greatest comes first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = LabellingModel()
        self.setModel(self.rows)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(24)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMinimumHeight(120)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        # Fixed ones: to measure the contents of all rows would take a while with many of them.
        bold = QFont(self.font())
        bold.setBold(True)
        for column, widest, room in ((0, "unlabelled", _DOT + 14), (2, _HEADERS[2][0], 10), (3, _HEADERS[3][0], 10)):
            header.resizeSection(column, QFontMetrics(bold).horizontalAdvance(widest) + room)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._title_clicked)
        self.clicked.connect(self._asked)
        self._sort: tuple[SortBy, bool] | None = None

    def show_rows(self, rows: Sequence[LabellingRow]) -> None:
        """Show these, in this order."""
        self.rows.show_rows(rows)
        self.mark(self.rows.chosen)

    def mark(self, name: str | None) -> None:
        """Mark the volume that is worked on, and bring it into sight."""
        moved = name != self.rows.chosen
        self.rows.chosen = name
        number = next((number for number, row in enumerate(self.rows.rows) if row.name == name), None)
        if number is None:
            self.clearSelection()
        elif moved or self.currentIndex().row() != number:
            self.selectRow(number)
        self.viewport().update()

    def show_order(self, sort_by: SortBy, descending: bool) -> None:
        """Show in the titles what the list is sorted by."""
        columns = [by for _, by, _ in _HEADERS]
        header = self.horizontalHeader()
        shown = sort_by in columns
        self._sort = (sort_by, descending) if shown else None
        header.setSortIndicatorShown(shown)
        if shown:
            order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
            header.setSortIndicator(columns.index(sort_by), order)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter works on the line that the arrow keys went to."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._asked(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _asked(self, index: QModelIndex) -> None:
        if index.isValid():
            self.asked.emit(self.rows.rows[index.row()].name)

    def _title_clicked(self, column: int) -> None:
        by = _HEADERS[column][1]
        # Figures: the greatest first, for that is what one looks for.
        first = by in ("disagreement", "uncertainty")
        self.sorted_by.emit(by, not self._sort[1] if self._sort is not None and self._sort[0] == by else first)


def _texts(row: LabellingRow) -> tuple[str, str, str, str]:
    disagreement = "–" if row.disagreement is None else str(row.disagreement)
    uncertainty = "–" if row.uncertainty is None else f"{row.uncertainty:.2f}"
    return row.status, row.name, disagreement, uncertainty


def _dot(colour: str) -> QIcon:
    # Of two pixels for each of the screen's, for screens with fine ones.
    picture = QPixmap(2 * _DOT, 2 * _DOT)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(1, 1, 2 * _DOT - 2, 2 * _DOT - 2)
    painter.end()
    return QIcon(picture)
