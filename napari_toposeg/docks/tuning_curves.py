"""The terms of a loss over the iterations, each as a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QSize
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QWidget

# Read by those who cannot tell red from green: the order is that of the terms as they first appear.
_ON_DARK = ("#4da6ff", "#ffa033", "#34d1b2", "#e07bd6", "#c9c94a", "#9aa7ff")
_ON_LIGHT = ("#1667b7", "#b85c00", "#0a8a70", "#a8309c", "#7a7a00", "#4a55c7")
_LEAST = 1e-6
"""Below this a term is drawn as this much, on a logarithmic scale: folds are 0 most of the time."""


class TuningCurves(pg.PlotWidget):  # type: ignore[misc]
    """Terms by iteration; the total in the window's own ink."""

    # The theme's events come already while the widget is being made.
    _made = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: dict[str, Sequence[float]] = {}
        self._items: dict[str, Any] = {}
        self._logarithmic = False
        self.setBackground(None)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.setMinimumHeight(110)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.getAxis("bottom").setLabel("iteration")
        self.getAxis("left").enableAutoSIPrefix(False)
        self._made = True
        self._take_on_the_theme()

    def sizeHint(self) -> QSize:
        """Flat and wide."""
        return QSize(300, 170)

    @property
    def shown(self) -> Mapping[str, Sequence[float]]:
        """What is drawn."""
        return self._shown

    @property
    def colour_of(self) -> dict[str, str]:
        """The colour of each term that is drawn."""
        ink = self.palette().color(self.foregroundRole())
        hues = iter((_ON_DARK if ink.lightnessF() > 0.5 else _ON_LIGHT) * 2)
        return {name: ink.name() if name == "total" else next(hues) for name in self._shown}

    def show_terms(self, terms: Mapping[str, Sequence[float]]) -> None:
        """Draw these, or nothing."""
        self._shown = dict(terms)
        for side in ("left", "bottom"):
            self.showAxis(side, bool(terms))
        for name in [name for name in self._items if name not in terms]:
            self.removeItem(self._items.pop(name))
        colour_of = self.colour_of
        for name, values in terms.items():
            item = self._items.get(name)
            if item is None:
                width = 2.2 if name == "total" else 1.6
                item = self._items[name] = self.plot(pen=pg.mkPen(QColor(colour_of[name]), width=width))
            drawn = np.maximum(values, _LEAST) if self._logarithmic else np.asarray(values)
            item.setData(np.arange(1, len(values) + 1), drawn)

    def set_logarithmic(self, logarithmic: bool) -> None:
        """Draw on a logarithmic scale, or on a plain one."""
        self._logarithmic = logarithmic
        self.setLogMode(y=logarithmic)
        self.show_terms(self._shown)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the window into another theme."""
        super().changeEvent(event)
        # A style may come while pyqtgraph still builds the widget, and has no axes yet.
        built = hasattr(self, "_items")
        if built and event is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._take_on_the_theme()

    def _take_on_the_theme(self) -> None:
        ink = self.palette().color(self.foregroundRole())
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(ink, width=1))
            axis.setTextPen(ink)
        for item in self._items.values():
            self.removeItem(item)
        self._items = {}
        self.show_terms(self._shown)
