"""Small images on disk, and a way to run a command in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from napari_toposeg.cli import main
from napari_toposeg.data import Phantom, phantom
from napari_toposeg.formats import write_image, write_mask


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def is_refusal(self) -> bool:
        """Exit code 2, one line on standard error, nothing on standard output, no traceback."""
        lines = self.err.splitlines()
        return self.code == 2 and len(lines) == 1 and lines[0].startswith("toposeg: ") and not self.out


@pytest.fixture
def toposeg(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `toposeg` with these words."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@dataclass(frozen=True)
class Case:
    """A phantom on disk."""

    made: Phantom
    image: Path
    label: Path


@pytest.fixture(scope="session")
def solid(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A small 3-D image of an ellipsoid, 40 x 40 x 28 voxels."""
    return _case(phantom("ellipsoid", (40, 40, 28), seed=1), tmp_path_factory.mktemp("solid"))


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A small 2-D image of an annulus, 64 x 64 pixels."""
    return _case(phantom("annulus", (64, 64), seed=1), tmp_path_factory.mktemp("ring"))


def _case(made: Phantom, folder: Path) -> Case:
    image, label = folder / "image.nii.gz", folder / "label.nii.gz"
    write_image(made.volume, image)
    write_mask(made.mask, made.volume, label)
    return Case(made, image, label)
