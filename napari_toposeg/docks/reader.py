"""Images from disk into napari."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.display import image_layer_data
from napari_toposeg.formats import ENDINGS, NIFTI_ENDINGS, read_volume, split_ending
from napari_toposeg.volume import Volume

LayerData = tuple[NDArray[Any], dict[str, Any], str]

_MOST_LABELS = 32
_SAMPLE = 200_000


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Whether we can read a file, by its name: a function that does, or None."""
    first = path if isinstance(path, str) else path[0]
    return read if split_ending(first)[1] in ENDINGS else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read one or more files as layers: masks and label maps as labels, anything else as an image.

    Raises
    ------
    ToposegError
        If a file cannot be read; napari shows the sentence.
    """
    paths = [path] if isinstance(path, str) else list(path)
    return [layer_data(read_volume(one, frame_number=_ask_for_frame(one))) for one in paths]


def layer_data(volume: Volume) -> LayerData:
    """A volume as napari takes it from a reader."""
    data, arguments = image_layer_data(volume)
    if is_label_map(volume.voxels) and volume.stored.header is not None:
        return data, arguments, "labels"
    return data, arguments, "image"


def is_label_map(voxels: NDArray[Any]) -> bool:
    """Whether voxels look like labels: whole numbers, few of them, and more zeros than anything else."""
    if voxels.dtype.kind not in "ui" or (voxels.dtype.kind == "i" and voxels.min() < 0):
        return False
    flat = voxels.reshape(-1)
    # A look at some of them saves counting through most images.
    values, counts = np.unique(flat[:: max(flat.size // _SAMPLE, 1)], return_counts=True)
    if len(values) > _MOST_LABELS or values[counts.argmax()] != 0:
        return False
    values, counts = np.unique(flat, return_counts=True)
    return len(values) <= _MOST_LABELS and int(values[counts.argmax()]) == 0


def _ask_for_frame(path: str) -> int | None:
    """Which frame of a 4-D NIfTI file a person wants; None where there is only one."""
    if split_ending(path)[1] not in NIFTI_ENDINGS:
        return None
    from napari_toposeg.formats.nifti_reading import NiftiFile

    frames = int(np.prod(NiftiFile.open(path).shape[3:]))
    if frames == 1:
        return None
    from qtpy.QtWidgets import QApplication, QInputDialog

    if QApplication.instance() is None:
        return None
    number, chosen = QInputDialog.getInt(
        None, "Which frame?", f"{path}\nholds {frames} frames, counted from 0. Open number:", 0, 0, frames - 1
    )
    return number if chosen else 0
