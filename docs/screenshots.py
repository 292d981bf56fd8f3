"""Takes the pictures of the readme: walks through the real window, step by step, on the project's own images.

    xvfb-run -a -s "-screen 0 1600x1300x24" python docs/screenshots.py [FOLDER/] [--light]

QT_QPA_PLATFORM must not be "offscreen": napari's canvas cannot be drawn there.
"""

from __future__ import annotations

import numpy as np
from walking import Walk, asked, wait  # keeps everybody's own settings out, before napari is imported

from napari_toposeg.data import phantom, phantom_row
from napari_toposeg.docks.shortcut_actions import open_views
from napari_toposeg.docks.views_dock import NAME as VIEWS
from napari_toposeg.frame import box_of

SIZE = (1600, 1120)


def one_organ(walk: Walk) -> None:
    """A ring: placed, run, corrected, looked at."""
    session, segment = walk.session, walk.docks["Segment"]
    walk.sample("torus")
    walk.take("1-open")
    walk.place("torus", 1)
    walk.to_the_middle()
    walk.take("2-prior")

    segment.run_button.click()
    wait(lambda: walk.workspace.layers.preview is not None and len(segment.curve.values) > 90, seconds=0.1)
    walk.take("3-running")
    walk.until_run()
    walk.take("4-certified")

    walk.front("Correct")
    mask, organ = session.mask, phantom("torus").mask
    assert mask is not None
    here = np.zeros(mask.shape, bool)
    here[..., walk.seen_slice()] = True
    missed, hole = np.argwhere(here & organ & ~mask), np.argwhere(here & mask).mean(axis=0)
    session.prompts.add(hole, include=False)
    session.prompts.add(missed[len(missed) // 2], include=True)
    session.brush.paint(missed[:: len(missed) // 6][:1])
    wait(seconds=0.5)
    walk.take("6-correct")
    open_views(walk.workspace)
    views = walk.viewer.window.dock_widgets[VIEWS]
    wait(lambda: views.complete, seconds=1.0)
    walk.take("7-views")
    open_views(walk.workspace)

    deformation = walk.front("Deformation")
    deformation.show_jacobian.setChecked(True)
    deformation.show_vectors.setChecked(True)
    wait(lambda: deformation.table.rowCount() > 0)
    walk.take("5-deformation")


def two_organs(walk: Walk) -> None:
    """A ring and a ball in one image, each with its own prior."""
    ring, ball = (box_of(organ.mask) for organ in phantom_row(("torus", "ball")))
    walk.sample("two_organs")
    walk.place("torus", 1, ring)
    walk.to_the_middle()
    walk.session.change_object(1, name="Ring muscle")
    prior = walk.front("Prior")
    prior.another.click()
    wait(seconds=0.3)
    walk.place("ball", 1, ball)
    walk.session.change_object(2, name="Node")
    walk.run()
    walk.front("Prior")
    walk.take("8-objects")


def main() -> None:
    """Take all of them."""
    folder, themes, _ = asked()
    for theme, suffix in themes:
        for story in (two_organs, one_organ):  # what is compiled when the window opens is, by the second one
            walk = Walk(folder, theme=theme, suffix=suffix, size=SIZE)
            story(walk)
            walk.close()


if __name__ == "__main__":
    main()
