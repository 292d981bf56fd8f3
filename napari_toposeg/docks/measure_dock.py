"""The dock that measures the mask, alone and beside a reference."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QPushButton, QSpinBox

from napari_toposeg.docks.colour_scale import ColourScale
from napari_toposeg.docks.display import voxels_of_layer
from napari_toposeg.docks.distance_layer import DistanceLayer, reach_of, scale_rgba
from napari_toposeg.docks.dock import Dock, caption, rule
from napari_toposeg.docks.layer_choice import LayerChoice
from napari_toposeg.docks.measure_table import MeasureTable
from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import DistanceSurface
from napari_toposeg.session.measure_table import Measures, tab_separated

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

_SETTLE = 250
"""Milliseconds after the last stroke of a brush: each stroke says that it changed the layer."""


class MeasureDock(Dock):
    """What is measured, beside what, the table, and the distances as a coloured surface."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.measures: Measures | None = None
        self.surface: DistanceSurface | None = None
        self._asked = 0
        self._stale = True
        self._painted: list[weakref.ref[Layer]] = []
        self.layers = DistanceLayer(self.workspace)
        self.measured = LayerChoice("The result")
        self.measured.setToolTip("The result as it stands, or any labels layer: each of its labels is an object.")
        self.reference = LayerChoice("None")
        self.label = QSpinBox()
        self.label.setRange(0, 65535)
        self.label.setSpecialValueText("all labels")
        self.label.setPrefix("label ")
        self.label.setToolTip("Of the reference. Of a mask with several labels each is compared with its own.")
        self.table = MeasureTable()
        self.hint = caption()
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("The table, as a spreadsheet takes it. Ctrl+C copies the chosen lines.")
        self.export_button = QPushButton("Export…")
        self.export_button.setToolTip("As CSV with all digits, as JSON or as Markdown.")
        self.distances_button = QPushButton("Show distances")
        self.distances_button.setCheckable(True)
        self.scale = ColourScale(scale_rgba())
        self.extremes = caption()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SETTLE)
        self._lay_out()
        self._listen()
        self._show_layers()
        self._show_measures(None)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Measure", self.measured)
        row = QHBoxLayout()
        row.addWidget(self.reference, 1)
        row.addWidget(self.label)
        form.addRow("Reference", row)
        self.rows.addLayout(form)
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.table, 1)
        row = QHBoxLayout()
        row.addWidget(self.copy_button, 1)
        row.addWidget(self.export_button, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(rule())
        self.rows.addWidget(self.distances_button)
        self.rows.addWidget(self.scale)
        self.rows.addWidget(self.extremes)

    def _listen(self) -> None:
        signals, session = self.workspace.signals, self.workspace.session
        for signal in (signals.result, signals.edited, signals.running):
            signal.connect(self._changed)
        signals.volume.connect(self._volume_changed)
        session.measurements.events.chosen.connect(self._told)
        events = self.workspace.viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._show_layers)
        events.removed.connect(self._layer_removed)
        self.measured.activated.connect(self._choose)
        self.reference.activated.connect(self._choose)
        self.label.valueChanged.connect(self._choose)
        self.table.asked_to_copy.connect(self.copy)
        self.copy_button.clicked.connect(self._copy_all)
        self.export_button.clicked.connect(self._ask_where_to_export)
        self.distances_button.toggled.connect(self._distances_wanted)
        self._soon.timeout.connect(self._measure)

    # What there is to choose from

    def _show_layers(self, _: object = None) -> None:
        own = self.workspace.layers.mask
        layers = [layer for layer in self.workspace.masks() if layer is not own]
        gone = [choice.show_layers(layers) for choice in (self.measured, self.reference)]
        if any(gone):
            self._choose()

    def _layer_removed(self, event: Any) -> None:
        if event.value is self.layers.drawn:
            # By hand.
            self.distances_button.setChecked(False)

    def _volume_changed(self, _: object = None) -> None:
        """What was chosen lay on the old image's grid; the session has forgotten it."""
        self.distances_button.setChecked(False)
        self.measured.choose(None)
        self.reference.choose(None)
        self._changed()

    def _choose(self, _: object = None) -> None:
        """Tell the session what the lists say."""
        image, measurements = self.workspace.image, self.workspace.session.measurements
        self._watch()
        if image is None:
            return
        for choice, choose in ((self.measured, measurements.choose_mask), (self.reference, self._choose_reference)):
            layer = choice.layer
            try:
                if layer is None:
                    choose(None)
                else:
                    choose(voxels_of_layer(layer, image), name=layer.name)
            except ToposegError as error:
                choice.choose(None)
                choose(None)
                self.workspace.signals.failed.emit(str(error))

    def _choose_reference(self, labels: Any, *, name: str = "") -> None:
        self.workspace.session.measurements.choose_reference(labels, name=name, label=self.label.value() or None)

    def _watch(self) -> None:
        """Measure anew when somebody paints in a chosen layer."""
        for reference in self._painted:
            layer = reference()
            if layer is not None:
                layer.events.paint.disconnect(self._choose)
                layer.events.data.disconnect(self._choose)
        chosen = {id(layer): layer for layer in (self.measured.layer, self.reference.layer) if layer is not None}
        self._painted = [weakref.ref(layer) for layer in chosen.values()]
        for layer in chosen.values():
            layer.events.paint.connect(self._choose)
            layer.events.data.connect(self._choose)

    # Measuring

    def _told(self) -> None:
        """In whichever thread the session was told of another mask or reference."""
        self.workspace.signals.hand_over(self._changed_if_alive, None)

    def _changed_if_alive(self, _: object) -> None:
        if isalive(self):
            self._changed()

    def _changed(self, _: object = None) -> None:
        """What is shown is no longer so: measure soon, where somebody looks."""
        self._stale = True
        self._asked += 1
        self._soon.start()

    def came_in_sight(self) -> None:
        """Measure what changed while nobody looked."""
        if self._stale:
            self._soon.start()

    def _measure(self) -> None:
        session = self.workspace.session
        # While a run goes on its steps come first; its result is measured. Behind another tab nothing is, so that no
        # run waits for it.
        if not self.in_sight or session.running:
            return
        self._stale = False
        self._asked += 1
        number = self._asked
        if session.volume is None or (self.measured.layer is None and session.result is None):
            self._show_measures(None)
            return
        self.hint.setText("Measuring…")
        self.hint.show()
        measurements, wanted = session.measurements, self.distances_button.isChecked()

        def work() -> tuple[int, Measures, DistanceSurface | None] | ToposegError | None:
            # Only the newest is measured: while somebody paints they come faster than they can be.
            if number != self._asked:
                return None
            try:
                measures = measurements.measure()
                surface = measurements.distances() if wanted and measures.reference is not None else None
            except ToposegError as error:
                return error
            return number, measures, surface

        self.workspace.later(work, self._show, owner=self)

    def _show(self, found: tuple[int, Measures, DistanceSurface | None] | ToposegError | None) -> None:
        if isinstance(found, ToposegError):
            self._show_measures(None)
            self.workspace.signals.failed.emit(str(found))
        elif found is not None and found[0] == self._asked:
            self._show_measures(found[1])
            self._show_surface(found[2])

    def _show_measures(self, measures: Measures | None) -> None:
        self.measures = measures
        self.table.show_measures(measures)
        self.hint.setVisible(measures is None)
        self.hint.setText("Run a segmentation first, or choose a labels layer: it is measured here.")
        for button in (self.copy_button, self.export_button):
            button.setEnabled(measures is not None)
        compared = measures is not None and measures.reference is not None
        self.distances_button.setEnabled(compared)
        self.distances_button.setToolTip(
            "The mask's surface, coloured by how far it lies from the reference's."
            if compared
            else "First choose a reference."
        )
        if not compared:
            self.distances_button.setChecked(False)

    # Distances

    def _distances_wanted(self, wanted: bool) -> None:
        if wanted:
            self._changed()
        else:
            self._show_surface(None)

    def _show_surface(self, surface: DistanceSurface | None) -> None:
        volume, measures = self.workspace.session.volume, self.measures
        self.surface = surface
        for widget in (self.scale, self.extremes):
            widget.setVisible(surface is not None)
        if surface is None or volume is None or measures is None:
            self.layers.hide()
            return
        self.layers.show(surface)
        reach, unit = reach_of(surface.distances, volume.spacing), measures.unit
        self.scale.tell(f"≤ −{reach:.1f} {unit}", "0", f"≥ {reach:.1f} {unit}")
        least, greatest = float(np.min(surface.distances)), float(np.max(surface.distances))
        self.extremes.setText(
            f"Red: within {measures.reference}, by up to {abs(min(least, 0.0)):.1f} {unit}. "
            f"Blue: outside of it, by up to {abs(max(greatest, 0.0)):.1f} {unit}."
        )

    # Copies

    def _copy_all(self) -> None:
        self.table.clearSelection()
        self.copy()

    def copy(self) -> None:
        """Put the chosen lines of the table, or all of it, on the clipboard: what, value and unit between tabs."""
        if self.measures is not None:
            chosen = self.table.chosen_text()
            QGuiApplication.clipboard().setText(chosen or tab_separated(self.measures))
            self.workspace.signals.said.emit("The chosen lines were copied." if chosen else "The table was copied.")

    def _ask_where_to_export(self) -> None:
        volume = self.workspace.session.volume
        if volume is None:
            return
        folder = Path(volume.path).parent if volume.path is not None else Path()
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Export the figures",
            str(folder / f"{volume.name}_measures.csv"),
            "CSV (*.csv);;JSON (*.json);;Markdown (*.md)",
        )
        if path:
            self.export(path)

    def export(self, path: str) -> None:
        """Write what the table shows: .csv, .json or .md."""
        measures = self.measures
        if measures is not None:
            self.workspace.later(
                lambda: measures.save(path),
                lambda _: self.workspace.signals.said.emit(
                    f"Saved {Path(path).name} in {Path(path).resolve().parent}."
                ),
            )
