"""Barcodes beside gudhi: seconds of one core, the ratio, and the memory that the largest map takes.

    python benchmarks/persistence.py --document

Both give every bar with its voxels; that the bars are the same is checked in the same run. `all levels` and `band` are
ours; `gudhi, rectangle` is gudhi's own quick code for images, which gives no voxels and is not in its public interface:
its voxels are had by giving it each pixel's rank in place of its level. Synthetic maps (`maps.py`), seeds 0 to 99.
"""

from __future__ import annotations

import os

# Before numpy and torch: one core is what is measured.
os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import subprocess
import sys
from collections.abc import Callable
from tempfile import NamedTemporaryFile
from threading import Thread
from time import process_time, sleep

import gudhi
import maps
import numpy as np
import psutil
import tyro
from documented import write_table
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from napari_toposeg.topology import PersistencePairs, persistence_pairs

BAND = 0.01
HEADINGS = (
    "maps",
    "connectivity",
    "gudhi: seconds",
    "way",
    "seconds",
    "times as fast",
    "memory above the map: MB",
)
Maps = NDArray[np.float32]

CASES: dict[str, Callable[[], Maps]] = {
    "100 of 80x80": lambda: np.stack([maps.ring(seed) for seed in range(100)]),
    "512x512": lambda: maps.ring(0, 512)[None],
    "128x128x64": lambda: maps.organ((128, 128, 64), 1)[None],
    "128x128x64, doubtful": lambda: maps.doubtful_organ((128, 128, 64), 1)[None],
    "96x240x256": lambda: maps.organ((96, 240, 256), 0)[None],
}


def by_gudhi(stack: Maps, corners: bool) -> list[list[NDArray[np.float64]]]:
    """For each map and dimension the bars (birth, death); their voxels are found too, since ours are."""
    found = []
    for p in stack:
        cells = -p.astype(np.float64)
        complex_ = gudhi.CubicalComplex(**{"top_dimensional_cells" if corners else "vertices": cells})
        complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
        _ = complex_.cofaces_of_persistence_pairs() if corners else complex_.vertices_of_persistence_pairs()
        bars = [-complex_.persistence_intervals_in_dimension(dimension).reshape(-1, 2) for dimension in range(p.ndim)]
        bars[0][np.isinf(bars[0])] = 0
        found.append(bars)
    return found


def by_rectangle(stack: Maps) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Places of birth and death by gudhi's code for images: the filtration is by rank, so each end names its pixel."""
    from gudhi._pers_cub_low_dim_ext import _persistence_on_rectangle_from_top_cells as rectangle

    found = []
    for p in stack:
        order = np.argsort(-p.reshape(-1), kind="stable")
        rank = np.empty(p.size)
        rank[order] = np.arange(p.size)
        components, holes = rectangle(rank.reshape(p.shape), 0.0)
        found.append((order[np.minimum(components, p.size - 1).astype(int)], order[holes.astype(int)]))
    return found


def same_bars(ours: PersistencePairs, theirs: list[list[NDArray[np.float64]]]) -> bool:
    for item, dimensions in enumerate(theirs):
        for dimension, bars in enumerate(dimensions):
            mine = (ours.item == item) & (ours.dimension == dimension)
            found = np.stack([ours.birth[mine], ours.death[mine]], axis=1)
            if not np.array_equal(found[np.lexsort(found.T)], bars[np.lexsort(bars.T)]):
                return False
    return True


def seconds(run: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        begun = process_time()
        run()
        taken.append(process_time() - begun)
    return statistics.median(taken)


def memory(stack: Maps, way: str) -> float:
    """MB that a run takes above the map, at its peak, in a process of its own that never held anything else."""
    with NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, stack)
        command = [sys.executable, __file__, "--only-memory", file.name, way]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def peak_above(file: str, way: str) -> float:
    stack = np.load(file)
    run = ways(stack, corners=True)[way]
    ways(stack[:, :8, :8, :8], corners=True)[way]()  # what is compiled and imported is no part of it
    process = psutil.Process()
    before = process.memory_info().rss
    peak, going = [before], [True]

    def watch() -> None:
        while going:
            peak.append(max(peak.pop(), process.memory_info().rss))
            sleep(0.002)

    watcher = Thread(target=watch)
    watcher.start()
    run()
    going.clear()
    watcher.join()
    return (peak[0] - before) / 1e6


def ways(stack: Maps, corners: bool) -> dict[str, Callable[[], object]]:
    connectivity = {True: {3: 8, 4: 26}, False: {3: 4, 4: 6}}[corners][stack.ndim]
    found: dict[str, Callable[[], object]] = {
        "all levels": lambda: persistence_pairs(stack, connectivity=connectivity),
        f"band {BAND}": lambda: persistence_pairs(stack, connectivity=connectivity, band=BAND),
        "gudhi": lambda: by_gudhi(stack, corners),
    }
    if corners and stack.ndim == 3:
        found["gudhi, rectangle"] = lambda: by_rectangle(stack)
    return found


def main(document: bool = False, only: tuple[str, ...] = tuple(CASES)) -> None:
    """Time barcodes beside gudhi and print a table.

    Parameters
    ----------
    document
        Put the table into docs/results.md.
    only
        Names of the cases to run.
    """
    rows = []
    for case in only:
        stack = CASES[case]()
        for corners in (True, False):
            known = ways(stack, corners)
            small = stack[:1, :8, :8] if stack.ndim == 3 else stack[:, :8, :8, :8]
            for run in ways(small, corners).values():
                run()
            gudhi_seconds = seconds(known.pop("gudhi"), 1 if stack.size > 2e6 else 3)
            if corners:
                gudhi_26 = gudhi_seconds
            theirs = by_gudhi(stack, corners), by_gudhi(np.clip(stack, BAND, 1 - BAND), corners)
            for way, run in known.items():
                taken = seconds(run, 5)
                if way != "gudhi, rectangle":
                    found = run()
                    assert isinstance(found, PersistencePairs)
                    assert same_bars(found, theirs[way != "all levels"]), f"{case}, {way}: other bars than gudhi's"
                above = f"{memory(stack, way):.0f}" if corners and stack.ndim == 4 else ""
                connectivity = {True: {3: "8", 4: "26"}, False: {3: "4", 4: "6"}}[corners][stack.ndim]
                rows.append(
                    (
                        case,
                        connectivity,
                        f"{gudhi_seconds:.2f}",
                        way,
                        f"{taken:.3f}",
                        f"{gudhi_seconds / taken:.1f}",
                        above,
                    )
                )
                print(" | ".join(rows[-1]), flush=True)
        if stack.size > 2e6:
            rows.append(
                (case, "26", f"{gudhi_26:.2f}", "gudhi `CubicalComplex`", "", "1", f"{memory(stack, 'gudhi'):.0f}")
            )
    table = Table(*HEADINGS, title="Barcodes beside gudhi")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if document:
        write_table("persistence", HEADINGS, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--only-memory"]:
        print(peak_above(*sys.argv[2:4]))
    else:
        tyro.cli(main)
