"""`toposeg evaluate`: folders in, tables out; what is missing or does not fit is said."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from napari_toposeg.deformation import Displacement
from napari_toposeg.formats import read_volume, write_displacement

# Stored with its axes turned and flipped; voxels of 1 x 2 x 3 mm.
AFFINE = np.array([[0, 0, 3.0, 0], [-1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]])


def cube(shift: int = 0, label: int = 1) -> np.ndarray:
    values = np.zeros((16, 12, 11), np.uint8)
    values[3 + shift : 11 + shift, 3:9, 3:8] = label
    return values


def write(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three cases with two labels each, and two methods: `near` is off by one voxel, `far` by three."""
    for number in range(3):
        name = f"case_{number}.nii.gz"
        second = cube(label=0)
        second[0:2, 4 : 6 + number, 4:6] = 2
        write(tmp_path / "labels" / name, cube() + second)
        write(tmp_path / "near" / name, cube(1) + second)
        write(tmp_path / "far" / name, cube(3) + second)
    return tmp_path


def test_the_json_has_every_case_and_the_summary(toposeg: Callable, study: Path) -> None:
    outcome = toposeg("evaluate", study / "near", study / "labels", "--label", 1, "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    (method,) = found["methods"]
    assert [case["name"] for case in method["cases"]] == ["case_0", "case_1", "case_2"]
    (summary,) = method["summaries"]
    assert summary["dice"]["mean"] == pytest.approx(7 / 8)
    # The first axis of the file has voxels of 1 mm.
    assert summary["hausdorff"]["mean"] == pytest.approx(1.0)
    assert summary["volume_error"]["mean"] == 0
    assert method["cases"][0]["volume_label"] == 8 * 6 * 5 * 6
    assert (found["unit"], found["prior"], found["labels_without_prediction"]) == ("mm", None, [])


def test_the_table_shows_figures_and_says_what_they_mean(toposeg: Callable, study: Path) -> None:
    outcome = toposeg("evaluate", study / "near", study / "labels", "--label", 1, "--prior", "ball")
    assert outcome.code == 0
    rows = {line.strip().split("  ")[0]: line.split() for line in outcome.out.splitlines()}
    assert rows["Dice"][1:4] == ["0.875", "±", "0.000"]
    assert rows["right topology, 26 (%)"][4:5] == ["100.0"]
    assert "3 cases, mean ± standard deviation" in outcome.out
    assert "one piece, no holes, as the prior ball" in outcome.out


def test_two_files_are_one_case(toposeg: Callable, study: Path) -> None:
    outcome = toposeg("evaluate", study / "far" / "case_0.nii.gz", study / "labels" / "case_0.nii.gz", "--label", 1)
    assert outcome.code == 0
    lines = [line.split() for line in outcome.out.splitlines()]
    assert ["Dice", "0.625"] in lines
    assert ["right", "topology,", "26", "yes"] in lines
    assert "median" not in outcome.out
    assert "Of label 1." in outcome.out


def test_two_methods_are_compared_case_by_case(toposeg: Callable, study: Path) -> None:
    words = ("evaluate", study / "near", study / "labels", "--label", 1, "--against", study / "far")
    found = json.loads(toposeg(*words, "--json").out)
    assert [method["name"] for method in found["methods"]] == ["near", "far"]
    differences = {one["metric"]: one for one in found["differences"]}
    assert (differences["dice"]["first_better"], differences["dice"]["better"]) == (3, "first")
    assert differences["dice"]["p"] == pytest.approx(0.25)
    outcome = toposeg(*words)
    (row,) = [line.split() for line in outcome.out.splitlines() if line.strip().startswith("Hausdorff (mm)")]
    assert row[2:] == ["1.00", "±", "0.00", "3.00", "±", "0.00", "3:0:0", "0.250"]
    assert "Wilcoxon" in outcome.out


def test_every_label_is_measured_for_itself(toposeg: Callable, study: Path) -> None:
    found = json.loads(toposeg("evaluate", study / "near", study / "labels", "--label", "all", "--json").out)
    (method,) = found["methods"]
    assert [(one["label"], one["count"]) for one in method["summaries"]] == [(1, 3), (2, 3)]
    assert method["summaries"][1]["dice"]["mean"] == 1.0
    assert toposeg("evaluate", study / "near", study / "labels", "--label", "all").out.count("Label ") == 2


def test_a_label_behind_a_folder_s_name_is_that_folder_s_alone(toposeg: Callable, study: Path) -> None:
    """Binary predictions of the second label: 255, as some tools write them."""
    for number in range(3):
        labels = np.asarray(nibabel.load(study / "labels" / f"case_{number}.nii.gz").dataobj)
        write(study / "binary" / f"case_{number}.nii.gz", ((labels == 2) * 255).astype(np.uint8))
    found = json.loads(toposeg("evaluate", study / "binary", f"{study / 'labels'}:2", "--json").out)
    assert found["methods"][0]["summaries"][0]["dice"]["mean"] == 1.0
    found = json.loads(toposeg("evaluate", f"{study / 'labels'}:1", f"{study / 'labels'}:2", "--json").out)
    assert found["methods"][0]["summaries"][0]["dice"]["mean"] == 0.0
    twice = toposeg("evaluate", f"{study / 'labels'}:1", study / "labels", "--label", 1)
    assert twice.is_refusal()
    assert "Labels are given twice" in twice.err


def test_csv_has_a_row_for_each_case_and_the_file_s_kind_is_its_ending_s(toposeg: Callable, study: Path) -> None:
    out = study / "figures.md"
    outcome = toposeg("evaluate", study / "near", study / "labels", "--label", 1, "--csv", "-o", out)
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [row["name"] for row in rows] == ["case_0", "case_1", "case_2"]
    assert float(rows[0]["dice"]) == pytest.approx(0.875)
    assert (rows[0]["betti_prediction"], rows[0]["right_topology"], rows[0]["folding_share"]) == ("1 0 0", "1", "")
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("|  | mean ± sd | se | median |")
    assert {line.count("|") for line in lines if line.startswith("|")} == {lines[0].count("|")}
    wanted = toposeg("evaluate", study / "near", study / "labels", "--label", 1, "--quiet", "--json").out
    toposeg("evaluate", study / "near", study / "labels", "--label", 1, "--quiet", "-o", study / "all.json")
    assert (study / "all.json").read_text(encoding="utf-8") == wanted


def test_a_field_beside_a_prediction_is_measured_and_is_no_prediction(toposeg: Callable, study: Path) -> None:
    volume = read_volume(study / "near" / "case_0.nii.gz")
    values = np.zeros((3, *volume.shape), np.float32)
    values[0, 5, 5, 5] = 3.0
    write_displacement(Displacement(values, volume.frame), volume, study / "near" / "case_0_field.nii.gz")
    outcome = toposeg("evaluate", study / "near", study / "labels", "--label", 1, "--json")
    cases = json.loads(outcome.out)["methods"][0]["cases"]
    assert [case["name"] for case in cases] == ["case_0", "case_1", "case_2"]
    assert cases[0]["folding_share"] > 0
    assert cases[0]["relu_jacobian"] > 0
    assert cases[1]["folding_share"] is None
    compared = toposeg("evaluate", study / "far", study / "labels", "--against", study / "near", "--markdown").out
    (row,) = [line for line in compared.splitlines() if line.startswith("| ReLU-Jacobian")]
    assert row.startswith("| ReLU-Jacobian (1e-3) | - | ")
    assert row.endswith(" | - | - |")
    shown = toposeg("evaluate", study / "near", study / "labels", "--label", 1).out
    assert "No displacement field, and no figure of folding, for case_1, case_2." in " ".join(shown.split())


def test_labels_without_a_prediction_are_named(toposeg: Callable, study: Path) -> None:
    (study / "near" / "case_1.nii.gz").unlink()
    outcome = toposeg("evaluate", study / "near", study / "labels", "--label", 1)
    assert "Not evaluated: 1 label has no prediction (case_1)." in outcome.out
    found = json.loads(toposeg("evaluate", study / "near", study / "labels", "--label", 1, "--json").out)
    assert found["labels_without_prediction"] == ["case_1"]
    compared = toposeg("evaluate", study / "near", study / "labels", "--against", study / "far", "--quiet")
    assert compared.is_refusal()
    assert "the first lacks case_1" in compared.err


def test_an_empty_prediction_is_counted_and_said(toposeg: Callable, study: Path) -> None:
    write(study / "near" / "case_1.nii.gz", cube(label=0))
    outcome = toposeg("evaluate", study / "near", study / "labels", "--label", 1)
    assert outcome.code == 0
    text = " ".join(outcome.out.split())
    assert "1 prediction is empty (case_1)." in text
    assert "distances are the diagonal of the grid" in text
    assert "1 of 3 wrong: case_1 (nothing; the label one piece)." in text


@pytest.mark.parametrize(
    ("spoil", "words", "expected"),
    [
        (lambda s: write(s / "near" / "case_9.nii.gz", cube()), (), "1 have no label in"),
        (lambda s: write(s / "near" / "case_1.nii.gz", cube()[1:]), (), "case_1: The prediction lies on another grid"),
        (lambda s: write(s / "near" / "case_1.nii.gz", cube(), np.eye(4)), (), "another grid than the label"),
        (lambda s: write(s / "near" / "case_1.nii.gz", cube() * np.float32(0.4)), (), "case_1.nii.gz is no mask"),
        (lambda s: write(s / "near" / "case_1.nii", cube()), (), "are both case 'case_1'"),
        (lambda s: None, ("--label", "7"), "No file has a voxel of label 7. The labels there are 1, 2."),
        (lambda s: None, ("--label", "left"), "A label is a whole number"),
        (lambda s: None, ("--prior", "disk"), "is 2-D and the label 3-D"),
        (lambda s: None, ("--connectivity", "8"), "does not exist in 3-D"),
        (lambda s: None, ("--csv", "--json"), "exclude each other"),
        (lambda s: None, ("-o", "figures.xlsx"), "cannot be written"),
        (lambda s: None, ("--label-suffix", "_seg"), "There is no mask whose name ends in '_seg'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_sentence(
    toposeg: Callable, study: Path, spoil: Callable, words: tuple[str, ...], expected: str
) -> None:
    spoil(study)
    outcome = toposeg("evaluate", study / "near", study / "labels", "--quiet", *words)
    assert outcome.is_refusal(), outcome.err
    assert expected in outcome.err


def test_a_folder_against_a_file_and_nothing_at_all_are_refused(toposeg: Callable, study: Path) -> None:
    mixed = toposeg("evaluate", study / "near", study / "labels" / "case_0.nii.gz")
    assert mixed.is_refusal()
    assert "two files or two folders" in mixed.err
    assert toposeg("evaluate", study / "nowhere", study / "labels").is_refusal()


def test_pictures_are_matched_by_suffix_and_measured_in_pixels(toposeg: Callable, tmp_path: Path) -> None:
    for folder, name, shift in (("one", "a_pred.png", 2), ("two", "a_segmentation.png", 0)):
        picture = np.zeros((20, 24), np.uint8)
        picture[4 + shift : 12 + shift, 5:15] = 255
        (tmp_path / folder).mkdir()
        Image.fromarray(picture).save(tmp_path / folder / name)
    Image.fromarray(np.full((20, 24), 90, np.uint8)).save(tmp_path / "two" / "a.jpg")
    words = ("--prediction-suffix", "_pred", "--label-suffix", "_segmentation")
    found = json.loads(toposeg("evaluate", tmp_path / "one", tmp_path / "two", *words, "--json").out)
    (case,) = found["methods"][0]["cases"]
    assert (found["unit"], case["name"], case["hausdorff"]) == ("px", "a", 2.0)
    assert case["slice_component_error"] is None


def test_long_names_do_not_break_the_table(toposeg: Callable, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for folder in ("near", "labels"):
        for path in (study / folder).iterdir():
            path.rename(path.with_name("sub-01_acquisition-of-this-study_run-" + path.name))
    lines = toposeg("evaluate", study / "near", study / "labels", "--label", 1).out.splitlines()
    (row,) = [line for line in lines if line.strip().startswith("Dice")]
    assert "0.875" in row
    assert "…" in row
    assert max(map(len, lines)) <= 80


def test_hippocampi_grown_by_a_voxel_are_too_large_by_what_was_added(
    toposeg: Callable, data_folder: Path, tmp_path: Path
) -> None:
    sizes = []
    for path in sorted((data_folder / "msd_hippocampus" / "labels").iterdir())[:3]:
        image = nibabel.load(path)
        mask = np.asarray(image.dataobj) > 0
        grown = binary_dilation(mask)
        sizes.append(grown.sum() / mask.sum() - 1)
        write(tmp_path / "grown" / path.name, grown.astype(np.uint8), image.affine)
    outcome = toposeg("evaluate", tmp_path / "grown", data_folder / "msd_hippocampus" / "labels", "--json")
    found = json.loads(outcome.out)
    (summary,) = found["methods"][0]["summaries"]
    assert summary["count"] == 3
    assert (
        len(found["labels_without_prediction"]) == len(list((data_folder / "msd_hippocampus" / "labels").iterdir())) - 3
    )
    assert summary["recall"]["mean"] == 1.0
    assert summary["volume_error"]["mean"] == pytest.approx(np.mean(sizes))
    assert 1.0 <= summary["hausdorff_95"]["mean"] <= np.sqrt(3)
    assert summary["volume_correlation"] > 0.9


def test_two_methods_stand_side_by_side_in_markdown(toposeg: Callable, study: Path) -> None:
    words = ("evaluate", study / "near", study / "labels", "--against", study / "far", "--label", "all", "--markdown")
    lines = toposeg(*words).out.splitlines()
    assert [line for line in lines if line.startswith("#")] == ["### Label 1", "### Label 2"]
    assert lines.count("|  | near | far | + : - : = | p |") == 2
    # The shifted cubes overlap by 7 and by 5 voxels of 8; the second label is the same in all.
    dice = [line for line in lines if line.startswith("| Dice")]
    assert dice == [
        "| Dice | 0.875 ± 0.000 | 0.625 ± 0.000 | 3:0:0 | 0.250 |",
        "| Dice | 1.000 ± 0.000 | 1.000 ± 0.000 | 0:0:3 | 1.000 |",
    ]


def test_two_methods_whose_folders_have_the_same_name_are_told_apart(toposeg: Callable, study: Path) -> None:
    other = study / "other" / "near"
    other.parent.mkdir()
    (study / "far").rename(other)
    found = json.loads(toposeg("evaluate", study / "near", study / "labels", "--against", other, "--json").out)
    assert [method["name"] for method in found["methods"]] == [str(study / "near"), str(other)]
