"""The layers that show a result's deformation; each is made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Points, Vectors
from qtpy.QtCore import QObject, Signal

from napari_toposeg.docks import colours
from napari_toposeg.docks.deformation_scene import Cut, Lines, Picture, Scene
from napari_toposeg.docks.display import Layout
from napari_toposeg.docks.drawn_layers import DrawnLayers, labels
from napari_toposeg.docks.going import go_to
from napari_toposeg.docks.workspace import Workspace, derived
from napari_toposeg.frame import Frame
from napari_toposeg.inference import ResultField

if TYPE_CHECKING:
    from napari.layers import Layer

KINDS = {
    "jacobian": "Jacobian determinant",
    "folding": "Folding voxels",
    "grid": "Warped grid",
    "vectors": "Displacement",
    "levels": "Template by level",
    "moving": "Template on its way",
    "worst": "Worst cell",
}

_FLAT = ("vectors", "grid", "levels")
"""What is drawn for one slice, and anew for another."""
_LINE = 2
"""Width of the contours of mask and template, in voxels."""


class DeformationLayers(QObject):
    """Shows and hides them, and draws those of a slice anew when the slider moves.

    What they show is computed in the compute thread. Of each layer one picture is on its way at a time: what changes in
    the meantime is drawn after it, and only the newest.
    """

    scene_ready = Signal()
    """The names of the template's levels are known."""

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self.stride = 6
        self.length = 1.0
        self.spacing = 6
        self.share = 1.0
        self.log = False
        self.hidden_levels: set[int] = set()
        self._workspace = workspace
        self._wanted: set[str] = set()
        self._layers = DrawnLayers(workspace)
        self._scene: Scene | None = None
        self._ordered: dict[str, Scene] = {}
        self._again: set[str] = set()
        dims = workspace.viewer.dims.events
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._follow)
        # After the mask's layer was drawn: this is told of a deformation before.
        workspace.signals.result.connect(self._mask_changed)

    @property
    def scene(self) -> Scene | None:
        """What is shown."""
        return self._scene

    def set_field(self, field: ResultField | None) -> None:
        """Show another deformation, or none."""
        layout = self._workspace.layout
        self._scene = None if field is None or layout is None else Scene(field, layout)
        self._layers.remove("worst")
        for kind in KINDS:
            if kind in self._wanted and self._scene is not None:
                self._draw(kind)
            else:
                self._layers.remove(kind)
        self._mask_changed()

    def layer(self, kind: str) -> Layer | None:
        """The layer of this kind, one of `KINDS`, where there is one."""
        return self._layers.get(kind)

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way."""
        return not self._ordered

    def want(self, kind: str, wanted: bool) -> None:
        """Show this kind from now on, or do not."""
        (self._wanted.add if wanted else self._wanted.discard)(kind)
        layer = self.layer(kind)
        if layer is not None:
            layer.visible = wanted
        if kind == "jacobian":
            self._mask_changed()
        if wanted:
            self._draw(kind)

    def redraw(self, *kinds: str) -> None:
        """Draw these anew, where they are shown."""
        for kind in kinds:
            if kind in self._wanted:
                self._draw(kind)

    def jump(self, index: tuple[float, ...]) -> None:
        """Go to a place in canonical voxels of the image, and put a ring around it."""
        layout = self._workspace.layout
        went = go_to(self._workspace, np.array(index))
        if layout is None or went is None:
            return
        point = layout.index(went)[None]
        layer = self.layer("worst")
        if layer is not None:
            layer.data = point
            return
        self._layers.put(
            "worst",
            Points(
                point,
                size=max(min(layout.shape) / 14.0, 4.0),
                face_color="transparent",
                border_color=colours.WORST,
                border_width=0.2,
                **layout.box_arguments(tuple((0, size) for size in layout.shape)),
                **_named("worst"),
            ),
        )

    # When it is drawn

    def _follow(self) -> None:
        if self._scene is not None and self._scene.layout.ndim == 3:
            for kind in _FLAT:
                layer = self.layer(kind)
                if layer is not None and layer.visible and kind in self._wanted:
                    self._draw(kind)

    def _draw(self, kind: str) -> None:
        """Order a picture in the compute thread; while one of its kind is on its way, only remember."""
        scene = self._scene
        if scene is None or kind == "worst":
            return
        if self._ordered.get(kind) is scene:
            self._again.add(kind)
            return
        self._ordered[kind] = scene
        self._again.discard(kind)
        make = self._maker(kind, scene)
        self._workspace.later(make, lambda made: self._came(kind, scene, made), owner=self)

    def _maker(self, kind: str, scene: Scene) -> Callable[[], Lines | Picture]:
        """How a picture is made, with all settings as they are now."""
        stride, length, spacing, share, log = self.stride, self.length, self.spacing, self.share, self.log
        if kind in _FLAT:
            cut = self._cut(scene, scene.mask_frame if kind == "levels" else scene.field.frame)
            hidden = tuple(self.hidden_levels)
            if kind == "vectors":
                return lambda: scene.arrows(stride, length, cut)
            if kind == "grid":
                return lambda: scene.grid(spacing, share, cut)
            return lambda: scene.levels(hidden, cut)
        if kind == "moving":
            return lambda: scene.template(share)
        if kind == "jacobian":
            return lambda: scene.jacobian(log=log)
        return scene.folding

    def _came(self, kind: str, scene: Scene, made: Lines | Picture) -> None:
        if self._ordered.get(kind) is not scene:
            return  # another deformation has been ordered since
        del self._ordered[kind]
        if scene is self._scene and kind in self._wanted:
            if isinstance(made, Lines):
                self._show_lines(kind, scene, made)
            else:
                self._show_picture(kind, scene, made)
            if kind == "levels":
                self.scene_ready.emit()
        if kind in self._again:
            self._again.discard(kind)
            if kind in self._wanted:
                self._draw(kind)

    # What is drawn

    def _show_lines(self, kind: str, scene: Scene, lines: Lines) -> None:
        width = {"vectors": 0.09 * self.stride, "grid": 0.25, "levels": 0.45}[kind]
        layer = self.layer(kind)
        if layer is not None:
            layer.data = lines.pieces
            if lines.colours is not None and len(lines.pieces):
                layer.edge_color = lines.colours
            layer.edge_width = width
            return
        layout = scene.layout
        colour: Any = lines.colours if lines.colours is not None and len(lines.pieces) else colours.GRID
        place = (
            layout.box_arguments(scene.field.result.box)
            if kind == "levels"
            else layout.frame_arguments(scene.field.frame, scene.field.result.volume)
        )
        self._layers.put(
            kind,
            Vectors(
                lines.pieces,
                ndim=layout.ndim,
                vector_style="arrow" if kind == "vectors" else "line",
                edge_color=colour,
                edge_width=width,
                **_named(kind),
                **place,
            ),
        )

    def _show_picture(self, kind: str, scene: Scene, picture: Picture) -> None:
        layout, result = scene.layout, scene.field.result
        layer = self.layer(kind)
        if layer is not None and layer.data.shape == picture.values.shape:
            layer.data = picture.values
            if kind == "jacobian":
                layer.contrast_limits_range = picture.limits
                layer.contrast_limits = picture.limits
            return
        self._layers.remove(kind)
        if kind == "moving":
            place = layout.box_arguments(result.box)
        else:
            place = layout.frame_arguments(scene.field.frame.crop(scene.inside), result.volume)
        if kind == "jacobian":
            self._layers.put(
                kind,
                Image(
                    picture.values,
                    colormap=colours.diverging(),
                    contrast_limits=picture.limits,
                    opacity=0.8,
                    **_named(kind),
                    **place,
                ),
            )
            return
        moving = kind == "moving"
        made = labels(
            picture.values,
            colormap=colours.one_colour(colours.TEMPLATE if moving else colours.FOLDING),
            opacity=0.9,
            contour=_LINE if moving else 0,
            editable=False,
            **_named(kind),
            **place,
        )
        self._layers.put(kind, made)

    def _mask_changed(self, _: object = None) -> None:
        """A filled mask under the colours of the determinants would give them another meaning."""
        line = "jacobian" in self._wanted and self._scene is not None
        mask = self._workspace.layers.mask
        if mask is not None and mask.contour == (0 if line else _LINE):
            mask.contour = _LINE if line else 0

    def _cut(self, scene: Scene, frame: Frame) -> Cut:
        """The axes of a grid that are seen, in its layers' order, and the slice along the one that is not."""
        layout: Layout = scene.layout
        dims, image = self._workspace.viewer.dims, self._workspace.image
        first = dims.ndim - layout.ndim
        axes = tuple(int(axis) - first for axis in dims.displayed if axis >= first)
        hidden = [axis for axis in range(layout.ndim) if axis not in axes]
        if layout.ndim == 2 or image is None:
            return Cut(axes, 0)
        index = np.asarray(image.world_to_data(dims.point), float)[-layout.ndim :]
        matrix = np.linalg.inv(frame.index_in(scene.field.result.volume.frame))
        field = matrix[: layout.ndim, : layout.ndim] @ layout.canonical_index(index) + matrix[: layout.ndim, 3]
        turned = (np.array(frame.shape) - 1 - field if layout.flipped else field)[::-1]
        return Cut(axes, round(float(turned[hidden[0] if hidden else 0])))


def _named(kind: str) -> dict[str, Any]:
    return {"name": KINDS[kind], "metadata": derived()}
