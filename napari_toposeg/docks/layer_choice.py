"""A list of layers to choose one from."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QSizePolicy

if TYPE_CHECKING:
    from napari.layers import Layer


class LayerChoice(QComboBox):
    """Layers by name, and above them one entry that is none of them; layers are held weakly.

    Parameters
    ----------
    none : str
        What the entry says that is no layer.
    """

    def __init__(self, none: str) -> None:
        super().__init__()
        self._layers: list[weakref.ref[Layer]] = []
        self.addItem(none)
        # A layer's long name must not make the dock wide.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def layer(self) -> Layer | None:
        """The chosen layer."""
        number = self.currentIndex() - 1
        return self._layers[number]() if 0 <= number < len(self._layers) else None

    def show_layers(self, layers: Sequence[Layer]) -> bool:
        """Offer these layers; whether the chosen one is no longer among them."""
        chosen = self.layer
        had = self.currentIndex() > 0
        self.blockSignals(True)
        while self.count() > 1:
            self.removeItem(1)
        self._layers = [weakref.ref(layer) for layer in layers]
        self.addItems([layer.name for layer in layers])
        self.setCurrentIndex(next((number for number, layer in enumerate(layers, 1) if layer is chosen), 0))
        self.blockSignals(False)
        return had and self.currentIndex() == 0

    def choose(self, layer: Layer | None) -> None:
        """Choose one of the offered layers, or none."""
        found = (number for number, one in enumerate(self._layers, 1) if layer is not None and one() is layer)
        self.setCurrentIndex(next(found, 0))
