"""The dock in which a run is set up, watched, cancelled and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
)

from napari_toposeg.docks import colours
from napari_toposeg.docks.dock import Dock, rule
from napari_toposeg.docks.loss_curve import LossCurve
from napari_toposeg.docks.progress_line import ProgressLine
from napari_toposeg.formats import PICTURE_ENDINGS, split_ending
from napari_toposeg.inference import Settings, available_devices
from napari_toposeg.steps import Step

if TYPE_CHECKING:
    from napari import Viewer

_OBJECTIVES = {"chan-vese": "Chan-Vese (inside and outside alike)"}
_MOVES = {"velocity": "Velocity field (quick)", "tpsn": "Untrained network, TPSN (slow)"}
_CERTIFY = {
    "strict": "Strict: the topology is right",
    "report": "Report: the topology is counted",
    "off": "Off: a wrong topology is no failure",
}
_RUN = f"""
QPushButton {{ background: {colours.ACCENT}; color: white; font-weight: bold; padding: 6px; }}
QPushButton:hover {{ background: #4aa3ee; }}
QPushButton:disabled {{ background: rgba(127, 140, 160, 60); color: rgba(140, 148, 160, 255); }}
"""


class SegmentDock(Dock):
    """Settings, Run and Cancel, how it goes, Save."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._losses: Mapping[str, float] = {}
        self.device = QComboBox()
        self.device.addItem("auto", "auto")
        self.objective = _choices(_OBJECTIVES)
        self.moves = _choices(_MOVES)
        self.certify = _choices(_CERTIFY)
        self.iterations = QSpinBox()
        self.iterations.setRange(10, 5000)
        self.iterations.setSingleStep(20)
        self.run_button = QPushButton("Run")
        self.run_button.setStyleSheet(_RUN)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stops at the next step; the best so far is certified and shown.")
        self.progress = ProgressLine()
        self.curve = LossCurve()
        self.save_button = QPushButton("Save mask…")
        self.with_field = QCheckBox("Field")
        self.with_field.setToolTip("The displacement, beside the mask, as ITK's tools read it.")
        self.with_jacobian = QCheckBox("Jacobian")
        self.with_report = QCheckBox("Report")
        self.with_report.setChecked(True)
        self._lay_out()
        self._listen()
        self._show_settings(self.workspace.session.settings)
        self._show_state()
        self.workspace.later(available_devices, self._show_devices, owner=self)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Objective", self.objective)
        form.addRow("What moves", self.moves)
        form.addRow("Certificate", self.certify)
        row = QHBoxLayout()
        row.addWidget(self.iterations, 1)
        row.addWidget(QLabel("Device"))
        row.addWidget(self.device, 1)
        form.addRow("Iterations", row)
        self.rows.addLayout(form)
        row = QHBoxLayout()
        row.addWidget(self.run_button, 2)
        row.addWidget(self.cancel_button, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(self.progress)
        self.rows.addWidget(self.curve, 1)
        self.rows.addWidget(rule())
        row = QHBoxLayout()
        row.addWidget(self.save_button, 1)
        row.addWidget(QLabel("with"))
        for box in (self.with_field, self.with_jacobian, self.with_report):
            row.addWidget(box)
        self.rows.addLayout(row)

    def _listen(self) -> None:
        signals = self.workspace.signals
        for box in (self.device, self.objective, self.moves, self.certify):
            box.activated.connect(self._settings_chosen)
        self.iterations.valueChanged.connect(self._settings_chosen)
        self.run_button.clicked.connect(self._run)
        self.cancel_button.clicked.connect(self._cancel)
        self.save_button.clicked.connect(self._ask_where_to_save)
        signals.settings.connect(self._show_settings)
        signals.steps.connect(self._show_steps)
        signals.running.connect(self._show_running)
        for signal in (signals.volume, signals.prior, signals.placement, signals.result, signals.edited):
            signal.connect(self._show_state)

    # What there is

    def _show_devices(self, devices: list[str]) -> None:
        chosen = self.workspace.session.settings.device
        for device in devices:
            if self.device.findData(device) < 0:
                self.device.addItem(device, device)
        self.device.setCurrentIndex(max(self.device.findData(chosen), 0))

    def _show_settings(self, settings: Settings) -> None:
        for box, value in (
            (self.device, settings.device),
            (self.objective, settings.objective),
            (self.moves, settings.moves),
            (self.certify, settings.certify),
        ):
            box.setCurrentIndex(max(box.findData(value), 0))
        self.iterations.blockSignals(True)
        self.iterations.setValue(settings.iterations)
        self.iterations.blockSignals(False)

    def _show_state(self, _: object = None) -> None:
        session = self.workspace.session
        running = session.running
        self.run_button.setEnabled(not running and session.placement is not None)
        self.cancel_button.setEnabled(running)
        self.save_button.setEnabled(not running and session.result is not None)
        self.with_report.setEnabled(not session.edited)
        if session.placement is None:
            self.run_button.setToolTip("First choose a prior and place it.")
        else:
            self.run_button.setToolTip("")
        if not running and session.result is None:
            self.progress.tell(0.0, "Not run yet")
            self.curve.clear()
        elif not running and session.result is not None:
            seconds = session.result.seconds.get("total", 0.0)
            self.progress.tell(
                1.0, f"Done: {session.result.iterations} iterations in {seconds:.1f} s on {session.result.device}"
            )

    def _show_running(self, running: bool) -> None:
        if running:
            self.curve.clear()
            self.progress.tell(0.0, "Preparing")
        self._show_state()

    def _show_steps(self, steps: list[Step[Any]]) -> None:
        for step in steps:
            # The last steps repeat what the fit ended with.
            if "total" in step.losses and step.losses != self._losses:
                self.curve.add(step.losses["total"], step.stage)
                self._losses = step.losses
        step = steps[-1]
        self.progress.tell(step.number / step.total, f"{step.stage.capitalize()}: {step.number} of {step.total}")
        if step.losses:
            self.curve.setToolTip(
                "\n".join(f"{name.replace('_', '-')}: {value:.4g}" for name, value in step.losses.items())
            )

    # What a person does

    def _settings_chosen(self, _: int = 0) -> None:
        session = self.workspace.session
        with self.workspace.telling():
            session.settings = replace(
                session.settings,
                device=self.device.currentData(),
                objective=self.objective.currentData(),
                moves=self.moves.currentData(),
                certify=self.certify.currentData(),
                iterations=self.iterations.value(),
            )

    def _run(self) -> None:
        with self.workspace.telling():
            self.workspace.session.run()

    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.progress.tell(self.progress.share, "Stopping; the best so far is kept")
        self.workspace.session.cancel()

    def _ask_where_to_save(self) -> None:
        volume = self.workspace.session.volume
        if volume is None:
            return
        picture = volume.path is not None and split_ending(volume.path)[1] in PICTURE_ENDINGS
        folder = Path(volume.path).parent if volume.path is not None else Path()
        proposed = folder / f"{volume.name}_mask{'.png' if picture else '.nii.gz'}"
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the mask", str(proposed), "Masks (*.nii.gz *.nii *.png *.tif)"
        )
        if path:
            self.save(path)

    def save(self, path: str) -> None:
        """Write the mask, and beside it what is ticked."""
        stem = Path(path).parent / split_ending(path)[0]
        session = self.workspace.session
        field = f"{stem}_field.nii.gz" if self.with_field.isChecked() else None
        jacobian = f"{stem}_jacobian.nii.gz" if self.with_jacobian.isChecked() else None
        report = f"{stem}_report.json" if self.with_report.isChecked() and not session.edited else None
        written = [Path(name).name for name in (path, field, jacobian, report) if name is not None]
        # Compressing a large mask takes seconds.
        self.workspace.later(
            lambda: session.save(path, field=field, jacobian=jacobian, report=report),
            lambda _: self.workspace.signals.said.emit(f"Saved {', '.join(written)} in {Path(path).resolve().parent}."),
        )


def _choices(texts: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for value, text in texts.items():
        box.addItem(text, value)
    return box
