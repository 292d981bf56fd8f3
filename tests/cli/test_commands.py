"""betti, certify, priors, open, and what every command shares."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_toposeg.cli import commands
from napari_toposeg.priors import builtin_priors


def save(path: Path, array: NDArray[np.uint8], affine: NDArray[np.float64]) -> Path:
    nibabel.Nifti1Image(array, affine).to_filename(path)
    return path


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A label map: 1 is a hollow ball with a pore at an edge, 2 a ring, 3 two blocks that touch at a corner."""
    labels = np.zeros((40, 40, 20), np.uint8)
    i, j, k = np.indices(labels.shape)
    radius = np.sqrt((i - 10) ** 2 + (j - 10) ** 2 + (k - 10) ** 2)
    labels[(radius < 8) & (radius > 4)] = 1
    around = np.hypot(i - 28, j - 28) - 7
    labels[np.hypot(around, k - 10) < 3] = 2
    labels[30:33, 3:6, 3:6] = 3
    labels[33:36, 6:9, 6:9] = 3
    return save(tmp_path / "labels.nii.gz", labels, np.diag([-1.0, -1.0, 1.5, 1.0]))


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--label", "1"], {"b0": 1, "b1": 0, "b2": 1}),
        (["--label", "2"], {"b0": 1, "b1": 1, "b2": 0}),
        (["--label", "3"], {"b0": 1, "b1": 0, "b2": 0}),
        (["--label", "3", "--connectivity", "6"], {"b0": 2, "b1": 0, "b2": 0}),
        ([], {"b0": 3, "b1": 1, "b2": 1}),
    ],
)
def test_betti_counts_a_label_with_the_connectivity_asked_for(
    words: list[str], numbers: dict[str, int], toposeg: Callable, shapes: Path
) -> None:
    outcome = toposeg("betti", shapes, *words, "--json")
    assert (outcome.code, json.loads(outcome.out), outcome.err) == (0, numbers, "")


def test_a_label_can_stand_behind_the_files_name(toposeg: Callable, shapes: Path) -> None:
    assert toposeg("betti", f"{shapes}:2", "--json").out == toposeg("betti", shapes, "--label", 2, "--json").out


def test_betti_of_a_2d_mask_has_no_b2_and_says_holes(toposeg: Callable, ring) -> None:
    assert json.loads(toposeg("betti", ring.label, "--json").out) == {"b0": 1, "b1": 1}
    assert toposeg("betti", ring.label).out == "one piece, one hole (8-connected)\n"


def test_betti_in_words_says_cavities(toposeg: Callable, shapes: Path) -> None:
    assert toposeg("betti", shapes).out == "three pieces, one tunnel, one cavity (26-connected)\n"


@pytest.fixture
def broken(solid, tmp_path: Path) -> Path:
    """The ellipsoid's mask with an island, a cavity and a tunnel."""
    label = nibabel.load(solid.label)
    voxels = np.asarray(label.dataobj).copy()
    centre = np.argwhere(voxels).mean(axis=0).round().astype(int)
    voxels[tuple(centre)] = 0
    voxels[centre[0] + 3, centre[1] + 3, :] = 0
    voxels[1, 1, 1] = 1
    return save(tmp_path / "broken.nii.gz", voxels, label.affine)


def test_certify_writes_a_mask_with_the_priors_topology_on_the_masks_own_grid(
    toposeg: Callable, broken: Path, tmp_path: Path
) -> None:
    fixed = tmp_path / "fixed.nii.gz"
    outcome = toposeg("certify", broken, "--prior", "ball", "-o", fixed, "--json", "--quiet")
    facts = json.loads(outcome.out)
    assert outcome.code == 0
    assert facts["betti_before"] == [2, 1, 1]
    assert facts["betti_prior"] == facts["betti_after"] == [1, 0, 0]
    assert facts["topology_ok"] is True
    before, after = nibabel.load(broken), nibabel.load(fixed)
    assert np.array_equal(before.affine, after.affine)
    changed = np.count_nonzero(np.asarray(before.dataobj) != np.asarray(after.dataobj))
    assert facts["changed_voxels"] == changed
    assert facts["changed_percent"] == pytest.approx(100 * changed / np.count_nonzero(before.dataobj), abs=1e-3)
    assert json.loads(toposeg("betti", fixed, "--json").out) == {"b0": 1, "b1": 0, "b2": 0}


def test_certify_without_an_output_is_a_check_by_exit_code(toposeg: Callable, broken: Path, solid) -> None:
    assert toposeg("certify", broken, "--prior", "ball", "--quiet").code == 1
    assert toposeg("certify", solid.label, "--prior", "ball", "--quiet").code == 0
    assert toposeg("certify", solid.label, "--prior", "shell", "--quiet").code == 1


