"""Sample data: the project's own images, whose right answers are known."""

from __future__ import annotations

from dataclasses import replace

from napari_toposeg.data import broken_map, phantom, phantom_row
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


def ball_and_map() -> list[LayerData]:
    """A deformed ball, and below it what a network that knows no shapes might say of it: hollow, and two pieces."""
    made = phantom("ball")
    map_ = replace(made.volume, voxels=broken_map(made.mask))
    data, attributes, kind = layer_data(map_)
    return [(data, {**attributes, "name": "map", "visible": False}, kind), layer_data(made.volume)]


def two_organs() -> list[LayerData]:
    """A deformed ring and a deformed ball in one image: two objects, each with its own prior."""
    return [layer_data(phantom_row(("torus", "ball"))[0].volume)]


def _sample(prior: str) -> list[LayerData]:
    return [layer_data(phantom(prior).volume)]
