"""The part of the Segment dock that says what came out: plain words, and the numbers behind a click."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_toposeg.docks import colours
from napari_toposeg.docks.dock import quiet
from napari_toposeg.docks.words import certificate_words
from napari_toposeg.topology.connectivity import dual_connectivity

if TYPE_CHECKING:
    from napari_toposeg.docks.workspace import Workspace
    from napari_toposeg.inference import Outcome

_SENTENCE = "QLabel {{ color: {}; font-weight: bold; }}"


class CertificatePart(QWidget):
    """A sentence; below it, when they are asked for, the numbers that it stands on. Nothing where nothing was run."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = workspace.session
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.button = QToolButton()
        self.button.setText("Numbers")
        self.button.setCheckable(True)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setAutoRaise(True)
        self.numbers = QWidget()
        self.form = QFormLayout(self.numbers)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(1)
        line = QHBoxLayout()
        line.addWidget(self.sentence, 1)
        line.addWidget(self.button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        rows.addLayout(line)
        rows.addWidget(self.numbers)
        self.button.toggled.connect(self._toggled)
        signals = workspace.signals
        for signal in (signals.result, signals.edited, signals.running, signals.objects):
            signal.connect(self.show_result)
        self._toggled(False)
        self.show_result()

    def show_result(self, _: object = None) -> None:
        """Say what is known of the session's result."""
        result = self._session.result
        whose = f"{self._session.chosen_object.name}: " if self._session.several else ""
        self.setVisible(result is not None and not self._session.running)
        while self.form.rowCount():
            self.form.removeRow(0)
        if result is None:
            return
        certificate = self._session.certificate
        good = certificate is not None and certificate.topology_ok
        if certificate is None:
            words = "Edited by hand: the topology is being counted; the numbers are those before."
        else:
            result = replace(result, certificate=certificate)
            words = f"{certificate_words(result)}{' Corrected by hand.' if self._session.edited else ''}"
        self.sentence.setText(f"{whose}{words}")
        self.sentence.setStyleSheet(_SENTENCE.format(colours.GOOD if good else colours.DOUBTFUL))
        for name, value in facts(result):
            label = QLabel(value)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            self.form.addRow(quiet(name), label)

    def _toggled(self, wanted: bool) -> None:
        self.numbers.setVisible(wanted)
        self.button.setArrowType(Qt.ArrowType.DownArrow if wanted else Qt.ArrowType.RightArrow)


def facts(result: Outcome) -> list[tuple[str, str]]:
    """The numbers of a certificate, and where they come from, by name."""
    certificate = result.certificate
    counted, due = (", ".join(map(str, betti)) for betti in (certificate.betti_mask, certificate.betti_prior))
    foreground = certificate.connectivity
    rows = [
        ("Betti numbers", f"{counted}; the prior's: {due}"),
        ("Connectivity", f"{foreground}, of the background {dual_connectivity(foreground)}"),
        ("Cells that fold", "not known" if certificate.folding_voxels is None else f"{certificate.folding_voxels:,}"),
        ("Least Jacobian", "not known" if certificate.least_jacobian is None else f"{certificate.least_jacobian:.3f}"),
        ("Repaired", f"{certificate.repaired_voxels:,} of {int(result.mask.sum()):,} voxels"),
    ]
    seconds = {stage: value for stage, value in result.seconds.items() if stage != "total" and value >= 0.005}
    rows += [("Network", f"{network['name']}, weights {network['weights']}") for network in result.networks]
    if iterations := getattr(result, "iterations", 0):
        rows.append(("Iterations", f"{iterations:,}"))
    rows.append(("Seconds", ", ".join(f"{stage} {value:.2f}" for stage, value in seconds.items())))
    return rows
