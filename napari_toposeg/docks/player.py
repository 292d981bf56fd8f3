"""A slider from 0 to 1 that can play."""

from __future__ import annotations

from qtpy.QtCore import QElapsedTimer, Qt, QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QPushButton, QSlider, QWidget

_STEPS = 100
_EVERY = 50
"""Milliseconds between two pictures."""
_LASTS = 3000.0
"""Milliseconds from 0 to 1."""


class Player(QWidget):
    """Play, a slider, its value, and whether to show what is played."""

    moved = Signal(float)
    """Somebody moved it, or it plays."""
    wanted = Signal(bool)
    """Whether to show what is played."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.play_button = QPushButton("▶")
        self.play_button.setFixedWidth(34)
        self.play_button.setToolTip("Play the deformation, from the placed template to the mask.")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setToolTip("0: the template as it was placed. 1: the mask.")
        self.value = QDoubleSpinBox()
        self.value.setRange(0.0, 1.0)
        self.value.setDecimals(2)
        self.value.setSingleStep(0.05)
        self.value.setKeyboardTracking(False)
        self.show_box = QCheckBox("Show")
        self.show_box.setToolTip("Draw the template's contour where it is by then; the warped grid follows.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.play_button)
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        row.addWidget(self.show_box)
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self._tick)
        self._begun_at = 0.0
        self.play_button.clicked.connect(self.play_or_pause)
        self.slider.valueChanged.connect(lambda number: self._move(number / _STEPS))
        self.value.valueChanged.connect(self._move)
        self.show_box.toggled.connect(self.wanted)
        self.set_share(1.0)

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return bool(self._timer.isActive())

    def set_share(self, share: float) -> None:
        """Show a value without telling."""
        for widget in (self.slider, self.value):
            widget.blockSignals(True)
        self.slider.setValue(round(share * _STEPS))
        self.value.setValue(share)
        for widget in (self.slider, self.value):
            widget.blockSignals(False)

    def play_or_pause(self) -> None:
        """Play from where it is, from 0 where it is at its end; or pause."""
        if self.playing:
            self.pause()
            return
        self.show_box.setChecked(True)
        share = self.value.value()
        self._begun_at = 0.0 if share >= 1.0 else share
        self._clock.start()
        self._timer.start()
        self.play_button.setText("❚❚")

    def pause(self) -> None:
        """Stop playing."""
        self._timer.stop()
        self.play_button.setText("▶")

    def _tick(self) -> None:
        # By the clock, so that it lasts as long however quickly pictures come.
        share = min(self._begun_at + self._clock.elapsed() / _LASTS, 1.0)
        self.moved.emit(share)
        if share >= 1.0:
            self.pause()

    def _move(self, share: float) -> None:
        self.pause()
        self.show_box.setChecked(True)
        self.moved.emit(share)
