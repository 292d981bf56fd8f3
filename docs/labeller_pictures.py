"""Takes the pictures of the labeller's tutorial: twelve rings, four of them with a label, in the real window.

    xvfb-run -a -s "-screen 0 1280x900x24" python docs/labeller_pictures.py [FOLDER] [--light]

The volumes are the project's own phantoms. It trains a small network: some minutes on one core.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("NAPARI_CONFIG", "")  # nobody's own settings in the pictures

import napari
import numpy as np
from screenshots import FOLDER, take, wait

from napari_toposeg.data import phantom
from napari_toposeg.docks.launch import DOCKS, PLUGIN, open_all
from napari_toposeg.docks.workspace import workspace_of
from napari_toposeg.evaluation import dice
from napari_toposeg.formats import write_image, write_mask

SIZE = (1280, 800)
VOLUMES, LABELLED = 12, 4
EPOCHS = 12
"""So few that the network still gets some rings wrong, and there is something to see."""


def make_folders(place: Path) -> dict[str, np.ndarray]:
    """Write the volumes and the labels of the first of them; the right answer of each, by name."""
    truth = {}
    for number in range(VOLUMES):
        ring, name = phantom("torus", (44, 44, 36), seed=number), f"ring-{number + 1:02}"
        truth[name] = ring.mask
        for folder in ("rings", "labels"):
            (place / folder).mkdir(exist_ok=True)
        write_image(ring.volume, place / "rings" / f"{name}.nii.gz")
        if number < LABELLED:
            write_mask(ring.mask, ring.volume, place / "labels" / f"{name}.nii.gz")
    return truth


def walk(folder: Path, place: Path, *, theme: str, suffix: str = "") -> None:
    """Label the folder once."""
    truth = make_folders(place)
    napari.settings.get_settings().appearance.theme = theme
    viewer = napari.Viewer(title="Toposeg", show=False)
    viewer.window.resize(*SIZE)
    viewer.show()
    open_all(viewer)
    wait(seconds=0.2)
    viewer.window.resize(*SIZE)
    workspace = workspace_of(viewer)
    session = workspace.session
    labelling = session.labelling
    docks = {name: viewer.window.add_plugin_dock_widget(PLUGIN, name)[1] for name in DOCKS}
    dock = docks["Labelling"]
    holder = dock.parentWidget()
    while not hasattr(holder, "setTitleBarWidget"):
        holder = holder.parentWidget()
    holder.raise_()
    wait(seconds=4.0)  # the gallery's pictures come from the compute thread

    dock.open(str(place / "rings"), str(place / "labels"))
    wait(lambda: dock.table.rows.rowCount() == VOLUMES)
    names = [prior.name for prior in dock.choices._priors]
    dock.choices.prior.setCurrentIndex(1 + names.index("torus"))
    dock.choices.prior.activated.emit(dock.choices.prior.currentIndex())
    dock.choices.network.setCurrentIndex(dock.choices.network.findData("unet"))
    labelling.settings = replace(labelling.settings, network="unet", side=32, epochs=EPOCHS)
    dock.choose("ring-01")
    wait(lambda: labelling.chosen is not None and session.result is not None, seconds=1.0)
    take(viewer, folder, f"labeller-1-open{suffix}")

    dock.train_button.click()
    wait(lambda: len(labelling.training.dice) > EPOCHS // 2, seconds=0.1)
    take(viewer, folder, f"labeller-2-training{suffix}")
    wait(lambda: all(row.status != "unlabelled" for row in labelling.rows) and not labelling.proposing, seconds=1.0)
    dock.next_button.click()
    wait(lambda: labelling.chosen is not None and labelling.chosen.name == labelling.rows[0].name, seconds=1.5)
    take(viewer, folder, f"labeller-3-proposed{suffix}")
    for row in labelling.rows:
        mask = labelling.folder.read(row.name)[1]
        print(
            row.name,
            row.status,
            row.found,
            row.disagreement,
            row.uncertainty,
            f"Dice {dice(mask, truth[row.name]):.3f}",
        )

    # A hand that knows the answer; the brush flips simple points only.
    session.brush.take(truth[labelling.chosen.name], "Edited by hand")
    wait(seconds=1.0)
    take(viewer, folder, f"labeller-4-corrected{suffix}")
    for _ in range(3):
        name = labelling.chosen.name
        dock.accept_button.click()
        wait(lambda name=name: dock.table.rows.chosen != name, seconds=0.5)
    take(viewer, folder, f"labeller-5-accepted{suffix}")
    session.close()
    viewer.close()


def main() -> None:
    """Take all of them."""
    folders = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    folder = folders[0] if folders else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for theme, suffix in (("dark", ""), *((("light", "-light"),) if "--light" in sys.argv else ())):
        with tempfile.TemporaryDirectory() as place:
            practice = Path(place) / "practice"
            practice.mkdir()
            walk(folder, practice, theme=theme, suffix=suffix)


if __name__ == "__main__":
    main()