def test_certify_shows_what_changed(toposeg: Callable, broken: Path, tmp_path: Path) -> None:
    shown = toposeg("certify", broken, "--prior", "ball", "-o", tmp_path / "fixed.nii.gz").out
    assert "two pieces, one tunnel, one cavity" in shown
    assert "one piece, no holes (26-connected)" in shown
    assert "fixed.nii.gz" in shown


def test_priors_lists_all_as_json_and_as_a_table(toposeg: Callable) -> None:
    listed = json.loads(toposeg("priors", "--json").out)
    known = [
        {"name": one.name, "ndim": one.ndim, "betti": list(one.betti), "description": one.description}
        for one in builtin_priors()
    ]
    assert listed == known
    assert len(listed) == 11
    table = toposeg("priors").out
    assert all(one["name"] in table for one in listed)
    assert max(map(len, table.splitlines())) <= 80


def test_open_says_what_to_install_where_napari_is_absent(toposeg: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = toposeg("open")
    assert outcome.is_refusal()
    assert 'pip install "napari-toposeg[app]"' in outcome.err


def test_open_says_that_there_is_no_screen(toposeg: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("napari")
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    outcome = toposeg("open")
    assert outcome.is_refusal()
    assert "no screen" in outcome.err


@pytest.mark.parametrize("given", [True, False])
def test_open_hands_the_image_to_the_application(
    given: bool, toposeg: Callable, solid, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path | None] = []
    launch = SimpleNamespace(open_application=opened.append)
    monkeypatch.setitem(sys.modules, "napari_toposeg.docks.launch", launch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: launch)
    monkeypatch.setenv("DISPLAY", ":0")
    assert toposeg("open", *[solid.image] * given).code == 0
    assert opened == [solid.image if given else None]


def test_the_version_is_the_installed_ones(toposeg: Callable) -> None:
    assert toposeg("--version").out == f"toposeg {metadata.version('napari-toposeg')}\n"


@pytest.mark.parametrize("command", [[], ["segment"], ["betti"], ["certify"], ["priors"], ["open"], ["demo"]])
def test_help_is_shown_and_names_the_commands(command: list[str], toposeg: Callable) -> None:
    outcome = toposeg(*command, "--help")
    assert outcome.code == 0
    assert not outcome.err
    assert "usage: toposeg" in outcome.out
    if not command:
        assert outcome.out == toposeg().out
        assert all(name in outcome.out for name in ("segment", "betti", "certify", "priors", "open", "demo", "130"))


def test_a_defect_is_one_line_and_exit_code_3_and_a_traceback_only_where_it_is_asked_for(
    toposeg: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_toposeg.priors.builtin_priors", lambda: 1 / 0)
    outcome = toposeg("priors")
    assert outcome.code == 3
    assert len(outcome.err.splitlines()) == 1
    assert "ZeroDivisionError: division by zero. This is a defect" in outcome.err
    assert "Traceback" not in outcome.err
    assert "Traceback" in toposeg("--debug", "priors").err
    monkeypatch.setenv("TOPOSEG_DEBUG", "1")
    assert "Traceback" in toposeg("priors").err


def test_a_warning_of_ours_is_one_plain_line(toposeg: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    from napari_toposeg.errors import ToposegWarning

    def list_none() -> tuple[()]:
        warnings.warn("It is done on the CPU.", ToposegWarning, stacklevel=1)
        return ()

    monkeypatch.setattr("napari_toposeg.priors.builtin_priors", list_none)
    outcome = toposeg("priors", "--json")
    assert (outcome.code, outcome.err) == (0, "Note: It is done on the CPU.\n")
    assert json.loads(outcome.out) == []


def test_help_loads_neither_torch_nor_qt_nor_numba() -> None:
    look = (
        "import sys; from napari_toposeg.cli import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stderr
    for heavy in ("torch", "numba", "matplotlib", "napari", "qtpy", "scipy"):
        assert f"'{heavy}'" not in loaded


def test_python_dash_m_is_the_same_command(solid) -> None:
    words = [sys.executable, "-m", "napari_toposeg", "betti", str(solid.label), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"b0": 1, "b1": 0, "b2": 0}, "")


def test_a_reader_who_stops_reading_is_no_error() -> None:
    words = f"{sys.executable} -m napari_toposeg priors --json | head -c 5"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_installed_script_is_the_same_command() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="toposeg")
    assert script.value == "napari_toposeg.cli:main"
    assert commands  # the package is the one that the script names
