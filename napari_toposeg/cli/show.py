"""What a command prints when it is done: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from napari_toposeg.formats import report_text
from napari_toposeg.topology import betti_words

if TYPE_CHECKING:
    from napari_toposeg.inference import CertifiedMask, MultiSegmentation, Outcome
    from napari_toposeg.priors import Prior

_GOOD, _BAD = "green", "bold red"


def results() -> Console:
    """A console on standard output."""
    return Console(file=sys.stdout, highlight=False)


def print_json(facts: Mapping[str, Any] | Sequence[Any]) -> None:
    """Facts as JSON on standard output."""
    sys.stdout.write(report_text(facts))


def facts_table(title: str) -> Table:
    """An empty table of named facts."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_header=False, pad_edge=False
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def verdict(good: bool, text: str) -> Text:
    """A text in the colour of good or bad."""
    return Text(text, style=_GOOD if good else _BAD)


def show_result(
    result: Outcome | MultiSegmentation, written: Sequence[Path], extra: Mapping[str, str] | None = None
) -> None:
    """The certificate of a segmentation, or of each of several objects, as a table."""
    from napari_toposeg.inference import MultiSegmentation

    objects = result.objects if isinstance(result, MultiSegmentation) else (result,)
    for number, one in enumerate(objects, start=1):
        table = facts_table("Certificate" if one is result else f"Certificate of label {number}")
        _certificate_rows(table, one)
        if one is result:
            _provenance_rows(table, one, one.seconds, extra)
        results().print(table)
    if isinstance(result, MultiSegmentation):
        table = facts_table("All objects")
        labels = ", ".join(map(str, result.broken))
        kept = "kept by each object" if not labels else f"NOT kept by label {labels}"
        table.add_row("topology", verdict(not labels, kept))
        table.add_row("contested", f"{result.contested_voxels} voxels")
        _provenance_rows(table, objects[0], result.seconds, extra)
        results().print(table)
    show_written(written)


def _certificate_rows(table: Table, result: Outcome) -> None:
    certificate = result.certificate
    table.add_row("prior", f"{result.prior.name}: {betti_words(certificate.betti_prior)}")
    table.add_row("mask", f"{betti_words(certificate.betti_mask)} ({certificate.connectivity}-connected)")
    ok = certificate.topology_ok
    table.add_row("topology", verdict(ok, "the prior's" if ok else "NOT the prior's"))
    if certificate.folding_voxels is not None:
        folds = certificate.folding_voxels
        table.add_row("folding", verdict(folds == 0, f"{folds} cells"))
    if certificate.least_jacobian is not None:
        table.add_row("least Jacobian", f"{certificate.least_jacobian:.3f}")
    table.add_row("repaired", f"{certificate.repaired_voxels} of {int(result.mask.sum())} voxels")
    facts = result.report()
    if facts.get("hybrid_voxels") is not None:
        table.add_row("hybrid", f"{facts['hybrid_voxels']} voxels moved on to the logits")
    if "start" in facts:
        table.add_row("made from", facts["start"])
    size = float(result.mask.sum() * result.volume.spacing.prod())
    table.add_row("size", f"{size / 1000:.2f} ml" if result.volume.ndim == 3 else f"{size:.0f} mm²")


def _provenance_rows(
    table: Table, result: Outcome, seconds: Mapping[str, float], extra: Mapping[str, str] | None
) -> None:
    for network in result.networks:
        table.add_row("network", f"{network['name']}, weights {network['weights']}")
    if result.why:
        table.add_row("why", result.why)
    for name, value in (extra or {}).items():
        table.add_row(name, value)
    time = f"{seconds['total']:.1f} s on {result.device}"
    table.add_row("time", time if result.networks else f"{time}, {result.report()['iterations']} iterations")


def show_certified_mask(found: CertifiedMask, prior: Prior, written: Path | None) -> None:
    """What the correction of a mask did, as a table."""
    certificate = found.certificate
    before_ok = tuple(found.betti_before) == tuple(certificate.betti_prior)
    table = facts_table("Certificate")
    table.add_row("prior", f"{prior.name}: {betti_words(certificate.betti_prior)}")
    table.add_row("mask", verdict(before_ok, betti_words(found.betti_before)))
    voxels = "voxel" if found.changed_voxels == 1 else "voxels"
    after = f"{betti_words(certificate.betti_mask)} ({certificate.connectivity}-connected)"
    table.add_row("corrected", verdict(certificate.topology_ok, after))
    table.add_row(
        "changed",
        f"{found.changed_voxels} {voxels}, {changed_percent(found):.2f} % of {found.foreground_voxels}",
    )
    results().print(table)
    if written is None:
        results().print("Nothing was written; -o FIXED writes the corrected mask.", style="dim")
    else:
        show_written([written])


def show_written(paths: Sequence[Path]) -> None:
    """A line for each file; not broken to the terminal's width, so that it can be copied."""
    for path in paths:
        results().print(Text.assemble(("wrote ", "dim"), str(path)), soft_wrap=True)


def changed_percent(found: CertifiedMask) -> float:
    """Changed voxels in per cent of the foreground that came in."""
    return 100.0 * found.changed_voxels / max(found.foreground_voxels, 1)


def show_priors(priors: Sequence[Prior]) -> None:
    """The built-in priors as a table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("Betti", no_wrap=True)
    table.add_column("like what")
    for number, prior in enumerate(priors):
        last_of_kind = number + 1 < len(priors) and priors[number + 1].ndim != prior.ndim
        table.add_row(
            prior.name, f"{prior.ndim}-D", " ".join(map(str, prior.betti)), prior.description, end_section=last_of_kind
        )
    console = results()
    console.print(table)
    console.print(
        "Betti numbers: pieces and holes in 2-D; pieces, tunnels and cavities in 3-D.\n"
        "A mask file, or a folder of masks, is a prior as well: --prior liver.nii.gz",
        style="dim",
    )
