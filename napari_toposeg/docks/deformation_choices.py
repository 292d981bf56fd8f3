"""What of a deformation is drawn, and how."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QSpinBox, QToolButton, QWidget
from superqt import QFlowLayout

from napari_toposeg.docks import colours
from napari_toposeg.docks.colour_scale import ColourScale
from napari_toposeg.docks.field_colours import length_rgba, level_colours


class DeformationChoices(QWidget):
    """A box to tick for each layer, and what belongs to it beside it."""

    wanted = Signal(str, bool)
    """A kind of layer, and whether it shall be shown."""
    changed = Signal(str)
    """A kind of layer is to be drawn otherwise."""
    log_changed = Signal(bool)
    """Determinants are to be seen in the logarithm, or no longer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.vectors = QCheckBox("Displacement")
        self.grid = QCheckBox("Warped grid")
        self.jacobian = QCheckBox("Jacobian")
        self.jacobian.setToolTip("The least determinant at each voxel: red where it is squeezed, blue where stretched.")
        self.folding = QCheckBox("Folding voxels")
        self.levels = QCheckBox("Template by level")
        self.levels.setToolTip("The template's contour after each stage of the fit or level of the network.")
        self.stride = _voxels(6)
        self.length = QDoubleSpinBox()
        self.length.setRange(0.1, 20.0)
        self.length.setSingleStep(0.5)
        self.length.setDecimals(1)
        self.length.setPrefix("× ")
        self.length.setValue(1.0)
        self.length.setToolTip("By how much the vectors are drawn longer than they are.")
        self.lengths = ColourScale(length_rgba())
        self.spacing = _voxels(6)
        self.log = QCheckBox("Log")
        self.log.setToolTip("Half the size is then as far from 1 as twice the size; also in the histogram.")
        self.determinants = ColourScale(colours.diverging_rgba())
        self._chips = QWidget()
        self._flow = QFlowLayout(self._chips)
        self._flow.setContentsMargins(18, 0, 0, 0)
        self._lay_out()
        for box, kind in self.boxes.items():
            box.toggled.connect(lambda shown, kind=kind: self.wanted.emit(kind, shown))
        self.stride.valueChanged.connect(lambda _: self.changed.emit("vectors"))
        self.length.valueChanged.connect(lambda _: self.changed.emit("vectors"))
        self.spacing.valueChanged.connect(lambda _: self.changed.emit("grid"))
        self.log.toggled.connect(self.log_changed)

    @property
    def boxes(self) -> dict[QCheckBox, str]:
        """The boxes to tick, and the kind of layer of each."""
        return {
            self.vectors: "vectors",
            self.grid: "grid",
            self.jacobian: "jacobian",
            self.folding: "folding",
            self.levels: "levels",
        }

    @property
    def chips(self) -> list[QToolButton]:
        """The template's levels, first to last: each can be left out."""
        return self._chips.findChildren(QToolButton)

    @property
    def hidden_levels(self) -> set[int]:
        """Which levels are left out."""
        return {number for number, chip in enumerate(self.chips) if not chip.isChecked()}

    def set_levels(self, names: Sequence[str]) -> None:
        """Offer other levels; all of them are shown."""
        if [chip.property("level") for chip in self.chips] == list(names):
            return
        for chip in self.chips:
            self._flow.removeWidget(chip)
            chip.setParent(None)
            chip.deleteLater()
        for name, colour in zip(names, level_colours(max(len(names), 1)), strict=False):
            chip = QToolButton(self._chips)
            chip.setProperty("level", name)
            chip.setText(name)
            chip.setCheckable(True)
            chip.setChecked(True)
            chip.setToolTip("Click to leave it out, or to draw it again.")
            chip.setStyleSheet(_chip(colour))
            chip.setCursor(Qt.CursorShape.PointingHandCursor)
            chip.toggled.connect(lambda _: self.changed.emit("levels"))
            self._flow.addWidget(chip)
            chip.show()
        self._chips.updateGeometry()

    def set_longest(self, millimetres: float) -> None:
        """Say what the colours of the vectors stand for."""
        self.lengths.tell("0", "", f"{millimetres:.1f} mm")

    def set_reach(self, reach: float, *, log: bool) -> None:
        """Say what the colours of the determinants stand for."""
        if log:
            self.determinants.tell(f"≤ 1/{2.0**reach:.2g}", "1", f"≥ {2.0**reach:.2g}")
        else:
            self.determinants.tell(f"≤ {1.0 - reach:.2g}", "1", f"≥ {1.0 + reach:.2g}")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(2, 6, 2, 2)
        grid.setVerticalSpacing(6)
        for column, stretch in enumerate((4, 3, 3)):
            grid.setColumnStretch(column, stretch)
        grid.addWidget(self.vectors, 0, 0)
        grid.addWidget(self.stride, 0, 1)
        grid.addWidget(self.length, 0, 2)
        grid.addWidget(self.lengths, 1, 1, 1, 2)
        grid.addWidget(self.grid, 2, 0)
        grid.addWidget(self.spacing, 2, 1)
        grid.addWidget(self.jacobian, 3, 0)
        grid.addWidget(self.determinants, 3, 1, 1, 2)
        grid.addWidget(self.folding, 4, 0, 1, 2)
        grid.addWidget(self.log, 4, 2)
        grid.addWidget(self.levels, 5, 0, 1, 3)
        grid.addWidget(self._chips, 6, 0, 1, 3)
        grid.setRowStretch(7, 1)


def _chip(colour: str) -> str:
    return (
        f"QToolButton {{ border: 1px solid {colour}; border-radius: 7px; padding: 1px 6px; background: transparent; }}"
        f"QToolButton:checked {{ background: {colour}; color: #1b1f24; }}"
    )


def _voxels(value: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 64)
    box.setToolTip("In voxels.")
    box.setPrefix("every ")
    box.setValue(value)
    return box
