"""What the levels of a barcode stand for, where the map is no probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError

Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True)
class Scale:
    """A map's own numbers beside the levels 0 and 1 that they were brought to.

    Attributes
    ----------
    low, high : float
        What the levels 0 and 1 stand for; low < high.
    name : str
        What is measured, and its unit: "distance, mm".
    """

    low: float = 0.0
    high: float = 1.0
    name: str = "level"

    @classmethod
    def of(cls, values: NDArray[Any], name: str) -> Scale:
        """The scale that holds all values of a map.

        Raises
        ------
        ToposegError
            If a value is infinite or not a number, or all are the same: there is nothing to find then.
        """
        low, high = float(np.min(values)), float(np.max(values))
        if not np.isfinite([low, high]).all():
            raise ToposegError(
                "The map has voxels that are infinite or not a number (NaN).", todo="Replace them, for example by 0."
            )
        if low == high:
            raise ToposegError(
                f"The map has the same value, {low:g}, everywhere.",
                why="Nothing appears or disappears as the level falls.",
                todo="Choose another map, or a larger region.",
            )
        return cls(low, high, name)

    def value(self, level: Number) -> Number:
        """The map's own number at a level."""
        return self.low + level * (self.high - self.low)

    def level(self, value: Number) -> Number:
        """The level of one of the map's own numbers; outside of 0 and 1 where that is outside of the scale."""
        return (value - self.low) / (self.high - self.low)

    def levels(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """All of a map as levels, ready for `barcode`."""
        share = (np.asarray(values, np.float64) - self.low) / (self.high - self.low)
        return np.clip(share, 0.0, 1.0).astype(np.float32)

    @property
    def digits(self) -> int:
        """Digits behind the point that tell a thousandth of the scale."""
        return int(np.clip(3 - np.ceil(np.log10(self.high - self.low)), 0, 8))

    def text(self, level: float) -> str:
        """A level as the map's own number, as fine as a thousandth of the scale; halves are rounded up."""
        fine = 10.0**self.digits
        return f"{np.floor(self.value(level) * fine + 0.5) / fine:.{self.digits}f}"
