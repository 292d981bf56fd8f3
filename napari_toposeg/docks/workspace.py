"""What the docks of one viewer share: its session, its signals, and the layers that show them."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

from napari_toposeg.docks.display import METADATA, Layout, Shown, layout_of, volume_of_layer
from napari_toposeg.docks.preferences import preferred
from napari_toposeg.docks.responsiveness import set_objects_aside, take_objects_back, take_short_turns
from napari_toposeg.docks.window_signals import WindowSignals
from napari_toposeg.errors import ToposegError
from napari_toposeg.session import Session

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Labels, Layer

Value = TypeVar("Value")

DERIVED = "napari-toposeg-derived"
"""Key of the metadata of layers that we draw: they are never taken for an image or a rough mask."""

_WARM_UP_AFTER = 1500
"""Milliseconds; the gallery's pictures are ordered before."""

_SETTLED_AFTER = 2000
"""Milliseconds after which an image that was opened, and what its layer is made of, is there to stay."""

_workspaces: WeakKeyDictionary[Viewer, Workspace] = WeakKeyDictionary()


def workspace_of(napari_viewer: Viewer) -> Workspace:
    """The viewer's workspace, made when it is first asked for: each dock may be opened by itself."""
    # napari hands plugins a proxy; the viewer itself is the key, so that all docks find the same workspace.
    viewer: Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
    if viewer not in _workspaces:
        _workspaces[viewer] = Workspace(viewer)
    return _workspaces[viewer]


