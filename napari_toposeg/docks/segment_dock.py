"""The dock in which a run is set up, watched, cancelled and saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel, QPushButton

from napari_toposeg.docks import colours
from napari_toposeg.docks.certificate_part import CertificatePart
from napari_toposeg.docks.dock import Dock, caption, rule
from napari_toposeg.docks.loss_curve import LossCurve
from napari_toposeg.docks.method_panel import MethodPanel
from napari_toposeg.docks.progress_line import ProgressLine
from napari_toposeg.errors import listed
from napari_toposeg.formats import PICTURE_ENDINGS, DicomOrigin, split_ending
from napari_toposeg.steps import Step

if TYPE_CHECKING:
    from napari import Viewer

    from napari_toposeg.inference import Outcome

_RUN = f"""
QPushButton {{ background: {colours.ACCENT}; color: white; font-weight: bold; padding: 6px; }}
QPushButton:hover {{ background: #4aa3ee; }}
QPushButton:disabled {{ background: rgba(127, 140, 160, 60); color: rgba(140, 148, 160, 255); }}
"""


class SegmentDock(Dock):
    """How, Run and Cancel, how it goes, what came out, Save."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._losses: Mapping[str, float] = {}
        self.method = MethodPanel(self.workspace)
        self.run_button = QPushButton("Run")
        self.run_button.setStyleSheet(_RUN)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stops at the next step; the best so far is certified and shown.")
        self.progress = ProgressLine()
        self.curve = LossCurve()
        self.certificate = CertificatePart(self.workspace)
        self.prompts = caption()
        self.save_button = QPushButton("Save mask…")
        self.with_field = QCheckBox("Field")
        self.with_field.setToolTip("The displacement, beside the mask, as ITK's tools read it.")
        self.with_jacobian = QCheckBox("Jacobian")
        self.with_surface = QCheckBox("Surface")
        self.with_surface.setToolTip("The mask's surface as STL, closed, with the mask's topology, in mm (LPS).")
        self.with_report = QCheckBox("Report")
        self.with_report.setChecked(True)
        self._lay_out()
        self._listen()
        self._show_state()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.method)
        row = QHBoxLayout()
        row.addWidget(self.run_button, 2)
        row.addWidget(self.cancel_button, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(self.progress)
        self.rows.addWidget(self.curve, 1)
        self.rows.addWidget(self.certificate)
        self.rows.addWidget(self.prompts)
        self.rows.addStretch(0)
        self.rows.addWidget(rule())
        row = QHBoxLayout()
        row.addWidget(self.save_button, 1)
        row.addWidget(QLabel("with"))
        for box in (self.with_field, self.with_jacobian, self.with_surface, self.with_report):
            row.addWidget(box)
        self.rows.addLayout(row)

    def _listen(self) -> None:
        signals = self.workspace.signals
        self.run_button.clicked.connect(self._run)
        self.cancel_button.clicked.connect(self._cancel)
        self.certificate.button.toggled.connect(self._show_state)
        self.save_button.clicked.connect(self._ask_where_to_save)
        signals.steps.connect(self._show_steps)
        signals.running.connect(self._show_running)
        signals.follow(self.workspace.session.prompts.events.changed, self._show_state, owner=self)
        for signal in (
            signals.volume,
            signals.prior,
            signals.placement,
            signals.network,
            signals.objects,
            signals.result,
            signals.edited,
        ):
            signal.connect(self._show_state)

    # What there is

    def _show_state(self, _: object = None) -> None:
        session = self.workspace.session
        running = session.running
        objects = session.objects if session.several else ()
        nowhere = [one.name for one in objects if one.placement is None]
        self.run_button.setText(f"Run {len(objects)} objects" if objects else "Run")
        self.run_button.setEnabled(not running and session.placement is not None and not nowhere)
        self.cancel_button.setEnabled(running)
        done = session.result is not None or any(one.result is not None for one in objects)
        self.save_button.setEnabled(not running and done)
        self.save_button.setText("Save label map…" if objects else "Save mask…")
        for box in (self.with_field, self.with_jacobian):
            box.setEnabled(not objects)
        self.prompts.setText(session.prompts.sentence)
        self.prompts.setVisible(bool(session.prompts.marks))
        self.with_report.setEnabled(self._reported())
        self.with_surface.setEnabled(self._solid())
        if nowhere:
            self.run_button.setToolTip(f"First choose a prior and place it: {listed(nowhere)}.")
        elif session.placement is None:
            self.run_button.setToolTip("First choose a prior and place it.")
        else:
            self.run_button.setToolTip("")
        if not running and session.result is None:
            self.progress.tell(0.0, "Not run yet")
            self.curve.clear()
        elif not running and session.result is not None:
            words = _done_words(session.result)
            self.progress.tell(
                1.0, words.replace("Done", f"{session.chosen_object.name} done", 1) if objects else words
            )
        # A network is asked once: there is no curve to see. The numbers, too, need the room.
        self.curve.setVisible(bool(self.curve.values) and not self.certificate.button.isChecked())

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
                self.curve.setVisible(True)
        step = steps[-1]
        self.progress.tell(step.number / step.total, f"{step.stage[0].upper()}{step.stage[1:]}: {_far(step)}")
        if step.losses:
            self.curve.setToolTip(
                "\n".join(f"{name.replace('_', '-')}: {value:.4g}" for name, value in step.losses.items())
            )

    # What a person does

    def _run(self) -> None:
        with self.workspace.telling():
            self.workspace.session.run()

    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.progress.tell(self.progress.share, "Stopping; the best so far is kept")
        self.workspace.session.cancel()

    def _ask_where_to_save(self) -> None:
        session = self.workspace.session
        volume = session.volume
        if volume is None:
            return
        picture = volume.path is not None and split_ending(volume.path)[1] in PICTURE_ENDINGS
        folder = Path(volume.path).parent if volume.path is not None else Path()
        dicom = isinstance(volume.stored.header, DicomOrigin)
        # Beside a series' folder, not in it: other programs take whatever lies there for a part of it.
        folder = folder.parent if dicom else folder
        what = "labels" if session.several else "mask"
        proposed = folder / f"{volume.name}_{what}{'.png' if picture else '.seg.dcm' if dicom else '.nii.gz'}"
        kinds = "*.nii.gz *.nii *.nrrd *.mha" + " *.dcm" * dicom + " *.png *.tif" * (volume.ndim == 2)
        path, _ = QFileDialog.getSaveFileName(self, "Save the mask", str(proposed), f"Masks ({kinds})")
        if path:
            self.save(path)

    def _solid(self) -> bool:
        """Whether the image is one that a surface can be made in."""
        volume = self.workspace.session.volume
        return volume is not None and volume.ndim == 3

    def _reported(self) -> bool:
        """Whether what is certified holds of what would be saved."""
        session = self.workspace.session
        if session.several:
            return all(one.kept_topology for one in session.objects)
        return session.result is None or session.working_mask.kept_topology

    def save(self, path: str) -> None:
        """Write the mask, and beside it what is ticked."""
        stem = Path(path).parent / split_ending(path)[0]
        session = self.workspace.session
        field = f"{stem}_field.nii.gz" if self.with_field.isChecked() and not session.several else None
        with_jacobian = self.with_jacobian.isChecked() and not session.several
        jacobian = f"{stem}_jacobian.nii.gz" if with_jacobian else None
        surface = f"{stem}_surface.stl" if self.with_surface.isChecked() and self._solid() else None
        report = f"{stem}_report.json" if self.with_report.isChecked() and self._reported() else None
        written = [Path(name).name for name in (path, field, jacobian, surface, report) if name is not None]
        # Compressing a large mask takes seconds.
        self.workspace.later(
            lambda: session.save(path, field=field, jacobian=jacobian, surface=surface, report=report),
            lambda _: self.workspace.signals.said.emit(f"Saved {', '.join(written)} in {Path(path).resolve().parent}."),
        )


def _far(step: Step[Any]) -> str:
    """How far a run is: in steps; of several objects, whose runs have different numbers of them, in percent."""
    return f"{step.number / step.total:.0%}" if ": " in step.stage else f"{step.number} of {step.total}"


def _done_words(result: Outcome) -> str:
    """What did it, how long it took, and where: "Done: synthetic-ball in 0.4 s on cpu"."""
    by = [str(network["weights"] or network["name"]) for network in result.networks]
    if iterations := getattr(result, "iterations", 0):
        by.append(f"{iterations} iterations")
    time = f"in {result.seconds.get('total', 0.0):.1f} s on {result.device}"
    return f"Done: {' and '.join(by)} {time}" if by else f"Done {time}"
