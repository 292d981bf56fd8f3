"""The layer that shows a mask's surface, coloured by its distance to a reference."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Surface
from numpy.typing import NDArray

from napari_toposeg.docks import colours
from napari_toposeg.docks.drawn_layers import put
from napari_toposeg.docks.workspace import Workspace, derived
from napari_toposeg.evaluation import DistanceSurface, Mesh

if TYPE_CHECKING:
    from napari.layers import Layer

NAME = "Distances"
_RIBBON = 0.8
"""Width of an outline in a 2-D image, in pixels."""


class DistanceLayer:
    """Shows and hides it; while it is shown, what would cover it is not."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = weakref.proxy(workspace)
        self._layer: weakref.ref[Surface] | None = None
        self._hidden: list[weakref.ref[Layer]] = []
        self._displayed = 2

    @property
    def drawn(self) -> Surface | None:
        """The layer as it was drawn, whether or not somebody has removed it since."""
        return self._layer() if self._layer is not None else None

    @property
    def layer(self) -> Surface | None:
        """The layer, where there is one."""
        layer = self.drawn
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    def show(self, surface: DistanceSurface) -> None:
        """Draw a surface in the place of the one before; of a volume in 3-D."""
        from napari.utils import Colormap

        viewer, layout, volume = self._workspace.viewer, self._workspace.layout, self._workspace.session.volume
        if layout is None or volume is None:
            return
        vertices, faces, values = triangles_of(surface)
        data = (layout.index(vertices), faces, values)
        reach = reach_of(surface.distances, volume.spacing)
        layer = self.layer
        if layer is not None:
            layer.data = data
            layer.contrast_limits = (-reach, reach)
            return
        self._uncover()
        layer = Surface(
            data,
            name=NAME,
            metadata=derived(),
            colormap=Colormap(scale_rgba(), name="toposeg-distance", display_name="Signed distance"),
            contrast_limits=(-reach, reach),
            shading="smooth" if layout.ndim == 3 else "none",
            **layout.box_arguments(volume.frame.box),
        )
        put(self._workspace, layer)
        self._layer = weakref.ref(layer)
        self._displayed = viewer.dims.ndisplay
        if layout.ndim == 3:
            viewer.dims.ndisplay = 3

    def hide(self) -> None:
        """Take it away, and show again what was hidden for it."""
        viewer, layer, drawn = self._workspace.viewer, self.layer, self.drawn
        # Before it is removed, which tells everybody.
        self._layer = None
        if layer is not None:
            viewer.layers.remove(layer)
        if drawn is not None:
            viewer.dims.ndisplay = self._displayed
        hidden, self._hidden = self._hidden, []
        for reference in hidden:
            covering = reference()
            if covering is not None:
                covering.visible = True

    def _uncover(self) -> None:
        for layer in self._workspace.viewer.layers:
            if isinstance(layer, Labels) and layer.visible:
                layer.visible = False
                self._hidden.append(weakref.ref(layer))


def scale_rgba() -> NDArray[np.float64]:
    """(steps, 4) colours of distances from the most negative, within the reference, to the most positive, outside."""
    rgba = colours.diverging_rgba()
    # A surface stands for itself: pale where it lies on the reference, and clear nowhere.
    rgba[:, 3] = 1.0
    return rgba


def reach_of(distances: NDArray[np.float64], spacing: NDArray[np.float64]) -> float:
    """How far the scale reaches on either side: as far as 99 % of the vertices, and at least one voxel."""
    return float(max(np.quantile(np.abs(distances), 0.99), np.max(spacing)))


def triangles_of(surface: DistanceSurface) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Vertices, triangles and values: of a volume as they are, of a 2-D outline a ribbon along it."""
    mesh: Mesh = surface.mesh
    if mesh.vertices.shape[1] == 3:
        return mesh.vertices, mesh.faces, surface.distances
    ends: NDArray[Any] = mesh.vertices[mesh.faces]
    along = ends[:, 1] - ends[:, 0]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    aside = along[:, ::-1] * np.array([-1.0, 1.0]) * (_RIBBON / 2)
    # Four corners of each piece, a little longer than it is, so that no gap is seen where two of them meet.
    over = along * (_RIBBON / 4)
    corners = np.stack(
        [ends[:, 0] - over - aside, ends[:, 0] - over + aside, ends[:, 1] + over - aside, ends[:, 1] + over + aside],
        axis=1,
    )
    first = 4 * np.arange(len(corners))[:, None, None]
    triangles = (first + np.array([[0, 1, 2], [1, 2, 3]])).reshape(-1, 3)
    values = surface.distances[mesh.faces].repeat(2, axis=1).reshape(-1)
    return corners.reshape(-1, 2), triangles, values