class Workspace:
    """One viewer's session and the layer that its volume came from.

    The viewer is held weakly: a workspace that kept its viewer would never be let go. The session ends with the viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers and sliders are used.
    """

    def __init__(self, viewer: Viewer) -> None:
        from napari_toposeg.docks.object_layers import ObjectLayers
        from napari_toposeg.docks.prompt_drawing import PromptDrawing
        from napari_toposeg.docks.result_layers import ResultLayers
        from napari_toposeg.docks.shortcuts import bind_shortcuts

        self.session = Session()
        self.session.settings = preferred(self.session.settings)
        self.session.start_autosave()
        self.signals = WindowSignals(self.session)
        self._viewer = weakref.ref(viewer)
        self._image: weakref.ref[Image] | None = None
        self._opened: weakref.ref[Image] | None = None
        self._settle_soon = _once(self.signals, self._settle, after=0)
        take_short_turns()
        self._set_aside_soon = _once(self.signals, self.leave_out_of_garbage, after=_SETTLED_AFTER)
        self.signals.running.connect(self._running_changed)
        # At the interpreter's end, too: a thread that is still inside torch then would bring the process down.
        weakref.finalize(viewer, self.session.close)
        self.layers = ResultLayers(self)
        self.object_layers = ObjectLayers(self)
        self.prompt_drawing = PromptDrawing(self)
        bind_shortcuts(self)
        viewer.layers.events.inserted.connect(self._inserted)
        viewer.layers.events.removed.connect(self._removed)
        for layer in viewer.layers:
            if self.image is None and is_image(layer):
                self.use_image(layer)
        _once(self.signals, self.warm_up, after=_WARM_UP_AFTER).start()

    @property
    def viewer(self) -> Viewer:
        """The viewer; it outlives every dock, so that a dock may ask at any time."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("The viewer of this workspace is closed.")
        return viewer

    @property
    def image(self) -> Image | None:
        """The layer whose image is worked on."""
        return self._image() if self._image is not None else None

    @property
    def layout(self) -> Layout | None:
        """How the image's voxels lie in its layer, as it stands now."""
        image = self.image
        return layout_of(image) if image is not None else None

    def images(self) -> list[Image]:
        """The layers that can be segmented, those on top first."""
        return [layer for layer in reversed(self.viewer.layers) if is_image(layer)]

    def masks(self) -> list[Labels]:
        """The layers that can serve as a rough mask, those on top first."""
        from napari.layers import Labels

        return [
            layer
            for layer in reversed(self.viewer.layers)
            if isinstance(layer, Labels) and DERIVED not in layer.metadata
        ]

    def use_image(self, layer: Image | None) -> None:
        """Work on the image of this layer."""
        with self.telling():
            volume = volume_of_layer(layer) if layer is not None else None
            previous = self.image
            if previous is not None:
                previous.events.data.disconnect(self._image_changed)
            self._image = weakref.ref(layer) if layer is not None else None
            if layer is not None:
                layer.events.data.connect(self._image_changed)
            self.session.set_volume(volume)
            take_objects_back()
            self._set_aside_soon.start()

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Say the error of what a person asked for in the message line, not in a traceback."""
        try:
            yield
        except ToposegError as error:
            self.signals.failed.emit(str(error))

    def later(self, work: Callable[[], Value], then: Callable[[Value], None], *, owner: QObject | None = None) -> None:
        """Do something in the compute thread, and then go on with what came of it in the window's.

        Parameters
        ----------
        work : callable
            Called in the compute thread.
        then : callable
            Given what came of it, in the window's thread.
        owner : QObject, optional
            Whose business it is: where it is gone by then, nothing is called.
        """

        def go_on(value: Value) -> None:
            if owner is None or isalive(owner):
                then(value)

        self.session.later(work, lambda value: self.signals.hand_over(go_on, value), failed=self.signals.failed.emit)

    def warm_up(self) -> None:
        """Load what a run loads, and compile what numba compiles, so that the first run does not wait for it.

        One part after the other: after an installation it takes half a minute, and outlines come in between.
        """

        def go_on(parts: list[Callable[[], None]]) -> None:
            if parts:
                self.later(parts[0], lambda _: go_on(parts[1:]))

        from napari_toposeg import deformation, topology
        from napari_toposeg.docks.responsiveness import load_labels
        from napari_toposeg.inference.warm_up import leave_one_core, load_optimizers

        # First what napari compiles for labels: it runs on all cores, and has PyTorch in this thread use all of them.
        go_on([load_labels, leave_one_core, deformation.warm_up, topology.warm_up, load_optimizers])

    def _inserted(self, event: Any) -> None:
        if is_image(event.value):
            self._opened = weakref.ref(event.value)
            self._settle_soon.start()

    def _removed(self, event: Any) -> None:
        if event.value is self.image:
            take_objects_back()
            self._settle_soon.start()

    def _running_changed(self, running: bool) -> None:
        if running:
            self.leave_out_of_garbage()  # before there is anything of the run, which is to go after it
        else:
            self._set_aside_soon.start()

    def leave_out_of_garbage(self) -> None:
        """Leave all that there is out of the searches for garbage until the image goes: see `set_objects_aside`.

        Only while there is an image: a window that is closed loses it first, and all of it can go.
        """
        image, viewer = self.image, self._viewer()
        if viewer is not None and image is not None and image in viewer.layers:
            set_objects_aside()

    def _settle(self) -> None:
        """After layers came or went: work on the image that was opened last, or on one that is left.

        Not at once: what is shown of another image goes away, and napari's list must not change within its own events.
        """
        viewer = self._viewer()
        if viewer is None:
            return
        opened, self._opened = self._opened() if self._opened is not None else None, None
        image = self.image
        if opened is not None and opened in viewer.layers:
            if self.session.running and image in viewer.layers:
                self.signals.said.emit(f"{opened.name} is open; the run goes on with the image that it began with.")
            else:
                self.use_image(opened)
        elif image is None or image not in viewer.layers:
            self.use_image(next(iter(self.images()), None))

    def _image_changed(self) -> None:
        """Somebody put other data into the image's layer: what was computed from the old ones is stale."""
        image = self.image
        if image is not None:
            image.metadata.pop(METADATA, None)
            self.use_image(image)


def _once(parent: QObject, do: Callable[[], None], *, after: int) -> QTimer:
    """A timer that, once started, calls `do` after so many milliseconds."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(after)
    timer.timeout.connect(do)
    return timer


def is_image(layer: Layer) -> bool:
    """Whether a layer is an image that somebody opened, not one that we draw."""
    from napari.layers import Image

    return isinstance(layer, Image) and DERIVED not in layer.metadata


def derived(shown: Shown | None = None) -> dict[str, Any]:
    """Metadata of a layer that we draw."""
    return {DERIVED: True} if shown is None else {DERIVED: True, METADATA: shown}
