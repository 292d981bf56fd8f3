"""A segmentation on its way to disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import write_displacement, write_jacobian, write_mask, write_report
from napari_toposeg.inference.segmentation import Segmentation


def save(
    result: Segmentation,
    mask: str | Path,
    *,
    field: str | Path | None = None,
    jacobian: str | Path | None = None,
    report: str | Path | None = None,
    edited: NDArray[Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a segmentation on its volume's own grid, as its file had it; each file whole or not at all.

    Parameters
    ----------
    result : Segmentation
        What came out.
    mask, field, jacobian, report : path
        Where the mask, the displacement, the Jacobian determinant and the report go; only the mask has to be given.
    edited : (*volume.shape) array, optional
        A mask that was changed by hand since: it is written instead, and nothing is certified of it.
    facts : mapping, optional
        What the report says. Default: `Segmentation.report`.

    Raises
    ------
    ToposegError
        If a file cannot be written, or a report is wanted of a mask that was edited.
    """
    if edited is not None and report is not None:
        raise ToposegError(
            "The report is not about this mask.",
            why="The mask was edited by hand after it had been certified.",
            todo="Save the mask without its report, or run again.",
        )
    volume = result.volume
    write_mask(result.full_mask() if edited is None else edited != 0, volume, mask)
    if field is not None or jacobian is not None:
        displacement, determinant = result.field_on_voxels()
        if field is not None:
            write_displacement(displacement, volume, field)
        if jacobian is not None:
            write_jacobian(determinant, displacement.frame, volume, jacobian)
    if report is not None:
        write_report(result.report() if facts is None else facts, volume, report)
