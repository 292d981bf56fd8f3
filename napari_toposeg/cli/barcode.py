"""`toposeg barcode`: which pieces and holes a map has, how sure it is of each, and where they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from napari_toposeg.cli.arguments import check_outputs
from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from napari_toposeg.topology import Barcode

_SHOWN = 5
"""Bars of each dimension in the table."""


def barcode(
    map: Annotated[Positional[Path], arg(metavar="MAP")],
    *,
    connectivity: Annotated[int | None, arg(metavar="26|6|8|4", help_behavior_hint="(default: 26, in 2-D 8)")] = None,
    min_persistence: Annotated[float, arg(metavar="LENGTH")] = 0.0,
    band: Annotated[float, arg(metavar="EPS")] = 0.0,
    channel: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None,
    logits: Annotated[bool, arg(help_behavior_hint="")] = False,
    full_scale: Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint="(default: 1)")] = None,
    output: Annotated[Path | None, arg(aliases=("-o",), metavar="BARS.json", help_behavior_hint="")] = None,
    plot: Annotated[Path | None, arg(metavar="BARS.png", help_behavior_hint="")] = None,
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
    quiet: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Find every piece and hole of a map at all levels at once: how long each lasts, and where it begins and ends.

    As the level falls from 1 to 0 a piece or hole appears (its birth), and is joined or filled (its death). What lasts
    long is firm; those alive at 0.5 are the mask's. Voxels are counted from 0 in MAP's own array, as nibabel or numpy
    gives it, without the axis of channels.

    Parameters
    ----------
    map
        Probabilities, or logits with --logits: NIfTI, .npz or .npy (nnU-Net's, too), or a grey picture.
    connectivity
        Of the foreground; the background has the other one of its kind.
    min_persistence
        Leave out bars that are not longer than this.
    band
        Look only at levels from EPS to 1 - EPS, which is quicker: bars outside are left out, and ends outside move to
        its edge. 0 is the full answer.
    channel
        Which channel (class) of the map, from 0; needed where there are more than one.
    logits
        The map holds logits, not probabilities.
    full_scale
        The number that stands for certain: 100 for per cent, 255 for a map of 8 bits.
    output
        Where all bars go, longest first: .json, or .csv for a table.
    plot
        Where a picture of the barcode goes: .png, .pdf or .svg.
    json
        Print all bars to standard output as JSON instead of a table.
    quiet
        Show no table.
    """
    from napari_toposeg.formats import BARCODE_ENDINGS, BARCODE_PICTURE_ENDINGS, split_ending

    check_outputs([(output, BARCODE_ENDINGS), (plot, BARCODE_PICTURE_ENDINGS)], [map])
    if not 0.0 <= min_persistence <= 1.0:
        raise ToposegError(
            f"A --min-persistence of {min_persistence:g} makes no sense.",
            why="No bar is longer than 1.",
            todo="Give a length from 0 to 1.",
        )
    if not 0.0 <= band < 0.5:
        raise ToposegError(
            f"A --band of {band:g} makes no sense.",
            why="Levels from EPS to 1 - EPS are looked at.",
            todo="Give a number from 0 to below 0.5, for example 0.01.",
        )

    from napari_toposeg.cli.running import compile_once
    from napari_toposeg.formats import (
        dump_barcode,
        read_map,
        write_barcode,
        write_barcode_picture,
        write_barcode_table,
    )
    from napari_toposeg.topology import barcode as barcode_of
    from napari_toposeg.topology import betti_numbers, check_connectivity

    source = read_map(map, channel=channel, logits=logits, full_scale=full_scale)
    connectivity = check_connectivity(connectivity, source.ndim)
    compile_once(quiet=quiet, barcodes=True)
    found = barcode_of(source.values, connectivity=connectivity, min_persistence=min_persistence, band=band)
    found = source.barcode_in_file(found)
    if output is not None:
        (write_barcode_table if split_ending(output)[1] == ".csv" else write_barcode)(found, output)
    if plot is not None:
        write_barcode_picture(found, plot, title=map.name)
    if json:
        dump_barcode(found, sys.stdout)
    elif not quiet:
        # Counted on the mask: short bars may have been left out.
        _show(found, betti_numbers(source.values >= 0.5, connectivity=connectivity), output, plot)
    return 0


def _show(found: Barcode, betti: tuple[int, ...], *written: Path | None) -> None:
    """The longest bars of each dimension as a table, and what the mask has at 0.5."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from napari_toposeg.cli.show import results
    from napari_toposeg.topology import betti_words
    from napari_toposeg.topology.words import FEATURES

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for heading in ("birth", "death", "length"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("born at", no_wrap=True)
    table.add_column("dies at", no_wrap=True)
    left_out = []
    for dimension, (one, many) in enumerate(FEATURES[found.ndim]):
        bars = found.of_dimension(dimension)
        for number in range(min(len(bars), _SHOWN)):
            bar = bars[number]
            table.add_row(
                one,
                f"{bar.birth:.3f}",
                f"{bar.death:.3f}",
                f"{bar.length:.3f}",
                _place(bar.birth_voxel),
                "never" if bars.everlasting[number] else _place(bar.death_voxel),
                end_section=number + 1 == min(len(bars), _SHOWN),
            )
        if len(bars) > _SHOWN:
            left_out.append(f"{len(bars) - _SHOWN:,} {many}")
    console = results()
    console.print(table)
    if left_out:
        console.print(
            f"Not shown: {', '.join(left_out)} that last shorter; -o BARS.json writes all.", style="dim", soft_wrap=True
        )
    console.print(f"At 0.5: {betti_words(betti)} ({found.connectivity}-connected)", soft_wrap=True)
    for path in written:
        if path is not None:
            console.print(Text.assemble(("wrote ", "dim"), str(path)), soft_wrap=True)


def _place(voxel: tuple[int, ...] | None) -> str:
    return "-" if voxel is None else ",".join(map(str, voxel))
