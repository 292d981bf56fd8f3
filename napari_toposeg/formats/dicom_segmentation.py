"""DICOM SEG out and in: masks that refer to the images that they belong to."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.dicom_reading import DicomOrigin
from napari_toposeg.formats.dicom_series import BROKEN, frames_of
from napari_toposeg.formats.frames_of_files import LPS_TO_RAS
from napari_toposeg.formats.origins import FileOrigin
from napari_toposeg.formats.paths import split_ending
from napari_toposeg.volume import Volume

_UNIDENTIFIED = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")
_UNNUMBERED = ("AccessionNumber", "StudyID", "ReferringPhysicianName")
_MOST_SEGMENTS = 65535
_LONGEST_LABEL = 64
_SAME_PLACE = 0.01


def write_dicom_segmentation(
    labels: NDArray[Any], volume: Volume, path: str | os.PathLike[str], names: Mapping[int, str] | None = None
) -> None:
    """Write a mask or a label map as a DICOM segmentation of its series.

    Parameters
    ----------
    labels : (*volume.shape) bool or whole-numbered array
        On the canonical grid. Each value but zero becomes a segment, in the order of the values.
    volume : Volume
        The image, read from DICOM: its files are looked into again.
    path : path
        .dcm; appears whole or not at all.
    names : mapping of int to str, optional
        What the values are called.

    Raises
    ------
    ToposegError
        If the image did not come from DICOM, its files are no longer there, nothing is segmented, or the file cannot be
        written.

    Notes
    -----
    One frame for each slice of the image and segment, the empty ones too, so that the file holds the image's whole
    grid. The patient, the study and the frame of reference are the image's. Where an anonymised file lacks a study, a
    class or a frame of reference, which the standard demands, one is made of its series' number.
    """
    origin = volume.stored.header
    if not isinstance(origin, DicomOrigin):
        raise ToposegError(
            f"{path} cannot be written.",
            why="A DICOM segmentation refers to the DICOM images that it belongs to, and the image is of another kind.",
            todo="Write .nii.gz, .nrrd or .mha instead.",
        )
    stored = volume.to_stored(labels)
    stored = stored if stored.ndim == 3 else stored[:, :, None]
    values = [int(value) for value in np.unique(stored) if value != 0]
    if not values or len(values) > _MOST_SEGMENTS:
        raise ToposegError(
            f"{path} cannot be written.",
            why="The mask is empty, and a DICOM segmentation holds at least one segment."
            if not values
            else f"It would hold {len(values)} segments.",
            todo="Write .nii.gz instead.",
        )
    numbers = np.zeros(stored.shape[::-1], np.uint8 if len(values) < 256 else np.uint16)
    for number, value in enumerate(values, start=1):
        numbers[value == stored.T] = number
    made = _made(numbers, values, origin, names or {})
    with replacing(path) as part:
        made.save_as(part, enforce_file_format=True)


def read_dicom_segmentation(path: str | os.PathLike[str]) -> Volume:
    """Read a DICOM segmentation as a label map.

    Parameters
    ----------
    path : path
        A SEG file with binary segments.

    Returns
    -------
    Volume
        uint8 or uint16: the number of the segment at each voxel, of the highest where they overlap, 0 elsewhere. The
        grid is that of the file's frames; slices between them that it leaves out are empty.

    Raises
    ------
    ToposegError
        If it cannot be read, or its frames make no volume.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.pixels.utils import pixel_array

    try:
        dataset = dcmread(path)
        frames = list(frames_of(dataset, Path(path)))
        voxels = pixel_array(dataset).reshape(len(frames), int(dataset.Rows), int(dataset.Columns))
        segments = [int(_segment_of(dataset, number)) for number in range(len(frames))]
        positions = np.array([plane.position for plane, _, _ in frames], float)
        along = np.array(frames[0][1], float)
        rows_apart, columns_apart = frames[0][2]
        if not all(np.allclose(orientation, along, atol=1e-4) for _, orientation, _ in frames if orientation):
            raise ValueError("Its frames lie in several directions")
        normal = np.cross(along[:3], along[3:])
        heights = positions @ normal
    except (InvalidDicomError, *BROKEN) as error:
        raise ToposegError(
            f"{path} cannot be read as a DICOM segmentation.",
            why=f"{(str(error).strip().splitlines() or [type(error).__name__])[0].rstrip('.')}.",
            todo="Check that the file is whole, and export it again from its source.",
        ) from error
    first, last = positions[heights.argmin()], positions[heights.argmax()]
    different = np.unique(np.round(heights / _SAME_PLACE).astype(np.int64)) * _SAME_PLACE
    step = float(np.diff(different).min()) if len(different) > 1 else 1.0
    count = round((heights.max() - heights.min()) / step) + 1
    step = (heights.max() - heights.min()) / (count - 1) if count > 1 else 1.0
    index = (heights - heights.min()) / step
    if np.abs(index - np.round(index)).max() > 0.05:
        raise ToposegError(
            f"The frames of {path} lie unevenly.", todo="Export the segmentation again on the grid of its image."
        )
    labels = np.zeros(
        (int(dataset.Columns), int(dataset.Rows), count), np.uint8 if max(segments) < 256 else np.uint16, order="F"
    )
    for frame, number, slice_index in zip(voxels, segments, np.round(index).astype(int), strict=True):
        labels[..., slice_index] = np.maximum(labels[..., slice_index], (frame.T != 0) * labels.dtype.type(number))
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 3] = along[:3] * columns_apart, along[3:] * rows_apart, first
    affine[:3, 2] = (last - first) / (count - 1) if count > 1 else normal
    return Volume.from_stored(
        labels if count > 1 else labels[..., 0],
        LPS_TO_RAS @ affine,
        name=split_ending(path)[0],
        header=FileOrigin((Path(path),)),
        path=str(path),
    )


