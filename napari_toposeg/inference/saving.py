"""What came out of a volume, on its way to disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import (
    DICOM_ENDINGS,
    DicomOrigin,
    split_ending,
    write_displacement,
    write_jacobian,
    write_labels,
    write_mask,
    write_report,
    write_surface,
)
from napari_toposeg.inference.multiple import MultiSegmentation
from napari_toposeg.inference.segmentation import Outcome, Segmentation
from napari_toposeg.volume import Volume


def save(
    result: Outcome | MultiSegmentation,
    mask: str | Path,
    *,
    field: str | Path | None = None,
    jacobian: str | Path | None = None,
    surface: str | Path | None = None,
    report: str | Path | None = None,
    edited: NDArray[Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a result on its volume's own grid, as its file had it; each file whole or not at all.

    Parameters
    ----------
    result : Outcome or MultiSegmentation
        What came out. Several objects are written as a label map, 1 for the first.
    mask, field, jacobian, surface, report : path
        Where the mask, the displacement, the Jacobian determinant, the mask's surface and the report go; only the mask
        has to be given. Of several objects the surface is that of all together.
    edited : (*volume.shape) array, optional
        A mask that was changed by hand since: it is written instead, and nothing is certified of it.
    facts : mapping, optional
        What the report says. Default: `result.report`.

    Raises
    ------
    ToposegError
        If a file cannot be written, a report is wanted of a mask that was edited, or a field where there is not one
        deformation; if the kind of file cannot hold this volume's masks.
    """
    check_kind(result.volume, mask, surface)
    if edited is not None and report is not None:
        raise not_of_this_mask("The mask")
    wants_field = field is not None or jacobian is not None
    if wants_field and not isinstance(result, Segmentation):
        raise no_field(several=isinstance(result, MultiSegmentation))
    volume = result.volume
    if isinstance(result, MultiSegmentation) and edited is None:
        write_labels(result.full_labels(), volume, mask, result.named)
    elif isinstance(result, Outcome):
        write_mask(result.full_mask() if edited is None else edited != 0, volume, mask)
    else:
        raise ValueError("a label map that was edited is not written")
    if wants_field and isinstance(result, Segmentation):
        displacement, determinant = result.field_on_voxels()
        if field is not None:
            write_displacement(displacement, volume, field)
        if jacobian is not None:
            write_jacobian(determinant, displacement.frame, volume, jacobian)
    if surface is not None:
        body = full_of(result) if edited is None else edited
        first = result if isinstance(result, Outcome) else result.objects[0]
        write_surface(body, volume, surface, connectivity=first.certificate.connectivity)
    if report is not None:
        write_report(result.report() if facts is None else facts, volume, report)


def not_of_this_mask(edited: str) -> ToposegError:
    """Why there is no report of a mask that a hand has changed since."""
    return ToposegError(
        "The report is not about this mask.",
        why=f"Edited by hand after it had been certified: {edited}.",
        todo="Save the mask without its report, or run again.",
    )


def check_kind(volume: Volume, mask: str | Path, surface: str | Path | None = None) -> None:
    """Refuse, before anything is computed, files that cannot hold a mask of this volume.

    Raises
    ------
    ToposegError
        If a DICOM segmentation is wanted of an image that is not DICOM, or a surface of a 2-D image.
    """
    if split_ending(mask)[1] in DICOM_ENDINGS and not isinstance(volume.stored.header, DicomOrigin):
        raise ToposegError(
            f"{mask} cannot be written.",
            why="A DICOM segmentation refers to the DICOM images that it belongs to, and the image is of another kind.",
            todo="Write .nii.gz, .nrrd or .mha instead.",
        )
    if surface is not None and volume.ndim != 3:
        raise ToposegError(
            f"{surface} cannot be written.", why="A 2-D mask has no surface.", todo="Save the mask alone."
        )


def full_of(result: Outcome | MultiSegmentation) -> NDArray[Any]:
    """(*volume.shape) the mask, or the label map of several objects, on the canonical grid."""
    return result.full_labels() if isinstance(result, MultiSegmentation) else result.full_mask()


def no_field(*, several: bool) -> ToposegError:
    """Why a field cannot be had of several objects, or of a pixel-wise network."""
    return ToposegError(
        "There is no one deformation field to write.",
        why="Each of several objects has its own." if several else "A pixel-wise network deforms nothing.",
        todo="Leave out --field and --jacobian.",
    )
