"""The layers of a barcode: the super-level set at its threshold, and where the chosen bar begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_toposeg.docks import colours
from napari_toposeg.docks.canvas_guard import LATER
from napari_toposeg.docks.drawn_layers import DrawnLayers, labels
from napari_toposeg.docks.going import go_to
from napari_toposeg.docks.workspace import Workspace, derived
from napari_toposeg.session.barcode_events import SelectedBar
from napari_toposeg.session.barcode_map import BarcodeMap

if TYPE_CHECKING:
    from napari.layers import Labels

LEVEL_SET = "Super-level set"
ENDS = "Birth and death"

_BORN, _DIES = "born", "dies"
_WIDTH = 2
"""Of the set's contour, in voxels."""
_NEAR = 4.0
"""Marks' sizes within which birth and death are so near that their words would overlap."""
_PAUSE_IN_3D = 150
"""Milliseconds between two pictures in 3-D, where each sends the whole region to the graphics card."""


class BarcodeLayers(QObject):
    """Shows the super-level set as the threshold moves, and marks a bar's voxels.

    The map is compared with the threshold in the window's thread: 6 million voxels, the most that a barcode has, took
    1 ms. Only the newest threshold is drawn.
    """

    def __init__(self, workspace: Workspace, parent: QObject) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._map: BarcodeMap | None = None
        self._inside: NDArray[np.bool_] | None = None
        self._threshold = 0.5
        self._wanted = True
        self._layers = DrawnLayers(workspace)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._draw)

    @property
    def level_set(self) -> Labels | None:
        """The layer of the super-level set."""
        return self._layers.get(LEVEL_SET)

    @property
    def ends(self) -> Points | None:
        """The layer of a bar's birth and death voxels: in this order, where it has both."""
        return self._layers.get(ENDS)

    def set_map(self, map_: BarcodeMap | None, threshold: float) -> None:
        """Show the super-level set of another map, or of none."""
        self._map, self._threshold, self._inside = map_, threshold, None
        self._layers.remove(ENDS)
        if map_ is None:
            self._layers.remove(LEVEL_SET)
        self._soon.start(LATER)  # the bars themselves are being drawn

    def set_threshold(self, threshold: float) -> None:
        """Show the set at another level, as soon as the window has time for it."""
        self._threshold = threshold
        if not self._soon.isActive():
            self._soon.start(_PAUSE_IN_3D if self._workspace.viewer.dims.ndisplay == 3 else 0)

    def want_level_set(self, wanted: bool) -> None:
        """Show the set from now on, or do not."""
        self._wanted = wanted
        layer = self.level_set
        if layer is not None:
            layer.visible = wanted
        if wanted:
            self._soon.start(0)

    def show_ends(self, selected: SelectedBar | None, colour: str) -> None:
        """Mark where a bar begins and ends, or nothing."""
        layout, map_ = self._workspace.layout, self._map
        if selected is None or layout is None or map_ is None:
            self._layers.remove(ENDS)
            return
        ends = [(_BORN, selected.bar.birth_voxel), (_DIES, selected.bar.death_voxel)]
        places = np.array([voxel for _, voxel in ends if voxel is not None]).reshape(-1, layout.ndim)
        names = [name for name, voxel in ends if voxel is not None]
        # Made anew: napari's points cannot change symbols, texts and number at once.
        self._layers.remove(ENDS)
        if not names:
            return
        size = max(max(layout.shape) / 40.0, 3.0)
        words = list(names)
        if len(names) == 2 and np.abs(places[0] - places[1]).max() < _NEAR * size:
            # One beside the other: napari's texts of one layer all stand in the same place about their points.
            words[1] = f"{' ' * 10}{names[1]}"
        # Above the mark and to its right, so that the voxel itself is seen.
        aside = np.zeros(layout.ndim)
        aside[-2:] = -0.6 * size, 0.6 * size
        self._layers.put(
            ENDS,
            Points(
                layout.index(places),
                size=size,
                symbol=["disc" if name == _BORN else "square" for name in names],
                face_color="transparent",
                border_color=colour,
                border_width=0.25,
                features={"end": words},
                text={
                    "string": "{end}",
                    "color": "white",
                    "size": 10,
                    "anchor": "lower_left",
                    "translation": aside * layout.scale,
                },
                name=ENDS,
                metadata=derived(),
                **layout.box_arguments(map_.volume.frame.box),
            ),
        )

    def go_to(self, voxel: tuple[int, ...] | None) -> None:
        """Take the viewer to a voxel, where there is one."""
        if voxel is not None:
            go_to(self._workspace, np.array(voxel))

    def _draw(self) -> None:
        map_, layout = self._map, self._workspace.layout
        if map_ is None or layout is None or not self._wanted:
            return
        layer = self.level_set
        if self._inside is None or self._inside.shape != map_.levels.shape:
            self._inside = np.empty(map_.levels.shape, np.bool_)
            self._layers.remove(LEVEL_SET)
            layer = None
        # Into the array that the layer shows: nothing is made anew while the line is dragged.
        np.greater_equal(map_.levels, np.float32(self._threshold), out=self._inside)
        if layer is not None:
            layer.refresh()
            return
        self._layers.put(
            LEVEL_SET,
            labels(
                layout.array(self._inside.view(np.uint8)),
                name=LEVEL_SET,
                colormap=colours.one_colour(colours.LEVEL_SET),
                contour=_WIDTH,
                editable=False,
                metadata=derived(),
                **layout.box_arguments(map_.box),
            ),
        )
