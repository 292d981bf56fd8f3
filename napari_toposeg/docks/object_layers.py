"""The layers that show the objects that are not chosen, and the colours of the one that is."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_toposeg.docks import colours
from napari_toposeg.docks.drawn_layers import DrawnLayers, labels

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_toposeg.docks.workspace import Workspace
    from napari_toposeg.frame import Box

TEMPLATES_NAME, MASKS_NAME = "Other templates", "Other objects"


class ObjectLayers:
    """Outlines and masks of the other objects, each in its colour; nothing where there is only one object.

    The chosen one's outline is a layer of its own (`ResultLayers`): where two outlines overlap, that one is whole.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = weakref.proxy(workspace)
        self._layers = DrawnLayers(self._workspace)
        self._coloured: WeakSet[Labels] = WeakSet()
        self._wanted = 0
        # A layer that comes is known to whoever made it only after napari has told of it.
        self._colour_soon = QTimer(workspace.signals)
        self._colour_soon.setSingleShot(True)
        self._colour_soon.setInterval(0)
        self._colour_soon.timeout.connect(self._colour_chosen)
        signals = workspace.signals
        for signal in (signals.objects, signals.volume):
            signal.connect(self._objects_changed)
        for signal in (signals.result, signals.running):
            signal.connect(self._colour_chosen)
        workspace.viewer.layers.events.inserted.connect(self._inserted)

    def layer(self, name: str) -> Labels | None:
        """The layer of that name; None where it is not shown."""
        return self._layers.get(name)

    def _objects_changed(self, _: object = None) -> None:
        self._colour_chosen()
        self._wanted += 1
        number = self._wanted
        session = self._workspace.session
        if not session.several or session.volume is None:
            for name in (TEMPLATES_NAME, MASKS_NAME):
                self._layers.remove(name)
            return
        self._workspace.later(
            lambda: (session.other_outlines(), session.other_labels()) if number == self._wanted else None,
            lambda drawn: self._draw(number, drawn),
        )

    def _draw(self, number: int, drawn: Any) -> None:
        session = self._workspace.session
        if drawn is None or number != self._wanted or session.volume is None:
            return
        outlines, masks = drawn
        self._show(TEMPLATES_NAME, outlines, contour=1, opacity=1.0)
        self._show(MASKS_NAME, masks, contour=0, opacity=0.5)

    def _show(self, name: str, drawn: tuple[NDArray[np.uint8], Box] | None, *, contour: int, opacity: float) -> None:
        from napari_toposeg.docks.workspace import derived

        layout = self._workspace.layout
        if drawn is None or layout is None:
            self._layers.remove(name)
            return
        values, place = np.ascontiguousarray(layout.array(drawn[0])), layout.box_arguments(drawn[1])
        colormap = colours.by_label({one.label: one.colour for one in self._workspace.session.objects})
        layer = self.layer(name)
        if layer is None:
            made = labels(
                values,
                name=name,
                opacity=opacity,
                colormap=colormap,
                contour=contour,
                editable=False,
                metadata=derived(),
                **place,
            )
            self._layers.put(name, made)
            return
        layer.data = values
        layer.scale, layer.translate = place["scale"], place["translate"]
        layer.colormap = colormap

    def _inserted(self, _: Any) -> None:
        if self._workspace.session.several:
            self._colour_soon.start()

    def _colour_chosen(self, _: object = None) -> None:
        """The chosen object's template and mask have its colour; where it is the only one, those of always."""
        session, layers = self._workspace.session, self._workspace.layers
        own = session.chosen_colour if session.several else None
        for layer, colour in ((layers.template, colours.TEMPLATE), (layers.mask, colours.MASK)):
            if layer is not None and (own is not None or layer in self._coloured):
                layer.colormap = colours.one_colour(own or colour)
                self._coloured.add(layer)
