"""Which files of a folder are images, and of which DICOM series."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.choices import SeveralSeriesError
from napari_toposeg.formats.paths import DICOM_ENDINGS, existing_file, split_ending

MOST_FILES = 20_000
"""Files of a folder, those in folders inside counted, above which it is taken for a mistake."""

BROKEN = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
"""What pydicom and its decoders raise where a file is damaged or of a kind that they do not know."""

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_PREAMBLE = 128
_SAME_DIRECTION = 1e-3
_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "SeriesNumber",
    "Modality",
    "ImageType",
    "InstanceNumber",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "EchoTime",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "BitsStored",
    "PixelRepresentation",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]

Vector = tuple[float, ...]


@dataclass(frozen=True)
class DicomPlane:
    """One plane of voxels.

    Attributes
    ----------
    path : Path
        Its file.
    frame : int or None
        Which frame of that file, from 0; None where the file has but one.
    position : (x, y, z) or None
        Of its first voxel, in LPS mm; None where the file says nothing of a patient.
    scaling : (slope, intercept) or None
        What its stored numbers mean; None where the file has a table for that.
    order : tuple
        Which of several planes in one place comes first.
    """

    path: Path
    frame: int | None
    position: Vector | None
    scaling: tuple[float, float] | None
    order: tuple[float, ...]


@dataclass(frozen=True)
class DicomSeries:
    """Planes that belong together: of one series, one direction and one size.

    Attributes
    ----------
    uid, description, modality : str
        As the files have it; may be empty.
    number : int or None
        The scanner's number of the series.
    shape : (rows, columns)
    orientation : six floats or None
        Directions, in LPS, along a row and along a column.
    spacing : (float, float)
        mm between rows and between columns; 1 where the files do not say it.
    stored : (int, bool)
        Bits of a stored number, and whether it has a sign.
    localiser : bool
        Whether it says of itself that it is a scout image.
    planes : tuple of DicomPlane
        In no order.
    """

    uid: str
    description: str
    modality: str
    number: int | None
    shape: tuple[int, int]
    orientation: Vector | None
    spacing: tuple[float, float]
    stored: tuple[int, bool]
    localiser: bool
    planes: tuple[DicomPlane, ...]

    def words(self) -> str:
        """What a person tells it from others by."""
        rows, columns = self.shape
        what = self.description or "without a description"
        kind = " ".join(part for part in (self.modality, "localiser" if self.localiser else "") if part)
        return f"{what} ({f'{kind}, ' if kind else ''}{len(self.planes)} of {columns} x {rows})"


def is_dicom(path: str | os.PathLike[str]) -> bool:
    """Whether a file is DICOM: by its mark, or, where it has none, by its ending."""
    file = Path(path)
    try:
        with file.open("rb") as stream:
            marked = stream.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False
    return marked or split_ending(file)[1] in DICOM_ENDINGS


def is_segmentation(path: str | os.PathLike[str]) -> bool:
    """Whether a DICOM file is a segmentation object (SEG)."""
    header = _header(Path(path))
    return header is not None and _sop_class(header) == _SEGMENTATION


def find_series(path: str | os.PathLike[str]) -> tuple[DicomSeries, ...]:
    """The image series of a folder, or of the folder of a file.

    Parameters
    ----------
    path : path
        A folder: all that lies in it counts, folders inside too. A file: the series that it is of comes first, and its
        siblings are looked at.

    Returns
    -------
    tuple of DicomSeries
        By number and description, localisers last; of a file its own comes first. One series whose images lie in
        several directions, as a localiser's do, counts as several.

    Raises
    ------
    ToposegError
        If there is no DICOM image, or the folder holds more files than anybody means.
    """
    place = Path(path)
    own: Path | None = None
    if place.is_dir():
        files = list(_files_within(place))
    else:
        own = existing_file(path)
        siblings = (file for file in own.parent.iterdir() if file.is_file() and file != own)
        files = [own, *sorted(siblings)]
    groups: list[_Group] = []
    seen: set[tuple[str, int]] = set()
    for file in files:
        header = _header(file) if is_dicom(file) else None
        if header is None or "Rows" not in header or _sop_class(header) == _SEGMENTATION:
            continue
        uid = str(header.get("SOPInstanceUID", "") or file)
        for number, plane in enumerate(frames_of(header, file)):
            if (uid, number) in seen:
                continue  # the same image twice: copies lie about in export folders
            seen.add((uid, number))
            _add(groups, header, plane)
    if not groups:
        raise ToposegError(
            f"There is no DICOM image in {path}." if own is None else f"{path} is no DICOM image.",
            why="None of its files holds voxels that can be read." if own is None else "It holds no voxels.",
            todo="Choose the folder with the images of one series, or one of them.",
        )
    found = [group.series() for group in groups]
    found.sort(key=lambda one: (one.localiser, one.number is None, one.number or 0, one.description, one.uid))
    if own is not None:
        mine = [one for one in found if any(plane.path == own for plane in one.planes)]
        return (*mine, *(one for one in found if one not in mine))
    return tuple(found)


def choose_series(
    found: tuple[DicomSeries, ...], path: str | os.PathLike[str], series: int | str | None = None
) -> DicomSeries:
    """One of the series that were found.

    Parameters
    ----------
    found : tuple of DicomSeries
        As `find_series` gives them.
    path : path
        Where they were found.
    series : int or str, optional
        The number in the list, from 1, or a series' UID. Default: of a file, its own; of a folder, the only one that is
        no localiser.

    Raises
    ------
    ToposegError
        If there are several to choose from, or none of them is the one that is asked for.
    """
    if series is None:
        images = [one for one in found if not one.localiser] or list(found)
        if len(images) == 1:
            return images[0]
        if not Path(path).is_dir():
            return found[0]
        raise SeveralSeriesError(path, [one.words() for one in found], images=len(images))
    by_uid = [one for one in found if one.uid == str(series)]
    if by_uid:
        return by_uid[0]
    if str(series).isdigit() and 1 <= int(series) <= len(found):
        return found[int(series) - 1]
    raise ToposegError(
        f"{path} has no series {series}.",
        why=f"It holds {_listed(found)}.",
        todo=f"Choose one of them, with --series 1 to --series {len(found)}.",
    )


def _listed(found: tuple[DicomSeries, ...]) -> str:
    return "; ".join(f"{number}: {one.words()}" for number, one in enumerate(found, start=1))


def _files_within(folder: Path) -> Iterator[Path]:
    number = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.startswith("."):
                continue
            number += 1
            if number > MOST_FILES:
                raise ToposegError(
                    f"{folder} holds more than {MOST_FILES} files.",
                    why="All of them would be looked at.",
                    todo="Choose the folder of one study or series.",
                )
            yield Path(place) / name


def _header(file: Path) -> Any:
    """What a file says of itself; None where it is no DICOM after all."""
    from pydicom import dcmread

    try:
        return dcmread(file, stop_before_pixels=True, specific_tags=_TAGS, force=True)
    except BROKEN:
        return None


def _sop_class(header: Any) -> str:
    return str(header.get("SOPClassUID", "") or header.file_meta.get("MediaStorageSOPClassUID", ""))


@dataclass
class _Group:
    header: Any
    uid: str
    shape: tuple[int, int]
    orientation: Vector | None
    spacing: tuple[float, float]
    planes: list[DicomPlane] = field(default_factory=list)

    def takes(self, other: _Group) -> bool:
        def same(one: Iterable[float] | None, two: Iterable[float] | None) -> bool:
            if one is None or two is None:
                return one is two
            return bool(np.allclose(list(one), list(two), atol=_SAME_DIRECTION))

        return (
            (self.uid, self.shape) == (other.uid, other.shape)
            and same(self.orientation, other.orientation)
            and same(self.spacing, other.spacing)
        )

    def series(self) -> DicomSeries:
        header = self.header
        number = header.get("SeriesNumber")
        return DicomSeries(
            self.uid,
            str(header.get("SeriesDescription", "") or "").strip(),
            str(header.get("Modality", "") or ""),
            None if number is None else int(number),
            self.shape,
            self.orientation,
            self.spacing,
            (int(header.get("BitsStored", 32) or 32), bool(header.get("PixelRepresentation", 0))),
            "LOCALIZER" in [str(word).upper() for word in header.get("ImageType", None) or ()],
            tuple(self.planes),
        )


def _add(groups: list[_Group], header: Any, plane: tuple[DicomPlane, Vector | None, tuple[float, float]]) -> None:
    one, orientation, spacing = plane
    uid = str(header.get("SeriesInstanceUID", "") or "")
    made = _Group(header, uid, (int(header.Rows), int(header.Columns)), orientation, spacing)
    group = next((group for group in groups if group.takes(made)), None)
    if group is None:
        groups.append(made)
        group = made
    group.planes.append(one)


def frames_of(header: Any, file: Path) -> Iterator[tuple[DicomPlane, Vector | None, tuple[float, float]]]:
    """Each frame of a file: the plane, its directions and its spacing."""
    frames = int(header.get("NumberOfFrames", 1) or 1)
    shared = next(iter(header.get("SharedFunctionalGroupsSequence", None) or ()), None)
    each = header.get("PerFrameFunctionalGroupsSequence", None) or ()
    order = tuple(
        float(header.get(name, None) or 0)
        for name in ("TemporalPositionIdentifier", "TriggerTime", "EchoTime", "AcquisitionNumber", "InstanceNumber")
    )
    for number in range(frames):
        groups = [group for group in (each[number] if number < len(each) else None, shared) if group is not None]
        position = _floats(_found(header, groups, "PlanePositionSequence", "ImagePositionPatient"), 3)
        orientation = _floats(_found(header, groups, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
        spacing = _floats(_found(header, groups, "PixelMeasuresSequence", "PixelSpacing"), 2) or _floats(
            header.get("ImagerPixelSpacing"), 2
        )
        slope = _found(header, groups, "PixelValueTransformationSequence", "RescaleSlope")
        intercept = _found(header, groups, "PixelValueTransformationSequence", "RescaleIntercept")
        if position is None or orientation is None or (frames > 1 and not each):
            position = orientation = None
        scaling = None if "ModalityLUTSequence" in header else (float(slope or 1), float(intercept or 0))
        plane = DicomPlane(file, number if frames > 1 else None, position, scaling, (*order, float(number)))
        yield plane, orientation, (1.0, 1.0) if spacing is None or min(spacing) <= 0 else (spacing[0], spacing[1])


def _found(header: Any, groups: list[Any], sequence: str, name: str) -> Any:
    """A fact of a frame: from its own group, from that of all frames, or from the file as a whole."""
    for group in groups:
        for item in group.get(sequence, None) or ():
            if item.get(name) is not None:
                return item.get(name)
    return header.get(name)


def _floats(values: Any, count: int) -> Vector | None:
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
