"""Takes the pictures of the guide: walks through the real window, step by step, on the project's own image.

    xvfb-run -a -s "-screen 0 1600x1200x24" python docs/screenshots.py [FOLDER]

QT_QPA_PLATFORM must not be "offscreen": napari's canvas cannot be drawn there.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("NAPARI_CONFIG", "")  # nobody's own settings in the pictures
os.environ.setdefault("TOPOSEG_LAYOUT", "")
os.environ.setdefault("TOPOSEG_AUTOSAVE", tempfile.mkdtemp())

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_toposeg.docks.launch import DOCKS, PLUGIN, open_all
from napari_toposeg.docks.workspace import workspace_of

SIZE = (1600, 1120)
MOST_BYTES = 300_000
FOLDER = Path(__file__).parent / "pictures"
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


def take(viewer: napari.Viewer, folder: Path, name: str) -> None:
    """Save a picture of the whole window; with fewer colours where it would be large."""
    from PIL import Image

    wait(seconds=0.8)
    pixels = viewer.window.screenshot(canvas_only=False, flash=False)
    picture = Image.fromarray(np.asarray(pixels)[..., :3])
    picture.save(folder / f"{name}.png", optimize=True)
    if (folder / f"{name}.png").stat().st_size > MOST_BYTES:
        picture.quantize(256, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)


def walk(folder: Path, *, theme: str, suffix: str = "") -> None:
    """Walk through the window once."""
    napari.settings.get_settings().appearance.theme = theme
    viewer = napari.Viewer(title="Toposeg", show=False)
    viewer.window.resize(*SIZE)
    viewer.show()
    open_all(viewer)
    wait(seconds=0.2)
    viewer.window.resize(*SIZE)
    workspace = workspace_of(viewer)
    session = workspace.session
    docks = {name: viewer.window.add_plugin_dock_widget(PLUGIN, name)[1] for name in DOCKS}
    prior, segment, deformation = (docks[name] for name in ("Prior", "Segment", "Deformation"))
    wait(seconds=4.0)  # the gallery's pictures come from the compute thread

    viewer.open_sample(PLUGIN, "torus")
    wait(lambda: session.volume is not None)
    viewer.fit_to_view()
    take(viewer, folder, f"1-open{suffix}")

    prior.gallery.button("torus").click()
    volume = session.volume
    assert volume is not None
    from napari_toposeg.data import phantom
    from napari_toposeg.frame import box_of, grow_box

    organ = box_of(phantom("torus").mask)
    assert organ is not None
    prior.drawing.set_box(grow_box(organ, (1, 1, 1)))
    viewer.dims.set_point(0, float(np.mean(viewer.dims.range[0][:2])))
    wait(lambda: workspace.layers.template is not None, seconds=1.0)
    take(viewer, folder, f"2-prior{suffix}")

    segment.run_button.click()
    wait(lambda: workspace.layers.preview is not None and len(segment.curve.values) > 90, seconds=0.1)
    take(viewer, folder, f"3-running{suffix}")

    wait(lambda: not session.running and session.result is not None, seconds=1.0)
    if workspace.layers.template is not None:
        workspace.layers.template.visible = False
    take(viewer, folder, f"4-certified{suffix}")

    deformation.parent().show()
    deformation.parent().raise_()
    deformation.show_jacobian.setChecked(True)
    deformation.show_vectors.setChecked(True)
    wait(lambda: deformation.table.rowCount() > 0)
    take(viewer, folder, f"5-deformation{suffix}")
    session.close()
    viewer.close()


def main() -> None:
    """Take all of them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    walk(folder, theme="dark")
    if "--light" in sys.argv:
        walk(folder, theme="light", suffix="-light")


if __name__ == "__main__":
    main()
