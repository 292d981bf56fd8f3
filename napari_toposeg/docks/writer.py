"""Layers to disk, on the grid that their file had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.display import METADATA, Shown, from_display
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import DICOM_ENDINGS, split_ending, write_image
from napari_toposeg.formats import write_labels as write_label_map
from napari_toposeg.volume import Volume


def write_labels(path: str, data: NDArray[Any], attributes: dict[str, Any]) -> list[str]:
    """Write a layer of labels, every label kept, on the grid of its image's file."""
    data = np.asarray(data)
    highest = int(data.max(initial=0))
    kind = next(kind for kind in (np.uint8, np.uint16, np.int32, np.int64) if highest <= np.iinfo(kind).max)
    return _write(path, data.astype(kind), attributes)


def write_volume(path: str, data: NDArray[Any], attributes: dict[str, Any]) -> list[str]:
    """Write an image layer with its affine."""
    return _write(path, np.asarray(data), attributes)


def _write(path: str, data: NDArray[Any], attributes: dict[str, Any]) -> list[str]:
    shown = attributes.get("metadata", {}).get(METADATA)
    if not isinstance(shown, Shown):
        shown = Shown(_volume_of(data, attributes))
    voxels = from_display(data, flipped=shown.flipped)
    if voxels.shape != shown.volume.shape:
        raise ToposegError(
            f"The layer has {_size(voxels.shape)} voxels and its image {_size(shown.volume.shape)}.",
            todo="Save a layer that covers the whole image.",
        )
    if split_ending(path)[1] in DICOM_ENDINGS:
        write_label_map(voxels, shown.volume, path)
    else:
        write_image(replace(shown.volume, voxels=voxels), path)
    return [path]


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _volume_of(data: NDArray[Any], attributes: dict[str, Any]) -> Volume:
    """A volume of a layer that no reader of ours made: its axes are taken as we display them."""
    from napari.layers import Image

    from napari_toposeg.docks.display import volume_of_layer

    names = ("name", "scale", "translate", "metadata")
    layer = Image(data, **{name: attributes[name] for name in names if name in attributes})
    return volume_of_layer(layer)
