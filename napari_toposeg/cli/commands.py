"""The short commands: betti, certify, priors, open."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from napari_toposeg.cli.arguments import check_outputs, choose_prior, mask_endings
from napari_toposeg.errors import ToposegError

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def betti(
    mask: Annotated[Positional[str], arg(metavar="MASK")],
    *,
    label: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: all but 0)")] = None,
    connectivity: Annotated[int | None, arg(metavar="26|6|8|4", help_behavior_hint="(default: 26, in 2-D 8)")] = None,
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Count a mask's components, tunnels (in 2-D holes) and cavities.

    Parameters
    ----------
    mask
        A mask or label map, NIfTI or a picture. MASK:LABEL takes one label, as --label does.
    label
        Which label to count.
    connectivity
        Of the foreground; the background has the other one of its kind.
    json
        Print {"b0": .., "b1": .., "b2": ..} to standard output instead.
    """
    from napari_toposeg.cli.show import print_json, results
    from napari_toposeg.formats import read_mask, split_label
    from napari_toposeg.topology import betti_numbers, betti_words, check_connectivity

    path, given = split_label(mask)
    if given is not None and label is not None and given != label:
        raise ToposegError(
            f"Two labels are given, {given} and {label}.",
            todo="Leave out --label, or the label behind the file's name.",
        )
    voxels, _ = read_mask(path, label=label if given is None else given)
    connectivity = check_connectivity(connectivity, voxels.ndim)
    numbers = betti_numbers(voxels, connectivity=connectivity)
    if json:
        print_json({f"b{dimension}": number for dimension, number in enumerate(numbers)})
    else:
        results().print(f"{betti_words(numbers)} ({connectivity}-connected)", soft_wrap=True)
    return 0


def certify(
    mask: Annotated[Positional[str], arg(metavar="MASK[:LABEL]")],
    *,
    prior: Annotated[str, arg(metavar="NAME|FILE")],
    output: Annotated[Path | None, arg(aliases=("-o",), metavar="FIXED", help_behavior_hint="")] = None,
    json: Annotated[bool, arg(help_behavior_hint="")] = False,
    quiet: Annotated[bool, arg(help_behavior_hint="")] = False,
) -> int:
    """Bring any tool's mask to a prior's topology, changing as few voxels as can be found.

    Without -o it only checks: exit code 1 where the mask has not the prior's topology, 0 where it has.

    Parameters
    ----------
    mask
        A mask, or one label of a label map, NIfTI or a picture.
    prior
        What the topology should be: a name that `toposeg priors` lists, a mask file, or a folder of masks.
    output
        Where the corrected mask goes, on the grid of the mask.
    json
        Print the facts to standard output as JSON instead of a table.
    quiet
        Show neither progress nor table.
    """
    from napari_toposeg.formats import split_label

    path, label = split_label(mask)
    check_outputs([(output, mask_endings(2))], [path, prior])

    from napari_toposeg.cli.running import compile_once, run
    from napari_toposeg.cli.show import changed_percent, print_json, show_certified_mask
    from napari_toposeg.formats import read_mask, write_mask
    from napari_toposeg.inference import certify_mask
    from napari_toposeg.inference.saving import check_kind

    voxels, source = read_mask(path, label=label)
    check_outputs([(output, mask_endings(source.ndim))])
    if output is not None:
        check_kind(source, output)
    chosen = choose_prior(prior, source.ndim, of="mask")
    compile_once(quiet=quiet)
    found = run(certify_mask(voxels, chosen, volume=source), quiet=quiet)
    if output is not None:
        write_mask(found.mask, source, output)
    certificate = found.certificate
    if json:
        print_json(
            {
                "prior": chosen.name,
                "betti_prior": list(certificate.betti_prior),
                "betti_before": list(found.betti_before),
                "betti_after": list(certificate.betti_mask),
                "connectivity": certificate.connectivity,
                "topology_ok": certificate.topology_ok,
                "changed_voxels": found.changed_voxels,
                "foreground_voxels": found.foreground_voxels,
                "changed_percent": round(changed_percent(found), 4),
                "start": found.start,
                "output": None if output is None else str(output),
            }
        )
    elif not quiet:
        show_certified_mask(found, chosen, output)
    had = tuple(found.betti_before) == tuple(certificate.betti_prior)
    return 0 if (had if output is None else certificate.topology_ok) else 1


def priors(*, json: Annotated[bool, arg(help_behavior_hint="")] = False) -> int:
    """List the built-in templates and their Betti numbers.

    Parameters
    ----------
    json
        Print them to standard output as JSON instead.
    """
    from napari_toposeg.cli.show import print_json, show_priors
    from napari_toposeg.priors import builtin_priors

    known = builtin_priors()
    if json:
        print_json(
            [
                {"name": one.name, "ndim": one.ndim, "betti": list(one.betti), "description": one.description}
                for one in known
            ]
        )
    else:
        show_priors(known)
    return 0


def open_application(
    image: Annotated[Positional[Path | None], arg(metavar="[IMAGE]", help_behavior_hint="")] = None,
) -> int:
    """Open napari with the docks laid out.

    Parameters
    ----------
    image
        An image to open in it.
    """
    from importlib.util import find_spec

    if image is not None:
        from napari_toposeg.formats.paths import existing_file

        existing_file(image)
    if any(find_spec(name) is None for name in ("napari", "qtpy")):
        raise ToposegError(
            "napari is not installed.",
            why="The command line does without it, the window does not.",
            todo='Install it with: pip install "napari-toposeg[app]"',
        )
    if sys.platform == "linux" and not any(os.environ.get(name) for name in _SCREENS):
        # Qt would abort the whole process, with advice about its plugins.
        raise ToposegError(
            "There is no screen to open a window on.",
            why="Neither DISPLAY nor WAYLAND_DISPLAY is set.",
            todo="Run it in a desktop session, through ssh -X, or under xvfb-run.",
        )
    from napari_toposeg.docks.launch import open_application as show

    show(image)
    return 0
