"""Where the template goes: a drawn box, a rough mask, or the whole image."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledRangeSlider

from napari_toposeg.docks.box_drawing import BoxDrawing
from napari_toposeg.docks.dock import caption, quiet

AXES = {"x": "x  right – left", "y": "y  back – front", "z": "z  foot – head"}
WAYS = ("In a box", "On a layer", "In the whole image")
_AUTOMATIC = -1.0


class PlacementPanel(QWidget):
    """The controls of a placement; what they say is in its properties."""

    changed = Signal()
    """Something that a placement depends on was changed by a person."""
    asked_for_layer = Signal()
    """The template is to be placed on the chosen layer."""

    def __init__(self, drawing: BoxDrawing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawing = drawing
        self.ways = _Choice(WAYS)
        self.pages = QStackedWidget()
        self.draw_button = QPushButton("Draw a rectangle in the picture")
        self.draw_button.setToolTip(
            "Then drag over the organ in the picture. The rectangle can be moved and resized afterwards."
        )
        self.slices = QLabeledRangeSlider(Qt.Orientation.Horizontal)
        self.layers = QComboBox()
        self.label = QSpinBox()
        self.label.setRange(0, 2**16)
        self.label.setSpecialValueText("all labels")
        self.layer_button = QPushButton("Place on it")
        self.axis = _Choice(tuple(AXES.values()))
        self.axis.set_number(2)
        self.margin = QDoubleSpinBox()
        self.margin.setRange(_AUTOMATIC, 500.0)
        self.margin.setDecimals(1)
        self.margin.setSuffix(" mm")
        self.margin.setSpecialValueText("automatic")
        self.margin.setValue(_AUTOMATIC)
        self.margin.setToolTip("How much around the box is looked at. The template can grow and move within it.")
        self._lay_out()
        self.ways.changed.connect(self._way_changed)
        self.axis.changed.connect(self.changed)
        self.margin.valueChanged.connect(self.changed)
        self.layer_button.clicked.connect(self.asked_for_layer)
        self.draw_button.clicked.connect(drawing.draw)
        self.slices.valueChanged.connect(self._slices_moved)
        drawing.changed.connect(self._show_slices)
        self._show_slices()

    @property
    def way(self) -> str:
        """One of `WAYS`."""
        return WAYS[self.ways.number]

    @property
    def axis_name(self) -> str:
        """What a ring, tube or cylinder turns about: x, y or z."""
        return list(AXES)[self.axis.number]

    @property
    def margin_or_none(self) -> float | None:
        """The margin in mm; None where it is left to the session."""
        return None if self.margin.value() < 0 else self.margin.value()

    def show_axis(self, shown: bool) -> None:
        """Offer the axis, or not: only some priors have one."""
        self._form.setRowVisible(self.axis, shown)

    def show_layers(self, names: list[str]) -> None:
        """Offer these layers as rough masks."""
        chosen = self.layers.currentText()
        self.layers.clear()
        self.layers.addItems(names)
        if chosen in names:
            self.layers.setCurrentText(chosen)
        self.layer_button.setEnabled(bool(names))

    def _lay_out(self) -> None:
        box_page = QWidget()
        rows = QVBoxLayout(box_page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.draw_button)
        self._slices_label = quiet("Slices")
        row = QHBoxLayout()
        row.addWidget(self._slices_label)
        row.addWidget(self.slices, 1)
        rows.addLayout(row)
        layer_page = QWidget()
        form = QFormLayout(layer_page)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Layer", self.layers)
        row = QHBoxLayout()
        row.addWidget(self.label)
        row.addWidget(self.layer_button, 1)
        form.addRow("Label", row)
        image_page = QWidget()
        rows = QVBoxLayout(image_page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(
            caption(
                "The template stands in the middle, half as large as the image. Draw a box where the organ is small."
            )
        )
        rows.addStretch(1)
        for page in (box_page, layer_page, image_page):
            self.pages.addWidget(page)
        self._fit_page()
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.addRow("Axis", self.axis)
        self._form.addRow("Margin", self.margin)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.ways)
        rows.addWidget(self.pages)
        rows.addLayout(self._form)

    def _way_changed(self) -> None:
        self.pages.setCurrentIndex(self.ways.number)
        self._fit_page()
        self._drawing.show(self.way == WAYS[0])
        self.changed.emit()

    def _fit_page(self) -> None:
        """Take the room that the page in front needs, not that of the tallest one."""
        for number in range(self.pages.count()):
            front = number == self.pages.currentIndex()
            vertical = QSizePolicy.Policy.Preferred if front else QSizePolicy.Policy.Ignored
            page = self.pages.widget(number)
            page.setSizePolicy(QSizePolicy.Policy.Preferred, vertical)
            page.adjustSize()
        self.pages.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def _show_slices(self) -> None:
        slices = self._drawing.slices
        for widget in (self._slices_label, self.slices):
            widget.setVisible(slices is not None)
        if slices is not None:
            self.slices.blockSignals(True)
            self.slices.setRange(0, self._drawing.slice_count - 1)
            self.slices.setValue(slices)
            self.slices.blockSignals(False)

    def _slices_moved(self, slices: tuple[int, int]) -> None:
        self._drawing.set_slices(*(int(number) for number in slices))


class _Choice(QWidget):
    """A row of buttons of which one is down."""

    changed = Signal()

    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self.buttons = QButtonGroup(self)
        for number, text in enumerate(texts):
            button = QPushButton(text)
            button.setCheckable(True)
            self.buttons.addButton(button, number)
            row.addWidget(button, 1)
        self.set_number(0)
        self.buttons.idClicked.connect(self._clicked)

    @property
    def number(self) -> int:
        """Which button is down."""
        return self.buttons.checkedId()

    def set_number(self, number: int) -> None:
        """Press a button without telling."""
        self.buttons.button(number).setChecked(True)

    def _clicked(self, _: int) -> None:
        self.changed.emit()
