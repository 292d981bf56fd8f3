"""How the window feels: stalls of its thread, how long docks take to open, and memory after ten volumes.

    xvfb-run -a -s "-screen 0 1600x1200x24" python benchmarks/window.py [--document]

A timer of the window's thread is due every 5 ms. How late it comes while a fit, a barcode and a training run at once,
and a person drags the slice, is what that person feels as a stall. The same is measured with nothing running: what is
felt then is napari's drawing and the machine. A run with the shipped network is timed from the click to what is seen.
QT_QPA_PLATFORM must not be "offscreen".
"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("NAPARI_CONFIG", "")  # nobody's own settings
os.environ.setdefault("TOPOSEG_LAYOUT", "")
os.environ.setdefault("TOPOSEG_AUTOSAVE", tempfile.mkdtemp())

import napari
import numpy as np
import psutil
import torch
import tyro
from documented import write_table
from heartbeat import Heartbeat, rows_of
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
RING = (96, 96)
"""No network for volumes is shipped yet."""

HEADINGS = ("what", "figure", "wanted")


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


def stalls(viewer: napari.Viewer, image: Phantom, folder: Path, heartbeat: Heartbeat) -> list[list[str]]:
    """The window's thread while slices are dragged: alone, and beside a fit, a barcode and a training."""
    session = workspace_of(viewer).session
    box = box_of(image.mask)
    assert box is not None
    session.choose_prior("ball")
    session.network = "none"
    session.place_in_box(box)
    live(until=lambda: workspace_of(viewer).layers.template is not None)
    live(3.0)
    training = threading.Thread(target=_train, args=(folder,), daemon=True)
    number = 0

    def drag() -> None:
        nonlocal number
        number += 1
        if number % 40 == 0:
            viewer.dims.set_current_step(0, number // 40 % SHAPE[2])
        live(0.01)

    def quiet() -> None:
        for _ in range(400):
            drag()

    def work() -> None:
        training.start()
        session.run()
        session.barcode.of_image()
        while session.running or session.barcode.computing or training.is_alive():
            drag()

    rows = rows_of(heartbeat.during(quiet), "nothing running")[:1]
    rows += rows_of(heartbeat.during(work), "a fit, a barcode and a training running")
    taken = "gave nothing" if session.result is None else f"{session.result.seconds['total']:.1f} s"
    return [*rows, ["the fit, beside a barcode and a training", taken, ""]]


def answered(viewer: napari.Viewer, segment: Any, folder: Path) -> list[list[str]]:
    """From the click on Run to what is seen of the shipped network's answer; the first run, and the median of five."""
    workspace = workspace_of(viewer)
    session, layers = workspace.session, workspace.layers
    image = phantom("annulus", RING, seed=3)
    box = box_of(image.mask)
    assert box is not None
    path = folder / "annulus.nii.gz"
    write_image(image.volume, path)
    before = session.volume
    viewer.open(str(path), plugin=PLUGIN)
    live(until=lambda: session.volume is not before)
    session.choose_prior("annulus")
    session.network = None
    session.place_in_box(box)
    live(5.0)
    seconds = []
    for _ in range(6):
        session.take_result(None)
        live(0.5)
        begun = time.perf_counter()
        segment.run_button.click()
        live(until=lambda: layers.preview is not None)
        seen = time.perf_counter() - begun
        live(until=lambda: not session.running and session.result is not None and layers.mask is not None)
        seconds.append((seen, time.perf_counter() - begun))
        live(0.5)
    result = session.result
    assert result is not None
    assert result.certificate.topology_ok
    first, later = seconds[0], np.median(seconds[1:], axis=0)
    where = f"annulus of {RING[0]} x {RING[1]} pixels, network {result.networks[0]['weights']}"
    return [
        [f"from Run to the first preview ({where}): the first time", f"{first[0]:.2f} s", "0.5 s"],
        ["from Run to the certified mask: the first time", f"{first[1]:.2f} s", "1.5 s"],
        ["from Run to the first preview: median of 5 more", f"{later[0]:.2f} s", "0.5 s"],
        ["from Run to the certified mask: median of 5 more", f"{later[1]:.2f} s", "1.5 s"],
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
        heartbeat = Heartbeat()
        viewer = napari.Viewer(title="Toposeg")
        rows = opened(viewer)
        open_all(viewer)
        viewer.open(str(path), plugin=PLUGIN)
        live(5.0)
        rows += stalls(viewer, image, folder, heartbeat)
        segment = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")[1]
        rows += answered(viewer, segment, folder)
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
