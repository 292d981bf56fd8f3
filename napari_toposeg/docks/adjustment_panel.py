"""Moving, scaling and turning the placed template: by buttons, as it is seen, or by handles in the picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_toposeg.docks.dock import quiet
from napari_toposeg.docks.handles import Handles
from napari_toposeg.docks.seen_axes import SeenAxes, seen_axes
from napari_toposeg.docks.workspace import Workspace

_BUTTON = 42
"""Pixels."""


class AdjustmentPanel(QWidget):
    """Hidden until something is placed; its rows until they are asked for."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.handles = Handles(workspace, self)
        self.handles_button = QPushButton("Drag it by handles")
        self.handles_button.setCheckable(True)
        self.handles_button.setToolTip(
            "Two handles in the picture: the one in the middle moves the template, the one at its end scales and "
            "turns it."
        )
        self.steps_button = QPushButton("By steps")
        self.steps_button.setCheckable(True)
        self.steps_button.setToolTip("Move, scale and turn the template by buttons.")
        self.reset_button = QPushButton("Undo all")
        self.reset_button.setToolTip("Put the template back where it was placed.")
        self.distance = _step(2.0, " mm", 0.1, 100.0)
        self.share = _step(5.0, " %", 0.5, 50.0)
        self.angle = _step(5.0, " °", 0.5, 90.0)
        self.left = _button("←", "Move it to the left.", lambda: self._move(lambda seen: -seen.right))
        self.right = _button("→", "Move it to the right.", lambda: self._move(lambda seen: seen.right))
        self.up = _button("↑", "Move it up.", lambda: self._move(lambda seen: -seen.down))
        self.down = _button("↓", "Move it down.", lambda: self._move(lambda seen: seen.down))
        self.back = _button("⊖", "Move it to earlier slices.", lambda: self._move(lambda seen: _minus(seen.on)))
        self.on = _button("⊕", "Move it to later slices.", lambda: self._move(lambda seen: seen.on))
        self.smaller = _button("−", "Smaller in all directions.", lambda: self._scale(-1, lambda seen: None))
        self.larger = _button("+", "Larger in all directions.", lambda: self._scale(1, lambda seen: None))
        self.narrower = _button("↔ −", "Narrower.", lambda: self._scale(-1, lambda seen: seen.right))
        self.wider = _button("↔ +", "Wider.", lambda: self._scale(1, lambda seen: seen.right))
        self.flatter = _button("↕ −", "Flatter.", lambda: self._scale(-1, lambda seen: seen.down))
        self.taller = _button("↕ +", "Taller.", lambda: self._scale(1, lambda seen: seen.down))
        self.left_about = _button("⟲", "Turn it anticlockwise.", lambda: self._turn(-1))
        self.right_about = _button("⟳", "Turn it clockwise.", lambda: self._turn(1))
        self._lay_out()
        self.steps_button.toggled.connect(self._steps.setVisible)
        self.handles_button.toggled.connect(self.handles.show)
        self.handles.shown.connect(self.handles_button.setChecked)
        self.handles.moved.connect(self._handle_moved)
        self.handles.turned.connect(self._handle_turned)
        self.reset_button.clicked.connect(lambda: self._do(self._workspace.session.reset_placement))
        workspace.signals.placement.connect(self._show)
        workspace.signals.volume.connect(self._show)
        workspace.viewer.dims.events.ndisplay.connect(self._show)
        self._show()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.handles_button, 2)
        row.addWidget(self.steps_button, 1)
        row.addWidget(self.reset_button, 1)
        self._steps = QWidget()
        grid = QGridLayout(self._steps)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        move = (self.left, self.right, self.up, self.down, self.back, self.on)
        scale = (self.smaller, self.larger, self.narrower, self.wider, self.flatter, self.taller)
        lines: tuple[tuple[str, tuple[QPushButton, ...], QDoubleSpinBox], ...] = (
            ("Move", move, self.distance),
            ("Scale", scale, self.share),
            ("Turn", (self.left_about, self.right_about), self.angle),
        )
        for number, (name, buttons, step) in enumerate(lines):
            grid.addWidget(quiet(name), number, 0)
            for column, button in enumerate(buttons):
                grid.addWidget(button, number, column + 1)
            grid.addWidget(step, number, 7)
        grid.setColumnStretch(7, 1)
        self._steps.hide()
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addLayout(row)
        rows.addWidget(self._steps)

    def _show(self, _: object = None) -> None:
        session = self._workspace.session
        self.setVisible(session.placement is not None)
        self.reset_button.setEnabled(session.adjusted)
        # What is right or down in a view that is turned freely has no name.
        self._steps.setEnabled(self._workspace.viewer.dims.ndisplay == 2)
        volume = session.volume
        for button in (self.back, self.on):
            button.setVisible(volume is not None and volume.ndim == 3)

    def _do(self, act: Callable[[], object]) -> None:
        """Every click counts; each takes as long as the template's outline takes to be counted."""
        self._workspace.later(act, lambda _: None, owner=self)

    def _move(self, way: Callable[[SeenAxes], NDArray[np.float64] | None]) -> None:
        seen = seen_axes(self._workspace)
        along = way(seen) if seen is not None else None
        if along is not None:
            by = self.distance.value() * along
            self._do(lambda: self._workspace.session.move_placement(by))

    def _scale(self, sign: int, way: Callable[[SeenAxes], NDArray[np.float64] | None]) -> None:
        seen = seen_axes(self._workspace)
        if seen is None:
            return
        along, factor = way(seen), (1.0 + self.share.value() / 100.0) ** sign
        factors = np.full(len(seen.right), factor) if along is None else seen.factors(along, factor)
        self._do(lambda: self._workspace.session.scale_placement(factors))

    def _turn(self, clockwise: int) -> None:
        seen = seen_axes(self._workspace)
        if seen is not None:
            axis, sense = seen.turning
            degrees = clockwise * sense * self.angle.value()
            self._do(lambda: self._workspace.session.turn_placement(degrees, axis))

    def _handle_moved(self, by: NDArray[np.float64]) -> None:
        self._do(lambda: self._workspace.session.move_placement(by))

    def _handle_turned(self, factor: float, clockwise: float) -> None:
        seen = seen_axes(self._workspace)
        if seen is None:
            return
        axis, sense = seen.turning
        session = self._workspace.session

        def act() -> None:
            session.scale_placement(factor)
            session.turn_placement(clockwise * sense, axis)

        self._do(act)


def _minus(way: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    return None if way is None else -way


def _button(text: str, tip: str, clicked: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    # All in one column alike, and no wider than their signs: six of them stand in a row of a narrow dock.
    button.setFixedWidth(_BUTTON)
    button.setStyleSheet("QPushButton { padding: 3px 0px; }")
    button.clicked.connect(clicked)
    return button


def _step(value: float, unit: str, low: float, high: float) -> QDoubleSpinBox:
    step = QDoubleSpinBox()
    step.setRange(low, high)
    step.setDecimals(1)
    step.setValue(value)
    step.setSuffix(unit)
    step.setToolTip("How far one click goes.")
    return step
