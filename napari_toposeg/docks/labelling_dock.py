"""The dock of somebody who has a folder of volumes, labels for a few, and knows the topology of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QPushButton

from napari_toposeg.data import write_practice
from napari_toposeg.data.practice import IMAGES, LABELS
from napari_toposeg.docks import colours
from napari_toposeg.docks.dice_curve import DiceCurve
from napari_toposeg.docks.dock import Dock, caption, rule
from napari_toposeg.docks.labelling_choices import LabellingChoices
from napari_toposeg.docks.labelling_layers import LabellingLayers, middle_of
from napari_toposeg.docks.labelling_table import LabellingTable
from napari_toposeg.docks.labelling_words import progress_words, row_words, summary_words
from napari_toposeg.docks.progress_line import ProgressLine
from napari_toposeg.docks.shortcut_actions import accept
from napari_toposeg.session.labelling_rows import SortBy
from napari_toposeg.steps import Step

if TYPE_CHECKING:
    from napari import Viewer

    from napari_toposeg.session.labelling_chosen import Decided, Looked
    from napari_toposeg.session.labelling_rows import LabellingRow

NEXT, PREVIOUS, ACCEPT = "N", "Shift+N", "Shift+Y"
"""Keys that napari uses for nothing."""

_MAIN = f"""
QPushButton {{ background: {colours.ACCENT}; color: white; font-weight: bold; padding: 5px; }}
QPushButton:hover {{ background: #4aa3ee; }}
QPushButton:disabled {{ background: rgba(127, 140, 160, 60); color: rgba(140, 148, 160, 255); }}
"""


class LabellingDock(Dock):
    """Folders, shape and network; training and proposals; the list; the volume that is worked on."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._labelling = self.workspace.session.labelling
        self._wanted = 0
        self.layers = LabellingLayers(self.workspace)
        self.choices = LabellingChoices(self.workspace)
        self.train_button = QPushButton("Train")
        self.train_button.setStyleSheet(_MAIN)
        self.stop_button = QPushButton("Stop")
        self.propose_button = QPushButton("Propose the rest")
        self.weights_button = QPushButton("Weights…")
        self.then_propose = QCheckBox("then propose")
        self.then_propose.setChecked(True)
        self.then_propose.setToolTip("When the training is over, the network proposes masks for the rest.")
        self.progress = ProgressLine()
        self.curve = DiceCurve()
        self.summary = caption()
        self.instructive = QPushButton("Most instructive first")
        self.instructive.setCheckable(True)
        self.instructive.setToolTip(
            "What the network got wrong by the topology that you know comes first, then what it is least sure of."
        )
        self.practice = QPushButton("Practice folder…")
        self.practice.setToolTip("Makes twelve volumes of a ring in a folder, four of them with a label, and opens it.")
        self.table = LabellingTable()
        self.detail = caption()
        self.previous_button = QPushButton("◀ Previous")
        self.previous_button.setToolTip(f"The one before that is not accepted ({PREVIOUS}).")
        self.next_button = QPushButton("Next ▶")
        self.next_button.setToolTip(f"The next one that is not accepted ({NEXT}). What you painted is kept.")
        self.accept_button = QPushButton("✓ Accept")
        self.accept_button.setStyleSheet(_MAIN)
        self.accept_button.setToolTip(f"Writes the mask as it stands, and goes to the next one ({ACCEPT}).")
        self._lay_out()
        self._listen()
        self._show_rows(self._labelling.rows)
        self._show_training()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.choices)
        row = QHBoxLayout()
        row.addWidget(self.train_button, 3)
        row.addWidget(self.then_propose)
        row.addWidget(self.stop_button, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(self.progress)
        self.rows.addWidget(self.curve)
        row = QHBoxLayout()
        row.addWidget(self.propose_button, 3)
        row.addWidget(self.weights_button, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(rule())
        row = QHBoxLayout()
        row.addWidget(self.summary, 1)
        row.addWidget(self.instructive)
        row.addWidget(self.practice)
        self.rows.addLayout(row)
        self.rows.addWidget(self.table, 1)
        self.rows.addWidget(self.detail)
        row = QHBoxLayout()
        row.addWidget(self.previous_button, 1)
        row.addWidget(self.next_button, 1)
        row.addWidget(self.accept_button, 1)
        self.rows.addLayout(row)

    def _listen(self) -> None:
        self.choices.open_asked.connect(self.open)
        self.train_button.clicked.connect(self._train)
        self.stop_button.clicked.connect(self._stop)
        self.propose_button.clicked.connect(self._propose)
        self.weights_button.clicked.connect(self._ask_for_weights)
        self.practice.clicked.connect(self._ask_for_practice)
        self.instructive.clicked.connect(lambda: self._sort("instructive", False))
        self.table.sorted_by.connect(self._sort)
        self.table.asked.connect(self.choose)
        self.previous_button.clicked.connect(lambda: self.step(-1))
        self.next_button.clicked.connect(lambda: self.step(1))
        self.accept_button.clicked.connect(self.accept)
        # Of the window, not of the canvas: a button that was just clicked has the focus.
        for key, do in ((NEXT, self.next_button.click), (PREVIOUS, self.previous_button.click), (ACCEPT, self._key)):
            QShortcut(QKeySequence(key), self).activated.connect(do)
        signals, events = self.workspace.signals, self._labelling.events
        for signal, slot in (
            (events.rows, self._show_rows),
            (events.chosen, self._show_chosen),
            (events.opened, self._show_state),
            (events.training, self._show_training),
            (events.proposing, self._show_training),
            (events.step, self._show_step),
        ):
            signals.follow(signal, slot, owner=self)
        for other in (signals.result, signals.prior, signals.edited):
            other.connect(self._show_state)

    # What there is

    def _show_rows(self, rows: tuple[LabellingRow, ...]) -> None:
        prior = self.workspace.session.prior
        self.table.rows.betti = None if prior is None else prior.betti
        self.table.show_rows(rows)
        self.table.show_order(*self._labelling.sorted_by)
        self.instructive.setChecked(self._labelling.sorted_by == ("instructive", False))
        self.summary.setText(summary_words(rows) or "Open a folder of volumes to begin.")
        self._show_state()

    def _show_chosen(self, _: object = None) -> None:
        chosen = self._labelling.chosen
        self.table.mark(None if chosen is None else chosen.name)
        self._show_state()

    def _show_state(self, _: object = None) -> None:
        labelling, session = self._labelling, self.workspace.session
        opened, chosen, prior = labelling.folder is not None, labelling.chosen, session.prior
        training, proposing = labelling.training.running, labelling.proposing
        rows = labelling.rows
        accepted = sum(row.accepted for row in rows)
        self.train_button.setEnabled(opened and prior is not None and accepted > 0 and not training and not proposing)
        self.train_button.setText("Go on training" if labelling.training.resumable else "Train")
        self.train_button.setToolTip(_why_not(opened, prior is not None, accepted))
        self.stop_button.setEnabled(training or proposing)
        self.stop_button.setToolTip("What is complete is kept; it can go on from there.")
        self.propose_button.setEnabled(opened and prior is not None and bool(labelling.weights) and not proposing)
        self.propose_button.setToolTip(
            f"By {labelling.weights}. Every mask gets the topology of the organ's shape."
            if labelling.weights
            else "Train first, or choose weights."
        )
        self.weights_button.setEnabled(opened)
        self.weights_button.setToolTip("Weights that are to propose instead: they have to see whole images.")
        self.instructive.setVisible(opened)
        self.practice.setVisible(not opened)
        for button in (self.previous_button, self.next_button):
            button.setEnabled(any(not row.accepted for row in rows))
        self.accept_button.setEnabled(chosen is not None and session.mask is not None)
        self.detail.setText("" if chosen is None else row_words(chosen, None if prior is None else prior.betti))
        self.detail.setVisible(chosen is not None)

    def _show_training(self, _: Any = None) -> None:
        progress = self._labelling.training
        self.curve.show_values(progress.dice, progress.epochs)
        self.curve.setVisible(bool(progress.dice) or progress.running)
        if not self._labelling.proposing:
            share = progress.done / progress.epochs if progress.epochs else 0.0
            done = progress.round and not progress.running and not progress.resumable
            self.progress.tell(1.0 if done else share, progress_words(progress))
        self._show_state()

    def _show_step(self, step: Step[Any]) -> None:
        if self._labelling.proposing:
            doing = {"gather": "Gathering volume", "propose": "Proposing mask"}[step.stage]
            number = min(step.number + 1, step.total - 1)
            self.progress.tell(step.number / step.total, f"{doing} {number} of {step.total - 1}")

    # What a person does

    def _ask_for_practice(self) -> None:
        place = QFileDialog.getExistingDirectory(self, "Where a folder to practise on goes")
        if place:
            self.practise(place)

    def practise(self, place: str) -> None:
        """Write a folder to practise on, and open it."""
        self.workspace.signals.said.emit("Twelve volumes are being made…")
        self.workspace.later(
            lambda: write_practice(place),
            lambda _: self.open(str(Path(place) / IMAGES), str(Path(place) / LABELS)),
            owner=self,
        )

    def open(self, images: str, labels: str = "") -> None:
        """Open a folder of volumes, and of labels if one is given."""
        labelling = self._labelling
        # What is painted now belongs to the folder before, and is kept when that is closed.
        self.workspace.later(lambda: labelling.open(images, labels or None), lambda _: None, owner=self)

    def choose(self, name: str) -> None:
        """Work on a volume; what was painted in the one before is kept as corrected."""
        with self.workspace.telling():
            self._go(name, self._labelling.decide("corrected") if self._labelling.is_changed else None)

    def step(self, step: Literal[1, -1]) -> None:
        """Work on the next volume that is not accepted, or on the one before."""
        found = self._labelling.neighbour(step)
        if found is not None:
            self.choose(found.name)
        else:
            self.workspace.signals.said.emit("There is no other one that is not accepted.")

    def accept(self) -> None:
        """Accept the mask as it stands, and go to the next volume."""
        found = self._labelling.neighbour(1)
        with self.workspace.telling():
            self._go(None if found is None else found.name, self._labelling.decide("accepted"))

    def _key(self) -> None:
        """The key is the window's: where no volume of a folder is worked on, the mask that is seen is meant."""
        if self._labelling.chosen is not None:
            self.accept_button.click()
            return
        with self.workspace.telling():
            accept(self.workspace)

    def _go(self, name: str | None, decided: Decided | None) -> None:
        """Write what was decided, then read another volume; both in the compute thread."""
        labelling = self._labelling
        self._wanted += 1
        number = self._wanted

        def work() -> tuple[Looked, NDArray[np.float64]] | None:
            if decided is not None:
                labelling.write(decided)
            # While a key is held down volumes are asked for faster than they can be read.
            if name is None or number != self._wanted:
                return None
            looked = labelling.look(name)
            return looked, middle_of(looked)

        def show(found: tuple[Looked, NDArray[np.float64]] | None) -> None:
            if name is None:
                self.workspace.signals.said.emit("All volumes of the folder are accepted.")
            if found is None or number != self._wanted:
                return
            if labelling.is_changed:
                # Somebody went on painting while it was read.
                self._go(name, labelling.decide("corrected"))
                return
            self.layers.show(*found)

        self.workspace.later(work, show, owner=self)

    def _sort(self, sort_by: SortBy, descending: bool) -> None:
        self._labelling.sort(sort_by, descending=descending)

    def _train(self) -> None:
        with self.workspace.telling():
            self._labelling.train(then_propose=self.then_propose.isChecked())

    def _stop(self) -> None:
        self._labelling.cancel_proposing()
        self._labelling.stop_training()

    def _propose(self) -> None:
        with self.workspace.telling():
            self._labelling.propose()

    def _ask_for_weights(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Weights that propose", "", "Weights (*.safetensors)")
        if path:
            with self.workspace.telling():
                self._labelling.weights = path
            self._show_state()


def _why_not(opened: bool, has_prior: bool, accepted: int) -> str:
    """Why nothing can be trained, or what would be."""
    if not opened:
        return "First open a folder of volumes."
    if not has_prior:
        return "First choose the shape that the organ has."
    if not accepted:
        return "First accept some masks, or choose the folder of their labels."
    return f"On {accepted} accepted masks, in the background, in a process of its own: the window stays free."
