"""Masks in: one label of any file, on the grid of the image that it belongs to."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.paths import split_ending
from napari_toposeg.formats.volumes import read_volume
from napari_toposeg.volume import Volume, check_finite

SAME_PLACE = 0.05
"""Voxels by which the corners of two grids may differ and still be the same grid: a qform and an sform of the same
512-voxel grid differ by about 1e-4, DICOM's decimal strings by 1e-3."""

_LISTED = 20


def read_mask(
    path: str | os.PathLike[str], *, label: int | None = None, volume: Volume | None = None
) -> tuple[NDArray[np.bool_], Volume]:
    """Read a binary mask, or one label of a label map.

    Parameters
    ----------
    path : path
        NIfTI or a picture.
    label : int, optional
        Which value is meant. Default: every value but zero; in a JPEG, whose edges are blurred, from half of its
        brightest value.
    volume : Volume, optional
        The image that the mask belongs to. The two files may have other axis orders.

    Returns
    -------
    mask : bool array
        On the canonical grid of `volume` where it is given, else of the mask's own file. May be empty where no label
        was asked for.
    source : Volume
        The file's values as they are.

    Raises
    ------
    ToposegError
        If the file cannot be read, holds NaN, lacks the label, or lies on another grid than `volume`.
    """
    source = read_volume(path)
    check_finite(source)
    mask: NDArray[np.bool_]
    if label is not None:
        mask = source.voxels == label
        if not mask.any():
            raise _no_such_label(path, label, source.voxels)
    elif split_ending(path)[1] in (".jpg", ".jpeg"):
        mask = source.voxels > source.voxels.max() / 2
    else:
        mask = source.voxels != 0
    return (mask if volume is None else on_grid_of(mask, source, volume)), source


def on_grid_of(
    mask: NDArray[Any], source: Volume, volume: Volume, *, called: tuple[str, str] = ("mask", "image")
) -> NDArray[Any]:
    """Turn values from one canonical grid to another that has the same voxels.

    Parameters
    ----------
    mask : (*source.shape) array
        Values on the grid of `source`.
    source, volume : Volume
        Where the values lie, and where they are wanted. Their canonical axes may differ where an affine lies near 45
        degrees, or where one is a plane of the other's axis order.
    called : (str, str)
        What an error calls the two.

    Returns
    -------
    (*volume.shape) array
        A view.

    Raises
    ------
    ToposegError
        If the voxels of the two grids do not lie in the same places.
    """
    if source.ndim != volume.ndim:
        raise _another_grid(source, volume, called)
    ndim = volume.ndim
    matrix = source.frame.index_in(volume.frame)
    turn = np.round(matrix[:ndim, :ndim])
    if not (np.abs(turn).sum(axis=0) == 1).all() or not (np.abs(turn).sum(axis=1) == 1).all():
        raise _another_grid(source, volume, called)
    orientation = np.array([(np.abs(column).argmax(), column.sum()) for column in turn.T])
    turned = apply_orientation(mask, orientation)
    # Where each corner ought to be: along flipped axes the index counts from the other end.
    corners = np.array(np.meshgrid(*[(0, size - 1) for size in source.shape], indexing="ij")).reshape(ndim, -1)
    ends = np.array([size - 1 for size in turned.shape])[:, None]
    expected = turn @ corners + ends * (turn.sum(axis=1, keepdims=True) < 0)
    found = matrix[:, :ndim] @ corners + matrix[:, 3:]
    off = found[:ndim] - expected
    across = found[ndim:3] * np.linalg.norm(volume.affine[:3, 2]) / volume.spacing.mean() if ndim == 2 else 0.0
    if turned.shape != volume.shape or max(np.abs(off).max(), np.abs(across).max()) > SAME_PLACE:
        raise _another_grid(source, volume, called)
    return turned


def _no_such_label(path: str | os.PathLike[str], label: int, voxels: NDArray[Any]) -> ToposegError:
    present = [f"{value:g}" for value in np.unique(voxels) if value != 0]
    listed = ", ".join(present[:_LISTED]) + (f" and {len(present) - _LISTED} more" if len(present) > _LISTED else "")
    return ToposegError(
        f"{path} has no voxel of label {label}.",
        why=f"Its labels are {listed}." if present else "All of it is background.",
        todo="Choose one of them." if present else "Check that the right file was given.",
    )


def _another_grid(source: Volume, volume: Volume, called: tuple[str, str]) -> ToposegError:
    def described(one: Volume) -> str:
        shape = " x ".join(map(str, one.stored.shape))
        spacing = " x ".join(
            f"{length:.4g}" for length in np.linalg.norm(one.stored.affine[:3, :3], axis=0)[: len(one.stored.shape)]
        )
        centre = ", ".join(f"{value:.1f}" for value in one.frame.world((np.array(one.shape) - 1) / 2))
        return f"{shape} voxels of {spacing} mm around ({centre})"

    one, other = called
    return ToposegError(
        f"The {one} lies on another grid than the {other}.",
        why=f"The {one} has {described(source)}, the {other} {described(volume)}.",
        todo=f"Resample the {one} on to the {other}'s grid with the tool that made it.",
    )
