"""The layers that show where the template stands, how a run goes, and its mask."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_toposeg.docks import colours
from napari_toposeg.docks.canvas_guard import LATER, draw_later
from napari_toposeg.docks.display import METADATA, Shown, shown_by
from napari_toposeg.docks.drawn_layers import labels, put
from napari_toposeg.docks.mask_painting import MaskPainting

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_toposeg.docks.workspace import Workspace
    from napari_toposeg.priors import Outline
    from napari_toposeg.steps import Step

MASK_NAME = "Mask"
PREVIEW_NAME = "Preview"

_PREVIEW_OPACITY = 0.45
_PREVIEW: dict[str, Any] = {"name": PREVIEW_NAME, "colour": colours.PREVIEW, "opacity": _PREVIEW_OPACITY}
_MASK_OPACITY = 0.5

_TIDY_AFTER = 100
"""Milliseconds after a run in which its preview is hidden, before it is removed."""


@dataclass(frozen=True, eq=False)
class _Look:
    """How the mask's layer looked before a run borrowed it for its preview."""

    layer: weakref.ref[Labels]
    data: NDArray[np.uint8]
    place: dict[str, Any]
    style: dict[str, Any]
    mode: str

    @classmethod
    def of(cls, layer: Labels) -> _Look:
        place, style = (
            {name: getattr(layer, name) for name in names}
            for names in (("scale", "translate"), ("name", "colormap", "opacity", "contour"))
        )
        return cls(weakref.ref(layer), np.asarray(layer.data), place, style, str(layer.mode))


