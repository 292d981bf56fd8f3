"""Figures of a session's mask: those of the evaluation, of the right voxels, in files that say so."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from napari_toposeg.data import Phantom, phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import evaluate_case, measure_shape
from napari_toposeg.formats import write_image
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session
from napari_toposeg.session.measure_table import tab_separated
from napari_toposeg.volume import Volume


@pytest.fixture(scope="module")
def ball() -> Phantom:
    return phantom("ball", (24, 26, 20), seed=3)


@pytest.fixture
def session(ball):
    session = Session()
    session.set_volume(ball.volume)
    yield session
    session.close()


def texts(measures) -> dict[str, str]:
    return {row.what: " ".join((*row.texts, row.unit)).strip() for row in measures.rows()}


def test_the_figures_are_those_of_the_evaluation(session, ball) -> None:
    reference = np.roll(ball.mask, 1, axis=0)
    session.measurements.choose_mask(ball.mask, name="By hand")
    session.measurements.choose_reference(reference, name="Truth")
    measures = session.measurements.measure()
    (found,) = measures.objects
    spacing = ball.volume.spacing
    assert found.shape == measure_shape(ball.mask, spacing)
    assert found.comparison == evaluate_case(ball.mask, reference, spacing, name=ball.volume.name)
    assert (measures.mask, measures.reference, measures.unit) == ("By hand", "Truth", "mm")
    said = texts(measures)
    millilitres = ball.mask.sum() * np.prod(spacing) / 1000
    assert said["Volume"] == f"{millilitres:.3f} ml"
    assert said["Topology"] == "one piece, no holes"
    assert said["Betti numbers"] == "1, 0, 0 26/6"
    assert said["Dice"] == f"{found.comparison.dice:.3f}"
    assert said["Hausdorff, 95 %"] == f"{found.comparison.hausdorff_95:.2f} mm"
    assert said["Volume error"] == "0.0 %"
    assert said["Betti error"] == "0"


def test_the_result_is_measured_and_after_an_edit_what_was_made_of_it(session, ball) -> None:
    with pytest.raises(ToposegError, match="nothing to measure"):
        session.measurements.measure()
    session.settings = Settings(iterations=10)
    session.choose_prior("ball")
    session.place_on_mask(ball.mask)
    session.run()
    assert session.wait(60)
    mask = session.result.full_mask()
    measures = session.measurements.measure()
    assert measures.mask == "result"
    assert measures.objects[0].shape.voxels == mask.sum()
    edited = mask.astype(np.uint8)
    edited[0, 0, 0] = 1
    session.edit(edited)
    measures = session.measurements.measure()
    assert measures.mask == "result, edited by hand"
    assert measures.objects[0].shape.voxels == mask.sum() + 1
    assert texts(measures)["Topology"] == "two pieces, no holes"


def test_each_object_of_a_label_map_is_compared_with_its_own_label(session, ball) -> None:
    labels, reference = np.zeros((2, *ball.volume.shape), np.uint8)
    labels[2:8, 2:8, 2:8], labels[12:20, 12:20, 4:14] = 3, 7
    reference[2:8, 2:8, 2:8], reference[12:20, 12:20, 4:16] = 3, 7
    session.measurements.choose_mask(labels)
    session.measurements.choose_reference(reference)
    measures = session.measurements.measure()
    assert measures.head() == ("What", "Label 3", "Label 7", "Unit")
    assert [one.shape.voxels for one in measures.objects] == [216, 640]
    assert [one.comparison.dice for one in measures.objects] == [1.0, pytest.approx(2 * 640 / (640 + 768))]
    surface = session.measurements.distances()
    first = (surface.mesh.vertices < 10).all(axis=1)
    assert surface.distances[first] == pytest.approx(0.0, abs=1e-9)
    # The top of the second one lies two slices too low.
    assert surface.distances.min() == pytest.approx(-2 * ball.volume.spacing[2])
    # Each triangle belongs to one object.
    assert (first[surface.mesh.faces].sum(axis=1) % 3 == 0).all()


def test_one_object_is_compared_with_the_label_that_was_asked_for(session, ball) -> None:
    reference = np.zeros(ball.volume.shape, np.uint8)
    reference[4:10, 4:10, 4:10], reference[10:14, 4:10, 4:10] = 1, 2
    session.measurements.choose_mask(reference == 1)
    session.measurements.choose_reference(reference, label=1)
    assert session.measurements.measure().objects[0].comparison.dice == 1.0
    session.measurements.choose_reference(reference)
    assert session.measurements.measure().objects[0].comparison.recall == pytest.approx(0.6)


def test_the_files_say_what_the_table_says(session, ball, tmp_path) -> None:
    session.measurements.choose_mask(ball.mask, name="By hand")
    session.measurements.choose_reference(np.roll(ball.mask, 2, axis=1), name="Truth")
    measures = session.measurements.measure()
    for ending in ("csv", "json", "md"):
        session.measurements.save(tmp_path / f"figures.{ending}")
    with (tmp_path / "figures.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["what", "value", "unit"]
    in_full = {what: value for what, value, _ in rows}
    (one,) = measures.objects
    assert float(in_full["Volume"]) == one.shape.volume / 1000
    assert float(in_full["Hausdorff"]) == one.comparison.hausdorff
    kept = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert kept["objects"][0]["shape"] == one.shape.as_dict()
    assert kept["objects"][0]["comparison"] == one.comparison.as_dict()
    written = (tmp_path / "figures.md").read_text(encoding="utf-8").splitlines()
    assert written[0] == f"{ball.volume.name}: By hand, compared with Truth."
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in written[4:]]
    assert cells == [(row.what, *row.texts, row.unit) for row in measures.rows()]
    copied = [line.split("\t") for line in tab_separated(measures).split("\n")]
    assert copied[1:] == [[row.what, *row.texts, row.unit] for row in measures.rows()]
    with pytest.raises(ToposegError, match=r"figures\.xlsx is no file for a table"):
        session.measurements.save(tmp_path / "figures.xlsx")


def test_there_is_no_distance_to_what_is_not_there(session, ball) -> None:
    session.measurements.choose_mask(ball.mask)
    with pytest.raises(ToposegError, match="no reference"):
        session.measurements.distances()
    session.measurements.choose_reference(np.zeros(ball.volume.shape))
    said = texts(session.measurements.measure())
    assert said["Hausdorff"] == "- mm"
    assert said["Dice"] == "0.000"
    with pytest.raises(ToposegError, match="The reference is empty"):
        session.measurements.distances()


def test_another_image_forgets_what_lay_on_the_old_ones_grid(session, ball) -> None:
    told = []
    session.measurements.choose_mask(ball.mask)
    session.measurements.choose_reference(ball.mask, name="Truth")
    session.measurements.events.chosen.connect(lambda: told.append(session.measurements.reference))
    session.set_volume(phantom("ball", (20, 20, 20), seed=1).volume)
    assert told == [None]
    with pytest.raises(ToposegError, match="does not lie on the image's grid"):
        session.measurements.choose_reference(ball.mask)


def test_pictures_are_measured_in_pixels_and_plane_images_in_square_millimetres(session, tmp_path) -> None:
    disc = np.hypot(*np.meshgrid(np.arange(40) - 20, np.arange(50) - 22, indexing="ij")) < 12
    plane = Volume.from_stored(disc.astype(np.uint8), np.diag([0.5, 0.5, 1, 1]))
    session.set_volume(plane)
    session.measurements.choose_mask(plane.voxels)
    said = texts(session.measurements.measure())
    assert said["Area"] == f"{disc.sum() * 0.25:.1f} mm²"
    assert "Principal axis, middle" not in said
    write_image(Volume.from_stored(disc.astype(np.uint8) * 255, np.eye(4)), tmp_path / "disc.png")
    picture = session.open(tmp_path / "disc.png")
    session.measurements.choose_mask(picture.voxels)
    assert texts(session.measurements.measure())["Area"] == f"{disc.sum():.1f} px²"


def test_an_image_is_not_taken_for_a_label_map(session) -> None:
    session.measurements.choose_mask(np.arange(24 * 26 * 20).reshape(24, 26, 20), name="T1")
    with pytest.raises(ToposegError, match="T1 has 12,479 labels"):
        session.measurements.measure()
