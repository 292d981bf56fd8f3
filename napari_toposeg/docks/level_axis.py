"""An axis of a picture of a barcode."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg

from napari_toposeg.topology.persistence import Scale


class LevelAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis of levels that has a map's own numbers written beside it."""

    def __init__(self, orientation: str, end: str = "") -> None:
        super().__init__(orientation)
        self._end = end
        self._levels = Scale()
        self.enableAutoSIPrefix(False)
        if orientation == "bottom":
            self.setHeight(42)
        self.set_scale(Scale())

    def set_scale(self, scale: Scale) -> None:
        """Write another map's numbers."""
        self._levels = scale
        self.setLabel(f"{self._end}: {scale.name}" if self._end else scale.name)
        # The ticks are kept as a picture.
        self.picture = None
        self.update()

    def resizeEvent(self, event: Any = None) -> None:
        """Keep the label within the axis: pyqtgraph lets it hang over by 5 pixels, and its descenders are cut off."""
        super().resizeEvent(event)
        if self.orientation == "bottom":
            self.label.moveBy(0, -6)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Levels at which the map's own numbers are round."""
        scale = self._levels
        ends = sorted((scale.value(low), scale.value(high)))
        width = scale.high - scale.low
        return [
            (spacing / width, [scale.level(value) for value in values])
            for spacing, values in super().tickValues(*ends, size)
        ]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Those numbers as text."""
        levels = self._levels
        texts: list[str] = super().tickStrings(
            [levels.value(level) for level in values], scale, spacing * (levels.high - levels.low)
        )
        return texts
