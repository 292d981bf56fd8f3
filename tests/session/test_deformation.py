"""The deformation of a session's result, without a window."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from napari_toposeg.data import phantom
from napari_toposeg.deformation import Displacement
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_mask, read_volume, write_image
from napari_toposeg.frame import box_of, box_slices, grow_box
from napari_toposeg.inference import PixelwiseSegmentation, Settings, segment, site_in_box
from napari_toposeg.inference.warping import warped_distance
from napari_toposeg.priors import find_prior, signed_distance
from napari_toposeg.session import Session
from napari_toposeg.steps import last
from napari_toposeg.volume import Volume

LOOSE = {"jacobian_weight": 0.0, "laplacian_weight": 0.0, "gradient_weight": 0.0}


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    """A result whose folds were repaired, of an oblique file."""
    image = phantom("ball", (24, 26, 20), seed=3)
    # Turned and sheared a little on its way to disk: its axes are not the world's.
    turn = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
    affine = image.volume.affine.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    path = tmp_path_factory.mktemp("images") / "ball.nii.gz"
    write_image(Volume.from_stored(np.ascontiguousarray(image.volume.voxels[:, ::-1]), affine, name="ball"), path)
    volume = read_volume(path)
    prior = find_prior("ball")
    box = box_of(image.mask[:, ::-1])
    site = site_in_box(prior, volume, grow_box(box, (1, 1, 1)))
    result = last(segment(volume, prior, site, Settings(iterations=40, **LOOSE)))
    assert result.unfolded is not None
    return result


@pytest.fixture
def session(folded):
    session = Session()
    session.set_volume(folded.volume)
    session.take_result(folded)
    yield session
    session.close()


def test_there_is_nothing_to_look_at_before_a_run_or_without_a_deformation(folded) -> None:
    session = Session()
    try:
        for ask in (session.deformation.worst_cells, session.deformation.histogram, session.deformation.template_at):
            with pytest.raises(ToposegError, match="no deformation"):
                ask()
        outcome = {name: getattr(folded, name) for name in outcome_fields(folded)}
        session.set_volume(folded.volume)
        session.take_result(PixelwiseSegmentation(**outcome, start="its logits"))
        assert session.deformation.field is None
    finally:
        session.close()


def outcome_fields(result) -> list[str]:
    return ["volume", "prior", "box", "mask", "certificate", "settings", "device", "seconds", "networks", "why"]


def test_the_template_goes_from_where_it_was_placed_to_the_mask(session, folded) -> None:
    deformation = session.deformation
    frame = folded.volume.frame
    begin = signed_distance(folded.prior, folded.placement, frame).numpy() > 0
    assert np.array_equal(deformation.template_at(0.0), begin)
    assert np.array_equal(deformation.template_at(1.0), folded.full_mask())
    assert np.array_equal(deformation.template_at(), folded.full_mask())
    half = folded.displacement.scaled(0.5)
    grid = frame.crop(folded.box)
    expected = warped_distance(folded.prior, folded.placement, grid, half.values, half.frame) > 0
    deformation.share = 0.5
    there = deformation.template_at()
    assert np.array_equal(there[box_slices(folded.box)], expected)
    assert there.sum() == expected.sum()


def test_the_share_stays_between_0_and_1_and_is_told(session) -> None:
    told = []
    session.deformation.events.share.connect(told.append)
    session.deformation.share = 1.7
    session.deformation.share = -0.5
    session.deformation.share = 0.25
    assert told == [0.0, 0.25]
    assert session.deformation.share == 0.25


def test_a_worst_cell_is_where_it_says_in_the_field_in_the_file_and_in_the_world(session, folded) -> None:
    cells = session.deformation.worst_cells(7)
    assert [cell.rank for cell in cells] == list(range(1, 8))
    assert [cell.determinant for cell in cells] == sorted(cell.determinant for cell in cells)
    for cell in cells:
        assert folded.jacobian.least[cell.cell] == np.float32(cell.determinant)
        assert np.allclose(folded.displacement.frame.world(np.array(cell.cell)), cell.place)
        assert np.allclose(folded.volume.frame.world(np.array(cell.index)), cell.place, atol=1e-3)
        stored = folded.volume.stored.affine @ [*cell.voxel, 1.0]
        assert np.allclose(stored[:3], cell.place, atol=1e-3)


def test_before_the_repair_it_folds_and_after_it_does_not(session, folded) -> None:
    deformation = session.deformation
    told = []
    deformation.events.field.connect(told.append)
    assert deformation.repaired
    assert not deformation.before
    assert deformation.field.jacobian.folding == 0
    after = deformation.histogram()
    deformation.before = True
    assert told == [deformation.field]
    assert deformation.field.jacobian.folding == folded.unfolded.repaired_cells
    before = deformation.histogram()
    assert before.edges[0] < 0 < after.edges[0] + 0.1
    assert before.counts.sum() == after.counts.sum() == folded.jacobian.least.size
    # Before the repair the way ends at what the field makes of the template, not at the mask.
    values = deformation.field.displacement
    grid = folded.volume.frame.crop(folded.box)
    plain = warped_distance(folded.prior, folded.placement, grid, values.values, values.frame) > 0
    assert np.array_equal(deformation.template_at(1.0)[box_slices(folded.box)], plain)
    session.take_result(replace(folded))
    assert not deformation.before


def test_where_nothing_was_repaired_there_is_no_before(session, folded) -> None:
    session.take_result(replace(folded, unfolded=None))
    assert not session.deformation.repaired
    with pytest.raises(ToposegError, match="nothing before"):
        session.deformation.before = True


def lps_at(image: sitk.Image, place: np.ndarray):
    """A written value by world position (RAS mm), as SimpleITK finds it."""
    return image[image.TransformPhysicalPointToIndex([-place[0], -place[1], place[2]])]


def test_what_is_exported_is_read_by_simpleitk_as_the_same_field_in_the_same_place(session, folded, tmp_path) -> None:
    files = session.deformation.export(tmp_path / "out")
    assert {path.name for path in files} == {path.name for path in (tmp_path / "out").iterdir()}
    named = {path.name.removeprefix(f"{folded.volume.name}_"): path for path in files}
    volume, generator = folded.volume, np.random.default_rng(0)
    session.deformation.before = True
    before = session.deformation.field
    for ending, field, jacobian in (
        ("", folded.displacement, folded.jacobian),
        ("_before_repair", before.displacement, before.jacobian),
    ):
        image = sitk.ReadImage(str(named[f"displacement{ending}.nii.gz"]))
        least = sitk.ReadImage(str(named[f"jacobian{ending}.nii.gz"]))
        folding = sitk.ReadImage(str(named[f"folding{ending}.nii.gz"]))
        millimetres = field.in_millimetres()
        to_field = volume.frame.index_in(field.frame)
        for index in generator.integers(0, volume.shape, (200, 3)):
            place = volume.frame.world(index)
            at = tuple(np.round(to_field[:3, :3] @ index + to_field[:3, 3]).astype(int))
            inside = all(0 <= number < size for number, size in zip(at, field.frame.shape, strict=True))
            expected = millimetres[at] if inside else np.zeros(3)
            assert np.allclose(lps_at(image, place), expected * [-1, -1, 1], atol=1e-4)
            assert np.isclose(lps_at(least, place), jacobian.at_voxels[at] if inside else 1.0, atol=1e-5)
            assert lps_at(folding, place) == (int(jacobian.folding_voxels[at]) if inside else 0)
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(named["folding.nii.gz"]))).sum() == 0
    assert np.array_equal(read_mask(named["mask.nii.gz"], volume=volume)[0], folded.full_mask())


def test_the_exported_table_and_pictures_say_what_the_session_says(session, folded, tmp_path) -> None:
    files = {path.name.removeprefix(f"{folded.volume.name}_"): path for path in session.deformation.export(tmp_path)}
    with open(files["worst_cells.csv"], newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    cells = session.deformation.worst_cells(100)
    assert len(rows) == len(cells) == 100
    for row, cell in zip(rows, cells, strict=True):
        assert float(row["determinant"]) == cell.determinant
        assert tuple(int(row[axis]) for axis in "ijk") == cell.voxel
        assert np.allclose([float(row[f"{axis}_mm"]) for axis in "xyz"], cell.place, atol=1e-3)
    with open(files["determinants.csv"], newline="", encoding="utf-8") as stream:
        counted = sum(int(row["cells"]) for row in csv.DictReader(stream))
    assert counted == folded.jacobian.least.size
    for name in ("determinants.png", "deformation.png"):
        assert np.asarray(Image.open(files[name]).convert("L")).std() > 10
    levels = session.deformation.template_levels()
    assert len([name for name in files if name.startswith("template_")]) == len(levels)


def test_an_export_that_cannot_be_written_says_why(session, tmp_path) -> None:
    with pytest.raises(ToposegError, match="cannot be made"):
        session.deformation.export(tmp_path / "missing" / "out")


def test_a_field_on_a_coarser_grid_is_exported_on_the_image_s_voxels(folded, tmp_path) -> None:
    coarse = folded.displacement.frame.resized([size // 2 for size in folded.displacement.frame.shape])
    values = np.zeros((3, *coarse.shape), np.float32)
    values[0, 2:-2, 2:-2, 2:-2] = 0.25
    from napari_toposeg.deformation import jacobian_map

    session = Session()
    try:
        session.set_volume(folded.volume)
        result = replace(
            folded, displacement=Displacement(values, coarse), jacobian=jacobian_map(values), unfolded=None, way=()
        )
        session.take_result(result)
        files = session.deformation.export(tmp_path)
        image = sitk.ReadImage(str(next(path for path in files if "displacement" in path.name)))
        assert image.GetSize() == folded.volume.stored.shape
        middle = coarse.world(np.array(coarse.shape) // 2)
        there = np.array(lps_at(image, middle)) * [-1, -1, 1]
        assert np.allclose(there, 0.25 * coarse.affine[:3, 0], atol=1e-4)
    finally:
        session.close()
