"""The dock of fine-tuning on one volume: watched while it goes, accepted or reverted when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QLabel, QPushButton

from napari_toposeg.docks import colours
from napari_toposeg.docks.dock import Dock, caption, rule
from napari_toposeg.docks.progress_line import ProgressLine
from napari_toposeg.docks.tuning_choices import TuningChoices
from napari_toposeg.docks.tuning_curves import TuningCurves
from napari_toposeg.docks.tuning_layers import Side, TuningLayers
from napari_toposeg.docks.tuning_words import now_words, proposal_words, terms_html
from napari_toposeg.frame import box_slices
from napari_toposeg.steps import Step

if TYPE_CHECKING:
    from napari import Viewer

    from napari_toposeg.session.tuning import Proposal

KEY = "K"
"""Goes from both contours to the one before, the one after, and to both again; napari uses it for nothing."""

_PAUSE = 60
"""Milliseconds between two pictures: small maps make hundreds of steps a second."""
_MAIN = f"""
QPushButton {{ background: {colours.ACCENT}; color: white; font-weight: bold; padding: 5px; }}
QPushButton:hover {{ background: #4aa3ee; }}
QPushButton:disabled {{ background: rgba(127, 140, 160, 60); color: rgba(140, 148, 160, 255); }}
"""
_SIDES: dict[Side, str] = {"before": "Before", "both": "Both", "after": "After"}


class TuningDock(Dock):
    """What is tuned, Start, Pause and Cancel, how it goes, before and after, Accept and Revert."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._tuning = self.workspace.session.tuning
        self._last: Step[Any] | None = None
        self._before_drawn: object = None
        # The one that is drawn: the session's own may be a moment ahead.
        self._proposal: Proposal | None = None
        self.layers = TuningLayers(self.workspace, self)
        self.choices = TuningChoices(self.workspace)
        self.start_button = QPushButton("Start")
        self.start_button.setStyleSheet(_MAIN)
        self.pause_button = QPushButton("Pause")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stops at the next step; the best so far is certified and proposed.")
        self.progress = ProgressLine()
        self.now = QLabel()
        self.now.setWordWrap(True)
        self.curves = TuningCurves()
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.logarithmic = QCheckBox("log")
        self.logarithmic.setToolTip("Draw the terms on a logarithmic scale.")
        self.sides = QButtonGroup(self)
        self.side_buttons = {side: QPushButton(text) for side, text in _SIDES.items()}
        self.proposed = caption()
        self.accept_button = QPushButton("Accept")
        self.accept_button.setStyleSheet(_MAIN)
        self.revert_button = QPushButton("Revert")
        # Of the window, not of the canvas: a button that was just clicked has the focus.
        self.shortcut = QShortcut(QKeySequence(KEY), self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_PAUSE)
        self._soon.timeout.connect(self._draw)
        self._lay_out()
        self._listen()
        self._show_proposal(self._tuning.proposal)
        self._draw()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.choices)
        row = QHBoxLayout()
        row.addWidget(self.start_button, 2)
        row.addWidget(self.pause_button, 1)
        row.addWidget(self.cancel_button, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(self.progress)
        self.rows.addWidget(self.now)
        self.rows.addWidget(self.curves, 1)
        row = QHBoxLayout()
        row.addWidget(self.legend, 1)
        row.addWidget(self.logarithmic)
        self.rows.addLayout(row)
        self.rows.addWidget(rule())
        row = QHBoxLayout()
        row.setSpacing(0)
        for side, button in self.side_buttons.items():
            button.setCheckable(True)
            button.setChecked(side == self.layers.side)
            button.setToolTip(f"The key {KEY} goes from one to the next.")
            self.sides.addButton(button)
            row.addWidget(button, 1)
        for side, colour in (("before", colours.BEFORE), ("after", colours.PREVIEW)):
            self.side_buttons[side].setStyleSheet(f"QPushButton {{ border-bottom: 3px solid {colour}; }}")
        self.rows.addLayout(row)
        self.rows.addWidget(self.proposed)
        row = QHBoxLayout()
        row.addWidget(self.accept_button, 2)
        row.addWidget(self.revert_button, 1)
        self.rows.addLayout(row)

    def _listen(self) -> None:
        self.start_button.clicked.connect(self._start)
        self.pause_button.clicked.connect(self._pause_or_resume)
        self.cancel_button.clicked.connect(self._cancel)
        self.logarithmic.toggled.connect(self.curves.set_logarithmic)
        self.accept_button.clicked.connect(self._accept)
        self.revert_button.clicked.connect(self._tuning.revert)
        self.shortcut.activated.connect(self.show_next_side)
        for side, button in self.side_buttons.items():
            button.setProperty("side", side)
        self.sides.buttonClicked.connect(lambda button: self._show_side(button.property("side")))
        self.choices.changed.connect(self._show_state)
        signals, events = self.workspace.signals, self._tuning.events
        for signal, slot in (
            (events.step, self._step_came),
            (events.running, self._show_running),
            (events.pausing, self._show_state),
            (events.proposal, self._show_proposal),
            (events.accepted, self._show_accepted),
        ):
            signals.follow(signal, slot, owner=self)
        for other in (signals.running, signals.prior, signals.placement):
            other.connect(self._show_state)

    # What there is

    def _show_state(self, _: object = None) -> None:
        tuning, session = self._tuning, self.workspace.session
        running = tuning.running
        proposal = self._proposal if self._proposal is tuning.proposal else None
        self.choices.setEnabled(not running)
        self.start_button.setEnabled(not running and not session.running and self.choices.ready)
        self.pause_button.setEnabled(running)
        self.pause_button.setText("Resume" if tuning.paused else "Pause")
        self.cancel_button.setEnabled(running)
        self.accept_button.setEnabled(proposal is not None and not tuning.accepted)
        self.revert_button.setEnabled(proposal is not None)
        self.revert_button.setText("Revert" if tuning.accepted else "Discard")
        self.revert_button.setToolTip(
            "Brings the result back that was there before, voxel for voxel." if tuning.accepted else "Forgets it."
        )
        for button in self.side_buttons.values():
            button.setEnabled(running or proposal is not None)
        if tuning.paused and self._last is not None:
            self.progress.tell(self.progress.share, f"Paused at {self._last.number} of {self._last.total}")

    def _show_running(self, running: bool) -> None:
        if running and self._tuning.running:
            self._last = None
            self.progress.tell(0.0, "Preparing")
        elif not running and self._tuning.proposal is None:
            self._let_go()
        self._show_state()

    def _step_came(self, step: Step[Any]) -> None:
        if self._tuning.running:
            self._last = step
            if not self._soon.isActive():
                self._soon.start()

    def _draw(self) -> None:
        """What changes with each step, as it is now."""
        tuning, step = self._tuning, self._last
        if step is not None and tuning.running:
            word = "Paused at" if tuning.paused else step.stage.capitalize()
            self.progress.tell(step.number / step.total, f"{word} {step.number} of {step.total}")
        curves = tuning.curves
        self.curves.show_terms(curves)
        self.legend.setText(terms_html({name: values[-1] for name, values in curves.items()}, self.curves.colour_of))
        words, right = now_words(tuning.betti, tuning.betti_wanted)
        self.now.setText(words)
        tone = colours.GOOD if right else colours.DOUBTFUL
        self.now.setStyleSheet(f"QLabel {{ color: {tone}; font-weight: bold; }}" if tuning.betti is not None else "")
        self._draw_layers()

    def _draw_layers(self) -> None:
        tuning, proposal = self._tuning, self._tuning.proposal
        before, tight = tuning.before, tuning.before_box
        if before is not None and tight is not None and before is not self._before_drawn:
            self._before_drawn = before
            self.layers.show_before(before[box_slices(tight)], tight)
        if proposal is not None:
            self.layers.show_after(proposal.after.mask, proposal.after.box)
        elif tuning.running and tuning.preview is not None and tuning.preview_box is not None:
            self.layers.show_after(tuning.preview, tuning.preview_box)
        if before is not None and not tuning.accepted:
            self.layers.hide_result(True)

    def _show_proposal(self, proposal: Proposal | None) -> None:
        if proposal is not self._tuning.proposal:
            return  # a newer one, or none, is on its way
        self._proposal = proposal
        if proposal is None:
            self._let_go()
            self.proposed.setText("What comes of it is shown beside what there was; nothing changes before you accept.")
        else:
            self.progress.tell(1.0, "Certified" if proposal.after.certificate.topology_ok else "Not as the prior")
            self.proposed.setText(proposal_words(proposal, accepted=self._tuning.accepted))
        self._draw()
        self._show_state()

    def _let_go(self) -> None:
        """Nothing is proposed: the contours go, and the result's own layer is seen again."""
        self._before_drawn = None
        self.layers.clear()
        self.layers.hide_result(False)
        if not self._tuning.running:
            self.progress.tell(0.0, "Not started")

    def _show_accepted(self, accepted: bool) -> None:
        proposal = self._tuning.proposal
        if proposal is not None:
            self.proposed.setText(proposal_words(proposal, accepted=accepted))
        self.layers.hide_result(False)
        self._show_state()

    # What a person does

    def _start(self) -> None:
        with self.workspace.telling():
            chosen = self.choices.array()
            if chosen is None:
                self._tuning.start()
            else:
                values, name = chosen
                self._tuning.start(values, name=name, logits=self.choices.logits.isChecked())

    def _pause_or_resume(self) -> None:
        if self._tuning.paused:
            self._tuning.resume()
        else:
            self._tuning.pause()

    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.progress.tell(self.progress.share, "Stopping; the best so far is kept")
        self._tuning.cancel()

    def _accept(self) -> None:
        with self.workspace.telling():
            self._tuning.accept()

    def show_next_side(self) -> None:
        """Go on from both contours to the one before, the one after, and both again."""
        order: tuple[Side, ...] = get_args(Side)
        sides = (order[1], order[0], order[2])
        self._show_side(sides[(sides.index(self.layers.side) + 1) % 3])

    def _show_side(self, side: Side) -> None:
        self.side_buttons[side].setChecked(True)
        self.layers.show_side(side)
