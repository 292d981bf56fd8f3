"""Images from disk into napari: files, DICOM folders, and what is dropped on the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.display import image_layer_data
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import (
    SESSION_ENDING,
    DicomOrigin,
    can_read,
    frames_of_file,
    read_volume,
    series_of,
    split_ending,
)
from napari_toposeg.volume import Volume

LayerData = tuple[NDArray[Any], dict[str, Any], str]

_MOST_LABELS = 32
_SAMPLE = 200_000


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], Any] | None:
    """Whether we can read a file, a folder of DICOM or a session: a function that does, or None."""
    first = path if isinstance(path, str) else path[0]
    if split_ending(first)[1] == SESSION_ENDING:
        return open_as_session
    return read if can_read(first) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Read one or more files as layers: masks and label maps as labels, anything else as an image.

    Raises
    ------
    ToposegError
        If a file cannot be read; napari shows the sentence.
    """
    paths = [path] if isinstance(path, str) else list(path)
    layers = []
    read_already: set[str] = set()
    for one in paths:
        # Whoever drops all files of a series on the window means the series, once.
        if one in read_already:
            continue
        series = _ask_for_series(one)
        volume = read_volume(one, frame_number=_ask_for_frame(one, series), series=series)
        origin = volume.stored.header
        if isinstance(origin, DicomOrigin):
            read_already.update(str(file) for file in origin.files)
        layers.append(layer_data(volume))
    return layers


def open_as_session(path: str | Sequence[str]) -> list[tuple[None]]:
    """Go on with a session in the window that is in front; its layers come by themselves.

    Raises
    ------
    ToposegError
        If there is no window.
    """
    from napari import current_viewer

    from napari_toposeg.docks.session_keeping import open_session
    from napari_toposeg.docks.workspace import workspace_of

    viewer = current_viewer()
    if viewer is None:
        raise ToposegError("A session is opened in a window.", todo="Start napari first, or call Session.open_session.")
    open_session(workspace_of(viewer), path if isinstance(path, str) else path[0])
    # As npe2 has it: there is nothing to add.
    return [(None,)]


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


def _ask_for_series(path: str) -> str | None:
    """Which series of a DICOM folder a person wants; None where there is no choice."""
    found = series_of(path)
    from qtpy.QtWidgets import QApplication, QInputDialog

    if not found or QApplication.instance() is None:
        return None
    words = [f"{number}: {one.words()}" for number, one in enumerate(found, start=1)]
    word, chosen = QInputDialog.getItem(
        None, "Which series?", f"{path}\nholds {len(found)} series. Open:", words, 0, False
    )
    return str(words.index(word) + 1) if chosen else "1"


def _ask_for_frame(path: str, series: str | None) -> int | None:
    """Which frame of a 4-D file or series a person wants; None where there is only one."""
    frames = frames_of_file(path, series)
    from qtpy.QtWidgets import QApplication, QInputDialog

    if frames == 1 or QApplication.instance() is None:
        return None
    number, chosen = QInputDialog.getInt(
        None, "Which frame?", f"{path}\nholds {frames} frames, counted from 0. Open number:", 0, 0, frames - 1
    )
    return number if chosen else 0
