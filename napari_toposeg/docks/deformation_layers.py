"""The layers that show a result's deformation; each is made when it is first asked for."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject

from napari_toposeg.docks import colours
from napari_toposeg.docks.field_view import FieldView, inside_image
from napari_toposeg.docks.going import go_to
from napari_toposeg.docks.workspace import Workspace, derived
from napari_toposeg.frame import Box, box_slices
from napari_toposeg.inference import Segmentation

if TYPE_CHECKING:
    from napari.layers import Layer

KINDS = {
    "vectors": "Displacement",
    "grid": "Warped grid",
    "jacobian": "Jacobian determinant",
    "folding": "Folding voxels",
    "worst": "Worst cell",
}

_LINE = 2
"""Width of the mask's contour, in voxels."""


class DeformationLayers(QObject):
    """Shows and hides them, and redraws those of a slice when the slider moves."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self.stride = 6
        self.length = 1.0
        self.spacing = 6
        self._workspace = workspace
        self._wanted: set[str] = set()
        self._layers: dict[str, weakref.ref[Layer]] = {}
        self._result: Segmentation | None = None
        self._view: FieldView | None = None
        dims = workspace.viewer.dims.events
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._follow)

    def set_result(self, result: Segmentation | None) -> None:
        """Show the deformation of another result, or of none."""
        layout = self._workspace.layout
        self._result = result
        self._remove("worst")
        if result is None or layout is None:
            self._result = self._view = None
            for kind in KINDS:
                self._remove(kind)
            return
        self._view = FieldView.of(result.displacement, result.volume, layout)
        for kind in KINDS:
            if kind in self._wanted:
                self._draw(kind)
            else:
                self._remove(kind)
        self._show_mask_as_line("jacobian" in self._wanted)

    def layer(self, kind: str) -> Layer | None:
        """The layer of this kind, one of `KINDS`, where there is one."""
        reference = self._layers.get(kind)
        layer = reference() if reference is not None else None
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    def want(self, kind: str, wanted: bool) -> None:
        """Show this kind from now on, or do not."""
        (self._wanted.add if wanted else self._wanted.discard)(kind)
        layer = self.layer(kind)
        if layer is not None:
            layer.visible = wanted
        if kind == "jacobian":
            self._show_mask_as_line(wanted)
        if wanted:
            self._draw(kind)

    def redraw(self) -> None:
        """Draw what depends on stride, length and spacing."""
        for kind in ("vectors", "grid"):
            if kind in self._wanted:
                self._draw(kind)

    def jump(self, cell: tuple[int, ...]) -> None:
        """Go to a cell, given by its low corner in the displacement's own voxels, and put a ring around it."""
        result, layout, viewer = self._result, self._workspace.layout, self._workspace.viewer
        if result is None or layout is None:
            return
        ndim = layout.ndim
        matrix = result.displacement.frame.index_in(result.volume.frame)
        index = go_to(self._workspace, matrix[:ndim, :ndim] @ cell + matrix[:ndim, 3])
        assert index is not None
        arguments = layout.box_arguments(result.volume.frame.box)
        point = layout.index(index)[None]
        layer = self.layer("worst")
        if layer is not None:
            layer.data = point
        else:
            self._add(
                "worst",
                lambda: viewer.add_points(
                    point,
                    size=max(min(layout.shape) / 14.0, 4.0),
                    face_color="transparent",
                    border_color=colours.WORST,
                    border_width=0.2,
                    **self._named("worst"),
                    **arguments,
                ),
            )

    def _show_mask_as_line(self, line: bool) -> None:
        """A filled mask under the colours of the determinants would give them another meaning."""
        mask = self._workspace.layers.mask
        if mask is not None and mask.contour == (0 if line else _LINE):
            mask.contour = _LINE if line else 0

    def _follow(self) -> None:
        # The sliders also move while a layer is added or removed. To add another then would confuse napari's list, so
        # only what is there is redrawn.
        if self._view is not None and self._view.ndim == 3:
            for kind in ("vectors", "grid"):
                layer = self.layer(kind)
                if layer is not None and layer.visible:
                    self._draw(kind)

    def _draw(self, kind: str) -> None:
        if self._result is None or self._view is None:
            return
        draw: dict[str, Callable[[], None]] = {
            "vectors": self._draw_vectors,
            "grid": self._draw_grid,
            "jacobian": self._draw_jacobian,
            "folding": self._draw_folding,
        }
        # The ring around a cell is drawn when one is chosen.
        if kind in draw:
            draw[kind]()

    def _draw_vectors(self) -> None:
        view = self._view
        assert view is not None
        axes, at = self._seen()
        arrows = view.arrows(self.stride, self.length, axes=axes, at=at)
        self._show_vectors("vectors", arrows, colour=colours.VECTORS, style="arrow", width=0.09 * self.stride)

    def _draw_grid(self) -> None:
        view = self._view
        assert view is not None
        axes, at = self._seen()
        if len(axes) == 3:
            # In 3-D the lines of one slice would hang in the air: the slice that was seen last stays.
            axes = [1, 2]
        self._show_vectors(
            "grid", view.grid_lines(self.spacing, axes=axes, at=at), colour=colours.GRID, style="line", width=0.25
        )

    def _show_vectors(self, kind: str, data: Any, *, colour: str, style: str, width: float) -> None:
        layer = self.layer(kind)
        if layer is not None:
            layer.data = data
            layer.edge_width = width
            return
        viewer = self._workspace.viewer
        view = self._view
        assert view is not None
        self._add(
            kind,
            lambda: viewer.add_vectors(
                data,
                ndim=view.ndim,
                vector_style=style,
                edge_color=colour,
                edge_width=width,
                **self._named(kind),
                **self._field_arguments(),
            ),
        )

    def _draw_jacobian(self) -> None:
        result, layout, viewer = self._result, self._workspace.layout, self._workspace.viewer
        assert result is not None
        assert layout is not None
        box = inside_image(result.displacement, result.volume)
        values = layout.array(result.jacobian.at_voxels[box_slices(box)])
        reach = jacobian_reach(result)
        limits = (1.0 - reach, 1.0 + reach)
        layer = self.layer("jacobian")
        if layer is not None:
            viewer.layers.remove(layer)
        self._add(
            "jacobian",
            lambda: viewer.add_image(
                values,
                colormap=colours.diverging(),
                contrast_limits=limits,
                opacity=0.8,
                **self._named("jacobian"),
                **self._box_arguments(box),
            ),
        )

    def _draw_folding(self) -> None:
        result, layout, viewer = self._result, self._workspace.layout, self._workspace.viewer
        assert result is not None
        assert layout is not None
        box = inside_image(result.displacement, result.volume)
        values = layout.array(result.jacobian.folding_voxels[box_slices(box)].view(np.uint8))
        layer = self.layer("folding")
        if layer is not None:
            viewer.layers.remove(layer)
        self._add(
            "folding",
            lambda: viewer.add_labels(
                values,
                colormap=colours.one_colour(colours.FOLDING),
                opacity=0.9,
                **self._named("folding"),
                **self._box_arguments(box),
            ),
        )

    def _seen(self) -> tuple[list[int], int]:
        """The displacement's axes that are seen, in its layers' order, and the slice along the one that is not."""
        view, result, layout = self._view, self._result, self._workspace.layout
        assert view is not None
        assert result is not None
        assert layout is not None
        dims, image = self._workspace.viewer.dims, self._workspace.image
        first = dims.ndim - view.ndim
        axes = [int(axis) - first for axis in dims.displayed if axis >= first]
        hidden = [axis for axis in range(view.ndim) if axis not in axes]
        if not hidden or image is None:
            return axes, 0
        index = np.asarray(image.world_to_data(dims.point), float)[-view.ndim :]
        canonical = layout.canonical_index(index)
        matrix = np.linalg.inv(result.displacement.frame.index_in(result.volume.frame))
        field = matrix[: view.ndim, : view.ndim] @ canonical + matrix[: view.ndim, 3]
        shape = np.array(result.displacement.frame.shape)
        turned = (shape - 1 - field if layout.flipped else field)[::-1]
        return axes, round(float(turned[hidden[0]]))

    def _field_arguments(self) -> dict[str, Any]:
        result, layout = self._result, self._workspace.layout
        assert result is not None
        assert layout is not None
        return layout.frame_arguments(result.displacement.frame, result.volume)

    def _box_arguments(self, box: Box) -> dict[str, Any]:
        result, layout = self._result, self._workspace.layout
        assert result is not None
        assert layout is not None
        return layout.frame_arguments(result.displacement.frame.crop(box), result.volume)

    @staticmethod
    def _named(kind: str) -> dict[str, Any]:
        return {"name": KINDS[kind], "metadata": derived()}

    def _add(self, kind: str, make: Callable[[], Layer]) -> None:
        selection = self._workspace.viewer.layers.selection
        chosen = list(selection)
        self._layers[kind] = weakref.ref(make())
        if chosen:
            self._workspace.viewer.layers.selection = [
                layer for layer in chosen if layer in self._workspace.viewer.layers
            ]

    def _remove(self, kind: str) -> None:
        layer = self.layer(kind)
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)


def jacobian_reach(result: Segmentation) -> float:
    """How far from 1 the scale of determinants reaches on either side: as far as 99 % of the voxels, but not below 0.

    What folds is at the scale's end in any case, and what nearly folds is told from what is only squeezed.
    """
    values = result.jacobian.at_voxels
    # A sample: a region of 128x128x96 has 1.6 million voxels, and the scale does not need all of them.
    sample = values.reshape(-1)[:: max(values.size // 200_000, 1)]
    return float(np.clip(np.quantile(np.abs(sample - 1.0), 0.99), 0.25, 1.0))
