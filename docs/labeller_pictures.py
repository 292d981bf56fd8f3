"""Takes the pictures of the labeller's tutorial: twelve rings, four of them with a label, in the real window.

    xvfb-run -a -s "-screen 0 1280x900x24" python docs/labeller_pictures.py [FOLDER/] [--light] [--large]

The volumes are the project's own phantoms. It trains a small network: some minutes on one core.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from walking import Walk, asked, wait  # keeps everybody's own settings out, before napari is imported

from napari_toposeg.data import phantom
from napari_toposeg.evaluation import dice

SIZE = (1280, 800)
SHAPE = (44, 44, 36)
EPOCHS = 12
"""So few that the network still gets some rings wrong, and there is something to see."""


def label(walk: Walk, place: Path) -> None:
    """Label the folder once."""
    session, labelling = walk.session, walk.session.labelling
    dock = walk.front("Labelling")
    dock.practise(str(place))
    wait(lambda: dock.table.rows.rowCount() > 0)
    truth = {
        f"ring-{number + 1:02}": phantom("torus", SHAPE, seed=number).mask
        for number in range(dock.table.rows.rowCount())
    }
    names = [prior.name for prior in dock.choices._priors]
    dock.choices.prior.setCurrentIndex(1 + names.index("torus"))
    dock.choices.prior.activated.emit(dock.choices.prior.currentIndex())
    dock.choices.network.setCurrentIndex(dock.choices.network.findData("unet"))
    labelling.settings = replace(labelling.settings, network="unet", side=32, epochs=EPOCHS)
    dock.choose("ring-01")
    wait(lambda: labelling.chosen is not None and session.result is not None, seconds=1.0)
    walk.take("labeller-1-open")

    dock.train_button.click()
    wait(lambda: len(labelling.training.dice) > EPOCHS // 2, seconds=0.1)
    walk.take("labeller-2-training")
    wait(lambda: all(row.status != "unlabelled" for row in labelling.rows) and not labelling.proposing, seconds=1.0)
    dock.next_button.click()
    wait(lambda: labelling.chosen is not None and labelling.chosen.name == labelling.rows[0].name, seconds=1.5)
    walk.take("labeller-3-proposed")
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
    walk.take("labeller-4-corrected")
    for _ in range(3):
        name = labelling.chosen.name
        dock.accept_button.click()
        wait(lambda name=name: dock.table.rows.chosen != name, seconds=0.5)
    walk.take("labeller-5-accepted")


def main() -> None:
    """Take all of them."""
    folder, themes, _ = asked()
    for theme, suffix in themes:
        with tempfile.TemporaryDirectory() as place:
            practice = Path(place) / "practice"
            practice.mkdir()
            walk = Walk(folder, theme=theme, suffix=suffix, size=(1920, 1080) if "--large" in sys.argv else SIZE)
            label(walk, practice)
            walk.close()


if __name__ == "__main__":
    main()
