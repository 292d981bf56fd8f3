"""The dock that shows what the deformation does, and where it is at its worst."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_toposeg.deformation import Histogram
from napari_toposeg.docks import colours
from napari_toposeg.docks.deformation_choices import DeformationChoices
from napari_toposeg.docks.deformation_layers import DeformationLayers
from napari_toposeg.docks.determinant_plot import DeterminantPlot
from napari_toposeg.docks.dock import Dock, caption, quiet
from napari_toposeg.docks.player import Player
from napari_toposeg.docks.worst_cells_table import WorstCellsTable
from napari_toposeg.inference import ResultField, WorstCell

if TYPE_CHECKING:
    from napari import Viewer

WORST_CELLS = 30
"""Rows of the table."""
APART = 3
"""Cells within which only the worst is listed, where a row is a place."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the dock says about a deformation.

    Attributes
    ----------
    folding, least
        Folding cells, and the least determinant.
    shifts : (float, float)
        Mean and greatest length of u within the mask, in mm.
    longest : float
        Greatest length of u anywhere, in mm.
    reach : float
        How far the scale of determinants reaches from 1.
    worst : list of WorstCell
        The table.
    histogram, before : Histogram
        Of the determinants; and, with the same bins, of what they were before the repair.
    """

    folding: int
    least: float
    shifts: tuple[float, float]
    longest: float
    reach: float
    worst: list[WorstCell]
    histogram: Histogram
    before: Histogram | None


def numbers_of(field: ResultField, *, log: bool, apart: int) -> Numbers:
    """Measure a deformation; not for the window's thread."""
    before = None if field.unrepaired is None else field.unrepaired.histogram(log=log)
    return Numbers(
        folding=field.jacobian.folding,
        least=field.jacobian.least_determinant,
        shifts=field.shifts(),
        longest=field.longest,
        reach=field.reach(log=log),
        worst=field.worst_cells(WORST_CELLS, apart=apart),
        histogram=field.histogram(log=log, like=before),
        before=before,
    )


