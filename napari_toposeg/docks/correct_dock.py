"""The dock in which a person corrects: prompts, the brush, and the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_toposeg.docks import colours
from napari_toposeg.docks import shortcut_actions as actions
from napari_toposeg.docks.dock import Dock, caption, heading, quiet, rule
from napari_toposeg.docks.mask_painting import UNLOCKS
from napari_toposeg.docks.shortcuts import key_of, show_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

    from napari_toposeg.docks.workspace import Workspace

_OPENED = "(opened)"
"""The first row of the history: nothing was done yet."""

_CHOSEN = "QPushButton:checked {{ background: {}; color: white; font-weight: bold; }}"


class CorrectDock(Dock):
    """Include and exclude; paint and erase; undo and redo."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.include = self._switch("Include", actions.include, colours.GOOD, "Click or drag: this is the organ.")
        self.exclude = self._switch("Exclude", actions.exclude, colours.BAD, "Click or drag: this is not the organ.")
        self.follow = self._button(
            "Follow", actions.follow_prompts, "Deforms the result on until it heeds the prompts; nothing starts anew."
        )
        self.clear = QPushButton("Clear")
        self.clear.setToolTip("Takes all prompts away; it can be undone.")
        self.fates = caption()
        self.paint = self._switch("Paint", actions.paint, colours.ACCENT, "Drag in the canvas to add to the mask.")
        self.erase = self._switch("Erase", actions.erase, colours.ACCENT, "Drag in the canvas to take from the mask.")
        self.radius = QDoubleSpinBox()
        self.radius.setRange(0.0, 100.0)
        self.radius.setDecimals(1)
        self.radius.setSuffix(" mm")
        self.radius.setToolTip("Radius of the brush; [ and ] change it, and so does Alt with a move of the mouse.")
        self.reach = QComboBox()
        self.reach.addItem("Disk", 2)
        self.reach.addItem("Ball", 3)
        self.reach.setToolTip("A disk in the slice that is seen, or a ball through all slices.")
        self.locked = QCheckBox("Keep the topology")
        self.locked.setToolTip(
            f"Only voxels that change no piece, tunnel or cavity flip{key_of(actions.toggle_lock)}. "
            f"{UNLOCKS}, held while a stroke begins, lifts it for that stroke."
        )
        self.refused = caption()
        # It changes with every move of the mouse: what lies below must not jump.
        self.refused.setMinimumHeight(2 * self.refused.fontMetrics().lineSpacing())
        self.refused.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.undo = self._button("Undo", actions.undo, "Takes the newest change back.")
        self.redo = self._button("Redo", actions.redo, "Does it again.")
        self.accept = self._button(
            "✓ Accept", actions.accept, "You stand by the mask as it is: it is kept at once, so that no crash loses it."
        )
        self.history = QListWidget()
        self.history.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.history.setToolTip("All that was done to prompts, placement and mask. A click goes there.")
        self.history.setMinimumHeight(72)
        self.keys = QToolButton()
        self.keys.setText("Keys…")
        self.keys.setAutoRaise(True)
        self.keys.setToolTip(f"All keys on one sheet{key_of(show_sheet)}.")
        self._lay_out()
        self._listen()
        self._show_state()
        self._show_history()
        self._show_brush()

    def _lay_out(self) -> None:
        self.rows.addLayout(_row(heading("Prompts"), None, self.keys))
        self.rows.addLayout(_row(self.include, self.exclude, self.follow, self.clear))
        self.rows.addWidget(self.fates)
        self.rows.addWidget(rule())
        self.rows.addWidget(heading("Brush"))
        self.rows.addLayout(_row(self.paint, self.erase))
        self.rows.addLayout(_row(quiet("Radius"), self.radius, self.reach, None))
        self.rows.addWidget(self.locked)
        self.rows.addWidget(self.refused)
        self.rows.addWidget(rule())
        self.rows.addLayout(_row(heading("History"), None, self.undo, self.redo, self.accept))
        self.rows.addWidget(self.history, 1)

    def _listen(self) -> None:
        workspace, session = self.workspace, self.workspace.session
        signals = workspace.signals
        self.clear.clicked.connect(session.prompts.clear)
        self.radius.valueChanged.connect(self._set_radius)
        self.reach.activated.connect(self._set_reach)
        self.locked.toggled.connect(self._set_locked)
        self.history.itemClicked.connect(lambda item: self._go_to(self.history.row(item)))
        self.keys.clicked.connect(lambda: show_sheet(workspace))
        workspace.prompt_drawing.changed.connect(self._show_state)
        for signal in (signals.volume, signals.running, signals.result, signals.edited, signals.placement):
            signal.connect(self._show_state)
        signals.follow(session.prompts.events.changed, self._show_state, owner=self)
        signals.follow(session.brush.events.settings, self._show_brush, owner=self)
        signals.follow(session.brush.events.refused, self._show_reason, owner=self)
        signals.follow(session.history.events.changed, self._show_history, owner=self)
        workspace.layers.painting.changed.connect(self._show_state)
        workspace.layers.painting.foretold.connect(self.refused.setText)

    def _switch(self, text: str, act: Callable[[Workspace], None], colour: str, tip: str) -> QPushButton:
        button = self._button(text, act, tip)
        button.setCheckable(True)
        button.setStyleSheet(_CHOSEN.format(colour))
        return button

    def _button(self, text: str, act: Callable[[Workspace], None], tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(f"{tip}{key_of(act)}")

        def do() -> None:
            with self.workspace.telling():
                act(self.workspace)
            self._show_state()

        button.clicked.connect(do)
        return button

    # What there is

    def _show_state(self, _: object = None) -> None:
        session, drawing = self.workspace.session, self.workspace.prompt_drawing
        painting = self.workspace.layers.painting.painting
        for button, chosen in (
            (self.include, drawing.include is True),
            (self.exclude, drawing.include is False),
            (self.paint, painting == "paint"),
            (self.erase, painting == "erase"),
        ):
            button.setChecked(chosen)
        free = session.volume is not None and not session.running
        for button in (self.include, self.exclude):
            button.setEnabled(session.volume is not None)
        for button in (self.paint, self.erase):
            button.setEnabled(free and session.result is not None)
        self.follow.setEnabled(free and session.result is not None and bool(session.prompts.marks))
        self.clear.setEnabled(bool(session.prompts.marks))
        self.accept.setEnabled(session.result is not None)
        self.fates.setText(
            session.prompts.sentence or "A click or a drag says what belongs to the organ. Run and fine-tuning heed it."
        )
        self.reach.setCurrentIndex(self.reach.findData(self.workspace.layers.painting.dimensions))
        self.reach.setVisible(session.volume is None or session.volume.ndim == 3)
        if not painting:
            self.refused.setText("A stroke goes as far as it breaks nothing, and says why where it stops.")

    def _show_brush(self, _: object = None) -> None:
        settings = self.workspace.session.brush.settings
        self.radius.blockSignals(True)
        self.radius.setValue(settings.radius)
        self.radius.blockSignals(False)
        self.locked.setChecked(settings.locked)

    def _show_reason(self, reason: str) -> None:
        self.refused.setText(f"{reason}. {UNLOCKS} while the stroke begins paints all the same.")

    def _show_history(self, _: object = None) -> None:
        history = self.workspace.session.history
        names, position = history.names, history.position
        self.undo.setEnabled(position > 0)
        self.redo.setEnabled(position < len(names))
        self.history.clear()
        self.history.addItems([f"({history.forgotten} forgotten)" if history.forgotten else _OPENED, *names])
        for row in range(position + 1, len(names) + 1):
            item = self.history.item(row)
            font = item.font()
            font.setItalic(True)
            item.setFont(font)
            item.setForeground(self.palette().placeholderText())
        self.history.setCurrentRow(position)

    # What a person does

    def _set_radius(self, radius: float) -> None:
        brush = self.workspace.session.brush
        brush.settings = replace(brush.settings, radius=radius)

    def _set_locked(self, locked: bool) -> None:
        brush = self.workspace.session.brush
        if brush.locked != locked:
            brush.locked = locked

    def _set_reach(self, _: int) -> None:
        self.workspace.layers.painting.dimensions = int(self.reach.currentData())

    def _go_to(self, row: int) -> None:
        with self.workspace.telling():
            self.workspace.session.history.go_to(row)


def _row(*widgets: QWidget | None) -> QHBoxLayout:
    """Widgets beside one another; None is room."""
    row = QHBoxLayout()
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row
