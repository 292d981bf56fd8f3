"""Several objects in the window: a table, an outline each, one run, one label map."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest

from napari_toposeg.data import phantom_row
from napari_toposeg.docks.display import from_display
from napari_toposeg.docks.object_layers import MASKS_NAME, TEMPLATES_NAME
from napari_toposeg.formats import write_image
from napari_toposeg.frame import box_of, box_slices, grow_box


@pytest.fixture(scope="module")
def organs():
    return phantom_row(("torus", "ball"), (34, 40, 26), seed=1)


def open_both(window, organs, tmp_path) -> None:
    """A ring and a ball, each chosen in the gallery and placed in a drawn box."""
    write_image(organs[0].volume, tmp_path / "organs.nii.gz")
    window.open(tmp_path / "organs.nii.gz")
    ring, ball = (grow_box(box_of(organ.mask), (1, 1, 1)) for organ in organs)
    window.place(ring, "torus")
    assert not window.prior.objects.isVisible()
    window.prior.another.click()
    assert window.session.placement is None
    assert window.prior.drawing.box is None
    window.place(ball, "ball")
    window.until(lambda: window.workspace.object_layers.layer(TEMPLATES_NAME) is not None)


def drawn(window, name):
    """What a layer of the other objects shows, on the whole canonical grid."""
    layer = window.workspace.object_layers.layer(name)
    values = from_display(np.asarray(layer.data))
    if values.shape == window.session.volume.shape:
        return values
    whole = np.zeros(window.session.volume.shape, np.uint8)
    whole[box_slices(window.session.other_outlines()[1])] = values
    return whole


def colour_of(layer, label: int = 1):
    return [float(part) for part in layer.colormap.map(np.array([label]))[0][:3]]


def test_two_shapes_are_placed_run_certified_and_saved_as_one_label_map(window, organs, tmp_path) -> None:
    open_both(window, organs, tmp_path)
    session, table = window.session, window.prior.objects.table
    assert table.isVisible()
    assert [[table.item(row, column).text() for column in range(1, 5)] for row in range(2)] == [
        ["Object 1", "1", "Ring", "placed"],
        ["Object 2", "2", "Ball", "placed"],
    ]
    table.item(0, 1).setText("Ring muscle")
    table.item(1, 2).setText("7")
    assert [(one.name, one.label) for one in session.objects] == [("Ring muscle", 1), ("Object 2", 7)]
    table.item(1, 1).setText("Ring muscle")
    assert table.item(1, 1).text() == "Object 2"
    assert "already" in window.line.message.text()

    # Both outlines are there before anything runs, each in its colour.
    ring_site = session.objects[0].site
    window.until(lambda: window.workspace.object_layers.layer(TEMPLATES_NAME).metadata is not None)
    outlined = drawn(window, TEMPLATES_NAME)
    assert set(np.unique(outlined)) == {0, 1}
    assert box_of(outlined)[0][0] >= ring_site.within[0][0] - 1
    template = window.workspace.layers.template
    window.until(lambda: np.allclose(colour_of(template), [0xB3 / 255, 0x88 / 255, 1.0], atol=0.01))

    assert window.segment.run_button.text() == "Run 2 objects"
    stages = []
    window.workspace.signals.steps.connect(lambda steps: stages.extend(step.stage for step in steps))
    window.run(iterations=12)
    assert {stage.split(": ")[0] for stage in stages} >= {"Ring muscle", "Object 2"}
    window.until(lambda: window.workspace.object_layers.layer(MASKS_NAME) is not None)
    ring, ball = (one.voxels() for one in session.objects)
    assert np.array_equal(drawn(window, MASKS_NAME), ring.astype(np.uint8))
    assert np.array_equal(from_display(np.asarray(window.workspace.layers.mask.data)) != 0, ball)
    for voxels, organ in zip((ring, ball), organs, strict=True):
        assert 2 * (voxels & organ.mask).sum() / (voxels.sum() + organ.mask.sum()) > 0.75
    assert [table.item(row, 4).text() for row in range(2)] == ["✓ 1 1 0", "✓ 1 0 0"]
    assert "Certified" in window.line.badge.text()
    assert "Ring muscle: one piece, one tunnel" in window.line.sentence.text()

    window.segment.save(str(tmp_path / "both.nii.gz"))
    window.until(lambda: "Saved" in window.line.message.text())
    written = nibabel.load(tmp_path / "both.nii.gz")
    source = nibabel.load(tmp_path / "organs.nii.gz")
    assert np.array_equal(written.affine, source.affine)
    assert np.array_equal(
        np.asarray(written.dataobj), session.volume.to_stored(np.where(ring, 1, np.where(ball, 7, 0)))
    )
    report = json.loads((tmp_path / "both_report.json").read_text())
    assert [(one["label"], one["name"]) for one in report["objects"]] == [(1, "Ring muscle"), (7, "Object 2")]


def test_a_row_brings_its_object_back_with_its_box_and_what_was_painted(window, organs, tmp_path) -> None:
    open_both(window, organs, tmp_path)
    window.run(iterations=12)
    session, table = window.session, window.prior.objects.table
    window.until(lambda: window.workspace.layers.mask is not None)
    ball_box = window.prior.drawing.box
    session.brush.locked = False
    session.brush.radius = 0.0
    voxel = np.argwhere(session.mask)[0]
    session.brush.erase(voxel.astype(float))
    window.until(lambda: not from_display(np.asarray(window.workspace.layers.mask.data))[tuple(voxel)])
    table.selectRow(0)
    window.until(lambda: window.workspace.object_layers.layer(MASKS_NAME) is not None)
    assert window.prior.gallery.button("torus").isChecked()
    assert window.prior.drawing.box == session.site.within
    assert np.array_equal(from_display(np.asarray(window.workspace.layers.mask.data)) != 0, session.mask)
    window.until(lambda: set(np.unique(drawn(window, MASKS_NAME))) == {0, 2})
    assert not drawn(window, MASKS_NAME)[tuple(voxel)]
    placed = session.objects[1].placement
    # The tools act on the selected row alone.
    window.prior.drawing.set_box(grow_box(session.site.within, (1, 1, 1)))
    window.until(lambda: session.site.within == window.prior.drawing.box)
    table.selectRow(1)
    assert window.prior.drawing.box == ball_box
    assert session.placement is placed
    assert not session.mask[tuple(voxel)]
    assert sum(layer.name.startswith("Mask") for layer in window.viewer.layers) == 1

    window.prior.objects.remove_button.click()
    assert not window.prior.objects.isVisible()
    assert window.prior.another.isVisible()
    assert MASKS_NAME not in window.viewer.layers
    assert TEMPLATES_NAME not in window.viewer.layers
