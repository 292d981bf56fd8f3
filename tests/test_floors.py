"""The house stands: imports point down, and nothing heavy is loaded before it is asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACT = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"

WINDOW = {"PyQt6", "PySide6", "magicgui", "napari", "pyqtgraph", "qtpy", "superqt", "vispy"}
HEAVY = WINDOW | {"matplotlib", "nibabel", "numba", "numpy", "scipy", "skimage", "torch"}


def check_contract(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CONTRACT], cwd=folder, check=False, capture_output=True, text=True)


def loaded_after(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after a program."""
    program += "\nimport sys; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(done.stderr, pytrace=False)
    return set(done.stdout.split())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the house in which a test may break the rules."""
    shutil.copytree(ROOT / "napari_toposeg", tmp_path / "napari_toposeg", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_point_down() -> None:
    checked = check_contract(ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("room", "offence"),
    [
        ("topology", "import napari_toposeg.formats"),  # up
        ("formats", "import napari_toposeg.losses"),  # sideways, between rooms that do not know each other
        ("session", "def later():\n    import napari_toposeg.docks"),  # up, and hidden in a function
        ("inference", "import qtpy"),  # a window below the top floor
    ],
)
def test_the_contract_sees_an_import_that_breaks_it(copy: Path, room: str, offence: str) -> None:
    path = copy / "napari_toposeg" / room
    path = path / "__init__.py" if path.is_dir() else path
    path.write_text(path.read_text(encoding="utf-8") + f"\n{offence}\n", encoding="utf-8")
    checked = check_contract(copy)
    assert checked.returncode == 1, checked.stdout
    assert "BROKEN" in checked.stdout


def test_a_new_room_must_be_given_a_floor(copy: Path) -> None:
    (copy / "napari_toposeg" / "attic").mkdir()
    (copy / "napari_toposeg" / "attic" / "__init__.py").touch()
    assert check_contract(copy).returncode == 1


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_after("import napari_toposeg; napari_toposeg.__version__; dir(napari_toposeg)") & HEAVY


def test_nothing_below_the_docks_loads_the_window() -> None:
    program = """
import importlib, pkgutil, napari_toposeg
for module in pkgutil.walk_packages(napari_toposeg.__path__, "napari_toposeg."):
    if not module.name.startswith(("napari_toposeg.docks", "napari_toposeg.__main__")):
        importlib.import_module(module.name)
"""
    loaded = loaded_after(program)
    assert {"napari_toposeg", "numpy", "torch"} <= loaded
    assert not loaded & WINDOW


def test_every_public_name_of_the_package_can_be_had() -> None:
    program = "import napari_toposeg\nfor name in napari_toposeg.__all__: getattr(napari_toposeg, name)"
    assert "napari_toposeg" in loaded_after(program)
    assert not loaded_after(program) & WINDOW


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import napari_toposeg

    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        _ = napari_toposeg.segmnt
