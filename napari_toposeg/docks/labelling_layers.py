"""The chosen volume of a folder in the viewer, in place of the one before."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.display import image_layer_data
from napari_toposeg.docks.going import go_to
from napari_toposeg.docks.workspace import Workspace

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_toposeg.session.labelling_chosen import Looked


def middle_of(looked: Looked) -> NDArray[np.float64]:
    """(ndim,) the middle of a volume's mask, or of the volume where it has none, in whole voxels."""
    inside = np.argwhere(looked.mask) if looked.mask is not None else np.zeros((0, looked.volume.ndim))
    middle: NDArray[np.float64] = inside.mean(axis=0) if len(inside) else (np.array(looked.volume.shape) - 1) / 2
    return np.round(middle)


class LabellingLayers:
    """Shows one volume at a time; layers that somebody else opened stay.

    Parameters
    ----------
    workspace : Workspace
        Whose image it becomes.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._image: weakref.ref[Image] | None = None

    def show(self, looked: Looked, middle: NDArray[np.float64]) -> None:
        """Show a volume and its mask, at `middle_of` it; the volume before goes, and so does its mask."""
        workspace = self._workspace
        viewer, layers = workspace.viewer, workspace.viewer.layers
        before = self._image() if self._image is not None else None
        # While a run is under way the mask's layer shows its preview.
        mask = workspace.layers.mask or workspace.layers.preview
        old = [layer for layer in (before, mask) if layer is not None and before is workspace.image]
        data, arguments = image_layer_data(looked.volume)
        image = viewer.add_image(data, **arguments)
        self._image = weakref.ref(image)
        workspace.use_image(image)
        for layer in old:
            if layer in layers:
                layers.remove(layer)
        # After them, or napari would call the new mask "Mask [1]".
        workspace.session.labelling.show(looked)
        # Below what is drawn on it.
        layers.move(layers.index(image), 0)
        go_to(workspace, middle)
        viewer.fit_to_view()