class ResultLayers:
    """Draws a workspace's template, preview and mask; owns nothing else.

    Each layer may be removed by hand at any time: it is made anew when there is something to show again. A new layer of
    labels takes napari .1 s of the window's thread, other data .01 s: preview and mask are one layer, which changes its
    name and its colour. It is made in the click that starts the run, when nothing else waits for the window, and put
    into the viewer in a turn of the window's loop of its own.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = weakref.proxy(workspace)
        self._template: weakref.ref[Labels] | None = None
        self._preview: weakref.ref[Labels] | None = None
        self._borrowed: _Look | None = None
        self._mask: weakref.ref[Labels] | None = None
        self._mask_name = MASK_NAME
        self._object = 0
        self._outline_wanted = 0
        self._tidy_soon = QTimer(workspace.signals)
        self._tidy_soon.setSingleShot(True)
        self._tidy_soon.setInterval(_TIDY_AFTER)
        self._tidy_soon.timeout.connect(self._remove_preview)
        self._ready: Labels | None = None
        self._put_soon = QTimer(workspace.signals)
        self._put_soon.setSingleShot(True)
        self._put_soon.setInterval(LATER)
        self._put_soon.timeout.connect(self._put_ready)
        self.painting = MaskPainting(workspace, lambda: self.mask)
        signals = workspace.signals
        signals.placement.connect(self._placement_changed)
        signals.steps.connect(self._steps_came)
        signals.running.connect(self._running_changed)
        signals.result.connect(self._result_changed)

    @property
    def mask(self) -> Labels | None:
        """The layer that shows the newest result."""
        return self._living(self._mask)

    @property
    def template(self) -> Labels | None:
        """The layer that shows the placed template's outline."""
        return self._living(self._template)

    @property
    def preview(self) -> Labels | None:
        """The layer that shows how a run goes, first the template as placed; None where none does."""
        layer = self._living(self._preview)
        return layer if layer is not None and not self._tidy_soon.isActive() else None

    # Template

    def _placement_changed(self, placement: object) -> None:
        self._outline_wanted += 1
        number = self._outline_wanted
        if placement is None:
            self._remove(self._template)
            return
        session = self._workspace.session
        # Only the newest placement is drawn: while a rectangle is dragged they come faster than they can be.
        self._workspace.later(
            lambda: session.outline() if number == self._outline_wanted else None,
            lambda outline: self._draw_outline(outline, number),
        )

    def _draw_outline(self, outline: Outline | None, number: int) -> None:
        layout = self._workspace.layout
        if outline is None or number != self._outline_wanted or layout is None:
            return
        inside = layout.array((outline.distance > 0).view(np.uint8))
        if inside.size == 0:
            self._remove(self._template)
            return
        self._template = self._show(
            self.template,
            inside,
            layout.box_arguments(outline.box),
            name="Template",
            colour=colours.TEMPLATE,
            contour=1,
        )

    # Preview

    def _steps_came(self, steps: list[Step[Any]]) -> None:
        preview = next((step.preview for step in reversed(steps) if step.preview is not None), None)
        box, layout = self._workspace.session.preview_box, self._workspace.layout
        if preview is None or box is None or layout is None:
            return
        self._draw_preview(layout.array(np.asarray(preview, bool).view(np.uint8)), layout.box_arguments(box))

    def _draw_preview(self, values: NDArray[np.uint8], place: dict[str, Any]) -> None:
        self._put_ready()
        self._preview = self._show(self._living(self._preview), values, place, **_PREVIEW)

    def _put_ready(self) -> None:
        layer, self._ready = self._ready, None
        if layer is not None:
            self._preview = self._put(layer)

    def _running_changed(self, running: bool) -> None:
        if not running:
            self._ready = None
            self._give_mask_back()
            self._hide_preview()
            return
        self._tidy_soon.stop()
        mask = self.mask
        if mask is not None and not self._workspace.session.edited and mask.name == self._mask_name:
            self._remove(self._preview)
            self._borrow(mask)
        layout, template = self._workspace.layout, self.template
        if layout is None:
            return
        # Nothing where the outline is not drawn yet: then only the layer is made.
        values, place = np.zeros((1,) * layout.ndim, np.uint8), layout.box_arguments(((0, 1),) * layout.ndim)
        if template is not None:
            values = np.array(template.data)
            place |= {"scale": template.scale, "translate": template.translate}
        preview = self._living(self._preview)
        if preview is not None:
            preview.visible = True  # hidden where a run that gave nothing has only just ended
            self._draw_preview(values, place)
        else:
            self._ready = self._new(values, place, **_PREVIEW)
            self._put_soon.start()

    def _borrow(self, mask: Labels) -> None:
        """Let the mask's layer show the preview."""
        from napari_toposeg.docks.workspace import derived

        self._borrowed = _Look.of(mask)
        self._let_mask_go()
        self._preview = weakref.ref(mask)
        mask.visible = True
        mask.metadata.update(derived())
        # Another array: what it had is the mask's, and comes back where the run gives nothing.
        mask.data = np.zeros((1,) * mask.ndim, np.uint8)
        mask.name, mask.contour, mask.opacity = PREVIEW_NAME, 0, _PREVIEW_OPACITY
        mask.colormap = colours.one_colour(colours.PREVIEW)

    def _give_mask_back(self) -> None:
        """A run gave nothing: the layer of its preview shows the mask again, as it was."""
        look, layer = self._end_borrowing()
        if look is not None and layer is not None:
            layer.data = look.data
            for name, value in look.place.items():
                setattr(layer, name, value)
            self._make_mask(layer, look)

    def _end_borrowing(self) -> tuple[_Look | None, Labels | None]:
        look, self._borrowed = self._borrowed, None
        return look, None if look is None else self._living(look.layer)

    def _make_mask(self, layer: Labels, look: _Look | None) -> None:
        """The preview's layer is the mask's from now on, which looks as it did before, or anew."""
        from napari_toposeg.docks.workspace import derived

        self._preview, self._mask = None, weakref.ref(layer)
        for key in derived():
            layer.metadata.pop(key, None)
        style = {"name": MASK_NAME, "opacity": _MASK_OPACITY, "colormap": colours.one_colour(colours.MASK)}
        for name, value in (style if look is None else look.style).items():
            setattr(layer, name, value)
        # Where another layer has the name, napari gives a longer one.
        self._mask_name = layer.name
        layer.visible = True
        self.painting.take_layer(layer)
        if look is not None:
            layer.mode = look.mode

    def _hide_preview(self) -> None:
        """Removing a layer takes napari some time: not in the same breath in which the mask's is made."""
        preview = self.preview
        if preview is not None:
            preview.visible = False
            self._tidy_soon.start()

    def _remove_preview(self) -> None:
        self._remove(self._preview)

    # Mask

    def _result_changed(self, _: object) -> None:
        session = self._workspace.session
        result, mask = session.result, session.mask
        layout, image = self._workspace.layout, self._workspace.image
        if result is None or mask is None or layout is None or image is None:
            self._give_mask_back()
            # The image is another one: the mask stays, as a layer like any other. Where the run was undone it goes.
            undone = self.mask if result is None else None
            self._let_mask_go()
            if undone is not None and image is not None and shown_by(undone).volume is session.volume:
                self._workspace.viewer.layers.remove(undone)
            return
        look, borrowed = self._end_borrowing()
        if look is not None and borrowed is not None:
            self._make_mask(borrowed, look)
        layer = self.mask
        # Where another object was chosen, what was painted is kept with that object.
        same, self._object = self._object == session.chosen_number, session.chosen_number
        if layer is not None and (layer.name != self._mask_name or (same and self._is_edited(layer))):
            # Renamed or painted in: that is somebody's work, and not to be overwritten.
            self._let_mask_go()
            layer = None
        if layer is None and self.preview is not None:
            layer = self.preview
            self._make_mask(layer, None)
        shown = Shown(result.volume, shown_by(image).flipped)
        values = layout.array((mask != 0).view(np.uint8))
        with self.painting.quiet():
            self._mask = self._show(
                layer,
                values,
                layout.box_arguments(result.volume.frame.box),
                name=MASK_NAME,
                colour=colours.MASK,
                opacity=_MASK_OPACITY,
                shown=shown,
            )
        made = self.mask
        if made is not None:
            # A result that was brought back comes with what had been made of its mask by hand.
            made.metadata["edited"] = session.edited
        if layer is None and made is not None:
            self._mask_name = made.name
            self.painting.take_layer(made)
        self._hide_preview()

    @staticmethod
    def _is_edited(layer: Labels) -> bool:
        return bool(layer.metadata.get("edited"))

    def _let_mask_go(self) -> None:
        layer = self.mask
        self._mask = None
        if layer is not None:
            self.painting.let_go(layer)

    # Layers

    def _living(self, reference: weakref.ref[Labels] | None) -> Labels | None:
        layer = reference() if reference is not None else None
        return layer if layer is not None and layer in self._workspace.viewer.layers else None

    def _remove(self, reference: weakref.ref[Labels] | None) -> None:
        layer = self._living(reference)
        if layer is not None:
            self._workspace.viewer.layers.remove(layer)

    def _show(
        self,
        layer: Labels | None,
        values: NDArray[np.uint8],
        place: dict[str, Any],
        *,
        shown: Shown | None = None,
        **look: Any,
    ) -> weakref.ref[Labels]:
        """Show labels in a layer, or in a new one with that look; see `_new`."""
        draw_later()
        if layer is None:
            return self._put(self._new(values, place, shown=shown, **look))
        if np.shape(layer.data) != values.shape or shown is not None:
            layer.data = values
        else:
            # Into what the layer shows: other data, of the same extent, take napari five times as long.
            np.copyto(np.asarray(layer.data), values)
            layer.refresh(extent=False)
        for name, value in (("scale", place["scale"]), ("translate", place["translate"])):
            if not np.array_equal(getattr(layer, name), value):
                setattr(layer, name, value)
        if shown is not None:
            layer.metadata[METADATA] = shown
        return weakref.ref(layer)

    @staticmethod
    def _new(
        values: NDArray[np.uint8],
        place: dict[str, Any],
        *,
        name: str,
        colour: str,
        contour: int = 0,
        opacity: float = 1.0,
        shown: Shown | None = None,
    ) -> Labels:
        from napari_toposeg.docks.workspace import derived

        return labels(
            values if shown is not None else values.copy(),
            name=name,
            opacity=opacity,
            colormap=colours.one_colour(colour),
            contour=contour,
            metadata=derived() if shown is None else {METADATA: shown},
            **place,
        )

    def _put(self, layer: Labels) -> weakref.ref[Labels]:
        from napari_toposeg.docks.shortcuts import bind_history

        put(self._workspace, layer)
        bind_history(self._workspace, layer)
        return weakref.ref(layer)
