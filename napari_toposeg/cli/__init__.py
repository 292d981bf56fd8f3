"""`toposeg`: one command for each thing that a person does."""

from napari_toposeg.cli.main import main

__all__ = ["main"]
