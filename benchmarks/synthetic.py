"""Synthetic training samples: how many a second one core draws, how many objects had to be redrawn, and pictures.

    python benchmarks/synthetic.py
    python benchmarks/synthetic.py --document      # ... the table and the sheets of 64 samples go into docs/

Seeds: (0, n) for the table, (1, n) for the pictures, n counting the samples. The topology of every label is counted by
gudhi, apart from the time.
"""

from __future__ import annotations

import os

# Before numpy: one core is what is measured.
os.environ["OMP_NUM_THREADS"] = "1"

from pathlib import Path
from time import process_time

import numpy as np
import tyro
from documented import write_table
from numpy.typing import NDArray
from oracle import betti_by_gudhi
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy.ndimage import binary_dilation

from napari_toposeg.data.synthetic import SyntheticSample, synthetic_priors, synthetic_sample
from napari_toposeg.frame import box_of
from napari_toposeg.priors import find_prior

DOCS = Path(__file__).parents[1] / "docs"
WINDOWS = {2: (96, 96), 3: (48, 48, 48)}
HEADINGS = ("prior", "window", "samples", "samples/s, one core", "redrawn", "wrong by gudhi", "share of its box")
SHEETS = ("disk", "annulus", "ball")
SIDE = 8
# Few greys, so that a sheet of noise stays a small file; and red.
GREYS = 40
PALETTE = [level * 255 // (GREYS - 1) for level in range(GREYS) for _ in "rgb"] + [235, 40, 30]


def window_of(name: str) -> tuple[int, ...]:
    prior = find_prior(name)
    assert prior is not None
    return WINDOWS[prior.ndim]


def in_its_box(sample: SyntheticSample) -> NDArray[np.bool_]:
    """The label, cut to the object's own box."""
    label = sample.label[0] > 0
    box = box_of(label)
    assert box is not None
    return label[tuple(slice(low, high) for low, high in box)]


def measure(name: str, count: int) -> tuple[str, ...]:
    prior, shape = find_prior(name), window_of(name)
    assert prior is not None
    synthetic_sample(name, shape, 0)  # compiles
    begun = process_time()
    samples = [synthetic_sample(name, shape, (0, number)) for number in range(count)]
    taken = process_time() - begun
    wrong = sum(betti_by_gudhi(in_its_box(sample)) != prior.betti for sample in samples)
    shares = [in_its_box(sample).mean() for sample in samples]
    low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
    return (
        name,
        " x ".join(map(str, shape)),
        str(count),
        f"{count / taken:.0f}",
        f"{sum(sample.draws > 1 for sample in samples)}",
        str(wrong),
        f"{middle:.2f} ({low:.2f} to {high:.2f})",
    )


def tile(sample: SyntheticSample, axis: int) -> NDArray[np.uint8]:
    """(98, 98) colours of `PALETTE`: the image, or its slice through the middle of the object, and the outline."""
    image, label = sample.image[0], sample.label[0] > 0
    if image.ndim == 3:
        middle = int(np.median(np.argwhere(label)[:, axis]))
        # Two pixels a voxel.
        image, label = (np.kron(whole.take(middle, axis), np.ones((2, 2))) for whole in (image, label))
    low, high = np.quantile(image, [0.005, 0.995])
    colours = np.rint(np.clip((image - low) / (high - low), 0, 1) * (GREYS - 1)).astype(np.uint8)
    colours[binary_dilation(label > 0) ^ (label > 0)] = GREYS
    return np.pad(colours, ((0, 2), (0, 2)), constant_values=GREYS - 1)


def sheet(name: str) -> Image.Image:
    """64 samples."""
    samples = [synthetic_sample(name, window_of(name), (1, number)) for number in range(SIDE * SIDE)]
    tiles = [tile(sample, number % 3) for number, sample in enumerate(samples)]
    rows = [np.concatenate(tiles[row * SIDE : (row + 1) * SIDE], axis=1) for row in range(SIDE)]
    picture = Image.fromarray(np.concatenate(rows)[:-2, :-2], "P")
    picture.putpalette(PALETTE)
    return picture


def main(document: bool = False, only: tuple[str, ...] = synthetic_priors(), samples: int = 300) -> None:
    """Time the drawing of samples and print a table.

    Parameters
    ----------
    document
        Put the table into docs/synthetic_samples.md, and the sheets into docs/pictures.
    only
        Names of the priors to draw.
    samples
        How many in 2-D; a tenth of that in 3-D.
    """
    rows = [measure(name, samples if len(window_of(name)) == 2 else samples // 10) for name in only]
    table = Table(*HEADINGS, title="Synthetic samples")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if document:
        write_table("synthetic-samples", HEADINGS, rows, DOCS / "synthetic_samples.md")
        for name in SHEETS:
            sheet(name).save(DOCS / "pictures" / f"samples-{name}.png", optimize=True)


if __name__ == "__main__":
    tyro.cli(main)
