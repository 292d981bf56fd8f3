"""Where the template goes: a drawn box, points, a stroke, a rough mask, or the whole image."""

from __future__ import annotations

from enum import Enum

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
from napari_toposeg.docks.places_drawing import PlacesDrawing

AXES = {"x": "x  right – left", "y": "y  back – front", "z": "z  foot – head"}
_AUTOMATIC = -1.0


class Way(Enum):
    """In which way the template is placed; the value is on the button."""

    BOX = "Box"
    POINTS = "Points"
    STROKE = "Stroke"
    LABEL = "From a label"
    IMAGE = "Whole image"


_WAY_TIPS = {
    Way.BOX: "The template fills a rectangle that you draw, over a range of slices.",
    Way.POINTS: "The template goes through two to six points that you click on the organ's surface.",
    Way.STROKE: "The template is bent along a line that you draw through the organ.",
    Way.LABEL: "The template is laid along a rough mask: a labels layer.",
    Way.IMAGE: "The template stands in the middle of the image.",
}


class PlacementPanel(QWidget):
    """The controls of a placement; what they say is in its properties."""

    changed = Signal()
    """Something that a placement depends on was changed by a person."""
    asked_for_layer = Signal()
    """The template is to be placed on the chosen layer."""

    def __init__(
        self, drawing: BoxDrawing, points: PlacesDrawing, stroke: PlacesDrawing, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._drawing, self._points, self._stroke = drawing, points, stroke
        self.ways = _Choice(tuple(way.value for way in Way))
        for way, button in zip(Way, self.ways.buttons.buttons(), strict=True):
            button.setToolTip(_WAY_TIPS[way])
        self.pages = QStackedWidget()
        self.draw_button = QPushButton("Draw a rectangle in the picture")
        self.draw_button.setToolTip(
            "Then drag over the organ in the picture. The rectangle can be moved and resized afterwards."
        )
        self.points_button = QPushButton("Click points in the picture")
        self.points_button.setToolTip("Both ends of the organ first, then its sides. Scroll to any slice in between.")
        self.points_undo = QPushButton("Undo last")
        self.points_state = caption()
        self.stroke_button = QPushButton("Draw a line in the picture")
        self.stroke_button.setToolTip("Drag along the organ's middle, from one end to the other.")
        self.stroke_undo = QPushButton("Undo last")
        self.stroke_state = caption()
        self.radius = _length("How far the template reaches to the sides. Automatic: an eighth of the line's length.")
        self.slices = QLabeledRangeSlider(Qt.Orientation.Horizontal)
        self.layers = QComboBox()
        self.label = QSpinBox()
        self.label.setRange(0, 2**16)
        self.label.setSpecialValueText("all labels")
        self.layer_button = QPushButton("Place on it")
        self.axis = _Choice(tuple(AXES.values()))
        self.axis.set_number(2)
        self.margin = _length("How much around the box is looked at. The template can grow and move within it.")
        self._has_axis = False
        self._lay_out()
        self.ways.changed.connect(self._way_changed)
        self.axis.changed.connect(self.changed)
        self.margin.valueChanged.connect(self.changed)
        self.layer_button.clicked.connect(self.asked_for_layer)
        self.radius.valueChanged.connect(self.changed)
        self.draw_button.clicked.connect(drawing.draw)
        for places, begin, undo in (
            (points, self.points_button, self.points_undo),
            (stroke, self.stroke_button, self.stroke_undo),
        ):
            begin.clicked.connect(places.draw)
            undo.clicked.connect(places.undo)
            places.changed.connect(self._show_places)
        self.slices.valueChanged.connect(self._slices_moved)
        drawing.changed.connect(self._show_slices)
        self._show_slices()
        self._show_places()

    @property
    def way(self) -> Way:
        """Which button is down."""
        return list(Way)[self.ways.number]

    def choose(self, way: Way) -> None:
        """Press the button of a way."""
        self.ways.buttons.button(list(Way).index(way)).click()

    @property
    def axis_name(self) -> str:
        """What a ring, tube or cylinder turns about: x, y or z."""
        return list(AXES)[self.axis.number]

    @property
    def margin_or_none(self) -> float | None:
        """The margin in mm; None where it is left to the session."""
        return None if self.margin.value() < 0 else self.margin.value()

    @property
    def radius_or_none(self) -> float | None:
        """The radius about a stroke in mm; None where it is left to the session."""
        return None if self.radius.value() < 0 else self.radius.value()

    def show_axis(self, shown: bool) -> None:
        """Offer the axis, or not: only some priors have one, and along a stroke it is that of the line."""
        self._has_axis = shown
        self._form.setRowVisible(self.axis, shown and self.way is not Way.STROKE)

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
        points_page = QWidget()
        rows = QVBoxLayout(points_page)
        rows.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.addWidget(self.points_button, 1)
        row.addWidget(self.points_undo)
        rows.addLayout(row)
        rows.addWidget(self.points_state)
        rows.addStretch(1)
        stroke_page = QWidget()
        rows = QVBoxLayout(stroke_page)
        rows.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.addWidget(self.stroke_button, 1)
        row.addWidget(self.stroke_undo)
        rows.addLayout(row)
        rows.addWidget(self.stroke_state)
        form = QFormLayout()
        form.addRow("Radius", self.radius)
        rows.addLayout(form)
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
        for page in (box_page, points_page, stroke_page, layer_page, image_page):
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
        self._drawing.show(self.way is Way.BOX)
        self._points.show(self.way is Way.POINTS)
        self._stroke.show(self.way is Way.STROKE)
        self.show_axis(self._has_axis)
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

    def _show_places(self) -> None:
        for places, state, undo in (
            (self._points, self.points_state, self.points_undo),
            (self._stroke, self.stroke_state, self.stroke_undo),
        ):
            state.setText(places.sentence)
            undo.setEnabled(len(places.places) > 0)

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


def _length(tip: str) -> QDoubleSpinBox:
    """A length in mm, which may be left to the session."""
    length = QDoubleSpinBox()
    length.setRange(_AUTOMATIC, 500.0)
    length.setDecimals(1)
    length.setSuffix(" mm")
    length.setSpecialValueText("automatic")
    length.setValue(_AUTOMATIC)
    length.setToolTip(tip)
    # Not at every digit: each of them would place the template.
    length.setKeyboardTracking(False)
    return length


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
