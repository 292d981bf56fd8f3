"""`toposeg refine`: any tool's map in, the nearest one with the wanted topology out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from napari_toposeg.cli.arguments import check_outputs, choose_prior, mask_endings
from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from napari_toposeg.formats import ProbabilityMap
    from napari_toposeg.inference import Refined


def refine(
    map: Annotated[Positional[Path], arg(metavar="MAP")],
    *,
    output: Annotated[Path, arg(aliases=("-o",), metavar="MASK")],
    betti: Annotated[str | None, arg(metavar="B0,B1[,B2]", help_behavior_hint="")] = None,
    prior: Annotated[str | None, arg(metavar="NAME|FILE", help_behavior_hint="")] = None,
    objective: Annotated[str | None, arg(metavar="ph|ph-dense", help_behavior_hint="(default: ph-dense)")] = None,
    iterations: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: 200)")] = None,
    keep: Annotated[float | None, arg(metavar="WEIGHT", help_behavior_hint="(default: 10)")] = None,
    connectivity: Annotated[int | None, arg(metavar="26|6|8|4", help_behavior_hint="(default: 26, in 2-D 8)")] = None,
    channel: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None,
    logits: Annotated[bool, arg(help_behavior_hint="")] = False,
    full_scale: Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint="(default: 1)")] = None,
    grid: Annotated[Path | None, arg(metavar="IMAGE", help_behavior_hint="")] = None,
    map_out: Annotated[Path | None, arg(metavar="MAP2", help_behavior_hint="")] = None,
    report: Annotated[Path | None, arg(metavar="REPORT.json", help_behavior_hint="")] = None,
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
    quiet: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Change any tool's map as little as gives it the wanted topology, and write its mask.

    First by the persistence loss; where that comes to nothing, by homotopic correction. The table says which of the two
    did it. Exit code 1: neither did.

    Parameters
    ----------
    map
        Probabilities, or logits with --logits: NIfTI, .npz or .npy (nnU-Net's, too), or a grey picture.
    output
        Where the mask goes (the map at 0.5), on the map's own grid: .nii.gz or .nii, in 2-D also .png or .tif.
    betti
        How many pieces and holes there should be; in 3-D pieces, tunnels and cavities. A number each, or a range:
        1,0-2,0 allows up to two tunnels, 1+ any number of pieces from one.
    prior
        Take the Betti numbers of a prior instead: a name that `toposeg priors` lists, or a mask file.
    objective
        ph: the persistence loss as published. ph-dense: its gradient is spread over the neighbourhood of each voxel.
    iterations
        Of the loss, at most; 0 for correction alone.
    keep
        Weight of the mean squared change of the map against the persistence loss (1 / lambda of Clough et al., Eq. 5).
    connectivity
        Of the foreground; the background has the other one of its kind.
    channel
        Which channel (class) of the map, from 0; needed where there are more than one.
    logits
        The map holds logits, not probabilities.
    full_scale
        The number that stands for certain: 100 for per cent, 255 for a map of 8 bits.
    grid
        The image that the map was made of, where a .npz or .npy does not say where it lies.
    map_out
        Where the refined map goes: .nii.gz, .nii, .npz or .npy.
    report
        Where the report goes (.json).
    json
        Print the report to standard output instead of a table.
    quiet
        Show neither progress nor table.
    """
    if (betti is None) == (prior is None):
        raise ToposegError(
            "--betti and --prior exclude each other." if betti else "Nothing says what the topology should be.",
            todo="Give --betti, as --betti 1,0 for one piece without holes, or --prior.",
        )

    from napari_toposeg.formats import MAP_WRITTEN_ENDINGS

    check_outputs([(output, mask_endings(2)), (map_out, MAP_WRITTEN_ENDINGS), (report, (".json",))], [map, prior, grid])

    from napari_toposeg.cli.running import compile_once, run
    from napari_toposeg.formats import complete_report, read_map, read_volume, write_map, write_mask, write_report
    from napari_toposeg.inference import RefineSettings, check_target, parse_betti
    from napari_toposeg.inference import refine as steps_of
    from napari_toposeg.inference.saving import check_kind
    from napari_toposeg.topology import check_connectivity

    target = None if betti is None else parse_betti(betti)
    asked = {"objective": objective, "iterations": iterations, "keep": keep, "connectivity": connectivity}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    settings = RefineSettings(**given)
    image = None if grid is None else read_volume(grid)
    source = read_map(map, channel=channel, logits=logits, full_scale=full_scale, grid=image)
    check_outputs([(output, mask_endings(source.ndim))])
    check_kind(source.source, output)
    check_connectivity(connectivity, source.ndim)
    wanted = choose_prior(prior, source.ndim, of="map").betti if target is None else target
    check_target(wanted, source.values.shape)
    compile_once(quiet=quiet, barcodes=True)
    spacing = [float(step) for step in source.source.spacing]
    result = run(steps_of(source.values, wanted, settings, spacing=spacing, previews=False), quiet=quiet)

    write_mask(result.mask, source.source, output)
    if map_out is not None:
        write_map(result.map, source, map_out)
    facts = {**result.report(), "input": _input(source)}
    if report is not None:
        write_report(facts, source.source, report)
    if json:
        from napari_toposeg.cli.show import print_json

        print_json(complete_report(facts, source.source))
    elif not quiet:
        _show(result, [path for path in (output, map_out, report) if path is not None])
    return 0 if result.topology_ok else 1


def _input(source: ProbabilityMap) -> dict[str, Any]:
    return {"path": source.source.path, "shape": list(source.file_shape), "channel": source.channel}


def _show(result: Refined, written: Sequence[Path]) -> None:
    from napari_toposeg.cli.show import facts_table, results, show_written, verdict
    from napari_toposeg.inference import target_words
    from napari_toposeg.topology import betti_words

    table = facts_table("Refined")
    table.add_row("wanted", target_words(result.target))
    table.add_row("before", verdict(result.solved_by == "already right", betti_words(result.betti_before)))
    after = f"{betti_words(result.betti_after)} ({result.certificate.connectivity}-connected)"
    table.add_row("after", verdict(result.topology_ok, after))
    table.add_row("done by", verdict(result.topology_ok, result.sentence))
    voxels = "voxel" if result.changed_voxels == 1 else "voxels"
    share = 100.0 * result.changed_voxels / max(1, result.voxels_before)
    table.add_row("changed", f"{result.changed_voxels} {voxels}, {share:.2f} % of {result.voxels_before}")
    table.add_row("time", f"{result.seconds['total']:.1f} s")
    results().print(table)
    show_written(written)
