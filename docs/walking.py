"""What the scripts that take pictures share: the real window with its docks, and what a person does in it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("NAPARI_CONFIG", "")  # nobody's own settings in the pictures
os.environ.setdefault("TOPOSEG_LAYOUT", "")
os.environ.setdefault("TOPOSEG_AUTOSAVE", tempfile.mkdtemp())

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_toposeg.data import phantom
from napari_toposeg.docks.launch import DOCKS, PLUGIN, open_all
from napari_toposeg.docks.workspace import Workspace, workspace_of
from napari_toposeg.frame import Box, box_of, grow_box

FOLDER = Path(__file__).parent / "pictures"
MOST_BYTES = 300_000
_PATIENCE = 300.0


def wait(until: Callable[[], bool] | None = None, *, seconds: float = 0.4) -> None:
    """Let the window live until something is so, and for a moment more."""
    begun = time.monotonic()
    while until is not None and not until():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() - begun > _PATIENCE:
            raise TimeoutError("The window did not get there.")
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        QApplication.processEvents()
        time.sleep(0.01)


def save(pixels: np.ndarray, path: Path) -> None:
    """Save a picture; with fewer colours where it would be large."""
    from PIL import Image

    picture = Image.fromarray(np.asarray(pixels)[..., :3])
    picture.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def asked() -> tuple[Path, tuple[tuple[str, str], ...], list[str]]:
    """What the command line says: the folder, the themes with their suffixes, and all words that are no option."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    themes = (("dark", ""), *((("light", "-light"),) if "--light" in sys.argv else ()))
    folders = [word for word in words if os.sep in word]
    folder = Path(folders[0]) if folders else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder, themes, [word for word in words if word not in folders]


class Walk:
    """A window in which somebody walks.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    theme : {"dark", "light"}
        Of the window.
    suffix : str
        Of the pictures' names.
    size : (int, int)
        Of the window, in pixels.
    """

    def __init__(self, folder: Path, *, theme: str, suffix: str = "", size: tuple[int, int]) -> None:
        self.folder, self.suffix = folder, suffix
        napari.settings.get_settings().appearance.theme = theme
        self.viewer = napari.Viewer(title="Toposeg", show=False)
        self.viewer.window.resize(*size)
        self.viewer.show()
        open_all(self.viewer)
        wait(seconds=0.2)
        self.viewer.window.resize(*size)
        self.workspace: Workspace = workspace_of(self.viewer)
        self.session = self.workspace.session
        self.docks = {name: self.viewer.window.add_plugin_dock_widget(PLUGIN, name)[1] for name in DOCKS}
        wait(lambda: bool(self.docks["Prior"].gallery.priors), seconds=4.0)  # its pictures come from the compute thread

    def front(self, name: str) -> Any:
        """Bring a dock to the front."""
        dock = self.docks[name]
        dock.parent().show()
        dock.parent().raise_()
        wait(seconds=0.3)
        return dock

    def take(self, name: str) -> None:
        """Save a picture of the whole window."""
        wait(seconds=0.8)
        pixels = self.viewer.window.screenshot(canvas_only=False, flash=False)
        save(pixels, self.folder / f"{name}{self.suffix}.png")

    def sample(self, key: str) -> None:
        """Open a sample."""
        before = self.session.volume
        self.viewer.open_sample(PLUGIN, key)
        wait(lambda: self.session.volume is not before)
        self.viewer.fit_to_view()

    def place(self, prior: str, margin: int, box: Box | None = None) -> None:
        """Choose a prior and put its box where the organ of the sample is, or where it is said to be."""
        dock = self.front("Prior")
        organ = box or box_of(phantom(prior).mask)
        assert organ is not None
        dock.gallery.button(prior).click()
        before = self.session.placement
        dock.drawing.set_box(grow_box(organ, (margin,) * len(organ)))
        wait(lambda: self.session.placement is not before and self.workspace.layers.template is not None, seconds=1.0)

    def to_the_middle(self) -> None:
        """Look at the middle slice."""
        self.viewer.dims.set_point(0, float(np.mean(self.viewer.dims.range[0][:2])))

    def seen_slice(self) -> int:
        """Which slice is seen, as canonical voxels count them."""
        image, layout = self.workspace.image, self.workspace.layout
        assert image is not None
        assert layout is not None
        return round(float(layout.canonical_index(np.asarray(image.world_to_data(self.viewer.dims.point)))[-1]))

    def run(self) -> None:
        """Press Run, and wait for the certificate; the template is hidden then."""
        self.front("Segment").run_button.click()
        self.until_run()

    def until_run(self) -> None:
        """Wait for the certificate; the template is hidden then."""
        wait(lambda: not self.session.running and self.session.result is not None, seconds=1.0)
        template = self.workspace.layers.template
        if template is not None:
            template.visible = False

    def close(self) -> None:
        """Close the window."""
        self.session.close()
        self.viewer.close()
