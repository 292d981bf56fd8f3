"""The part of the Labelling dock that says what is labelled: the folders, the organ's shape, the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from napari_toposeg.errors import ToposegError
from napari_toposeg.session.labelling_settings import LabellingSettings
from napari_toposeg.topology import betti_words

if TYPE_CHECKING:
    from napari_toposeg.docks.workspace import Workspace
    from napari_toposeg.priors import Prior

_NETWORKS = {"mltpsn": "Multi-level TPSN: deforms the shape", "unet": "U-Net: voxel by voxel, then corrected"}
_NONE = "Choose the shape that it has"


class _Place(QLabel):
    """A folder's name, cut in the middle where it is long; the whole path in the tooltip."""

    def __init__(self, nothing: str) -> None:
        super().__init__()
        self._nothing = nothing
        self._text = nothing
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.show_place(None)

    def show_place(self, place: Path | None) -> None:
        """Say a folder, or that there is none."""
        self._text = self._nothing if place is None else f"{place.parent.name}/{place.name}"
        self.setToolTip("" if place is None else str(place))
        self._cut()

    def resizeEvent(self, event: object) -> None:
        """Cut it to the room that there is."""
        self._cut()

    def _cut(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideMiddle, max(self.width(), 40)))


class LabellingChoices(QWidget):
    """Folders, shape and network."""

    open_asked = Signal(str, str)
    """Folder of volumes, and folder of labels or ""."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self._priors: list[Prior] = []
        # What was asked for last: where it could not be opened, a folder of labels may be all that is missing.
        self._images = ""
        self.images = _Place("No folder is open")
        self.images_button = QPushButton("Open folder…")
        self.images_button.setToolTip("A folder of volumes: NIfTI files or pictures. It opens as you left it.")
        self.labels = _Place("None")
        self.labels_button = QPushButton("Labels…")
        self.labels_button.setToolTip("A folder of the labels that there are, named like their volumes.")
        self.values = QLineEdit()
        self.values.setPlaceholderText("all values")
        self.values.setFixedWidth(78)
        self.values.setToolTip("Which values of these labels are the organ: 1, 2. Empty: all but 0.")
        self.prior = _narrow(QComboBox())
        self.prior.setToolTip("The topology that every mask will have. The Prior dock has more of them.")
        self.network = _narrow(QComboBox())
        for name, text in _NETWORKS.items():
            self.network.addItem(text, name)
        self.network.setToolTip("What learns from the accepted masks.")
        self.side = _number(0, 256, 8)
        self.side.setSpecialValueText("auto")
        self.side.setToolTip("Voxels along each side of the grid on which the network sees a whole volume.")
        self.epochs = _number(1, 5000, 10)
        self.epochs.setToolTip("How often each accepted mask is seen, at most.")
        self._lay_out()
        self._listen()
        self.show_settings(workspace.session.labelling.settings)
        self._show_priors()

    def _lay_out(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        for title, *widgets in (
            ("Volumes", self.images, self.images_button),
            ("Labels", self.labels, self.values, self.labels_button),
            ("Organ", self.prior),
            ("Network", self.network),
            ("Grid", self.side, QLabel("Epochs"), self.epochs),
        ):
            row = QHBoxLayout()
            row.setSpacing(8)
            for number, widget in enumerate(widgets):
                row.addWidget(widget, 0 if isinstance(widget, QLabel) and number else 1)
            form.addRow(title, row)
        for widget in (self.images_button, self.labels_button, self.values):
            widget.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def _listen(self) -> None:
        labelling, signals = self.workspace.session.labelling, self.workspace.signals
        self.images_button.clicked.connect(self._ask_for_images)
        self.labels_button.clicked.connect(self._ask_for_labels)
        self.prior.activated.connect(self._prior_chosen)
        self.network.activated.connect(self._tell)
        self.values.editingFinished.connect(self._tell)
        for box in (self.side, self.epochs):
            box.valueChanged.connect(self._tell)
        signals.follow(labelling.events.opened, self._show_folders, owner=self)
        signals.follow(labelling.events.settings, self.show_settings, owner=self)
        signals.prior.connect(self._show_priors)
        signals.volume.connect(self._show_priors)

    # What there is

    def show_settings(self, settings: LabellingSettings) -> None:
        """Show what was chosen."""
        for box, value in ((self.side, settings.side), (self.epochs, settings.epochs)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        self.network.setCurrentIndex(self.network.findData(settings.network))
        self.values.setText(", ".join(map(str, settings.labels)))

    def _show_folders(self, _: object = None) -> None:
        folder = self.workspace.session.labelling.folder
        self.images.show_place(None if folder is None else folder.images)
        self.labels.show_place(None if folder is None else folder.labels)
        if folder is not None:
            self._images = str(folder.images)

    def _show_priors(self, _: object = None) -> None:
        session = self.workspace.session
        self._priors = list(session.priors())
        if session.prior is not None and session.prior not in self._priors:
            self._priors.append(session.prior)
        self.prior.clear()
        self.prior.addItem(_NONE)
        for prior in self._priors:
            self.prior.addItem(f"{prior.title}: {betti_words(prior.betti)}")
        chosen = [prior is session.prior for prior in self._priors]
        self.prior.setCurrentIndex(1 + chosen.index(True) if True in chosen else 0)

    # What a person does

    def _ask_for_images(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "A folder of volumes", self._images)
        if path:
            self._images = path
            self.open_asked.emit(path, "")

    def _ask_for_labels(self) -> None:
        if not self._images:
            self.workspace.signals.said.emit("Open a folder of volumes first; then say where their labels are.")
            return
        path = QFileDialog.getExistingDirectory(self, "The folder of their labels", str(Path(self._images).parent))
        if path:
            self.open_asked.emit(self._images, path)

    def _prior_chosen(self, number: int) -> None:
        with self.workspace.telling():
            self.workspace.session.choose_prior(None if number == 0 else self._priors[number - 1])

    def _tell(self, _: object = None) -> None:
        labelling = self.workspace.session.labelling
        try:
            values = tuple(int(word) for word in self.values.text().replace(",", " ").split())
        except ValueError:
            self.workspace.signals.failed.emit(
                f"{self.values.text()!r} are no labels. Give whole numbers with commas between them: 1, 2."
            )
            self.show_settings(labelling.settings)
            return
        try:
            settings = replace(
                labelling.settings,
                network=self.network.currentData(),
                side=self.side.value(),
                epochs=self.epochs.value(),
                labels=values,
            )
            if settings != labelling.settings:
                labelling.settings = settings
        except ToposegError as error:
            self.show_settings(labelling.settings)
            self.workspace.signals.failed.emit(str(error))


def _narrow(box: QComboBox) -> QComboBox:
    """A list whose longest entry does not make the dock wide."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(10)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def _number(least: int, most: int, step: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setSingleStep(step)
    # Not at each digit: 48 would ask for a grid of 4 on the way.
    box.setKeyboardTracking(False)
    return box
