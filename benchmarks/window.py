"""How the window feels: stalls of its thread, how long docks take to open, and memory after ten volumes.

    xvfb-run -a -s "-screen 0 1600x1200x24" python benchmarks/window.py [--document]

A timer of the window's thread is due every 5 ms. How late it comes while a fit and a barcode run, a training runs
beside them as the Labelling dock starts it, and a person drags the slice, is what that person feels as a stall. The
same is measured with nothing running: what is felt then is napari's drawing and the machine. A run with the shipped
network is timed from the click to what is seen. Each time on the clock is followed by the processor time that it took,
which other processes of the machine cannot lengthen much. QT_QPA_PLATFORM must not be "offscreen".
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from heartbeat import Heartbeat, longest, rows_of
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication

from napari_toposeg.backends import Command
from napari_toposeg.data import Phantom, phantom
from napari_toposeg.docks.launch import DOCKS, PLUGIN, open_all
from napari_toposeg.docks.views_dock import NAME as VIEWS
from napari_toposeg.docks.views_dock import show_views
from napari_toposeg.docks.workspace import workspace_of
from napari_toposeg.formats import write_image
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Window
from napari_toposeg.steps import Step
from napari_toposeg.training import Data, Optimisation, TrainedObject, TrainingConfig, write_config

BALL = (96, 96, 64)
RING = (96, 96)
MARGIN = 40.0
"""mm around the box of the ball, with which the region is all of its image."""

REPEATS = 5

LONGEST = 180.0
"""Seconds that anything is waited for."""

HEADINGS = ("what", "figure", "wanted")


@dataclass(frozen=True)
class Taken:
    """What something took, in seconds: on the clock, of the window's thread, of all threads."""

    clock: float
    window: float
    all_threads: float

    @classmethod
    def since(cls, then: Taken) -> Taken:
        now = cls.now()
        return cls(now.clock - then.clock, now.window - then.window, now.all_threads - then.all_threads)

    @classmethod
    def now(cls) -> Taken:
        return cls(time.perf_counter(), time.thread_time(), time.process_time())


def live(seconds: float = 0.0, until: Callable[[], bool] | None = None) -> None:
    """Let the window live for a while, or until something is so."""
    end = time.perf_counter() + (seconds if until is None else LONGEST)
    while until is None or not until():
        if time.perf_counter() > end:
            if until is None:
                return
            raise RuntimeError(f"Something that was waited for did not come in {LONGEST:.0f} s.")
        QApplication.processEvents()
        # What Qt's own loop would delete: until then napari's wheel turns for a file that has long been read, and each
        # turn has the whole window drawn anew, 20 times a second.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        time.sleep(0.001)


def opened(viewer: napari.Viewer, heartbeat: Heartbeat) -> list[list[str]]:
    """How long each dock takes to open beside an image, its imports included; Views also with both its pictures."""
    rows = []
    for name in (*DOCKS, VIEWS):
        if name == VIEWS:
            open_all(viewer)
        live(1.0)
        heartbeat.canvases.clear()
        begun = Taken.now()
        if name == VIEWS:
            show_views(workspace_of(viewer))
            QApplication.processEvents()
            rows.append(_opened(name, Taken.since(begun)))
            live(until=lambda: _drawn(viewer, heartbeat))
            name = f"{VIEWS}, both its pictures drawn"
        else:
            viewer.window.add_plugin_dock_widget(PLUGIN, name)
            QApplication.processEvents()
        rows.append(_opened(name, Taken.since(begun)))
    return rows


def _opened(dock: str, taken: Taken) -> list[str]:
    return [f"a dock opens: {dock}", f"{taken.clock:.2f} s ({taken.window:.2f} s of work)", "0.5 s"]


