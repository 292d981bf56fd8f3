"""The part of the Segment dock that says how: which network, on which device, what it will take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QSizePolicy, QSpinBox, QWidget

from napari_toposeg.docks.dock import caption
from napari_toposeg.docks.words import bytes_words, estimate_words
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Settings, available_devices
from napari_toposeg.inference.devices import free_memory
from napari_toposeg.inference.estimate import Estimate, estimate
from napari_toposeg.session import NetworkChoice

if TYPE_CHECKING:
    from napari_toposeg.docks.workspace import Workspace

_FILE = object()
"""Stands in the list of networks for what opens a dialog."""

_SETTLE = 150
"""Milliseconds: while a box is dragged, placements come faster than cards are read."""

_OBJECTIVES = {"chan-vese": "Chan-Vese (inside and outside alike)"}
_MOVES = {"velocity": "Velocity field (quick)", "tpsn": "Untrained network, TPSN (slow)"}
_REFINE = {"none": "Nothing: as the network says", "chan-vese": "A few Chan-Vese steps"}
_CERTIFY = {
    "strict": "Strict: the topology is right",
    "report": "Report: the topology is counted",
    "off": "Off: a wrong topology is no failure",
}


class MethodPanel(QWidget):
    """Network, device, and what belongs to the one that is chosen; nothing else is shown."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self._choices: tuple[NetworkChoice, ...] = ()
        self.network = QComboBox()
        self.network.setToolTip("Who finds the organ: a trained network, or a fit to this one image.")
        self.why = caption()
        self.refine = _choices(_REFINE)
        self.objective = _choices(_OBJECTIVES)
        self.moves = _choices(_MOVES)
        self.iterations = QSpinBox()
        self.iterations.setRange(10, 5000)
        self.iterations.setSingleStep(20)
        self.certify = _choices(_CERTIFY)
        self.device = QComboBox()
        self.device.addItem("Automatic", "auto")
        self.expected = caption()
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(4)
        for text, widget in (
            ("Network", self.network),
            ("", self.why),
            ("Afterwards", self.refine),
            ("Objective", self.objective),
            ("What moves", self.moves),
            ("Iterations", self.iterations),
            ("Certificate", self.certify),
            ("Device", self.device),
            ("", self.expected),
        ):
            self.form.addRow(text, widget)
        for box in (self.network, self.refine, self.objective, self.moves, self.certify, self.device):
            # A long name of weights must not widen the dock.
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SETTLE)
        self._listen()
        self._show_settings(workspace.session.settings)
        self._show_choices(())
        self._look()
        workspace.later(_devices, self._show_devices, owner=self)

    def _listen(self) -> None:
        signals = self.workspace.signals
        self._soon.timeout.connect(self._look)
        for signal in (signals.volume, signals.prior, signals.placement, signals.network):
            signal.connect(self._changed)
        signals.settings.connect(self._show_settings)
        self.network.activated.connect(self._network_chosen)
        for box in (self.refine, self.objective, self.moves, self.certify, self.device):
            box.activated.connect(self._settings_chosen)
        self.iterations.valueChanged.connect(self._settings_chosen)

    @property
    def chosen(self) -> NetworkChoice | None:
        """What the next run would do; None until it is known."""
        name = self.workspace.session.network
        return next((choice for choice in self._choices if choice.name == name), None)

    @property
    def fits(self) -> bool:
        """Whether the next run is a fit."""
        return self.chosen is None or self.chosen.card is None

    # What there is

    def _changed(self, _: object = None) -> None:
        self._soon.start()

    def _look(self) -> None:
        session = self.workspace.session
        # Reading cards takes a few milliseconds each, and the window's thread has not got them.
        self.workspace.later(session.networks, self._show_choices, owner=self)
        session.warm_up()

    def _show_choices(self, choices: tuple[NetworkChoice, ...]) -> None:
        asked = self.workspace.session.network
        self._choices = choices
        self.network.clear()
        for choice in choices:
            self.network.addItem(_label(choice), choice.name)
        self.network.addItem("Weights file…", _FILE)
        names = [choice.name for choice in choices]
        self.network.setCurrentIndex(names.index(asked) if asked in names else 0)
        chosen = self.chosen
        self.why.setText(chosen.why if chosen is not None else "")
        self.why.setVisible(bool(self.why.text()))
        for widget in (self.objective, self.moves, self.iterations):
            self.form.setRowVisible(widget, self.fits)
        self.form.setRowVisible(self.refine, not self.fits)
        # One objective is no choice.
        self.form.setRowVisible(self.objective, self.fits and self.objective.count() > 1)
        self._expect()

    def _expect(self) -> None:
        session = self.workspace.session
        volume, site, settings, chosen = session.volume, session.site, session.settings, self.chosen
        if volume is None or site is None or chosen is None:
            self.expected.setText("")
            return

        def work() -> Estimate | str:
            try:
                return estimate(volume, site, settings, chosen.card)
            except ToposegError as error:
                return error.what

        def show(found: Estimate | str) -> None:
            self.expected.setText(found if isinstance(found, str) else estimate_words(found))

        self.workspace.later(work, show, owner=self)

    def _show_devices(self, devices: list[tuple[str, str]]) -> None:
        chosen = self.workspace.session.settings.device
        self.device.clear()
        for name, text in devices:
            self.device.addItem(text, name)
        self.device.setCurrentIndex(max(self.device.findData(chosen), 0))

    def _show_settings(self, settings: Settings) -> None:
        for box, value in (
            (self.device, settings.device),
            (self.refine, settings.refine),
            (self.objective, settings.objective),
            (self.moves, settings.moves),
            (self.certify, settings.certify),
        ):
            box.setCurrentIndex(max(box.findData(value), 0))
        self.iterations.blockSignals(True)
        self.iterations.setValue(settings.iterations)
        self.iterations.blockSignals(False)
        self._expect()

    # What a person does

    def _network_chosen(self, number: int) -> None:
        name = self.network.itemData(number)
        if name is not _FILE:
            self.workspace.session.network = name
            return
        asked = self.workspace.session.network
        self.network.setCurrentIndex(max(0, [choice.name for choice in self._choices].index(asked)))
        path, _ = QFileDialog.getOpenFileName(self, "Weights of a trained network", "", "Weights (*.safetensors)")
        if path:
            self.workspace.session.network = path

    def _settings_chosen(self, _: int = 0) -> None:
        session = self.workspace.session
        with self.workspace.telling():
            session.settings = replace(
                session.settings,
                device=self.device.currentData(),
                refine=self.refine.currentData(),
                objective=self.objective.currentData(),
                moves=self.moves.currentData(),
                certify=self.certify.currentData(),
                iterations=self.iterations.value(),
            )


def _label(choice: NetworkChoice) -> str:
    if choice.name is None:
        return f"Automatic: {choice.weights or 'fit this image'}"
    return choice.weights or "Fit this image (Chan-Vese)"


def _devices() -> list[tuple[str, str]]:
    """Names of the devices, and what is said of each."""
    names = available_devices()
    said = {}
    for name in names:
        free = free_memory(name)
        said[name] = name if free is None else f"{name}, {bytes_words(free)} free"
    return [("auto", f"Automatic: {said[names[0]]}"), *((name, said[name]) for name in names)]


def _choices(texts: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for value, text in texts.items():
        box.addItem(text, value)
    return box
