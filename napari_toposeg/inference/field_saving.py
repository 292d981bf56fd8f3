"""All that is known of a result's deformation, as files that other tools read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.deformation import Histogram
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import replacing, write_displacement, write_jacobian, write_mask
from napari_toposeg.frame import box_slices, clip_box
from napari_toposeg.inference.field_picture import draw_field, draw_histogram
from napari_toposeg.inference.result_field import ResultField, WorstCell
from napari_toposeg.volume import Volume

CELLS = 100
"""Rows of the table of the worst cells."""


def save_field(field: ResultField, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write a deformation and everything that is shown of it.

    Parameters
    ----------
    field : ResultField
        As it stands. Where its folds were repaired, what it was before is written besides.
    folder : path
        Made where there is none, in a folder that exists. Files of the same names are replaced, each whole.

    Returns
    -------
    tuple of Path
        What was written; each name begins with the volume's. As NIfTI, on the grid of the image's file: the
        displacement (``displacement``, as ITK and ANTs read it), the least determinant at each voxel (``jacobian``),
        the voxels of cells that fold (``folding``), the mask, and the template after each stage or level
        (``template_0`` and so on). As tables: the worst cells (``worst_cells.csv``) and the histogram
        (``determinants.csv``). As pictures: the histogram (``determinants.png``), and the template's way, the warped
        grid and the determinants in one slice (``deformation.png``).

    Raises
    ------
    ToposegError
        If the folder cannot be made, or a file not be written.
    """
    field = ResultField(field.result) if field.before else field
    result = field.result
    volume = result.volume
    place = _made(Path(folder))
    written: list[Path] = []

    def at(what: str) -> Path:
        path = place / f"{volume.name or 'image'}_{what}"
        written.append(path)
        return path

    fields = [(field, "")]
    if field.unrepaired is not None:
        fields.append((field.unrepaired, "_before_repair"))
    for one, ending in fields:
        displacement, jacobian = one.on_voxels()
        frame = displacement.frame
        write_displacement(displacement, volume, at(f"displacement{ending}.nii.gz"))
        write_jacobian(jacobian.at_voxels, frame, volume, at(f"jacobian{ending}.nii.gz"))
        start = np.round(frame.index_in(volume.frame)[: volume.ndim, 3]).astype(int)
        region = tuple((int(low), int(low) + size) for low, size in zip(start, frame.shape, strict=True))
        inside = clip_box(region, volume.shape)
        part = tuple(slice(low - first, high - first) for (low, high), (first, _) in zip(inside, region, strict=True))
        folding = np.zeros(volume.shape, bool)
        folding[box_slices(inside)] = jacobian.folding_voxels[part]
        write_mask(folding, volume, at(f"folding{ending}.nii.gz"))
    write_mask(result.full_mask(), volume, at("mask.nii.gz"))
    levels = field.template_levels()
    for number, level in enumerate(levels):
        write_mask(_whole(level.distance > 0, field), volume, at(f"template_{number}.nii.gz"))
    cells = field.worst_cells(CELLS)
    _write_cells(cells, volume, at("worst_cells.csv"))
    before = None if field.unrepaired is None else field.unrepaired.histogram()
    histogram = field.histogram(like=before)
    _write_histogram(histogram, at("determinants.csv"))
    draw_histogram(histogram, at("determinants.png"), folding=field.jacobian.folding, before=before)
    # A fold is worth seeing; where there is none, the worst cell says less than the organ's largest slice.
    worst = cells[0].index if cells and field.jacobian.folding else None
    draw_field(field, levels, worst, at("deformation.png"))
    return tuple(written)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ToposegError(
            f"The folder {folder} cannot be made.",
            why=f"{error.strerror or error}.",
            todo="Choose a folder that you may write to.",
        ) from error
    return folder


def _whole(part: NDArray[np.bool_], field: ResultField) -> NDArray[np.bool_]:
    full = np.zeros(field.result.volume.shape, bool)
    full[box_slices(field.result.box)] = part
    return full


def _write_cells(cells: Iterable[WorstCell], volume: Volume, path: Path) -> None:
    axes = "ijk"[: len(volume.stored.shape)]
    rows: list[list[Any]] = [
        [one.rank, one.determinant, *one.voxel, *(round(number, 4) for number in one.place)] for one in cells
    ]
    _write_table(["rank", "determinant", *axes, "x_mm", "y_mm", "z_mm"], rows, path)


def _write_histogram(histogram: Histogram, path: Path) -> None:
    rows = zip(histogram.edges[:-1].tolist(), histogram.edges[1:].tolist(), histogram.counts.tolist(), strict=True)
    _write_table(["from", "to", "cells"], rows, path)


def _write_table(header: list[str], rows: Iterable[Iterable[Any]], path: Path) -> None:
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(header)
        table.writerows(rows)
