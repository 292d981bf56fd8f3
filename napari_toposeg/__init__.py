"""Topology-preserving segmentation of medical images, on the command line and in napari.

Nothing heavy is imported here: the names below are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Certificate": "napari_toposeg.topology",
    "Frame": "napari_toposeg.frame",
    "Placement": "napari_toposeg.priors",
    "Prior": "napari_toposeg.priors",
    "Segmentation": "napari_toposeg.inference",
    "Session": "napari_toposeg.session",
    "Step": "napari_toposeg.steps",
    "ToposegError": "napari_toposeg.errors",
    "Volume": "napari_toposeg.volume",
    "read_volume": "napari_toposeg.formats",
    "segment": "napari_toposeg.inference",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-toposeg")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
