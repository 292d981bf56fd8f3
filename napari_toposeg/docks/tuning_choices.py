"""The part of the Fine-tune dock that says what is tuned: the source, the loss, what moves, for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_toposeg.docks.display import voxels_of_layer
from napari_toposeg.docks.dock import caption
from napari_toposeg.docks.layer_choice import LayerChoice
from napari_toposeg.inference import Segmentation, TuningSettings
from napari_toposeg.inference.tuning_settings import TuningMoves

if TYPE_CHECKING:
    from napari_toposeg.docks.workspace import Workspace

_LOSSES = {
    "ph-dense": "PH loss, dense gradient",
    "ph": "PH loss, as published",
    "chan-vese": "Chan-Vese loss",
}
_MOVES = {
    "map": "The map itself",
    "velocity": "The velocity field",
    "network": "The network's weights",
}
_POSSIBLE: dict[str, tuple[TuningMoves, ...]] = {
    "image": ("map",),
    "edited": ("map", "velocity", "network"),
    "deformed": ("map", "velocity", "network"),
    "pixelwise": ("map", "network"),
    "nothing": ("map", "network"),
}
_OWN = "The one that made the result"


class TuningChoices(QWidget):
    """What can be chosen; what makes no sense for the source cannot."""

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self._kind = ""
        self.source = LayerChoice("The result")
        self.source.setToolTip("What is tuned: the segmentation, or any image that is a probability map.")
        self.logits = QCheckBox("Logits")
        self.logits.setToolTip("The image holds logits, of which probabilities are the sigmoid.")
        self.loss = _choices(_LOSSES)
        self.moves = _choices(_MOVES)
        self.network = QComboBox()
        self.network.addItem(_OWN, None)
        self.iterations = QSpinBox()
        self.iterations.setRange(1, 5000)
        self.iterations.setSingleStep(20)
        self.rate = QDoubleSpinBox()
        self.rate.setDecimals(5)
        self.rate.setRange(0.0, 100.0)
        self.rate.setSingleStep(0.01)
        self.rate.setSpecialValueText("automatic")
        self.rate.setToolTip("The learning rate; 0 takes the one that fits what moves.")
        self.hint = caption()
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(4)
        row = QHBoxLayout()
        row.addWidget(self.source, 1)
        row.addWidget(self.logits)
        self.form.addRow("Tune", row)
        self.form.addRow("What moves", self.moves)
        self.form.addRow("Network", self.network)
        self.form.addRow("By", self.loss)
        row = QHBoxLayout()
        row.addWidget(self.iterations, 1)
        row.addWidget(QLabel("Rate"))
        row.addWidget(self.rate, 1)
        self.form.addRow("Iterations", row)
        self.form.addRow(self.hint)
        self._listen()
        self.show_settings(workspace.session.tuning.settings)
        self.show_sources()

    def _listen(self) -> None:
        self.source.currentIndexChanged.connect(self._source_chosen)
        self.moves.activated.connect(self._moves_chosen)
        self.loss.activated.connect(self._loss_chosen)
        self.network.activated.connect(self._network_chosen)
        self.iterations.valueChanged.connect(self._tell)
        self.rate.valueChanged.connect(self._tell)
        workspace, tuning = self.workspace, self.workspace.session.tuning
        workspace.signals.follow(tuning.events.settings, self.show_settings, owner=self)
        signals = workspace.signals
        for signal in (signals.volume, signals.result, signals.edited):
            signal.connect(self.show_sources)
        signals.prior.connect(self._find_networks)
        layers = workspace.viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered, layers.renamed):
            event.connect(self.show_sources)

    # What there is

    @property
    def possible(self) -> tuple[TuningMoves, ...]:
        """What can move of the source that is chosen."""
        return _POSSIBLE[self._kind]

    @property
    def ready(self) -> bool:
        """Whether there is something to start with."""
        session = self.workspace.session
        if self._kind == "image":
            return session.prior is not None
        if self.moves.currentData() == "network":
            return session.placement is not None
        return session.result is not None

    def array(self) -> tuple[NDArray[np.generic], str] | None:
        """The map that is chosen, canonical, and its name; None for the result."""
        layer = self.source.layer
        image, volume = self.workspace.image, self.workspace.session.volume
        if layer is None or image is None or volume is None:
            return None
        return (volume.voxels if layer is image else voxels_of_layer(layer, image)), layer.name

    def show_settings(self, settings: TuningSettings) -> None:
        """Show what the session will use."""
        for box, value in ((self.loss, settings.loss), (self.moves, settings.moves)):
            box.setCurrentIndex(max(box.findData(value), 0))
        for number in (self.iterations, self.rate):
            number.blockSignals(True)
        self.iterations.setValue(settings.iterations)
        self.rate.setValue(settings.rate or 0.0)
        for number in (self.iterations, self.rate):
            number.blockSignals(False)
        self._show_what_fits()

    def show_sources(self, _: object = None) -> None:
        """Offer the result and the images; where the source is another kind of thing, what suits it is chosen."""
        self.source.show_layers(self.workspace.images())
        self._see_kind()

    def _see_kind(self) -> None:
        session, before = self.workspace.session, self._kind
        if self.source.layer is not None:
            self._kind = "image"
        elif session.result is None:
            self._kind = "nothing"
        elif session.edited:
            self._kind = "edited"
        else:
            self._kind = "deformed" if isinstance(session.result, Segmentation) else "pixelwise"
        if self._kind != before:
            by_image = self._kind == "deformed"
            self._choose("velocity" if by_image else self.possible[0], "chan-vese" if by_image else "ph-dense")
        self._show_what_fits()

    def _show_what_fits(self) -> None:
        for box, fits in (
            (self.moves, set(self.possible) if self._kind else set(_MOVES)),
            (self.loss, set(_LOSSES) - ({"chan-vese"} if self._kind == "image" else set())),
        ):
            model = box.model()
            assert isinstance(model, QStandardItemModel)
            for number in range(box.count()):
                model.item(number).setEnabled(box.itemData(number) in fits)
        self.logits.setVisible(self._kind == "image")
        self.form.setRowVisible(self.network, self.moves.currentData() == "network")
        self.hint.setText(self._hint())
        self.changed.emit()

    def _hint(self) -> str:
        moves, loss = self.moves.currentData(), self.loss.currentData()
        if self._kind == "nothing" and moves != "network":
            return "Run a segmentation first, or choose a probability map."
        if self._kind == "image" and self.workspace.session.prior is None:
            return "Choose a prior first: it says how many pieces and holes are wanted."
        if moves == "map":
            return {
                "image": "The least change of the map that gives its mask the prior's topology.",
                "edited": "The least change of the edited mask that gives it the prior's topology.",
            }.get(self._kind, "The least change that gives the warped template the prior's topology, unrepaired.")
        if moves == "velocity":
            follows = "follows the image" if loss == "chan-vese" else "thickens what is nearly torn"
            return f"A further deformation {follows}; the topology is certified in the end."
        return "A copy of the weights, for this volume alone; the network itself stays as it is."

    # What a person does

    def _source_chosen(self, _: int) -> None:
        self._see_kind()

    def _moves_chosen(self, _: int) -> None:
        by_image = self.loss.currentData() == "chan-vese"
        moves = self.moves.currentData()
        self._choose(moves, "ph-dense" if moves == "map" and by_image else self.loss.currentData())
        if moves == "network":
            self._find_networks()

    def _loss_chosen(self, _: int) -> None:
        loss, moves = self.loss.currentData(), self.moves.currentData()
        self._choose("velocity" if loss == "chan-vese" and moves == "map" else moves, loss)

    def _network_chosen(self, _: int) -> None:
        self.workspace.session.tuning.weights = self.network.currentData()

    def _choose(self, moves: str, loss: str) -> None:
        for box, value in ((self.moves, moves), (self.loss, loss)):
            box.setCurrentIndex(max(box.findData(value), 0))
        self._tell()

    def _tell(self, _: object = None) -> None:
        with self.workspace.telling():
            self.workspace.session.tuning.settings = TuningSettings(
                loss=self.loss.currentData(),
                moves=self.moves.currentData(),
                iterations=self.iterations.value(),
                rate=self.rate.value() or None,
            )

    def _find_networks(self, _: object = None) -> None:
        if self.moves.currentData() == "network":
            self.workspace.later(self.workspace.session.tuning.networks, self._show_networks, owner=self)

    def _show_networks(self, names: tuple[str, ...]) -> None:
        chosen = self.workspace.session.tuning.weights
        self.network.clear()
        self.network.addItem(_OWN, None)
        for name in names:
            self.network.addItem(name, name)
        self.network.setCurrentIndex(max(self.network.findData(chosen), 0) if chosen else 0)


def _choices(texts: dict[str, str]) -> QComboBox:
    box = QComboBox()
    for value, text in texts.items():
        box.addItem(text, value)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return box
