"""The layers that a dock draws: as little work for napari as they can be, and beside what a person has selected."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Labels, Layer
from numpy.typing import NDArray

from napari_toposeg.docks.canvas_guard import draw_later

if TYPE_CHECKING:
    from napari_toposeg.docks.workspace import Workspace

_TOOLS = ("polygon", "brush_stroke")


def without_tools(layer: Labels) -> Labels:
    """Have napari make the pictures of its polygon and of its stroke only when one of the two tools is chosen.

    It makes them with every layer of labels: two fifths of the .1 s of the window's thread that such a layer takes.

    Parameters
    ----------
    layer : Labels
        Not yet in a viewer.

    Returns
    -------
    Labels
        The same layer.
    """
    for tool in _TOOLS:
        overlay = layer._overlays[tool]
        overlay.visible = False
        overlay.events.enabled.connect(_shower(overlay))
    return layer


def _shower(overlay: Any) -> Callable[[bool], None]:
    held = weakref.ref(overlay)

    def show(enabled: bool) -> None:
        shown = held()
        if enabled and shown is not None:
            shown.visible = True

    return show


def labels(values: NDArray[Any], *, contour: int = 0, editable: bool = True, **arguments: Any) -> Labels:
    """A layer of labels for `put` and `DrawnLayers.put`.

    Parameters
    ----------
    values
        Labels, in the layer's order of axes.
    contour : int
        Its line's width in voxels; 0 for filled.
    editable : bool
        Whether napari's own tools may change it.
    **arguments
        As of ``viewer.add_labels``.
    """
    layer = without_tools(Labels(values, **arguments))
    layer.contour, layer.editable = contour, editable
    return layer


def put(workspace: Workspace, layer: Layer) -> None:
    """Add a layer to the viewer; what a person had selected stays so: a brush or a box in use is not taken away."""
    # A new layer is so many objects that Python searches all there are for garbage.
    workspace.leave_out_of_garbage()
    layers = workspace.viewer.layers
    draw_later()
    # Not selected and the choice before brought back: each of the two has all controls laid out anew.
    layers._activate_on_insert = not layers.selection
    try:
        layers.append(layer)
    finally:
        layers._activate_on_insert = True


class DrawnLayers:
    """A dock's layers by name. Any of them may be removed by hand at any time: it is as if it had never been put."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._layers: dict[str, weakref.ref[Layer]] = {}

    def get(self, name: str) -> Any:
        """The layer that was put under this name; None where it is not in the viewer."""
        reference = self._layers.get(name)
        layer = None if reference is None else reference()
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    def put(self, name: str, layer: Layer) -> None:
        """Add a layer to the viewer, as `put` does."""
        put(self._workspace, layer)
        self._layers[name] = weakref.ref(layer)

    def remove(self, name: str) -> None:
        """Take a layer away, where it is in the viewer."""
        layer = self.get(name)
        self._layers.pop(name, None)
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)
