"""How the window feels: stalls of its thread, how long docks take to open, and memory after ten volumes.

    xvfb-run -a -s "-screen 0 1600x1200x24" python benchmarks/window.py [--document]

A timer of the window's thread is due every 5 ms. How late it comes while a fit, a barcode and a training run at once,
and a person drags the slice, is what that person feels as a stall. QT_QPA_PLATFORM must not be "offscreen".
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("NAPARI_CONFIG", "")  # nobody's own settings

import napari
import numpy as np
import psutil
import torch
import tyro
from documented import write_table
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

from napari_toposeg.data import Phantom, phantom
from napari_toposeg.docks.launch import DOCKS, PLUGIN, open_all
from napari_toposeg.docks.workspace import workspace_of
from napari_toposeg.formats import write_image
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Window
from napari_toposeg.training import Data, Optimisation, TrainedObject, TrainingConfig, train

SHAPE = (96, 96, 64)
BEAT = 0.005
HEADINGS = ("what", "figure", "wanted")


class Heartbeat:
    """How late a timer of the window's thread comes."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._due = 0.0
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now = time.perf_counter()
        self._late.append(now - self._due)
        self._due = now + BEAT

    def during(self, work: Callable[[], None]) -> list[float]:
        """Seconds by which each beat was late."""
        self._late.clear()
        self._due = time.perf_counter() + BEAT
        self._timer.start(round(1000 * BEAT))
        work()
        self._timer.stop()
        return list(self._late)


def live(seconds: float = 0.0, until: Callable[[], bool] | None = None) -> None:
    """Let the window live for a while, or until something is so."""
    end = time.perf_counter() + (seconds if until is None else 600.0)
    while time.perf_counter() < end and not (until is not None and until()):
        QApplication.processEvents()
        time.sleep(0.001)


def opened(viewer: napari.Viewer) -> list[list[str]]:
    """How long each dock takes to open, its imports included."""
    rows = []
    for name in DOCKS:
        begun = time.perf_counter()
        viewer.window.add_plugin_dock_widget(PLUGIN, name)
        QApplication.processEvents()
        rows.append([f"the {name} dock opens in", f"{time.perf_counter() - begun:.2f} s", "0.5 s"])
    return rows


def stalls(viewer: napari.Viewer, image: Phantom, folder: Path) -> list[list[str]]:
    """The window's thread while a fit, a barcode and a training run, and slices are dragged."""
    session = workspace_of(viewer).session
    box = box_of(image.mask)
    assert box is not None
    session.choose_prior("ball")
    session.network = "none"
    session.place_in_box(box)
    live(3.0)
    training = threading.Thread(target=_train, args=(folder,), daemon=True)

    def work() -> None:
        training.start()
        session.run()
        session.barcode.of_image()
        number = 0
        while session.running or session.barcode.computing or training.is_alive():
            number += 1
            if number % 40 == 0:
                viewer.dims.set_current_step(0, number // 40 % SHAPE[2])
            live(0.01)

    late = np.array(Heartbeat().during(work))
    return [
        ["longest stall of the window's thread", f"{1000 * late.max():.0f} ms", "100 ms"],
        ["99 of 100 beats are late by at most", f"{1000 * np.percentile(late, 99):.0f} ms", ""],
        ["the fit, beside a barcode and a training", f"{session.result.seconds['total']:.1f} s", ""]
        if session.result is not None
        else ["the fit", "gave nothing", ""],
    ]


def _train(folder: Path) -> None:
    config = TrainingConfig(
        Data(synthetic=64),
        (TrainedObject("disk"),),
        "tpsn",
        Window((64, 64)),
        optimisation=Optimisation(epochs=2),
        device="cpu",
    )
    for _ in train(config, folder / "training"):
        pass


def memory(viewer: napari.Viewer, path: Path) -> list[list[str]]:
    """What ten volumes leave behind when they are closed."""
    process = psutil.Process()
    used = []
    for _ in range(11):
        viewer.layers.clear()
        live(0.5)
        viewer.open(str(path), plugin=PLUGIN)
        live(1.0)
        viewer.layers.clear()
        live(0.5)
        gc.collect()
        used.append(process.memory_info().rss / 2**20)
    return [["memory after ten more volumes", f"{100 * (used[-1] / used[0] - 1):+.1f} %", "10 %"]]


def main(document: bool = False) -> None:
    """Measure, and print a table.

    Parameters
    ----------
    document
        Put it into docs/results.md.
    """
    torch.set_num_threads(1)
    image = phantom("ball", SHAPE, seed=3)
    with TemporaryDirectory() as place:
        folder = Path(place)
        path = folder / "ball.nii.gz"
        write_image(image.volume, path)
        viewer = napari.Viewer(title="Toposeg")
        rows = opened(viewer)
        open_all(viewer)
        viewer.open(str(path), plugin=PLUGIN)
        live(5.0)
        rows += stalls(viewer, image, folder)
        rows += memory(viewer, path)
        workspace_of(viewer).session.close()
        viewer.close()
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    if document:
        write_table("window", HEADINGS, rows)


if __name__ == "__main__":
    tyro.cli(main)
