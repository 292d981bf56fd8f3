"""Layers of one viewer, shown in another viewer model with the same voxels: nothing is copied."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels, Layer, Points
from qtpy.QtCore import QObject, QTimer

from napari_toposeg.docks.drawn_layers import without_tools

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_toposeg.docks.one_by_one import OneByOne

_NO_STATE = ("contour", "brush_size", "n_edit_dimensions")
"""What napari does not count as the state of a layer of labels: a copy has its own."""

_ALIKE: dict[type[Layer], tuple[str, ...]] = {
    Image: ("visible", "opacity", "blending", "scale", "translate", "contrast_limits", "gamma", "colormap"),
    Labels: (
        *("visible", "opacity", "blending", "scale", "translate", "colormap"),
        *_NO_STATE,
    ),
    Points: ("visible", "opacity", "blending", "scale", "translate"),
}
"""What a mirrored layer has in common with its original, by its events."""


class MirroredLayers(QObject):
    """Keeps the images, labels and points of a viewer in step with those of a model.

    Parameters
    ----------
    main : ViewerModel
        Whose layers they are.
    model : ViewerModel
        Where they are shown, too.
    turns : OneByOne
        A layer takes napari up to .1 s of the window's thread, in each viewer anew: every mirror is made in a turn of
        its own, those of images first.
    parent : QObject
        While it lives.
    """

    def __init__(self, main: ViewerModel, model: ViewerModel, turns: OneByOne, parent: QObject) -> None:
        super().__init__(parent)
        self._main, self._model, self._turns = weakref.proxy(main), model, turns
        self._mirrors: weakref.WeakKeyDictionary[Layer, Layer] = weakref.WeakKeyDictionary()
        self._links: list[tuple[Any, Callable[[Any], None]]] = []
        self._stale: set[Layer] = set()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._follow)
        main.layers.events.inserted.connect(self._inserted)
        main.layers.events.removed.connect(self._removed)
        main.layers.events.reordered.connect(self._reorder)
        for layer in main.layers:
            self._mirror_soon(layer)

    def mirror_of(self, layer: Layer | None) -> Layer | None:
        """What shows this layer; None where it is not mirrored."""
        return None if layer is None else self._mirrors.get(layer)

    def refresh(self, layer: Layer | None) -> None:
        """Its voxels changed in place."""
        mirror = self.mirror_of(layer)
        if mirror is not None:
            mirror.refresh(extent=False)

    def close(self) -> None:
        """Stop following."""
        layers = self._main.layers.events
        layers.inserted.disconnect(self._inserted)
        layers.removed.disconnect(self._removed)
        layers.reordered.disconnect(self._reorder)
        for emitter, follow in self._links:
            emitter.disconnect(follow)
        self._links = []
        self._soon.stop()
        self._model.layers.clear()

    def _inserted(self, event: Any) -> None:
        self._mirror_soon(event.value)

    def _removed(self, event: Any) -> None:
        mirror = self._mirrors.pop(event.value, None)
        if mirror is not None and mirror in self._model.layers:
            self._model.layers.remove(mirror)

    def _reorder(self, _: Any = None) -> None:
        wanted = [self._mirrors[layer] for layer in self._main.layers if layer in self._mirrors]
        for place, mirror in enumerate(wanted):
            now = self._model.layers.index(mirror)
            if now != place:
                self._model.layers.move(now, place)

    def _mirror_soon(self, layer: Layer) -> None:
        kind = next((one for one in _ALIKE if isinstance(layer, one)), None)
        if kind is not None:
            held = weakref.ref(layer)
            self._turns.add(lambda: self._mirror(held(), kind), urgent=kind is Image)

    def _mirror(self, layer: Layer | None, kind: type[Layer]) -> None:
        if layer is None or layer not in self._main.layers or layer in self._mirrors:
            return
        mirror = Layer.create(*layer.as_layer_data_tuple())
        if isinstance(mirror, Labels):
            without_tools(mirror)
            for name in _NO_STATE:
                setattr(mirror, name, getattr(layer, name))
        self._mirrors[layer] = mirror
        self._model.layers.append(mirror)
        for name in _ALIKE[kind]:
            self._link(getattr(layer.events, name), _alike(layer, mirror, name))
        self._link(layer.events.data, self._changed)
        if kind is Points:
            self._link(layer.events.size, self._changed)
        self._reorder()

    def _link(self, emitter: Any, follow: Callable[[Any], None]) -> None:
        emitter.connect(follow)
        self._links.append((emitter, follow))

    def _changed(self, event: Any) -> None:
        """While a line is drawn, points change many times before they are seen once."""
        self._stale.add(event.source)
        self._soon.start()

    def _follow(self) -> None:
        stale, self._stale = self._stale, set()
        for layer in stale:
            mirror = self.mirror_of(layer)
            if mirror is None:
                continue
            if isinstance(layer, Points):
                mirror.selected_data = set()
            mirror.data = layer.data
            if isinstance(layer, Points) and len(layer.data):
                mirror.face_color, mirror.size = layer.face_color, layer.size


def _alike(layer: Layer, mirror: Layer, name: str) -> Callable[[Any], None]:
    held = weakref.ref(layer)

    def follow(_: Any) -> None:
        original = held()
        if original is not None:
            setattr(mirror, name, getattr(original, name))

    return follow
