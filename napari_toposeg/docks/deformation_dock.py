"""The dock that shows what the deformation does, and where it is at its worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_toposeg.deformation import worst_cells
from napari_toposeg.docks import colours
from napari_toposeg.docks.deformation_layers import DeformationLayers, jacobian_reach
from napari_toposeg.docks.dock import Dock, caption, heading
from napari_toposeg.inference import Segmentation

if TYPE_CHECKING:
    from napari import Viewer

WORST_CELLS = 30
"""Rows of the table."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the dock says about a deformation.

    Attributes
    ----------
    mean_shift, greatest_shift : float
        Length of u within the mask, in mm.
    worst : list of (index, least)
        The worst cells, worst first, in the displacement's voxels.
    reach : float
        How far the scale of determinants reaches from 1.
    """

    mean_shift: float
    greatest_shift: float
    worst: list[tuple[tuple[int, ...], float]]
    reach: float


def numbers_of(result: Segmentation) -> Numbers:
    """Measure a result's deformation; not for the window's thread."""
    there = result.displacement.resampled(result.volume.frame.crop(result.box)).in_millimetres()[result.mask]
    lengths = np.linalg.norm(there, axis=-1)
    mean, greatest = (float(lengths.mean()), float(lengths.max())) if lengths.size else (0.0, 0.0)
    # The field may reach beyond the image, where there is nothing to jump to.
    to_field = result.volume.frame.index_in(result.displacement.frame)
    ends = to_field @ np.array([[0.0] * 4, [*result.volume.shape, *[0] * (4 - result.volume.ndim)]]).T + to_field[:, 3:]
    within = tuple((round(float(low)), round(float(high))) for low, high in ends[: result.volume.ndim])
    worst = worst_cells(result.jacobian, WORST_CELLS, within=within)
    return Numbers(mean, greatest, worst, jacobian_reach(result))


class DeformationDock(Dock):
    """Numbers, layers to tick, and the table of the worst cells."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._numbers: Numbers | None = None
        self._result: Segmentation | None = None
        self.layers = DeformationLayers(self.workspace, self)
        self.folding = _Tile("folding cells")
        self.least = _Tile("least determinant")
        self.mean = _Tile("mean |u|")
        self.greatest = _Tile("greatest |u|")
        self.mean.setToolTip("Within the mask; how the template was moved as a whole is not counted.")
        self.show_vectors = QCheckBox("Displacement")
        self.show_grid = QCheckBox("Warped grid")
        self.show_jacobian = QCheckBox("Jacobian determinant")
        self.show_folding = QCheckBox("Folding voxels")
        self.stride = _voxels(self.layers.stride, "every ")
        self.length = QDoubleSpinBox()
        self.length.setRange(0.1, 20.0)
        self.length.setSingleStep(0.5)
        self.length.setDecimals(1)
        self.length.setPrefix("× ")
        self.length.setValue(self.layers.length)
        self.length.setToolTip("By how much the vectors are drawn longer than they are.")
        self.spacing = _voxels(self.layers.spacing, "every ")
        self.scale = JacobianScale()
        self.table = QTableWidget(0, 3)
        self.hint = caption("Run a segmentation first: its deformation is shown here.")
        self._lay_out()
        self._listen()
        self._show_result()

    def _lay_out(self) -> None:
        tiles = QGridLayout()
        tiles.setSpacing(6)
        for number, tile in enumerate((self.folding, self.least, self.mean, self.greatest)):
            tiles.addWidget(tile, 0, number)
            tiles.setColumnStretch(number, 1)
        self.rows.addLayout(tiles)
        self.rows.addWidget(self.hint)
        grid = QGridLayout()
        grid.setVerticalSpacing(6)
        for column in range(3):
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.show_vectors, 0, 0)
        grid.addWidget(self.stride, 0, 1)
        grid.addWidget(self.length, 0, 2)
        grid.addWidget(self.show_grid, 1, 0)
        grid.addWidget(self.spacing, 1, 1)
        grid.addWidget(self.show_jacobian, 2, 0)
        grid.addWidget(self.scale, 2, 1, 1, 2)
        grid.addWidget(self.show_folding, 3, 0)
        self.rows.addLayout(grid)
        self.rows.addWidget(heading("Worst cells: click to go there"))
        self.table.setHorizontalHeaderLabels(["Determinant", "Voxel in the file", "RAS, mm"])
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(False)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.rows.addWidget(self.table, 1)

    def _listen(self) -> None:
        for box, kind in (
            (self.show_vectors, "vectors"),
            (self.show_grid, "grid"),
            (self.show_jacobian, "jacobian"),
            (self.show_folding, "folding"),
        ):
            box.setProperty("kind", kind)
            box.toggled.connect(self._toggled)
        self.stride.valueChanged.connect(self._drawn_otherwise)
        self.length.valueChanged.connect(self._drawn_otherwise)
        self.spacing.valueChanged.connect(self._drawn_otherwise)
        self.table.itemSelectionChanged.connect(self._row_chosen)
        self.workspace.signals.result.connect(self._show_result)

    # What there is

    def _show_result(self, _: object = None) -> None:
        result = self.workspace.session.result
        self._result, self._numbers = result, None
        self.layers.set_result(result)
        self.hint.setVisible(result is None)
        for widget in (self.show_vectors, self.show_grid, self.show_jacobian, self.show_folding):
            widget.setEnabled(result is not None)
        self.table.setRowCount(0)
        if result is None:
            for tile in (self.folding, self.least, self.mean, self.greatest):
                tile.show_text("–")
            return
        jacobian = result.jacobian
        self.folding.show_text(str(jacobian.folding), colours.GOOD if jacobian.folding == 0 else colours.BAD)
        self.least.show_text(
            f"{jacobian.least_determinant:.3f}", colours.GOOD if jacobian.least_determinant > 0 else colours.BAD
        )
        self.show_folding.setText(f"Folding voxels: {'none' if jacobian.folding == 0 else 'shown in red'}")
        self.workspace.later(lambda: (result, numbers_of(result)), self._show_numbers, owner=self)

    def _show_numbers(self, measured: tuple[Segmentation, Numbers]) -> None:
        result, numbers = measured
        if result is not self._result:
            return
        self._numbers = numbers
        self.mean.show_text(f"{numbers.mean_shift:.2f} mm")
        self.greatest.show_text(f"{numbers.greatest_shift:.1f} mm")
        self.scale.set_reach(numbers.reach)
        self.table.setRowCount(len(numbers.worst))
        frame, volume = result.displacement.frame, result.volume
        to_file = np.linalg.inv(volume.stored.affine)
        for row, (cell, least) in enumerate(numbers.worst):
            place = frame.world(np.array(cell))
            voxel = (to_file[:3, :3] @ place + to_file[:3, 3])[: len(volume.stored.shape)]
            texts = (
                f"{least:.3f}",
                ", ".join(str(round(float(number))) for number in voxel),
                ", ".join(f"{number:.1f}" for number in place),
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                if column == 0 and least <= 0:
                    item.setForeground(QColor(colours.BAD))
                self.table.setItem(row, column, item)

    # What a person does

    def _toggled(self, shown: bool) -> None:
        self.layers.want(self.sender().property("kind"), shown)

    def _drawn_otherwise(self, _: float) -> None:
        self.layers.stride = self.stride.value()
        self.layers.length = self.length.value()
        self.layers.spacing = self.spacing.value()
        self.layers.redraw()

    def _row_chosen(self) -> None:
        rows = self.table.selectionModel().selectedRows()
        if rows and self._numbers is not None:
            self.layers.jump(self._numbers.worst[rows[0].row()][0])


class _Tile(QWidget):
    """A number and what it is."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.number = QLabel("–")
        self.number.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label = QLabel(name)
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setWordWrap(True)
        label.setStyleSheet("QLabel { color: rgb(124, 132, 144); font-size: 11px; }")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(2, 4, 2, 4)
        rows.setSpacing(0)
        rows.addWidget(self.number)
        rows.addWidget(label)
        self.show_text("–")

    def show_text(self, text: str, colour: str | None = None) -> None:
        """Show a number, coloured where it is good or bad."""
        self.number.setText(text)
        tone = f"color: {colour};" if colour else ""
        self.number.setStyleSheet(f"QLabel {{ font-size: 16px; font-weight: bold; {tone} }}")


class JacobianScale(QWidget):
    """The colours of the determinants, with 0, 1 and the ends written below."""

    def __init__(self) -> None:
        super().__init__()
        self._reach = 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_reach(self, reach: float) -> None:
        """Let the scale reach this far from 1 on either side."""
        self._reach = reach
        self.update()

    def sizeHint(self) -> QSize:
        """A bar and a line of text."""
        return QSize(150, 10 + self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bar over the window's own colour: it is clear where nothing changes."""
        painter = QPainter(self)
        height = self.fontMetrics().height()
        bar = QRectF(6, 0, self.width() - 12, self.height() - height - 2)
        painter.fillRect(bar, QColor(90, 90, 90))
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        rgba = colours.diverging_rgba()
        for position, colour in zip(np.linspace(0, 1, len(rgba)), rgba, strict=True):
            gradient.setColorAt(float(position), QColor.fromRgbF(*(float(part) for part in colour)))
        painter.fillRect(bar, gradient)
        painter.setPen(self.palette().color(self.foregroundRole()))
        low, high = 1.0 - self._reach, 1.0 + self._reach
        for value, side in (
            (low, Qt.AlignmentFlag.AlignLeft),
            (1.0, Qt.AlignmentFlag.AlignHCenter),
            (high, Qt.AlignmentFlag.AlignRight),
        ):
            text = {low: f"≤ {low:.2g}", high: f"≥ {high:.2g}"}.get(value, "1")
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignBottom | side, text)


def _voxels(value: int, prefix: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 64)
    box.setToolTip("In voxels.")
    box.setPrefix(prefix)
    box.setValue(value)
    return box
