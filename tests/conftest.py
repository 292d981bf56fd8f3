"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real images with labels; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TOPOSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder} (set TOPOSEG_DATA to the folder that holds them)")
    return folder
