"""What a picture of a barcode draws, and in which colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QColor

from napari_toposeg.topology import Barcode
from napari_toposeg.topology.persistence import Scale


@dataclass(frozen=True)
class Look:
    """The colours of a picture in the window's theme."""

    ink: QColor
    dimensions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Drawn:
    """The bars that are drawn, of a whole barcode.

    Attributes
    ----------
    barcode : Barcode
        All bars.
    numbers : (m,) int64
        Those that are drawn, by dimension and then by length, longest first.
    wanted : (n,) bool
        Which bars are the prior's.
    scale : Scale
        What the levels stand for.
    right : (k, 2) float64
        Ranges of levels with the prior's Betti numbers.
    """

    barcode: Barcode
    numbers: NDArray[np.int64]
    wanted: NDArray[np.bool_]
    scale: Scale
    right: NDArray[np.float64]

    @classmethod
    def of(
        cls, barcode: Barcode, wanted: NDArray[np.bool_], scale: Scale, right: NDArray[np.float64], most: int
    ) -> Drawn:
        """Of each dimension the so many longest."""
        longest = [np.flatnonzero(barcode.dimension == dimension)[:most] for dimension in range(barcode.ndim)]
        return cls(barcode, np.concatenate(longest), wanted, scale, right)

    @property
    def birth(self) -> NDArray[np.float64]:
        """(m,) of those that are drawn."""
        return self.barcode.birth[self.numbers]

    @property
    def death(self) -> NDArray[np.float64]:
        """(m,) of those that are drawn."""
        return self.barcode.death[self.numbers]

    def groups(self) -> list[tuple[int, bool, NDArray[np.int64]]]:
        """Dimension, whether wanted, and positions in `numbers` of what is drawn alike; the noise first."""
        dimension, wanted = self.barcode.dimension[self.numbers], self.wanted[self.numbers]
        return [
            (k, kind, np.flatnonzero((dimension == k) & (wanted == kind)))
            for kind in (False, True)
            for k in range(self.barcode.ndim)
        ]
