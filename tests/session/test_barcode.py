"""The barcode of a session, without a window."""

from __future__ import annotations

import csv
import json
import threading

import gudhi
import numpy as np
import pytest

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_barcode, read_volume, write_image
from napari_toposeg.frame import box_of, box_slices, grow_box
from napari_toposeg.inference import Settings
from napari_toposeg.session import Session, barcode_map
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

SHAPES = {"annulus": (72, 64), "torus": (30, 34, 26)}


@pytest.fixture
def session():
    made = Session()
    made.settings = Settings(iterations=20)
    yield made
    made.close()


def placed(session: Session, prior: str):
    image = phantom(prior, SHAPES[prior], seed=3)
    session.set_volume(image.volume)
    session.choose_prior(prior)
    session.place_in_box(grow_box(box_of(image.mask), [1] * image.mask.ndim))
    return image


def segmented(session: Session, prior: str):
    image = placed(session, prior)
    session.run()
    assert session.wait(120)
    assert session.result.certificate.topology_ok
    return image


def found(session: Session):
    assert session.barcode.wait(120)
    return session.barcode.barcode


def map_values(session: Session) -> np.ndarray:
    """The map's levels on the whole volume, not a number where it does not reach."""
    whole = np.full(session.volume.shape, np.nan, np.float32)
    whole[box_slices(session.barcode.map.box)] = session.barcode.map.levels
    return whole


