"""The list of objects: seen as soon as there is more than one."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QFont, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_toposeg.docks import colours
from napari_toposeg.docks.dock import heading
from napari_toposeg.docks.workspace import Workspace
from napari_toposeg.session import SessionObject

_COLUMNS = ("", "Name", "Label", "Prior", "Topology")
_COLOUR, _NAME, _LABEL, _PRIOR, _TOPOLOGY = range(5)
_TIPS = (
    "Colour of its outline and mask. Double-click to change it.",
    "Double-click to change it.",
    "Its number in the label map that is saved, 1 to 255. Double-click to change it.",
    "The shape below is that of the selected row.",
    "Betti numbers of its mask, beside those of its prior.",
)
_MOST_ROWS = 4
_SWATCH = 14
_ROW = 24


class ObjectsPanel(QWidget):
    """A row for each object; placement, Run's options and Correct act on the selected one, Run on all."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._filling = False
        self.table = QTableWidget(0, len(_COLUMNS))
        self.add_button = QPushButton("Add")
        self.add_button.setToolTip("Another object, with a shape and a place of its own.")
        self.remove_button = QPushButton("Remove")
        self.remove_button.setToolTip("Takes the selected object away, with its mask. It can be undone.")
        self._lay_out()
        self.add_button.clicked.connect(self.add)
        self.remove_button.clicked.connect(self._remove)
        self.table.itemSelectionChanged.connect(self._choose)
        self.table.itemChanged.connect(self._edited)
        self.table.cellDoubleClicked.connect(self._double_clicked)
        signals = workspace.signals
        for signal in (
            signals.objects, signals.prior, signals.placement, signals.running, signals.result, signals.edited,
        ):  # fmt: skip
            signal.connect(self.show_objects)
        self.show_objects()

    def _lay_out(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(_COLUMNS)
        for column, tip in enumerate(_TIPS):
            item = table.horizontalHeaderItem(column)
            assert item is not None
            item.setToolTip(tip)
        across, down = table.horizontalHeader(), table.verticalHeader()
        assert across is not None
        assert down is not None
        down.hide()
        down.setDefaultSectionSize(_ROW)
        across.setHighlightSections(False)
        across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        across.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        table.setIconSize(QSize(_SWATCH, _SWATCH))
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row = QHBoxLayout()
        row.addWidget(heading("Objects"), 1)
        row.addWidget(self.add_button)
        row.addWidget(self.remove_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(row)
        rows.addWidget(table)

    # What there is

    def show_objects(self, _: object = None) -> None:
        """Show the session's objects as they stand; nothing where there is only one."""
        session = self._workspace.session
        self.setVisible(session.several)
        if not session.several:
            return
        self._filling = True
        objects = session.objects
        self.table.setRowCount(len(objects))
        for row, one in enumerate(objects):
            for column, item in enumerate(_items(one)):
                self.table.setItem(row, column, item)
            if one.number == session.chosen_number:
                self.table.selectRow(row)
        self._filling = False
        for widget in (self.table, self.add_button, self.remove_button):
            widget.setEnabled(not session.running)
        header = self.table.horizontalHeader()
        assert header is not None
        self.table.setFixedHeight(header.sizeHint().height() + _ROW * min(len(objects), _MOST_ROWS) + 4)

    # What a person does

    def add(self) -> None:
        """Add an object and select it; its shape is chosen next."""
        with self._workspace.telling():
            self._workspace.session.add_object()

    def _label(self, row: int) -> int:
        return self._workspace.session.objects[row].label

    def _remove(self) -> None:
        row = self.table.currentRow()
        if row >= 0:
            with self._workspace.telling():
                self._workspace.session.remove_object(self._label(row))

    def _choose(self) -> None:
        rows = {index.row() for index in self.table.selectedIndexes()}
        if self._filling or len(rows) != 1:
            return
        with self._workspace.telling():
            self._workspace.session.choose_object(self._label(rows.pop()))

    def _edited(self, item: QTableWidgetItem) -> None:
        if self._filling:
            return
        session, label, text = self._workspace.session, self._label(item.row()), item.text().strip()
        with self._workspace.telling():
            if item.column() == _NAME:
                session.change_object(label, name=text)
            elif item.column() == _LABEL:
                session.change_object(label, label=int(text) if text.isdecimal() else 0)
        # What was refused is what it was before.
        self.show_objects()

    def _double_clicked(self, row: int, column: int) -> None:
        if column != _COLOUR:
            return
        one = self._workspace.session.objects[row]
        chosen = QColorDialog.getColor(QColor(one.colour), self, f"Colour of {one.name}")
        if chosen.isValid():
            with self._workspace.telling():
                self._workspace.session.change_object(one.label, colour=chosen.name())


def _items(one: SessionObject) -> list[QTableWidgetItem]:
    """What the row of an object says."""
    swatch = QPixmap(_SWATCH, _SWATCH)
    swatch.fill(QColor(one.colour))
    prior = "—" if one.prior is None else one.prior.title
    items = [QTableWidgetItem(text) for text in ("", one.name, str(one.label), prior, topology_words(one))]
    items[_COLOUR].setIcon(QIcon(swatch))
    for column, (item, tip) in enumerate(zip(items, _TIPS, strict=True)):
        item.setToolTip(tip)
        if column not in (_NAME, _LABEL):
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
    certificate = one.certificate
    if certificate is not None:
        items[_TOPOLOGY].setToolTip(certificate.sentence)
        items[_TOPOLOGY].setForeground(QColor(colours.GOOD if certificate.topology_ok else colours.DOUBTFUL))
        font = QFont(items[_TOPOLOGY].font())
        font.setBold(True)
        items[_TOPOLOGY].setFont(font)
    return items


def topology_words(one: SessionObject) -> str:
    """How far an object is, and then what its mask's Betti numbers are: "✓ 1 1 0"."""
    certificate = one.certificate
    if one.result is not None and certificate is None:
        return "counting"
    if certificate is not None:
        return f"{'✓' if certificate.topology_ok else '!'} {' '.join(map(str, certificate.betti_mask))}"
    return "not placed" if one.placement is None else "placed"
