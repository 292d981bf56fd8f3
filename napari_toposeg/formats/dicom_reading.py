"""DICOM images in: the planes of a series as one volume, with its true place in the patient."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.choices import SeveralFramesError
from napari_toposeg.formats.dicom_series import BROKEN, DicomPlane, DicomSeries, choose_series, find_series
from napari_toposeg.formats.frames_of_files import LPS_TO_RAS
from napari_toposeg.formats.origins import FileOrigin
from napari_toposeg.steps import Step, Steps, last
from napari_toposeg.volume import Volume

_EVEN = 0.05
"""Share of the slice distance by which a slice may lie beside its place: files round to a few micrometres."""
_SAME_PLACE = 0.01
_LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, eq=False)
class DicomOrigin(FileOrigin):
    """What a volume keeps of its DICOM series, to write a segmentation that refers to it.

    Attributes
    ----------
    planes : tuple of DicomPlane
        One for each index of the last stored axis.
    series : DicomSeries
        What the files say of it.
    """

    planes: tuple[DicomPlane, ...]
    series: DicomSeries


def read_dicom(
    path: str | os.PathLike[str], *, series: int | str | None = None, frame_number: int | None = None
) -> Volume:
    """Read a DICOM series.

    Parameters
    ----------
    path : path
        A folder with the files of a series (folders inside count), or any file of it; compressed or not, one frame or
        many in a file.
    series : int or str, optional
        Which one, of a folder that holds several: the number in the list that the error gives, or its UID.
    frame_number : int, optional
        Which of several images of the same place (times, echoes), counted from 0. Needed where there are several.

    Returns
    -------
    Volume
        Stored axes: columns, rows, slices; its `path` is that of one file, which leads to the series again. Numbers are
        those that the files mean (slope and intercept applied): whole where these are whole, else float32. Colours
        become their luminance (ITU-R 601). A gantry tilt is in the affine, as a shear. One plane is a 2-D image.

    Raises
    ------
    ToposegError
        If there is no image, several series or frames to choose from, a slice is missing, slices lie unevenly or not
        above one another, or the voxels cannot be decoded.
    """
    return last(dicom_steps(path, series=series, frame_number=frame_number))


def dicom_steps(
    path: str | os.PathLike[str], *, series: int | str | None = None, frame_number: int | None = None
) -> Steps[Volume]:
    """Read a DICOM series, a plane a step: many compressed ones take a while. See `read_dicom`.

    Yields
    ------
    Step
        "look" while the headers are read, then "decode"; the last one has the volume.
    """
    yield Step("look", 0, 1)
    found = find_series(path)
    chosen = choose_series(found, path, series)
    frames, affine = _arranged(chosen, path)
    if frame_number is None and len(frames) > 1:
        raise SeveralFramesError(path, len(frames), why="There are as many images of each place.")
    if not 0 <= (frame_number or 0) < len(frames):
        raise ToposegError(
            f"{path} has no frame {frame_number}.",
            why=f"It holds {len(frames)}, counted from 0.",
            todo="Choose another, or leave out --frame.",
        )
    planes = frames[frame_number or 0]
    decoded: NDArray[Any] | None = None
    for number, voxels in enumerate(_voxels(planes, chosen)):
        decoded = voxels
        yield Step("decode", number + 1, len(planes) + 1)
    assert decoded is not None, "a series has planes"
    files = tuple(dict.fromkeys(plane.path for plane in planes))
    name = re.sub(r"[^\w.-]+", "_", chosen.description).strip("_.") or files[0].parent.name or "series"
    volume = Volume.from_stored(
        decoded if len(planes) > 1 else decoded[..., 0],
        affine,
        name=name,
        header=DicomOrigin(files, planes, chosen),
        path=str(files[0]),
        frame_number=frame_number,
    )
    yield Step("decode", len(planes) + 1, len(planes) + 1, result=volume)


def _arranged(
    series: DicomSeries, path: str | os.PathLike[str]
) -> tuple[list[tuple[DicomPlane, ...]], NDArray[np.float64]]:
    """The frames of a series, each with its planes from the first to the last, and the affine to RAS mm."""
    rows_apart, columns_apart = series.spacing
    along = np.array(series.orientation or (1.0, 0, 0, 0, 1, 0))
    normal = np.cross(along[:3], along[3:])
    length = float(np.linalg.norm(normal))
    if length < 0.99 or not np.allclose([np.linalg.norm(along[:3]), np.linalg.norm(along[3:])], 1.0, atol=0.01):
        raise ToposegError(
            f"The place of {path} in the patient is not defined.",
            why="The directions of its rows and columns are no right angle.",
            todo="Export the series again from its source.",
        )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = along[:3] * columns_apart, along[3:] * rows_apart, normal / length
    ordered = sorted(series.planes, key=lambda plane: plane.order)
    if any(plane.position is None for plane in ordered):
        # Secondary captures and films of ultrasound: pictures one after the other.
        return [(plane,) for plane in ordered], LPS_TO_RAS @ affine
    places: list[list[DicomPlane]] = []
    heights = {id(plane): float(np.dot(plane.position, normal)) for plane in ordered if plane.position is not None}
    for plane in sorted(ordered, key=lambda plane: heights[id(plane)]):
        # Sorting is stable: within one place they stay in the order of their times.
        if places and abs(heights[id(plane)] - heights[id(places[-1][0])]) < _SAME_PLACE:
            places[-1].append(plane)
        else:
            places.append([plane])
    for place in places:
        place.sort(key=lambda plane: plane.order)
    if len({len(place) for place in places}) > 1:
        few, many = min(map(len, places)), max(map(len, places))
        number = next(number for number, place in enumerate(places) if len(place) == few)
        raise ToposegError(
            f"The images of {path} make no volume.",
            why=f"In some places there are {many} of them, in others {few}, first at "
            f"{_slice_words([place[0] for place in places], number)}.",
            todo="Export each acquisition as a series of its own, or export the series again in full.",
        )
    first = [place[0] for place in places]
    affine[:3, 3] = first[0].position
    if len(places) > 1:
        affine[:3, 2] = _slice_step(first, normal / length, path)
    return [tuple(frame) for frame in zip(*places, strict=True)], LPS_TO_RAS @ affine


def _slice_words(planes: list[DicomPlane], *numbers: int) -> str:
    """Which slices are meant: "slices 2 and 3 of 20 (IM2 and IM3)"."""
    which = " and ".join(str(number + 1) for number in numbers)
    files = " and ".join(dict.fromkeys(planes[number].path.name for number in numbers))
    return f"{'slice' if len(numbers) == 1 else 'slices'} {which} of {len(planes)} ({files})"


def _slice_step(planes: list[DicomPlane], normal: NDArray[np.float64], path: object) -> NDArray[np.float64]:
    """(3,) From one slice to the next, in LPS mm; a tilted gantry moves it within the plane, too."""
    positions = np.array([plane.position for plane in planes])
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    wide = np.flatnonzero(gaps > 1.5 * usual)
    lacking = gaps[wide] / usual
    if len(wide) and np.abs(lacking - np.round(lacking)).max() < 0.1:
        where, lost = int(wide[0]), int(np.round(lacking - 1).sum())
        raise ToposegError(
            f"Of the series in {path} {lost} {'slice is' if lost == 1 else 'slices are'} missing.",
            why=f"The first gap, of {gaps[where]:.4g} mm where others have {usual:.4g} mm, is between "
            f"{_slice_words(planes, where, where + 1)}.",
            todo="Export the series again in full.",
        )
    step: NDArray[np.float64] = (positions[-1] - positions[0]) / (len(positions) - 1)
    off = positions - (positions[0] + np.arange(len(positions))[:, None] * step)
    if np.abs(off @ normal).max() > _EVEN * usual:
        worst = int(np.abs(off @ normal).argmax())
        raise ToposegError(
            f"The slices of {path} lie unevenly.",
            why=f"From one to the next it is {gaps.min():.4g} to {gaps.max():.4g} mm; farthest from its place, by "
            f"{np.abs(off @ normal).max():.3g} mm, is {_slice_words(planes, worst)}.",
            todo="Resample the series to one slice distance with the tool that made it.",
        )
    if np.linalg.norm(off, axis=1).max() > max(_EVEN * usual, _SAME_PLACE):
        worst = int(np.linalg.norm(off, axis=1).argmax())
        raise ToposegError(
            f"The slices of {path} do not lie above one another.",
            why=f"Farthest from its place, by {np.linalg.norm(off[worst]):.3g} mm, is {_slice_words(planes, worst)}.",
            todo="Export the series again, or resample it with the tool that made it.",
        )
    return step


def _voxels(planes: tuple[DicomPlane, ...], series: DicomSeries) -> Iterator[NDArray[Any]]:
    """(columns, rows, slices) what the stored numbers of the planes mean: the same array, with one more each time."""
    rows, columns = series.shape
    voxels: NDArray[Any] | None = None
    kind = _kind(planes, series.stored)
    opened: tuple[Path, Any] | None = None
    for number, plane in enumerate(planes):
        if opened is None or opened[0] != plane.path:
            opened = plane.path, _opened(plane.path)
        stored = _decoded(plane, opened[1])
        if voxels is None:
            voxels = np.empty((columns, rows, len(planes)), stored.dtype if kind is None else kind, order="F")
        if plane.scaling is not None and plane.scaling != (1.0, 0.0):
            slope, intercept = plane.scaling
            stored = stored * slope + intercept
        voxels[..., number] = stored.T
        yield voxels


def _kind(planes: tuple[DicomPlane, ...], stored: tuple[int, bool]) -> np.dtype[Any] | None:
    """The type that holds what all planes mean; None for the stored one."""
    scalings = {plane.scaling for plane in planes}
    if scalings == {(1.0, 0.0)}:
        return None
    whole = all(scaling is not None and all(float(number).is_integer() for number in scaling) for scaling in scalings)
    if not whole:
        return np.dtype(np.float32)
    bits, signed = stored
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    reached = [end * slope + intercept for slope, intercept in (one for one in scalings if one) for end in ends]
    for kind in (np.int16, np.uint16, np.int32):
        if min(reached) >= np.iinfo(kind).min and max(reached) <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float32)


def _opened(path: Path) -> Any:
    from pydicom import dcmread

    try:
        return dcmread(path, force=True)
    except BROKEN as error:
        raise _undecoded(path, error, "") from error


def _decoded(plane: DicomPlane, dataset: Any) -> NDArray[Any]:
    """(rows, columns) stored numbers; through the file's own table where it has one."""
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    syntax = ""
    try:
        if "TransferSyntaxUID" not in dataset.file_meta:
            from pydicom.uid import ImplicitVRLittleEndian

            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        syntax = dataset.file_meta.TransferSyntaxUID.name
        stored = pixel_array(dataset, index=plane.frame)
        if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            stored = apply_color_lut(stored, dataset)
            stored = stored // 256 if stored.dtype.itemsize > 1 else stored
        if stored.ndim == 3:
            return np.round(stored[..., :3] @ _LUMINANCE).astype(np.uint8 if stored.dtype.itemsize == 1 else np.uint16)
        return apply_modality_lut(stored, dataset) if plane.scaling is None else stored
    except BROKEN as error:
        raise _undecoded(plane.path, error, syntax) from error


def _undecoded(path: Path, error: Exception, syntax: str) -> ToposegError:
    said = str(error).strip().splitlines()
    first = said[0].rstrip(".:") if said else type(error).__name__
    return ToposegError(
        f"{path} cannot be read as DICOM.",
        why=f"{f'Its voxels are {syntax}: ' if syntax else ''}{first}.",
        todo="Check that the file is whole, or export it uncompressed from its source.",
    )