def smooth_map(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random(shape)
    return sum(np.roll(noise, step, axis) for axis in range(len(shape)) for step in (0, 1, 2)) / (3 * len(shape))


@pytest.mark.parametrize(("prior", "betti"), [("annulus", (1, 1)), ("torus", (1, 1, 0))])
def test_the_certified_mask_has_the_prior_s_bars_and_no_others(session, prior, betti) -> None:
    segmented(session, prior)
    session.barcode.of_mask(distance=False)
    bars = found(session)
    assert tuple(np.bincount(bars.dimension, minlength=len(betti))) == betti
    assert session.barcode.wanted.all()
    assert session.barcode.betti_at() == betti
    assert session.barcode.right_levels.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("prior", ["annulus", "torus"])
def test_the_distance_of_the_mask_is_a_mask_where_it_is_0_and_says_so_in_mm(session, prior) -> None:
    segmented(session, prior)
    session.barcode.of_mask()
    found(session)
    result, scale = session.result, session.barcode.scale
    assert scale.name == "distance, mm"
    assert scale.value(session.barcode.threshold) == pytest.approx(0.0, abs=1e-6)
    assert np.array_equal(session.barcode.super_level_set(), result.mask)
    assert session.barcode.betti_at() == result.prior.betti


def test_the_warped_template_has_the_topology_of_the_prior_before_any_repair(session) -> None:
    segmented(session, "torus")
    session.barcode.of_template()
    found(session)
    assert session.barcode.betti_at() == (1, 1, 0)
    template, mask = session.barcode.super_level_set(), session.result.mask
    assert 2 * (template & mask).sum() / (template.sum() + mask.sum()) > 0.95
    # Steeper than one nowhere by much: these are millimetres.
    distance = session.result.template_distance()
    steps = np.abs(np.diff(distance, axis=0)) / session.volume.spacing[0]
    assert 0.5 < np.median(steps[template[1:]]) < 1.5


@pytest.mark.parametrize("shape", [(40, 31), (14, 17, 12)])
def test_counting_bars_is_counting_voxels_and_agrees_with_gudhi(session, shape) -> None:
    values = smooth_map(shape)
    session.set_volume(Volume.from_stored(values, np.eye(4)))
    session.barcode.of_map(session.volume.voxels)
    found(session)
    levels = session.barcode.map.levels
    peer = gudhi.CubicalComplex(top_dimensional_cells=-levels.astype(float))
    peer.compute_persistence()
    for threshold in np.random.default_rng(1).random(25):
        counted = session.barcode.betti_at(threshold)
        assert counted == betti_numbers(session.barcode.super_level_set(threshold))
        alive = [
            sum(1 for birth, death in peer.persistence_intervals_in_dimension(k) if -birth >= threshold > -death)
            for k in range(len(shape))
        ]
        assert counted == tuple(alive)


def test_a_selected_bar_s_voxels_have_the_values_of_its_ends(session) -> None:
    image = placed(session, "torus")
    session.barcode.of_image()
    bars = found(session)
    low = np.array([start for start, _ in session.region])
    assert (low > 0).any()
    values = map_values(session)
    for number in range(0, min(len(bars), 200)):
        chosen = session.barcode.select(number)
        assert session.barcode.selected is chosen
        for voxel, level, place in (
            (chosen.bar.birth_voxel, chosen.bar.birth, chosen.birth_place),
            (chosen.bar.death_voxel, chosen.bar.death, chosen.death_place),
        ):
            if voxel is None:
                assert place is None
                continue
            assert values[voxel] == np.float32(level)
            assert session.barcode.scale.value(level) == pytest.approx(float(image.volume.voxels[voxel]), rel=1e-5)
            assert np.allclose((np.linalg.inv(image.volume.affine) @ [*place, 1.0])[:3], voxel)
    with pytest.raises(ToposegError, match="no bar -1"):
        session.barcode.select(-1)


def test_the_wanted_bars_are_the_longest_of_each_dimension(session) -> None:
    placed(session, "annulus")
    session.barcode.of_image()
    bars = found(session)
    wanted = session.barcode.wanted
    for dimension, count in enumerate((1, 1)):
        lengths = bars.length[bars.dimension == dimension]
        assert sorted(bars.length[wanted & (bars.dimension == dimension)]) == sorted(lengths)[-count:]
    assert (~wanted).sum() == len(bars) - 2
    session.choose_prior("disk")
    told = threading.Event()
    session.later(lambda: None, lambda _: told.set())
    assert told.wait(10)
    assert np.flatnonzero(session.barcode.wanted).tolist() == [0]


def test_an_image_s_first_threshold_is_one_at_which_the_prior_s_numbers_hold(session) -> None:
    placed(session, "annulus")
    session.barcode.of_image()
    found(session)
    assert len(session.barcode.right_levels) > 0
    assert session.barcode.betti_at() == (1, 1)
    # Exactly there, and nowhere else.
    for level in np.random.default_rng(2).random(50):
        inside = any(low < level <= high for low, high in session.barcode.right_levels)
        assert inside == (session.barcode.betti_at(level) == (1, 1))


def test_only_the_newest_request_is_kept(session) -> None:
    session.set_volume(Volume.from_stored(smooth_map((40, 40, 30)), np.eye(4)))
    kept = []
    session.barcode.events.barcode.connect(lambda found: kept.append(session.barcode.source))
    gate = threading.Event()
    session.later(gate.wait, lambda _: None)
    for number in range(5):
        session.barcode.of_map(session.volume.voxels, name=f"map {number}")
    assert session.barcode.computing
    gate.set()
    found(session)
    assert kept == ["map 4"]


def test_a_cancelled_barcode_does_not_come_and_the_one_before_stays(session) -> None:
    session.set_volume(Volume.from_stored(smooth_map((30, 30)), np.eye(4)))
    session.barcode.of_map(session.volume.voxels, name="first")
    first = found(session)
    running = []
    session.barcode.events.computing.connect(running.append)
    gate = threading.Event()
    session.later(gate.wait, lambda _: None)
    session.barcode.of_map(session.volume.voxels, name="second")
    session.barcode.cancel()
    gate.set()
    done = threading.Event()
    session.later(lambda: None, lambda _: done.set())
    assert done.wait(10)
    assert running == [True, False]
    assert session.barcode.barcode is first


def test_a_run_proceeds_while_a_barcode_is_found(session) -> None:
    placed(session, "torus")
    session.settings = Settings(iterations=400)
    order: list[str] = []
    begun = threading.Event()
    session.events.step.connect(lambda step: (order.append("run"), begun.set()))
    session.barcode.events.step.connect(lambda step: order.append(step.stage))
    session.run()
    assert begun.wait(60)
    session.barcode.of_image()
    found(session)
    session.cancel()
    assert session.wait(60)
    stages = [number for number, what in enumerate(order) if what != "run"]
    assert [order[number] for number in stages] == ["sort", "pieces", "tunnels", "cavities", "barcode"]
    assert "run" in order[stages[0] : stages[-1]]


def test_the_barcode_of_a_result_goes_with_it_and_that_of_a_volume_with_that(session) -> None:
    segmented(session, "annulus")
    session.barcode.of_template()
    assert found(session) is not None
    session.run()
    assert session.wait(120)
    assert session.barcode.barcode is None
    session.barcode.of_image()
    found(session)
    session.run()
    assert session.wait(120)
    assert session.barcode.source == session.volume.name
    session.set_volume(None)
    assert session.barcode.barcode is None
    with pytest.raises(ToposegError, match="no barcode"):
        session.barcode.betti_at(0.5)


def test_what_cannot_be_looked_at_is_said_in_a_sentence(session, monkeypatch) -> None:
    with pytest.raises(ToposegError, match="No image is open"):
        session.barcode.of_image()
    session.set_volume(Volume.from_stored(np.full((20, 30), 4.0), np.eye(4)))
    with pytest.raises(ToposegError, match="no segmentation"):
        session.barcode.of_template()
    said: list[str] = []
    session.events.failed.connect(said.append)
    session.barcode.of_image()
    session.barcode.wait(60)
    session.barcode.of_map(np.zeros((20, 31)))
    session.barcode.wait(60)
    session.barcode.of_mask(np.zeros((20, 30)))
    session.barcode.wait(60)
    monkeypatch.setattr(barcode_map, "MOST_VOXELS", 500)
    session.barcode.of_map(np.zeros((20, 30)))
    session.barcode.wait(60)
    expected = ("the same value, 4, everywhere", "shape of 20 x 31", "mask is empty", "The region holds")
    assert len(said) == 4
    assert all(part in sentence for part, sentence in zip(expected, said, strict=True))
    assert not session.barcode.computing


def test_a_file_counts_in_the_image_s_own_array_and_in_millimetres(session, tmp_path) -> None:
    image = phantom("torus", SHAPES["torus"], seed=3)
    turned = Volume.from_stored(
        image.volume.voxels.transpose(1, 2, 0)[::-1],
        np.array([[0, 0, 1.5, 3], [-1, 0, 0, 8], [0, 2, 0, 0], [0, 0, 0, 1]], float),
    )
    write_image(turned, tmp_path / "turned.nii.gz")
    session.set_volume(read_volume(tmp_path / "turned.nii.gz"))
    session.choose_prior("torus")
    session.barcode.of_image(box=((3, 28), (4, 30), (2, 24)))
    bars = found(session)
    session.barcode.save(tmp_path / "bars.json")
    session.barcode.save(tmp_path / "bars.csv")
    stored = session.volume.to_stored(session.volume.voxels)
    facts, read = json.loads((tmp_path / "bars.json").read_text()), read_barcode(tmp_path / "bars.json")
    assert facts["betti_of_the_prior"] == [1, 1, 0]
    assert len(read) == len(bars)
    low, high = facts["level_0"], facts["level_1"]
    with open(tmp_path / "bars.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["wanted"] for row in rows].count("1") == 2
    for bar, row in zip(read, rows, strict=True):
        value = float(stored[bar.birth_voxel])
        assert value == pytest.approx(low + bar.birth * (high - low), abs=1e-3)
        assert value == pytest.approx(float(row["birth_value"]), abs=1e-3)
        place = [float(row[f"birth_{axis}_mm"]) for axis in "xyz"]
        assert np.allclose(session.volume.stored.affine @ [*bar.birth_voxel, 1], [*place, 1])
    with pytest.raises(ToposegError, match=r"none of \.json"):
        session.barcode.save(tmp_path / "bars.txt")


@pytest.mark.parametrize("diagram", [False, True])
def test_a_picture_is_written_by_its_ending(session, tmp_path, diagram) -> None:
    session.set_volume(Volume.from_stored(smooth_map((20, 20)), np.eye(4)))
    session.barcode.of_map(session.volume.voxels)
    found(session)
    session.barcode.save(tmp_path / "bars.svg", diagram=diagram)
    text = (tmp_path / "bars.svg").read_text()
    assert "<svg" in text
    session.barcode.save(tmp_path / "bars.png", diagram=diagram)
    assert (tmp_path / "bars.png").read_bytes()[:4] == b"\x89PNG"
