"""The dock of the barcode: what a map's pieces and holes are, how long each lasts, and where it begins and ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
)

from napari_toposeg.docks.barcode_drawn import Drawn
from napari_toposeg.docks.barcode_layers import BarcodeLayers
from napari_toposeg.docks.barcode_plot import BarcodePlot
from napari_toposeg.docks.barcode_words import bar_words, legend, level_words
from napari_toposeg.docks.display import voxels_of_layer
from napari_toposeg.docks.dock import Dock, caption, quiet
from napari_toposeg.docks.progress_line import ProgressLine
from napari_toposeg.docks.source_choice import SourceChoice
from napari_toposeg.session.barcode_events import SelectedBar
from napari_toposeg.steps import Step
from napari_toposeg.topology import Barcode

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

_WHERE = {"region": "near the template", "all": "in all of it"}
_STEPS = 2000
"""Of the slider."""
_MOST = 200
"""Bars of each dimension that are drawn at first."""
_NARROW = "QPushButton { padding: 3px 5px; min-width: 0px; }"
_ENDINGS = ("png", "svg", "json", "csv")


class BarcodeDock(Dock):
    """What to look at, the picture, the threshold, the chosen bar, and files."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._barcode = self.workspace.session.barcode
        self._chosen_by_hand = False
        self.layers = BarcodeLayers(self.workspace, self)
        self.source = SourceChoice(self.workspace)
        self.where = QComboBox()
        for key, text in _WHERE.items():
            self.where.addItem(text, key)
        self.where.setToolTip("Which part of an image is looked at. A result has its own.")
        self.find_button = QPushButton("Find")
        self.find_button.setToolTip("Find all pieces and holes of it, at all levels at once.")
        self.progress = ProgressLine()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.right = caption()
        self.plot = BarcodePlot()
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        # As in the picture above it: the level falls to the right, and the set grows.
        self.slider.setInvertedAppearance(True)
        self.slider.setInvertedControls(True)
        self.value = QDoubleSpinBox()
        self.value.setKeyboardTracking(False)
        self.show_set = QCheckBox("Show")
        self.show_set.setChecked(True)
        self.show_set.setToolTip("Draw the contour of all voxels that are at or above the threshold.")
        self.most = QSpinBox()
        self.most.setRange(1, 20_000)
        self.most.setValue(_MOST)
        self.most.setKeyboardTracking(False)
        self.most.setToolTip("Bars of each dimension that are drawn. All of them are counted.")
        self.detail = caption()
        self.to_birth = QPushButton("birth")
        self.to_death = QPushButton("death")
        self.exports = {ending: QPushButton(ending.upper()) for ending in _ENDINGS}
        self._lay_out()
        self._listen()
        self._show_sources()
        self._show_barcode(self._barcode.barcode)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.source, 1)
        row.addWidget(self.find_button)
        self.rows.addLayout(row)
        row = QHBoxLayout()
        row.addWidget(self.where)
        row.addWidget(self.progress, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(self.words)
        self.rows.addWidget(self.right)
        self.rows.addWidget(self.plot, 1)
        self.plot.put_beside_the_tabs(quiet("longest"), self.most)
        self.rows.addWidget(self.legend)
        row = QHBoxLayout()
        row.addWidget(QLabel("Threshold"))
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        row.addWidget(self.show_set)
        self.rows.addLayout(row)
        self.rows.addWidget(self.detail)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(quiet("Go to"))
        for button in (self.to_birth, self.to_death):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(quiet("Save"))
        for button in self.exports.values():
            row.addWidget(button)
        for button in (self.to_birth, self.to_death, *self.exports.values()):
            button.setStyleSheet(_NARROW)
        self.rows.addLayout(row)

    def _listen(self) -> None:
        self.source.activated.connect(self._source_chosen)
        self.where.activated.connect(self._find_again)
        self.find_button.clicked.connect(self._find_or_cancel)
        self.plot.chosen.connect(self._choose)
        self.plot.hovered.connect(self._show_detail)
        self.plot.threshold_moved.connect(self._set_threshold)
        self.plot.restyled.connect(self._show_words)
        self.slider.valueChanged.connect(lambda number: self._set_threshold(number / _STEPS))
        self.value.valueChanged.connect(lambda value: self._set_threshold(self._barcode.scale.level(value)))
        self.show_set.toggled.connect(self.layers.want_level_set)
        self.most.valueChanged.connect(self._draw)
        self.to_birth.clicked.connect(lambda: self._go("birth_voxel"))
        self.to_death.clicked.connect(lambda: self._go("death_voxel"))
        for ending, button in self.exports.items():
            button.setToolTip(
                "Save the picture in front." if ending in ("png", "svg") else "Save all bars with their voxels."
            )
            button.clicked.connect(self._asker(ending))
        signals, events = self.workspace.signals, self._barcode.events
        for signal, slot in (
            (events.barcode, self._show_barcode),
            (events.wanted, self._draw),
            (events.threshold, self._show_threshold),
            (events.selected, self._show_selected),
            (events.step, self._show_step),
            (events.computing, self._show_computing),
        ):
            signals.follow(signal, slot, owner=self)
        signals.result.connect(self._result_came)
        signals.volume.connect(self._volume_came)
        signals.placement.connect(self._show_sources)
        layers = self.workspace.viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered, layers.renamed):
            event.connect(self._show_sources)

    # What there is

    def _show_sources(self, _: Any = None) -> None:
        """Offer the result, images and masks; what was chosen stays so where it is still there."""
        self.source.offer()
        if not self._barcode.computing:
            self.source.show_source(self._barcode.source)
        self._show_whether_ready()

    def _show_whether_ready(self) -> None:
        session, computing = self.workspace.session, self._barcode.computing
        kind = self.source.kind
        self.find_button.setEnabled(computing or (session.volume is not None and kind not in ("", "other")))
        self.where.setEnabled(kind == "image" and session.region is not None)
        there = self._barcode.barcode is not None
        for widget in (self.slider, self.value, self.show_set, self.most, *self.exports.values()):
            widget.setEnabled(there)
        selected = self._barcode.selected
        self.to_birth.setEnabled(selected is not None and selected.bar.birth_voxel is not None)
        self.to_death.setEnabled(selected is not None and selected.bar.death_voxel is not None)

    def _show_computing(self, computing: bool) -> None:
        self.find_button.setText("Cancel" if computing else "Find")
        if not computing:
            self._tell_progress()
        self._show_whether_ready()

    def _show_step(self, step: Step[Any]) -> None:
        if self._barcode.computing:
            self.progress.tell(step.number / step.total, f"Looking for {step.stage}" if step.number else "Preparing")

    def _tell_progress(self) -> None:
        barcode = self._barcode.barcode
        if barcode is None:
            self.progress.tell(0.0, "Nothing found yet")
        else:
            self.progress.tell(1.0, f"{len(barcode):,} bar{'s' if len(barcode) != 1 else ''}")
        self.progress.setToolTip(self._barcode.source)

    def _show_barcode(self, barcode: Barcode | None) -> None:
        if barcode is not self._barcode.barcode:
            return  # a newer one is on its way
        scale = self._barcode.scale
        self.value.blockSignals(True)
        span = scale.high - scale.low
        self.value.setDecimals(scale.digits)
        self.value.setRange(scale.low, scale.high)
        self.value.setSingleStep(span / 100)
        self.value.setSuffix(" mm" if scale.name.endswith("mm") else "")
        self.value.blockSignals(False)
        self.source.show_source(self._barcode.source)
        self.layers.set_map(self._barcode.map, self._barcode.threshold)
        self._draw()
        self._show_threshold(self._barcode.threshold)
        self._show_detail(-1)
        self._tell_progress()
        self._show_whether_ready()

    def _draw(self, _: object = None) -> None:
        found = self._barcode
        if found.barcode is None or len(found.wanted) != len(found.barcode):
            self.plot.show_barcode(None)
        else:
            self.plot.show_barcode(
                Drawn.of(found.barcode, found.wanted, found.scale, found.right_levels, self.most.value())
            )
            self.plot.set_threshold(found.threshold)
            self.plot.select(found.selected.number if found.selected is not None else None)
        self._show_words()

    def _show_threshold(self, level: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(level * _STEPS))
        self.slider.blockSignals(False)
        self.value.blockSignals(True)
        self.value.setValue(self._barcode.scale.value(level))
        self.value.blockSignals(False)
        self.plot.set_threshold(level)
        self.layers.set_threshold(level)
        self._show_words()

    def _show_words(self) -> None:
        found = self._barcode
        if found.barcode is None:
            self.words.setText("As a threshold falls, pieces and holes appear and vanish: each is a bar.")
            self.right.setText("Choose a map above and press Find.")
            self.legend.setText("")
            return
        betti = found.betti_at()
        says, right = level_words(betti, found.betti_wanted, found.threshold, found.scale, found.right_levels)
        self.words.setText(says)
        self.right.setText(right)
        self.legend.setText(legend(found.barcode, betti, self.plot.dimension_colours))

    def _show_selected(self, selected: SelectedBar | None) -> None:
        self.plot.select(selected.number if selected is not None else None)
        colour = self.plot.dimension_colours[selected.bar.dimension] if selected is not None else ""
        self.layers.show_ends(selected, colour)
        self._show_detail(-1)
        self._show_whether_ready()

    def _show_detail(self, number: int) -> None:
        """What is known of the bar under the mouse, or else of the chosen one."""
        found, selected = self._barcode, self._barcode.selected
        if number < 0 and selected is not None:
            number = selected.number
        if found.barcode is None or not 0 <= number < len(found.barcode):
            self.detail.setText(" \n " if found.barcode is None else "Point at a bar to read it; click to go there.\n ")
            return
        volume = self.workspace.session.volume
        self.detail.setText(
            bar_words(found.barcode, number, bool(found.wanted[number]), found.scale, volume)
            if volume is not None
            else ""
        )

    def _volume_came(self, _: object) -> None:
        self._chosen_by_hand = False
        self._show_sources()

    def _result_came(self, _: object) -> None:
        self._show_sources()
        if not self._chosen_by_hand and (self.in_sight or self._barcode.barcode is None):
            self.source.setCurrentIndex(0 if self.source.count() else -1)
            self._show_whether_ready()
        # The barcode of the result before is gone with it.
        if self.source.kind == "result" and self.in_sight:
            self._find()

    def came_in_sight(self) -> None:
        """A result that came while the dock was behind others is looked at now."""
        if self.source.kind == "result" and self._barcode.barcode is None and not self._barcode.computing:
            self._find()

    # What a person does

    def _source_chosen(self, _: int) -> None:
        self._chosen_by_hand = True
        self._show_whether_ready()
        self._find()

    def _find_again(self, _: int) -> None:
        self._find()

    def _find_or_cancel(self) -> None:
        if self._barcode.computing:
            self._barcode.cancel()
        else:
            self._find()

    def _find(self) -> None:
        kind, name = self.source.kind, self.source.name
        image = self.workspace.image
        if image is None:
            return
        with self.workspace.telling():
            if kind == "result" and name == "template":
                self._barcode.of_template()
            elif kind == "result":
                self._barcode.of_mask(distance=name == "distance")
            elif kind == "image":
                layer = _named(name, self.workspace.images())
                volume = self.workspace.session.volume
                if layer is None or volume is None:
                    return
                values = volume.voxels if layer is image else voxels_of_layer(layer, image)
                box = volume.frame.box if self.where.currentData() == "all" else None
                self._barcode.of_map(values, box=box, name=name)
            elif kind == "labels":
                layer = _named(name, self.workspace.masks())
                if layer is not None:
                    self._barcode.of_mask(voxels_of_layer(layer, image), name=name)

    def _choose(self, number: int) -> None:
        self._barcode.select(number)
        self._go("birth_voxel")

    def _go(self, end: str) -> None:
        selected = self._barcode.selected
        if selected is not None:
            self.layers.go_to(getattr(selected.bar, end))

    def _set_threshold(self, level: float) -> None:
        self._barcode.threshold = level

    def _asker(self, ending: str) -> Callable[[], None]:
        return lambda: self._ask_where_to_save(ending)

    def _ask_where_to_save(self, ending: str) -> None:
        volume = self.workspace.session.volume
        if volume is None:
            return
        folder = Path(volume.path).parent if volume.path is not None else Path()
        kind = "diagram" if self.plot.shows_diagram and ending in ("png", "svg") else "barcode"
        proposed = folder / f"{volume.name}_{kind}.{ending}"
        path, _ = QFileDialog.getSaveFileName(self, "Save the barcode", str(proposed), f"{ending.upper()} (*.{ending})")
        if path:
            self.save(path)

    def save(self, path: str) -> None:
        """Write the barcode as the path's ending says; a picture is that of the tab in front."""
        diagram, found = self.plot.shows_diagram, self._barcode
        self.workspace.later(
            lambda: found.save(path, diagram=diagram),
            lambda _: self.workspace.signals.said.emit(f"Saved {Path(path).name} in {Path(path).resolve().parent}."),
        )


def _named(name: str, layers: list[Any]) -> Layer | None:
    return next((layer for layer in layers if layer.name == name), None)
