"""The keys of the window: one table, from which they are bound, shown in tooltips and listed on a sheet."""

from __future__ import annotations

import html
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from napari_toposeg.docks import shortcut_actions as actions

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_toposeg.docks.workspace import Workspace


@dataclass(frozen=True)
class Shortcut:
    """One key.

    Attributes
    ----------
    key : str
        As napari writes it: "Control-Shift-Z".
    what : str
        What it does, as a person reads it.
    act : callable
        Does it.
    """

    key: str
    what: str
    act: Callable[[Workspace], None]

    @property
    def shown(self) -> str:
        """The key as keyboards have it: "Ctrl+Shift+Z"."""
        return self.key.replace("Control", "Ctrl").replace("-", "+")


def key_of(act: Callable[[Workspace], None]) -> str:
    """The key of an action, for a tooltip: " (Ctrl+Z)"."""
    shortcut = BY_ACTION.get(act)
    return f" ({shortcut.shown})" if shortcut is not None else ""


def bind_shortcuts(workspace: Workspace, model: ViewerModel | None = None) -> None:
    """Bind all keys in the workspace's viewer, or in another one beside it; a second time changes nothing."""
    for shortcut in SHORTCUTS:
        (model or workspace.viewer).bind_key(shortcut.key, _handler(workspace, shortcut.act), overwrite=True)


def bind_history(workspace: Workspace, layer: Layer) -> None:
    """Let undo and redo of a layer that we draw be the session's: napari's own of labels knows one slice only."""
    for act in (actions.undo, actions.redo):
        layer.bind_key(BY_ACTION[act].key, _handler(workspace, act), overwrite=True)


def keys_of_docks() -> tuple[tuple[str, str], ...]:
    """The keys that a dock hears by itself, while it is open, and what they do."""
    from napari_toposeg.docks import labelling_dock, tuning_dock

    return (
        (tuning_dock.KEY, "Fine-tune: from before to after and to both"),
        (labelling_dock.ACCEPT, "Labelling: accept the mask, and go to the next volume"),
        (labelling_dock.NEXT, "Labelling: the next volume"),
        (labelling_dock.PREVIOUS, "Labelling: the volume before"),
    )


def sheet_text() -> str:
    """All keys as a table in HTML."""
    keys = [*((one.shown, one.what) for one in SHORTCUTS), *keys_of_docks()]
    rows = "".join(
        f"<tr><td style='padding: 3px 18px 3px 0'><b>{html.escape(key)}</b></td>"
        f"<td style='padding: 3px 0'>{html.escape(what)}</td></tr>"
        for key, what in keys
    )
    return f"<table>{rows}</table>"


class ShortcutSheet(QDialog):
    """All keys on one sheet."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys of Toposeg")
        self.text = QLabel(sheet_text())
        self.text.setTextFormat(Qt.TextFormat.RichText)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(20, 16, 20, 16)
        rows.addWidget(self.text)


def show_sheet(workspace: Workspace) -> None:
    """Open the sheet; a window stays usable behind it."""
    line = workspace.viewer.window.dock_widgets.get("Certificate")
    parent = None if line is None else line.window()
    sheet = ShortcutSheet(parent)
    sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    sheet.show()


# Letters that no layer of napari's uses: a layer's own keys come before the viewer's.
SHORTCUTS = (
    Shortcut("G", "Go: run", actions.run),
    Shortcut("Shift-G", "Follow the prompts from here", actions.follow_prompts),
    Shortcut("Shift-I", "Include: points by a click, scribbles by a drag", actions.include),
    Shortcut("Shift-E", "Exclude: points by a click, scribbles by a drag", actions.exclude),
    Shortcut("Shift-B", "Brush: paint on the mask", actions.paint),
    Shortcut("Shift-R", "Rubber: erase on the mask", actions.erase),
    Shortcut("Shift-Y", "Yes: accept the mask as it stands", actions.accept),
    Shortcut("Shift-U", "Lock the brush, or unlock it", actions.toggle_lock),
    Shortcut("H", "Hide all overlays, or show them again", actions.toggle_overlays),
    Shortcut("Q", "Before: hide the mask and show the template, or back", actions.before_after),
    Shortcut("J", "Jump to the next fold, or unwanted bar", actions.next_trouble),
    Shortcut("Shift-O", "Open the other two directions beside this one, or close them", actions.open_views),
    Shortcut("Control-Z", "Undo", actions.undo),
    Shortcut("Control-Shift-Z", "Redo", actions.redo),
    Shortcut("Shift-H", "This sheet of keys", show_sheet),
)

BY_ACTION = {shortcut.act: shortcut for shortcut in SHORTCUTS}


def _handler(workspace: Workspace, act: Callable[[Workspace], None]) -> Callable[[Any], None]:
    # By its viewer: layers outlive neither, and must not keep either alive.
    viewer = weakref.ref(workspace.viewer)

    def do(_: Any) -> None:
        from napari_toposeg.docks.workspace import workspace_of

        held = viewer()
        if held is not None:
            known = workspace_of(held)
            with known.telling():
                act(known)

    return do