def _segment_of(dataset: Any, number: int) -> int:
    for group in (dataset.PerFrameFunctionalGroupsSequence[number], dataset.SharedFunctionalGroupsSequence[0]):
        if "SegmentIdentificationSequence" in group:
            return int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    return 1


def _made(numbers: NDArray[Any], values: list[int], origin: DicomOrigin, names: Mapping[int, str]) -> Any:
    """The segmentation as highdicom makes it; (slices, rows, columns) segment numbers."""
    import highdicom
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    from napari_toposeg import __version__

    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="napari-toposeg", family=codes.DCM.MorphologicalOperations, version=__version__
    )
    segments = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=names.get(value, "Mask" if len(values) == 1 else f"Label {value}")[:_LONGEST_LABEL],
            segmented_property_category=codes.SCT.AnatomicalStructure,
            segmented_property_type=codes.SCT.Organ,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, value in enumerate(values, start=1)
    ]
    where: dict[str, Any] = {}
    sources = [_source(file, _slice_distance(origin)) for file in origin.files]
    if any(plane.frame is not None for plane in origin.planes):
        # Of a file with many frames, those that were read, in their order.
        rows_apart, columns_apart = origin.series.spacing
        patient = highdicom.CoordinateSystemNames.PATIENT
        where = {
            "plane_positions": [
                highdicom.PlanePositionSequence(patient, list(plane.position or (0, 0, 0))) for plane in origin.planes
            ],
            "plane_orientation": highdicom.PlaneOrientationSequence(
                patient, list(origin.series.orientation or (1, 0, 0, 0, 1, 0))
            ),
            "pixel_measures": highdicom.PixelMeasuresSequence(
                pixel_spacing=[rows_apart, columns_apart], slice_thickness=_slice_distance(origin)
            ),
        }
    with warnings.catch_warnings():
        # highdicom finds fault with how patients are called; it is the image's business.
        warnings.simplefilter("ignore", UserWarning)
        return highdicom.seg.Segmentation(
            source_images=sources,
            pixel_array=numbers,
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=segments,
            series_instance_uid=generate_uid(),
            series_number=(origin.series.number or 0) + 1000,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="napari-toposeg",
            manufacturer_model_name="napari-toposeg",
            software_versions=__version__,
            device_serial_number="0",
            content_description="Segmentation by deformation of a template",
            series_description=f"{origin.series.description or 'Series'} segmentation"[:64],
            omit_empty_frames=False,
            **where,
        )


def _slice_distance(origin: DicomOrigin) -> float:
    positions = [np.array(plane.position) for plane in origin.planes if plane.position is not None]
    return float(np.linalg.norm(positions[1] - positions[0])) if len(positions) > 1 else 1.0


def _source(file: Path, thickness: float) -> Any:
    """A file's header, with what the standard demands and anonymisers remove."""
    from pydicom import dcmread
    from pydicom.uid import generate_uid

    if not file.is_file():
        raise ToposegError(
            f"The DICOM file {file} is no longer there.",
            why="A DICOM segmentation takes patient and study from the images.",
            todo="Put the series back, or write .nii.gz.",
        )
    dataset = dcmread(file, stop_before_pixels=True, force=True)
    for name in (*_UNIDENTIFIED, *_UNNUMBERED):
        if name not in dataset:
            setattr(dataset, name, None if name.endswith(("Date", "Time")) else "")
    if dataset.get("SliceThickness") is None:
        dataset.SliceThickness = thickness
    if not dataset.get("SOPClassUID"):
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
    if not dataset.get("SOPInstanceUID"):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    series = str(dataset.get("SeriesInstanceUID") or file.parent)
    for name in ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        if not dataset.get(name):
            setattr(dataset, name, generate_uid(entropy_srcs=[series, name]))
    return dataset
