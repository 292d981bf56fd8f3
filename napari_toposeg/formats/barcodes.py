"""Barcodes as JSON, as a table and as a picture."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.paths import existing_file

if TYPE_CHECKING:
    from napari_toposeg.topology.persistence import Barcode, Scale

BARCODE_ENDINGS = (".json", ".csv")
BARCODE_PICTURE_ENDINGS = (".png", ".pdf", ".svg")

_BARS_AT_ONCE = 10_000
_CONNECTIVITIES = (4, 8, 6, 26)


def write_barcode(barcode: Barcode, path: str | os.PathLike[str], *, facts: Mapping[str, Any] | None = None) -> None:
    """Write a barcode as JSON.

    Parameters
    ----------
    barcode : Barcode
        Written in its order: longest first, as `barcode` makes it.
    path : path
        .json; appears whole or not at all.
    facts : mapping, optional
        More that the object says of the map, ready for JSON; `read_barcode` passes over it.

    Raises
    ------
    ToposegError
        If it cannot be written.

    Notes
    -----
    One object: "shape" and "connectivity" of the map; "band" and "min_persistence", which say what was left out;
    "bars", a list of objects with "dimension", "birth", "death", "birth_voxel" and "death_voxel". A voxel is a list of
    one index for each axis of "shape", from 0, or null where there is none. `ProbabilityMap.barcode_in_file` makes them
    those of the file that the map was read from. Each bar stands on a line of its own.
    """
    with replacing(path) as part, open(part, "w", encoding="utf-8") as stream:
        dump_barcode(barcode, stream, facts)


def dump_barcode(barcode: Barcode, stream: TextIO, facts: Mapping[str, Any] | None = None) -> None:
    """Write a barcode as JSON, as `write_barcode` does, to an open text stream."""
    head = {
        "shape": list(barcode.shape),
        "connectivity": barcode.connectivity,
        "band": barcode.band,
        "min_persistence": barcode.min_persistence,
        **(facts or {}),
    }
    stream.write(json.dumps(head)[:-1] + ', "bars": [')
    between = "\n"
    for lines in _lines(barcode):
        stream.write(between + lines)
        between = ",\n"
    stream.write("\n]}\n")


def write_barcode_table(
    barcode: Barcode, path: str | os.PathLike[str], *, columns: Mapping[str, Sequence[Any]] | None = None
) -> None:
    """Write a barcode as a table of comma-separated values, one bar a row.

    Parameters
    ----------
    barcode : Barcode
        Written in its order.
    path : path
        .csv; appears whole or not at all.
    columns : mapping of str to sequence, optional
        Further columns, a value for each bar.

    Raises
    ------
    ToposegError
        If it cannot be written.

    Notes
    -----
    The columns are "dimension", "birth", "death", "length", and "birth_i", "birth_j", ..., "death_i", ...: one for each
    axis of the map, empty where there is no such voxel.
    """
    from napari_toposeg.topology.persistence import NO_VOXEL

    axes = "ijk"[: len(barcode.shape)]
    names = ["dimension", "birth", "death", "length"]
    names += [f"{end}_{axis}" for end in ("birth", "death") for axis in axes]
    further = columns or {}
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*names, *further])
        rows = zip(
            barcode.dimension.tolist(),
            barcode.birth.tolist(),
            barcode.death.tolist(),
            barcode.length.tolist(),
            barcode.birth_voxel.tolist(),
            barcode.death_voxel.tolist(),
            strict=True,
        )
        for (*numbers, born, died), others in zip(rows, _rows(further, len(barcode)), strict=True):
            places = [index if index != NO_VOXEL else "" for index in (*born, *died)]
            table.writerow([*numbers, *places, *others])


def _rows(columns: Mapping[str, Sequence[Any]], count: int) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True) if columns else iter([()] * count)


def write_barcode_picture(
    barcode: Barcode,
    path: str | os.PathLike[str],
    *,
    diagram: bool = False,
    level: float | None = 0.5,
    title: str = "",
    scale: Scale | None = None,
) -> None:
    """Draw a barcode, or its diagram, into a file.

    Parameters
    ----------
    barcode : Barcode
        What is drawn; of very many bars the longest.
    path : path
        .png, .pdf or .svg; appears whole or not at all.
    diagram : bool
        Points of birth and death instead of bars.
    level, title, scale
        As of `plot_barcode`.

    Raises
    ------
    ToposegError
        If it cannot be written.
    """
    from napari_toposeg.topology.persistence.plots import plot_barcode, plot_diagram

    draw = plot_diagram if diagram else plot_barcode
    with replacing(path) as part:
        draw(barcode, level=level, title=title, scale=scale).savefig(part, dpi=200)


def _lines(barcode: Barcode) -> Iterator[str]:
    """The bars, some at a time. By hand: json.dumps of a dictionary for each bar takes 3 times as long."""
    from napari_toposeg.topology.persistence import NO_VOXEL

    for start in range(0, len(barcode), _BARS_AT_ONCE):
        some = slice(start, start + _BARS_AT_ONCE)
        rows = zip(
            barcode.dimension[some].tolist(),
            barcode.birth[some].tolist(),
            barcode.death[some].tolist(),
            barcode.birth_voxel[some].tolist(),
            barcode.death_voxel[some].tolist(),
            strict=True,
        )
        yield ",\n".join(
            f'{{"dimension": {dimension}, "birth": {birth!r}, "death": {death!r}, '
            f'"birth_voxel": {"null" if born[0] == NO_VOXEL else born}, '
            f'"death_voxel": {"null" if died[0] == NO_VOXEL else died}}}'
            for dimension, birth, death, born, died in rows
        )


def read_barcode(path: str | os.PathLike[str]) -> Barcode:
    """Read a barcode that `write_barcode` wrote.

    Parameters
    ----------
    path : path
        .json. "band" and "min_persistence" may be missing: 0. Other keys are passed over.

    Returns
    -------
    Barcode
        Longest bar first, bars of one length in the file's order.

    Raises
    ------
    ToposegError
        If the file cannot be read, is no barcode, or contradicts itself; it says which bar.
    """
    # Here, because topology loads numba, and whoever reads an image only should not wait for it.
    from napari_toposeg.topology.persistence import NO_VOXEL, Barcode

    file = existing_file(path)
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _no_barcode(path, str(error)) from error
    if not isinstance(facts, dict) or not isinstance(facts.get("bars"), list):
        raise _no_barcode(path, 'It is not one object with a list of "bars"')
    shape = facts.get("shape")
    if (
        not isinstance(shape, list)
        or not 2 <= len(shape) <= 3
        or not all(_is_whole(size) and size > 0 for size in shape)
    ):
        raise _no_barcode(path, 'Its "shape" is not a list of two or three sizes')
    connectivity = facts.get("connectivity")
    if connectivity not in _CONNECTIVITIES or not _is_whole(connectivity):
        raise _no_barcode(path, f'Its "connectivity" is not one of {", ".join(map(str, _CONNECTIVITIES))}')
    ndim = 2 if connectivity in (4, 8) else 3
    if len(shape) < ndim or sum(size > 1 for size in shape) > ndim:
        raise _no_barcode(path, f'Its "connectivity" of {connectivity} does not fit a "shape" of {len(shape)} axes')
    band, least = (facts.get(key, 0.0) for key in ("band", "min_persistence"))
    if not (_is_number(band) and 0 <= band < 0.5 and _is_number(least) and least >= 0):
        raise _no_barcode(path, 'Its "band" or "min_persistence" makes no sense')
    bars = facts["bars"]
    dimension = np.empty(len(bars), np.int8)
    levels = np.empty((2, len(bars)))
    places = np.full((2, len(bars), len(shape)), NO_VOXEL, np.int64)
    for number, bar in enumerate(bars):
        wrong = _what_is_wrong(bar, shape, ndim)
        if wrong:
            raise _no_barcode(path, f"Bar {number} (counted from 0) {wrong}")
        dimension[number] = bar["dimension"]
        levels[:, number] = bar["birth"], bar["death"]
        for ends, key in zip(places, ("birth_voxel", "death_voxel"), strict=True):
            if bar[key] is not None:
                ends[number] = bar[key]
    birth, death = levels
    whole = Barcode(
        tuple(shape), connectivity, dimension, birth, death, places[0], places[1], float(band), float(least)
    )
    return whole.select(_longest_first(whole.length))


def _longest_first(length: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.argsort(-length, kind="stable")


def _what_is_wrong(bar: Any, shape: list[int], ndim: int) -> str:
    if not isinstance(bar, dict):
        return "is no object"
    missing = [key for key in ("dimension", "birth", "death", "birth_voxel", "death_voxel") if key not in bar]
    if missing:
        return f'has no "{missing[0]}"'
    if not _is_whole(bar["dimension"]) or not 0 <= bar["dimension"] < ndim:
        return f'has a "dimension" that is not within 0 to {ndim - 1}'
    birth, death = bar["birth"], bar["death"]
    if not (_is_number(birth) and _is_number(death) and 0 <= death <= birth <= 1):
        return "is not born and dies between 1 and 0, in this order"
    for key in ("birth_voxel", "death_voxel"):
        voxel = bar[key]
        if voxel is None:
            continue
        if (
            not isinstance(voxel, list)
            or len(voxel) != len(shape)
            or not all(_is_whole(index) and 0 <= index < size for index, size in zip(voxel, shape, strict=True))
        ):
            return f'has a "{key}" that is no voxel of the "shape"'
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _no_barcode(path: str | os.PathLike[str], why: str) -> ToposegError:
    return ToposegError(
        f"{path} cannot be read as a barcode.", why=f"{why.rstrip('.')}.", todo="Make it again with `toposeg barcode`."
    )