def _drawn(viewer: napari.Viewer, heartbeat: Heartbeat) -> bool:
    """Whether both pictures of the Views dock have been drawn."""
    canvases = viewer.window.dock_widgets[VIEWS].findChildren(QOpenGLWidget)
    return len(heartbeat.canvases.intersection(canvases)) == 2


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
    number = 0

    def drag() -> None:
        nonlocal number
        number += 1
        if number % 40 == 0:
            viewer.dims.set_current_step(0, number // 40 % BALL[2])
        live(0.01)

    def quiet() -> None:
        for _ in range(400):
            drag()

    training = _training(folder)

    def work() -> None:
        session.run()
        session.barcode.of_image()
        while session.running or session.barcode.computing or training.running:
            drag()

    try:
        together = heartbeat.during(work)
    finally:
        training.stop()
    rows = rows_of(heartbeat.during(quiet), "nothing running")
    rows += rows_of(together, "a fit, a barcode and a training running")
    taken = "gave nothing" if session.result is None else f"{session.result.seconds['total']:.1f} s"
    return [*rows, ["the fit, beside a barcode and a training", taken, ""]]


def answered(
    viewer: napari.Viewer, segment: Any, path: Path, image: Phantom, prior: str, heartbeat: Heartbeat
) -> list[list[str]]:
    """From the click on Run to what is seen of the shipped network's answer; the first run, and the median of more."""
    workspace = workspace_of(viewer)
    session, layers = workspace.session, workspace.layers
    box = box_of(image.mask)
    assert box is not None
    before = session.volume
    viewer.layers.clear()
    live(0.5)
    viewer.open(str(path), plugin=PLUGIN)
    live(until=lambda: session.volume is not None and session.volume is not before)
    session.choose_prior(prior)
    session.network = None
    session.place_in_box(box, margin=MARGIN)
    live(5.0)
    assert session.volume is not None
    assert session.region == session.volume.frame.box
    computed: list[Taken] = []
    begun = Taken.now()

    def watch(steps: list[Step[Any]]) -> None:
        if layers.preview is not None and any(step.preview is not None for step in steps):
            # After the picture has been drawn.
            QTimer.singleShot(0, lambda: computed.append(Taken.since(begun)))

    workspace.signals.steps.connect(watch)
    first, whole, worst = [], [], []

    def run() -> None:
        nonlocal begun
        begun = Taken.now()
        segment.run_button.click()
        live(until=lambda: not session.running and session.result is not None and layers.mask is not None)
        whole.append(Taken.since(begun))

    for _ in range(1 + REPEATS):
        session.take_result(None)
        live(0.5)
        computed.clear()
        beats = heartbeat.during(run)
        first.append(computed[0] if computed else whole[-1])
        worst.append(longest(beats))
        live(0.5)
    workspace.signals.steps.disconnect(watch)
    result = session.result
    assert result is not None
    assert result.certificate.topology_ok
    size = " x ".join(map(str, image.mask.shape))
    what = f"{prior} of {size} voxels, network {result.networks[0]['weights']}"
    rows = []
    for when, runs in (("the first time", slice(1)), (f"median of {REPEATS} more", slice(1, None))):
        for to, times, wanted in (("the first preview", first, "0.5 s"), ("the certified mask", whole, "1.5 s")):
            rows.append([f"from Run to {to}, {when} ({what})", _median(times[runs]), wanted])
    beat = max(worst, key=lambda beat: beat.late)
    text = f"{1000 * beat.late:.0f} ms ({1000 * beat.worked:.0f} ms of work; painted for {1000 * beat.painted:.0f} ms)"
    return [*rows, [f"longest stall in these runs ({what})", text, "100 ms"]]


def _median(runs: list[Taken]) -> str:
    clock, window, every = np.median([(run.clock, run.window, run.all_threads) for run in runs], axis=0)
    return f"{clock:.2f} s (work: {every:.2f} s, of it {window:.2f} s in the window's thread)"


def _training(folder: Path) -> Command:
    config = TrainingConfig(
        Data(synthetic=64),
        (TrainedObject("disk"),),
        "tpsn",
        Window((64, 64)),
        optimisation=Optimisation(epochs=2),
        device="cpu",
    )
    path = folder / "config.yaml"
    write_config(config, path)

    def ended(code: int) -> None:
        if code:
            raise SystemExit(f"The training ended with {code}.")

    return Command(["train", str(path), "--out", str(folder / "training")], folder, on_line=_hear, on_end=ended)


def _hear(line: str) -> None:
    """What a training says of itself."""


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


def said(rows: list[list[str]]) -> list[list[str]]:
    """The rows, printed as soon as they are known."""
    for row in rows:
        print(" | ".join(row), flush=True)
    return rows


def main(document: bool = False) -> None:
    """Measure, and print rows of a table as they come.

    Parameters
    ----------
    document
        Put it into docs/results.md.
    """
    torch.set_num_threads(1)
    ball, ring = phantom("ball", BALL, seed=3), phantom("annulus", RING, seed=3)
    with TemporaryDirectory() as place:
        folder = Path(place)
        path, flat = folder / "ball.nii.gz", folder / "annulus.nii.gz"
        write_image(ball.volume, path)
        write_image(ring.volume, flat)
        heartbeat = Heartbeat()
        viewer = napari.Viewer(title="Toposeg")
        viewer.open(str(path), plugin=PLUGIN)
        live(2.0)
        rows = said(opened(viewer, heartbeat))
        show_views(workspace_of(viewer))  # closes it: most people work without
        live(3.0)
        segment = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")[1]
        rows += said(answered(viewer, segment, path, ball, "ball", heartbeat))
        rows += said(answered(viewer, segment, flat, ring, "annulus", heartbeat))
        viewer.layers.clear()
        viewer.open(str(path), plugin=PLUGIN)
        live(5.0)
        rows += said(stalls(viewer, ball, folder, heartbeat))
        rows += said(memory(viewer, path))
        workspace_of(viewer).session.close()
        viewer.close()
    if document:
        write_table("window", HEADINGS, rows)


if __name__ == "__main__":
    tyro.cli(main)
