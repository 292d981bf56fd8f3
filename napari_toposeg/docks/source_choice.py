"""What a barcode may be taken of, to choose from."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_toposeg.docks.workspace import Workspace
from napari_toposeg.inference import Segmentation
from napari_toposeg.session.barcode_map import CERTIFIED, TEMPLATE_TITLE, mask_title

_RESULT = {
    "distance": ("Certified mask: distance to its surface", mask_title(CERTIFIED, distance=True)),
    "template": ("Warped template: distance to its surface", TEMPLATE_TITLE),
    "mask": ("Certified mask: its voxels", mask_title(CERTIFIED, distance=False)),
}
"""What of a result: how it is offered, and what the session calls its barcode."""


class SourceChoice(QComboBox):
    """The result, images and masks. What was asked for elsewhere, in Python, is shown as well.

    Parameters
    ----------
    workspace : Workspace
        Whose layers they are.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setToolTip("What the barcode is of.")

    @property
    def kind(self) -> str:
        """One of "result", "image", "labels"; "other" for what cannot be asked for here; "" where there is nothing."""
        return self._of(self.currentIndex())[0]

    @property
    def name(self) -> str:
        """Which one of its kind: "distance", "template" or "mask" of a result, else a layer's name."""
        return self._of(self.currentIndex())[1]

    def offer(self) -> None:
        """Offer what there is now; what was chosen stays so where it is still there."""
        session, chosen = self._workspace.session, self._of(self.currentIndex())
        mine = self._workspace.layers.mask
        self.clear()
        if session.result is not None:
            for key, (text, title) in _RESULT.items():
                if key != "template" or isinstance(session.result, Segmentation):
                    self.addItem(text, ("result", key, title))
        for layer in self._workspace.images():
            self.addItem(f"Image: {layer.name}", ("image", layer.name, layer.name))
        for layer in self._workspace.masks():
            if layer is not mine:
                title = mask_title(layer.name, distance=True)
                self.addItem(f"Labels: {layer.name}: distance to their surface", ("labels", layer.name, title))
        keys = [self._of(number)[:2] for number in range(self.count())]
        self.setCurrentIndex(keys.index(chosen[:2]) if chosen[:2] in keys else 0 if keys else -1)

    def show_source(self, source: str) -> None:
        """Show what the barcode that is there is of, as the session calls it; nothing where there is none."""
        if not source or self._of(self.currentIndex())[2] == source:
            return
        titles = [self._of(number)[2] for number in range(self.count())]
        if source not in titles:
            self.addItem(source, ("other", source, source))
            titles.append(source)
        self.setCurrentIndex(titles.index(source))

    def _of(self, number: int) -> tuple[str, str, str]:
        data: Any = self.itemData(number)
        return data or ("", "", "")
