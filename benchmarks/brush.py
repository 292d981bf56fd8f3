"""The locked brush on a large mask: how long a stroke takes, beside one that flips all that it covers.

    python benchmarks/brush.py [--document]

Each figure is processor time, of the slowest or the median of many strokes along the boundary of a hollow ball of
512x512x300 voxels, which is where a person paints: from the points of the drag to the mask with the stroke written into
it.
"""

from __future__ import annotations

import time

import numpy as np
import tyro
from documented import write_table
from rich.console import Console
from rich.table import Table

from napari_toposeg.inference import PixelwiseSegmentation, Settings
from napari_toposeg.priors import find_prior
from napari_toposeg.session import Session
from napari_toposeg.topology import betti_numbers, certify, paint, stroke_footprint, warm_up
from napari_toposeg.volume import Volume

SHAPE = (512, 512, 300)
STROKES = 40
HEADINGS = ("stroke on 512x512x300 voxels", "voxels covered", "slowest", "median", "not locked, slowest")


def hollow_ball() -> np.ndarray:
    """(*SHAPE) bool: one piece with one cavity."""
    grid = np.ogrid[tuple(slice(0, size) for size in SHAPE)]
    squared = sum((axis - size / 2.0) ** 2 for axis, size in zip(grid, SHAPE, strict=True))
    return np.asarray((squared < 120.0**2) & (squared > 105.0**2))


def measured(radius: float, length: float, plane: tuple[int, int] | None) -> list[str]:
    """One row: strokes of a length along the outer boundary, painting and erasing in turn."""
    random = np.random.default_rng(7)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    covered = 0
    for locked in (True, False):
        mask = hollow_ball()
        for number in range(STROKES):
            way = random.normal(size=3)
            at = np.array(SHAPE) / 2.0 + 120.0 * way / np.linalg.norm(way)
            along = np.cross(way, random.normal(size=3))
            points = np.stack([at, at + length * along / np.linalg.norm(along)])
            begun = time.thread_time()
            footprint = stroke_footprint(points if length else points[:1], radius, SHAPE, plane=plane)
            painted = paint(mask, footprint, erase=number % 2 == 1, locked=locked, betti=(1, 0, 1))
            mask[painted.box] = painted.after
            seconds[locked].append(time.thread_time() - begun)
            covered = max(covered, int(footprint.inside.sum()))
        if locked and betti_numbers(mask) != (1, 0, 1):
            raise SystemExit("The topology is broken.")
    kind = "a disk" if plane is not None else "a ball"
    drag = f", drawn over {length:g} voxels" if length else ""
    slowest, median, free = max(seconds[True]), float(np.median(seconds[True])), max(seconds[False])
    return [
        f"{kind} of radius {radius:g}{drag}",
        f"{covered:,}",
        f"{1000 * slowest:.1f} ms",
        f"{1000 * median:.1f} ms",
        f"{1000 * free:.1f} ms",
    ]


def in_a_session() -> list[list[str]]:
    """Two rows: the same through a session, which keeps each stroke in its history, and its undo."""
    volume = Volume.from_stored(np.zeros(SHAPE, np.uint8), np.eye(4))
    mask = hollow_ball()
    certificate = certify(mask, (1, 0, 1), folding_voxels=None, least_jacobian=None)
    session = Session()
    session.set_volume(volume)
    shell = find_prior("shell")
    assert shell is not None
    session.take_result(
        PixelwiseSegmentation(
            volume=volume,
            prior=shell,
            box=volume.frame.box,
            mask=mask,
            certificate=certificate,
            settings=Settings(),
            device="cpu",
            seconds={},
            start="nothing",
        )
    )
    session.history.clear()
    session.brush.radius = 10.0
    random = np.random.default_rng(7)
    seconds: list[float] = []
    undone: list[float] = []
    for number in range(STROKES):
        way = random.normal(size=3)
        at = np.array(SHAPE) / 2.0 + 120.0 * way / np.linalg.norm(way)
        begun = time.thread_time()
        (session.brush.erase if number % 2 else session.brush.paint)(at)
        seconds.append(time.thread_time() - begun)
    held = session.history.nbytes
    for _ in range(STROKES):
        begun = time.thread_time()
        session.history.undo()
        undone.append(time.thread_time() - begun)
    if session.mask is None or not np.array_equal(session.mask, mask):
        raise SystemExit("Undo is not exact.")
    session.close()
    return [
        [
            f"a ball of radius 10, in a session; {STROKES} are {held / 1024:.0f} kB of history",
            "",
            f"{1000 * max(seconds[1:]):.1f} ms",
            f"{1000 * float(np.median(seconds)):.1f} ms",
            "",
        ],
        ["undo of such a stroke", "", f"{1000 * max(undone):.1f} ms", f"{1000 * float(np.median(undone)):.1f} ms", ""],
    ]


def main(document: bool = False) -> None:
    """Measure, and print a table.

    Parameters
    ----------
    document
        Put it into docs/results.md.
    """
    warm_up()
    rows = [
        measured(10.0, 0.0, (0, 1)),
        measured(10.0, 0.0, None),
        measured(10.0, 20.0, None),
        measured(20.0, 0.0, None),
        *in_a_session(),
    ]
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    if document:
        write_table("brush", HEADINGS, rows)


if __name__ == "__main__":
    tyro.cli(main)
