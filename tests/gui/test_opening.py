"""A large series is opened without stopping the window, which says how far it is, and lets a person cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless
from qtpy.QtCore import QThread, QTimer
from qtpy.QtWidgets import QApplication, QProgressDialog, QPushButton

from napari_toposeg.docks.reader import read
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import dicom_reading


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Decoding a plane takes as long as that of a large one; of each, whether it was done in the window's thread."""
    decode = dicom_reading._decoded
    in_window: list[bool] = []

    def decoded(*given: Any) -> Any:
        in_window.append(QThread.currentThread() is QApplication.instance().thread())
        time.sleep(0.05)
        return decode(*given)

    monkeypatch.setattr(dicom_reading, "_decoded", decoded)
    return in_window


@pytest.fixture
def series(tmp_path: Path, dicom_series: Callable[..., list[Path]]) -> tuple[Path, np.ndarray]:
    planes = np.random.default_rng(0).integers(0, 900, (24, 16, 18)).astype(np.uint16)
    for path in dicom_series(tmp_path / "series", planes):
        dataset = dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    return tmp_path / "series", planes


def boxes() -> list[QProgressDialog]:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, QProgressDialog) and one.isVisible()]


def every(milliseconds: int, do: Callable[[], None]) -> QTimer:
    timer = QTimer()
    timer.timeout.connect(do)
    timer.start(milliseconds)
    return timer


def test_the_window_goes_on_while_a_series_is_decoded_and_says_how_far_it_is(qapp, series, slow) -> None:
    folder, planes = series
    seen: list[tuple[int, int, str]] = []
    timer = every(10, lambda: seen.extend((box.value(), box.maximum(), box.labelText()) for box in boxes()))
    ((data, _, kind),) = read(str(folder))
    timer.stop()
    assert kind == "image"
    assert np.array_equal(np.sort(np.asarray(data), axis=None), np.sort(planes, axis=None))
    assert slow == [False] * len(planes)
    values = [value for value, _, _ in seen]
    assert values == sorted(values)
    assert len(set(values)) > 3
    assert {maximum for _, maximum, _ in seen if maximum} == {len(planes) + 1}
    assert any(f"of {len(planes)}" in text and text.endswith(folder.name) for _, _, text in seen)
    assert not boxes()


def test_cancel_opens_nothing(qapp, series, slow) -> None:
    folder, planes = series
    timer = every(10, lambda: [box.findChild(QPushButton).click() for box in boxes()])
    assert read(str(folder)) == [(None,)]
    timer.stop()
    assert len(slow) < len(planes)
    assert not boxes()


def test_what_goes_wrong_beside_the_window_is_said_where_it_was_asked_for(qapp, series, slow) -> None:
    folder, _ = series
    last = sorted(folder.iterdir(), key=lambda file: dcmread(file).InstanceNumber)[-1]
    last.write_bytes(last.read_bytes()[:-300])
    with pytest.raises(ToposegError, match=f"{last.name} cannot be read as DICOM"):
        read(str(folder))
    assert not boxes()
