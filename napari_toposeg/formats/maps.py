"""Maps of probabilities in and out: any tool's, as probabilities, as logits, or as a picture."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.map_sources import MapSource, map_source
from napari_toposeg.formats.nifti_writing import header_for, write_nifti_blocks
from napari_toposeg.formats.paths import split_ending, unknown_ending
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.topology.persistence import Barcode

MAP_WRITTEN_ENDINGS = (".nii.gz", ".nii", ".npz", ".npy")

_ROUNDING = 1e-3
"""How far a probability may lie outside of 0 and 1: half precision errs by 5e-4 near 1."""


@dataclass(frozen=True, eq=False)
class ProbabilityMap:
    """A map of probabilities and where it came from.

    Attributes
    ----------
    values : (*source.shape) float32
        In [0, 1], on the canonical grid of `source`; contiguous, and free to be written to.
    source : Volume
        The numbers as they are in the file, canonical; the grid on which a mask of the map is written.
    channel : int or None
        Which channel was taken; None where the file has only one.
    file_shape : tuple of int
        Shape of the file's own array, without the axis of channels: that which the numbers of `index_in_file` count in.
    reversed_axes : bool
        Whether that array has its axes in the opposite order of the stored axes of `source`, as nnU-Net's have
        against NIfTI's.
    """

    values: NDArray[np.float32]
    source: Volume
    channel: int | None
    file_shape: tuple[int, ...]
    reversed_axes: bool = False

    @property
    def ndim(self) -> int:
        return self.values.ndim

    def to_file(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn an array on the canonical grid into the file's own axis order.

        Parameters
        ----------
        array : (*values.shape) array
            On the canonical grid.

        Returns
        -------
        (*file_shape) array
        """
        stored = self.source.to_stored(array)
        return (stored.transpose() if self.reversed_axes else stored).reshape(self.file_shape)

    def index_in_file(self, index: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Turn indices of canonical voxels into those of the same voxels in the file's own array.

        Parameters
        ----------
        index : (n, ndim) integer array
            Canonical indices. A row that begins with -1 stands for no voxel, and gives a row of -1.

        Returns
        -------
        (n, len(file_shape)) int64 array
        """
        from napari_toposeg.topology.persistence import NO_VOXEL

        index = np.asarray(index, np.int64)
        there = index[:, 0] != NO_VOXEL
        stored = self.source.index_to_stored(np.maximum(index, 0))
        if self.reversed_axes:
            stored = stored[:, ::-1]
        if stored.shape[1] != len(self.file_shape):
            # The two shapes differ in axes of a single voxel only, where the index is 0.
            longer = [axis for axis, size in enumerate(self.file_shape) if size > 1]
            stored_shape = self.source.stored.shape[:: -1 if self.reversed_axes else 1]
            kept = stored[:, [axis for axis, size in enumerate(stored_shape) if size > 1]]
            stored = np.zeros((len(index), len(self.file_shape)), np.int64)
            stored[:, longer] = kept
        return np.where(there[:, None], stored, NO_VOXEL)

    def barcode_in_file(self, barcode: Barcode) -> Barcode:
        """A barcode of `values` with its places counted in the file's own array.

        Parameters
        ----------
        barcode : Barcode
            Of an array on the canonical grid.

        Returns
        -------
        Barcode
            The same bars. Its shape is `file_shape`, and its places are those where a person finds them who opens the
            file with nibabel or numpy.
        """
        return replace(
            barcode,
            shape=self.file_shape,
            birth_voxel=self.index_in_file(barcode.birth_voxel),
            death_voxel=self.index_in_file(barcode.death_voxel),
        )


def read_map(
    path: str | os.PathLike[str],
    *,
    channel: int | None = None,
    logits: bool = False,
    full_scale: float | None = None,
    grid: Volume | None = None,
) -> ProbabilityMap:
    """Read a map of probabilities.

    Parameters
    ----------
    path : path
        - NIfTI: two or three axes, or four with the channels last.
        - .npz or .npy: two or three axes, or four with the channels first. Of several arrays in an .npz, the one
          called "probabilities" or "softmax" is read: nnU-Net's, whose axes run z, y, x.
        - A grey picture: an 8-bit one is divided by 255, a 16-bit one by 65535. The pages of a TIFF are channels.
    channel : int, optional
        Which channel (class), from 0. Needed where there are more than one.
    logits : bool
        The numbers are logits: of one channel the sigmoid is taken, of several the softmax over all of them.
    full_scale : float, optional
        The number that stands for certain: 100 for per cent, 255 for a map of 8 bits. Default: 1, and that of its kind
        for a picture.
    grid : Volume, optional
        The image that the map was made of; says where an .npz or .npy lies. Default: for an array by nnU-Net the NIfTI
        file of the same name beside it, which nnU-Net writes; else the voxels measure 1 mm.

    Returns
    -------
    ProbabilityMap

    Raises
    ------
    ToposegError
        If the file cannot be read, has channels to choose from and none is chosen, holds NaN or infinite numbers, or
        numbers that are no probabilities.

    Notes
    -----
    Whole numbers that are 0 and one other number only (in a picture: 0 and 1 only) are a mask, and become 0 and 1.
    Floats may leave [0, 1] by 0.001, as half precision does, and are clipped.
    """
    if logits and full_scale is not None:
        raise ToposegError("--logits and --full-scale exclude each other.", why="A logit has no full scale.")
    if full_scale is not None and not 0 < full_scale < float("inf"):
        raise ToposegError(f"A full scale of {full_scale:g} makes no sense.", todo="Give 100 or 255, for example.")
    source = map_source(path, grid=grid, channels_first=channel is not None)
    number = _channel_number(source, path, channel)
    volume = source.volume(number)
    _check_finite(volume.voxels, path)
    if logits:
        values = _from_logits(source, volume, number, path)
    else:
        values = _from_probabilities(volume.voxels, path, full_scale, source.full_scale)
    return ProbabilityMap(
        np.ascontiguousarray(values),
        volume,
        number if source.channels > 1 else None,
        source.shape,
        source.reversed_axes,
    )


def write_map(values: NDArray[Any], origin: ProbabilityMap, path: str | os.PathLike[str]) -> None:
    """Write a map on the grid of the file that another one was read from.

    Parameters
    ----------
    values : (*origin.values.shape) array
        On the canonical grid; written as float32.
    origin : ProbabilityMap
        Where the grid comes from.
    path : path
        .nii.gz or .nii: the voxels of `origin.source`, in its orientation. .npz or .npy: an array of
        `origin.file_shape`; in an .npz it is called "probabilities", and has a first axis of one channel, if its axes
        run as nnU-Net's. Appears whole or not at all.

    Raises
    ------
    ToposegError
        If the kind is another, or the file cannot be written.
    """
    if values.shape != origin.values.shape:
        raise ValueError(f"A map of {values.shape} voxels does not fit one of {origin.values.shape}.")
    values = values.astype(np.float32, copy=False)
    ending = split_ending(path)[1]
    if ending not in MAP_WRITTEN_ENDINGS:
        raise unknown_ending(path, MAP_WRITTEN_ENDINGS)
    if ending in (".nii", ".nii.gz"):
        stored = origin.source.to_stored(values)
        slabs = (stored[..., number] for number in range(stored.shape[-1]))
        write_nifti_blocks(path, header_for(origin.source, np.dtype(np.float32)), slabs)
        return
    array = np.ascontiguousarray(origin.to_file(values))
    with replacing(path) as part, open(part, "wb") as stream:
        if ending == ".npy":
            np.save(stream, array)
        elif origin.reversed_axes:
            np.savez_compressed(stream, probabilities=array[None])
        else:
            np.savez_compressed(stream, map=array)


def _channel_number(source: MapSource, path: str | os.PathLike[str], chosen: int | None) -> int:
    count = source.channels
    if chosen is None and count > 1:
        raise ToposegError(
            f"{path} holds {count} channels.",
            why="A barcode is that of one map.",
            todo=f"Choose one of them, with --channel 0 to --channel {count - 1}; 0 is usually the background.",
        )
    number = chosen or 0
    if not 0 <= number < count:
        raise ToposegError(
            f"{path} has no channel {number}.",
            why=f"It holds {count}, counted from 0.",
            todo=f"Choose one of them, with --channel 0 to --channel {count - 1}."
            if count > 1
            else "Leave out --channel.",
        )
    return number


def _check_finite(voxels: NDArray[Any], path: str | os.PathLike[str]) -> None:
    if voxels.dtype.kind != "f":
        return
    bad = sum(int(np.count_nonzero(~np.isfinite(slab))) for slab in voxels)
    if bad:
        raise ToposegError(
            f"Of the {voxels.size} numbers in {path} {bad} {'is' if bad == 1 else 'are'} NaN or infinite.",
            why="They are born at no level.",
            todo="Replace them, for example by 0.",
        )


def _from_probabilities(
    voxels: NDArray[Any], path: str | os.PathLike[str], full_scale: float | None, scale_of_kind: float | None
) -> NDArray[np.float32]:
    low, high = float(voxels.min()), float(voxels.max())
    if full_scale is None and voxels.dtype.kind in "biu":
        # In a picture 128 alone is a half. Elsewhere whole numbers have no scale: one of them beside 0 marks a mask.
        one = 1.0 if scale_of_kind else high
        if low >= 0 and not ((voxels != 0) & (voxels != one)).any():
            return (voxels != 0).astype(np.float32)
        full_scale = scale_of_kind
    scale = 1.0 if full_scale is None else full_scale
    if low < -_ROUNDING * scale or high > (1.0 + _ROUNDING) * scale:
        raise _no_probabilities(path, low, high, full_scale, whole=voxels.dtype.kind in "iu")
    values = voxels.astype(np.float32)
    values /= np.float32(scale)
    return np.clip(values, 0.0, 1.0, out=values)


def _no_probabilities(
    path: str | os.PathLike[str], low: float, high: float, full_scale: float | None, *, whole: bool
) -> ToposegError:
    found = f"{path} holds {'whole numbers' if whole else 'numbers'} from {low:g} to {high:g}."
    if full_scale is not None:
        return ToposegError(
            found, why=f"With {full_scale:g} for certain they are no probabilities.", todo="Give another --full-scale."
        )
    if low < 0:
        return ToposegError(
            found, why="Probabilities lie between 0 and 1; these look like logits.", todo="Add --logits."
        )
    if whole:
        return ToposegError(
            found,
            why="Probabilities lie between 0 and 1.",
            todo="If it is a map, say which number stands for certain, as with --full-scale 255; "
            "the labels of a label map are counted by `toposeg betti`.",
        )
    return ToposegError(
        found,
        why="Probabilities lie between 0 and 1.",
        todo="If they are per cent, add --full-scale 100; if they are logits, add --logits.",
    )


def _from_logits(source: MapSource, volume: Volume, number: int, path: str | os.PathLike[str]) -> NDArray[np.float32]:
    from scipy.special import expit

    chosen = volume.voxels.astype(np.float32)
    low, high = float(chosen.min()), float(chosen.max())
    # Of the softmax, only the others' weight against the chosen one is needed: log(sum of exp(other)) - chosen.
    others: NDArray[np.float32] | None = None
    for other in range(source.channels):
        if other == number:
            continue
        voxels = source.volume(other).voxels
        _check_finite(voxels, path)
        low, high = min(low, float(voxels.min())), max(high, float(voxels.max()))
        others = voxels.astype(np.float32) if others is None else np.logaddexp(others, voxels, dtype=np.float32)
    if low >= 0.0 and high <= 1.0:
        raise ToposegError(
            f"{path} holds numbers from {low:g} to {high:g}.",
            why="They are probabilities already.",
            todo="Leave out --logits.",
        )
    return np.asarray(expit(chosen if others is None else chosen - others), np.float32)
