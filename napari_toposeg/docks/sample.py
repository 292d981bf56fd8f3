"""Sample data: the project's own images, whose right answers are known."""

from __future__ import annotations

from napari_toposeg.data import phantom
from napari_toposeg.docks.reader import LayerData, layer_data


def ball() -> list[LayerData]:
    """A deformed ball: an organ without holes."""
    return _sample("ball")


def shell() -> list[LayerData]:
    """A deformed hollow ball: an organ around a cavity."""
    return _sample("shell")


def torus() -> list[LayerData]:
    """A deformed ring: an organ with one tunnel."""
    return _sample("torus")


def annulus() -> list[LayerData]:
    """A deformed annulus, in 2-D: a muscle around its chamber."""
    return _sample("annulus")


def _sample(prior: str) -> list[LayerData]:
    return [layer_data(phantom(prior).volume)]
