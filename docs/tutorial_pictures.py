"""Takes the pictures of the tutorials: walks through the real window as they say, on the project's own images.

    xvfb-run -a -s "-screen 0 1280x800x24" python docs/tutorial_pictures.py [FOLDER/] [STORY] [--light] [--large]

The screen of 1280x800 is that of the smallest laptop on which the docks have to find room; with --large give it one of
1920x1080, to look at. QT_QPA_PLATFORM must not be "offscreen": napari's canvas cannot be drawn there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from walking import Walk, asked, wait  # keeps everybody's own settings out, before napari is imported


def radiologist(walk: Walk) -> None:
    """A ring, by the network that comes with the plugin, measured and saved."""
    walk.sample("annulus")
    walk.take("radiologist-1-open")
    walk.place("annulus", 2)
    walk.take("radiologist-2-place")
    segment = walk.front("Segment")
    wait(lambda: segment.method.network.currentText().startswith("Automatic: synthetic"))
    walk.run()
    walk.take("radiologist-3-certified")
    walk.front("Measure")
    wait(seconds=1.5)
    walk.take("radiologist-4-measured")
    with TemporaryDirectory() as place:
        walk.front("Segment").save(str(Path(place) / "ring_mask.nii.gz"))
        wait((Path(place) / "ring_mask_report.json").exists, seconds=0.5)


def researcher(walk: Walk) -> None:
    """A ball, its deformation, the barcode of a broken map, and a fine-tuning that is accepted and reverted."""
    session, viewer = walk.session, walk.viewer
    walk.sample("ball_and_map")
    session.network = "none"
    walk.place("ball", 1)
    walk.run()
    walk.take("researcher-1-certified")

    deformation = walk.front("Deformation")
    deformation.show_jacobian.setChecked(True)
    wait(lambda: deformation.table.rowCount() > 0 and deformation.layers.settled)
    deformation.tabs.setCurrentIndex(2)
    deformation.table.selectRow(0)
    walk.take("researcher-2-worst-cell")
    deformation.show_jacobian.setChecked(False)

    viewer.layers["map"].visible = True
    barcode = walk.front("Barcode")
    wait(lambda: not session.barcode.computing, seconds=0.5)
    number = next(row for row in range(barcode.source.count()) if "map" in barcode.source.itemText(row))
    barcode.where.setCurrentIndex(barcode.where.findData("all"))
    barcode.source.setCurrentIndex(number)
    barcode.source.activated.emit(number)
    wait(lambda: not session.barcode.computing and barcode.plot.bars.place_of(0) is not None, seconds=1.0)
    bars = session.barcode.barcode
    assert bars is not None
    cavity = next(number for number in range(len(bars)) if bars[number].dimension == 2)
    barcode.plot.chosen.emit(cavity)
    walk.take("researcher-3-barcode")

    tuning = walk.front("Fine-tune")
    tuning.choices.source.choose(viewer.layers["map"])
    wait(tuning.start_button.isEnabled)
    tuning.start_button.click()
    wait(tuning.accept_button.isEnabled, seconds=1.0)
    walk.take("researcher-4-proposed")
    tuning.accept_button.click()
    wait(lambda: tuning.revert_button.text() == "Revert", seconds=0.5)
    tuning.revert_button.click()
    wait(tuning.accept_button.isEnabled, seconds=0.5)


STORIES: dict[str, Callable[[Walk], None]] = {"radiologist": radiologist, "researcher": researcher}


def main() -> None:
    """Take all of them, or those of the stories that are named."""
    folder, themes, named = asked()
    size = (1920, 1080) if "--large" in sys.argv else (1280, 800)
    for theme, suffix in themes:
        for name, story in STORIES.items():
            if name in named or not named:
                walk = Walk(folder, theme=theme, suffix=suffix, size=size)
                story(walk)
                walk.close()


if __name__ == "__main__":
    main()
