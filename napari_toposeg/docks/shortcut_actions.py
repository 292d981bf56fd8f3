"""What the keys do; buttons of the docks do the same."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.going import go_to
from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from napari_toposeg.docks.workspace import Workspace
    from napari_toposeg.session import Session

Place: TypeAlias = tuple[NDArray[np.float64], str]
"""Canonical voxels, and what is to be seen there."""

_FOLDS = 64
"""The worst places between which a key jumps."""

_hidden: weakref.WeakKeyDictionary[Workspace, list[str]] = weakref.WeakKeyDictionary()
_jumps: weakref.WeakKeyDictionary[Workspace, int] = weakref.WeakKeyDictionary()


def run(workspace: Workspace) -> None:
    """Press Run."""
    workspace.session.run()


def follow_prompts(workspace: Workspace) -> None:
    """Go on from the result so that it follows the prompts."""
    workspace.session.follow_prompts()


def include(workspace: Workspace) -> None:
    """Let clicks and drags include; again, let them move the camera."""
    workspace.prompt_drawing.toggle(include=True)


def exclude(workspace: Workspace) -> None:
    """Let clicks and drags exclude; again, let them move the camera."""
    workspace.prompt_drawing.toggle(include=False)


def paint(workspace: Workspace) -> None:
    """Let drags paint on the mask; again, let them move the camera."""
    _brush(workspace, erase=False)


def erase(workspace: Workspace) -> None:
    """Let drags erase on the mask; again, let them move the camera."""
    _brush(workspace, erase=True)


def _brush(workspace: Workspace, *, erase: bool) -> None:
    layer = workspace.layers.mask
    if layer is None:
        raise ToposegError("There is no mask to paint on.", todo="Press Run first.")
    if workspace.layers.painting.painting == ("erase" if erase else "paint"):
        layer.mode = "pan_zoom"
    else:
        workspace.layers.painting.start(erase=erase)


def accept(workspace: Workspace) -> None:
    """Stand by the mask as it is."""
    workspace.session.accept()
    workspace.signals.said.emit("Accepted, and kept: a crash does not lose it. Save mask… writes it to a file.")


def toggle_lock(workspace: Workspace) -> None:
    """Lock the brush, or unlock it."""
    brush = workspace.session.brush
    brush.locked = not brush.locked
    workspace.signals.said.emit(
        "The brush keeps the topology." if brush.locked else "The brush may break the topology now."
    )


def toggle_overlays(workspace: Workspace) -> None:
    """Hide everything but the image, or show again what was hidden so."""
    layers = workspace.viewer.layers
    names = _hidden.pop(workspace, None)
    if names is not None:
        for name in names:
            if name in layers:
                layers[name].visible = True
        return
    hidden = [layer for layer in layers if layer is not workspace.image and layer.visible]
    for layer in hidden:
        layer.visible = False
    _hidden[workspace] = [layer.name for layer in hidden]


def before_after(workspace: Workspace) -> None:
    """The template as it was placed against the mask that came of it."""
    mask, template = workspace.layers.mask, workspace.layers.template
    if mask is None:
        raise ToposegError("There is no mask to compare.", todo="Press Run first.")
    mask.visible = not mask.visible
    if template is not None:
        template.visible = not mask.visible


def next_trouble(workspace: Workspace) -> None:
    """Go to the next place where the deformation folds; where it does not, to the next bar that is not the prior's."""
    session = workspace.session
    if session.result is None and session.barcode.barcode is None:
        raise ToposegError("There is nowhere to jump to yet.", todo="Press Run first, or look at a barcode.")
    workspace.later(lambda: _folds(session) or _unwanted(session), lambda places: _jump(workspace, places))


def _jump(workspace: Workspace, places: list[Place]) -> None:
    if not places:
        workspace.signals.said.emit("Nothing folds, and no unwanted bar is known: the Barcode dock finds bars.")
        return
    number = (_jumps.get(workspace, -1) + 1) % len(places)
    _jumps[workspace] = number
    index, words = places[number]
    go_to(workspace, index)
    workspace.signals.said.emit(f"{words} ({number + 1} of {len(places)}).")


def _folds(session: Session) -> list[Place]:
    field = session.deformation.field
    return [
        (np.array(cell.index), f"The deformation folds here: determinant {cell.determinant:.2g}")
        for cell in (() if field is None else field.worst_cells(_FOLDS))
        if cell.determinant <= 0
    ]


def _unwanted(session: Session) -> list[Place]:
    barcode, wanted = session.barcode.barcode, session.barcode.wanted
    if barcode is None or len(wanted) != len(barcode):
        return []
    names = ("A piece", "A hole") if barcode.ndim == 2 else ("A piece", "A tunnel", "A cavity")
    bars = [barcode[int(number)] for number in np.flatnonzero(~wanted)[:_FOLDS]]
    return [
        (np.array(bar.birth_voxel, float), f"{names[bar.dimension]} that the prior has not begins here")
        for bar in bars
        if bar.birth_voxel is not None
    ]


def open_views(workspace: Workspace) -> None:
    """Open the other two directions under the main view, or close them."""
    from napari_toposeg.docks.views_dock import show_views

    show_views(workspace)


def undo(workspace: Workspace) -> None:
    """Undo the newest change, and say which."""
    workspace.signals.said.emit(f"Undone: {workspace.session.history.undo()}.")


def redo(workspace: Workspace) -> None:
    """Do again what was undone last, and say what."""
    workspace.signals.said.emit(f"Done again: {workspace.session.history.redo()}.")
