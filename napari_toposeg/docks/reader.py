"""Images from disk into napari: files, DICOM folders, and what is dropped on the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.display import image_layer_data
from napari_toposeg.docks.opening import read_beside_window
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import (
    SESSION_ENDING,
    DicomOrigin,
    SeveralFramesError,
    SeveralSeriesError,
    can_read,
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


def read(path: str | Sequence[str]) -> list[LayerData] | list[tuple[None]]:
    """Read one or more files as layers: masks and label maps as labels, anything else as an image.

    What takes a while is read beside the window: see `read_beside_window`.

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
        volume = _chosen(one)
        if volume is None:
            continue
        origin = volume.stored.header
        if isinstance(origin, DicomOrigin):
            read_already.update(str(file) for file in origin.files)
        layers.append(layer_data(volume))
    # As npe2 has it where there is nothing to add: a person pressed Cancel.
    return layers or [(None,)]


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


def _chosen(path: str, frame: int | None = None, series: str | None = None) -> Volume | None:
    """A volume; of several series or frames, that which a person chooses. None where the reading was cancelled."""
    from qtpy.QtWidgets import QApplication

    try:
        return read_beside_window(path, frame, series)
    except SeveralSeriesError as several:
        if QApplication.instance() is None:
            raise
        return _chosen(path, frame, _ask_for_series(path, several))
    except SeveralFramesError as several:
        if QApplication.instance() is None:
            raise
        return _chosen(path, _ask_for_frame(path, several), series)


def _ask_for_series(path: str, several: SeveralSeriesError) -> str:
    """The number of the series that a person wants; the first where none is chosen."""
    from qtpy.QtWidgets import QInputDialog

    words = [f"{number}: {one}" for number, one in enumerate(several.series, start=1)]
    word, chosen = QInputDialog.getItem(
        None, "Which series?", f"{path}\nholds {len(words)} series. Open:", words, 0, False
    )
    return str(words.index(word) + 1) if chosen else "1"


def _ask_for_frame(path: str, several: SeveralFramesError) -> int:
    """The frame that a person wants; the first where none is chosen."""
    from qtpy.QtWidgets import QInputDialog

    number, chosen = QInputDialog.getInt(
        None,
        "Which frame?",
        f"{path}\nholds {several.frames} frames, counted from 0. Open number:",
        0,
        0,
        several.frames - 1,
    )
    return number if chosen else 0