class DeformationDock(Dock):
    """Numbers, before and after the repair, the way of the template, layers, histogram, worst cells, files."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._deformation = self.workspace.session.deformation
        self._asked = 0
        self.layers = DeformationLayers(self.workspace, self)
        self.folding = _Tile("folding cells")
        self.least = _Tile("least determinant")
        self.mean = _Tile("mean |u|")
        self.greatest = _Tile("greatest |u|")
        self.mean.setToolTip("Within the mask; how the template was moved as a whole is not counted.")
        self.states = QWidget()
        self.after_button = QPushButton("As it stands")
        self.before_button = QPushButton("Before repair")
        self.player = Player()
        self.choices = DeformationChoices()
        self.histogram = DeterminantPlot()
        self.table = WorstCellsTable()
        self.places = QCheckBox("One row for each place")
        self.places.setChecked(True)
        self.places.setToolTip(f"Leave out a cell that has a worse one within {APART} voxels.")
        self.tabs = QTabWidget()
        self.save_button = QPushButton("Save all…")
        self.save_button.setToolTip(
            "Displacement, determinants, folding voxels, mask and the template at each level as NIfTI; "
            "worst cells and histogram as CSV; both and the warped grid as PNG."
        )
        self.hint = caption()
        # What is drawn, by the names that the boxes have always had.
        self.show_vectors, self.show_grid = self.choices.vectors, self.choices.grid
        self.show_jacobian, self.show_folding = self.choices.jacobian, self.choices.folding
        self.show_levels = self.choices.levels
        self._lay_out()
        self._listen()
        self._show_share(self._deformation.share)
        self._show_field(self._deformation.field)

    def _lay_out(self) -> None:
        tiles = QGridLayout()
        tiles.setSpacing(6)
        for number, tile in enumerate((self.folding, self.least, self.mean, self.greatest)):
            tiles.addWidget(tile, 0, number)
            tiles.setColumnStretch(number, 1)
        self.rows.addLayout(tiles)
        self.rows.addWidget(self.hint)
        row = QHBoxLayout(self.states)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        group = QButtonGroup(self)
        for button in (self.after_button, self.before_button):
            button.setCheckable(True)
            button.setStyleSheet(_STATE)
            group.addButton(button)
            row.addWidget(button, 1)
        self.rows.addWidget(self.states)
        self.rows.addWidget(self.player)
        cells = QWidget()
        column = QVBoxLayout(cells)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.addWidget(self.places)
        row.addStretch(1)
        row.addWidget(quiet("click to go there"))
        column.addLayout(row)
        column.addWidget(self.table, 1)
        self.tabs.setDocumentMode(True)
        for widget, name in ((self.choices, "Layers"), (self.histogram, "Histogram"), (cells, "Worst cells")):
            self.tabs.addTab(widget, name)
        self.rows.addWidget(self.tabs, 1)
        self.rows.addWidget(self.save_button)

    def _listen(self) -> None:
        self.choices.wanted.connect(self.layers.want)
        self.choices.changed.connect(self._drawn_otherwise)
        self.choices.log_changed.connect(self._log_changed)
        self.layers.scene_ready.connect(self._show_levels)
        self.player.moved.connect(self._set_share)
        self.player.wanted.connect(lambda shown: self.layers.want("moving", shown))
        self.after_button.clicked.connect(lambda: self._look_at(before=False))
        self.before_button.clicked.connect(lambda: self._look_at(before=True))
        self.places.toggled.connect(lambda _: self._measure())
        self.table.chosen.connect(lambda cell: self.layers.jump(cell.index))
        self.save_button.clicked.connect(self._ask_where_to_save)
        events, signals = self._deformation.events, self.workspace.signals
        signals.follow(events.field, self._show_field, owner=self)
        signals.follow(events.share, self._show_share, owner=self)

    # What there is

    def _show_field(self, field: ResultField | None) -> None:
        if field is not self._deformation.field:
            return  # a newer one is on its way
        there = field is not None
        self.player.pause()
        self.layers.set_field(field)
        self.hint.setVisible(not there)
        self.hint.setText(
            "Run a segmentation first: its deformation is shown here."
            if self.workspace.session.result is None
            else "This mask was made voxel by voxel: nothing was deformed."
        )
        for widget in (self.player, self.tabs, self.save_button):
            widget.setEnabled(there)
        self.states.setVisible(self._deformation.repaired)
        (self.before_button if self._deformation.before else self.after_button).setChecked(True)
        if field is not None and field.result.unfolded is not None:
            self.before_button.setText(f"Before repair: {field.result.unfolded.repaired_cells:,} folds")
        self.table.show_cells(())
        self.histogram.show_histogram(None)
        for tile in (self.folding, self.least, self.mean, self.greatest):
            tile.show_text("–")
        self.show_folding.setText("Folding voxels")
        self._measure()

    def _measure(self) -> None:
        """Ask for the numbers; only the newest question is answered."""
        field = self._deformation.field
        if field is None:
            return
        self._asked += 1
        number, log, apart = self._asked, self.choices.log.isChecked(), APART if self.places.isChecked() else 0
        self.workspace.later(
            lambda: numbers_of(field, log=log, apart=apart) if number == self._asked else None,
            lambda numbers: self._show_numbers(number, numbers),
            owner=self,
        )

    def _show_numbers(self, number: int, numbers: Numbers | None) -> None:
        if numbers is None or number != self._asked or self._deformation.field is None:
            return
        folds = numbers.folding
        self.folding.show_text(f"{folds:,}", colours.GOOD if folds == 0 else colours.BAD)
        self.least.show_text(f"{numbers.least:.3f}", colours.GOOD if numbers.least > 0 else colours.BAD)
        mean, greatest = numbers.shifts
        self.mean.show_text(f"{mean:.2f} mm")
        self.greatest.show_text(f"{greatest:.1f} mm")
        self.show_folding.setText(f"Folding voxels: {'none' if folds == 0 else 'in red'}")
        self.choices.set_longest(numbers.longest)
        self.choices.set_reach(numbers.reach, log=numbers.histogram.log)
        says = f"{int(numbers.histogram.counts.sum()):,} cells; {f'{folds:,} fold' if folds else 'none folds'}."
        if numbers.before is not None:
            says += " The line: before the repair."
        self.histogram.show_histogram(numbers.histogram, numbers.before, says)
        self.table.show_cells(numbers.worst)

    def _show_levels(self) -> None:
        scene = self.layers.scene
        if scene is not None:
            self.choices.set_levels(scene.level_names)

    def _show_share(self, share: float) -> None:
        self.player.set_share(share)
        self.layers.share = share
        self.layers.redraw("moving", "grid")

    # What a person does

    def _set_share(self, share: float) -> None:
        self._deformation.share = share

    def _look_at(self, *, before: bool) -> None:
        with self.workspace.telling():
            self._deformation.before = before

    def _drawn_otherwise(self, kind: str) -> None:
        self.layers.stride = self.choices.stride.value()
        self.layers.length = self.choices.length.value()
        self.layers.spacing = self.choices.spacing.value()
        self.layers.hidden_levels = self.choices.hidden_levels
        self.layers.redraw(kind)

    def _log_changed(self, log: bool) -> None:
        self.layers.log = log
        self.layers.redraw("jacobian")
        self._measure()

    def _ask_where_to_save(self) -> None:
        volume = self.workspace.session.volume
        if volume is None:
            return
        start = Path(volume.path).parent if volume.path is not None else Path()
        folder = QFileDialog.getExistingDirectory(self, "Save the deformation in a folder within", str(start))
        if folder:
            self.save(str(Path(folder) / f"{volume.name}_deformation"))

    def save(self, folder: str) -> None:
        """Write everything into a folder, which is made where there is none."""
        deformation, said = self._deformation, self.workspace.signals.said
        self.workspace.later(
            lambda: deformation.export(folder),
            lambda files: said.emit(f"Saved {len(files)} files in {Path(folder).resolve()}."),
        )


_STATE = f"""
QPushButton {{ padding: 3px; border-radius: 0px; }}
QPushButton:checked {{ background: {colours.ACCENT}; color: white; }}
"""


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
