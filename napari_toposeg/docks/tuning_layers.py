"""The layers of fine-tuning: the contour of the mask before, and of the one on its way or proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_toposeg.docks import colours
from napari_toposeg.docks.drawn_layers import DrawnLayers, labels
from napari_toposeg.docks.workspace import Workspace, derived
from napari_toposeg.frame import Box

if TYPE_CHECKING:
    from napari.layers import Labels

BEFORE = "Before fine-tuning"
AFTER = "Fine-tuned"
_WIDTHS = {BEFORE: 2, AFTER: 1}
"""Of the contours, in voxels: where the two are the same, both are seen."""

Side = Literal["before", "both", "after"]


class TuningLayers(QObject):
    """Shows the two, or one of them; meanwhile the result's own layer is hidden."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._side: Side = "both"
        self._layers = DrawnLayers(workspace)

    @property
    def before(self) -> Labels | None:
        """The layer of the mask before."""
        return self._layers.get(BEFORE)

    @property
    def after(self) -> Labels | None:
        """The layer of the mask on its way, and then of the one that is proposed."""
        return self._layers.get(AFTER)

    @property
    def side(self) -> Side:
        """Which of the two are seen."""
        return self._side

    def show_before(self, part: NDArray[np.bool_], box: Box) -> None:
        """Draw the mask before, given on a box of the volume."""
        self._draw(BEFORE, part, box, colours.BEFORE)

    def show_after(self, part: NDArray[np.bool_], box: Box) -> None:
        """Draw the mask on its way."""
        self._draw(AFTER, part, box, colours.PREVIEW)

    def show_side(self, side: Side) -> None:
        """Show one of the two, or both."""
        self._side = side
        for name, other in ((BEFORE, "after"), (AFTER, "before")):
            layer = self._layers.get(name)
            if layer is not None:
                layer.visible = side != other

    def hide_result(self, hidden: bool) -> None:
        """Hide the result's own layer while the contours say what there is; it comes back as it was."""
        mask = self._workspace.layers.mask
        if mask is not None:
            mask.visible = not hidden

    def clear(self) -> None:
        """Take both away."""
        for name in (BEFORE, AFTER):
            self._layers.remove(name)

    def _draw(self, name: str, part: NDArray[np.bool_], box: Box, colour: str) -> None:
        layout = self._workspace.layout
        if layout is None or part.size == 0:
            return
        values = layout.array(np.ascontiguousarray(part).view(np.uint8))
        place: dict[str, Any] = layout.box_arguments(box)
        layer = self._layers.get(name)
        if layer is not None:
            layer.data = values
            layer.scale, layer.translate = place["scale"], place["translate"]
            return
        layer = labels(
            values,
            name=name,
            colormap=colours.one_colour(colour),
            contour=_WIDTHS[name],
            editable=False,
            visible=self._side != ("after" if name == BEFORE else "before"),
            metadata=derived(),
            **place,
        )
        self._layers.put(name, layer)
