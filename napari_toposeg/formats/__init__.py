"""What crosses the disk: NIfTI, NRRD, MetaImage, DICOM and pictures in; masks, surfaces, fields and images out."""

from napari_toposeg.formats.arrays import ARRAY_ENDINGS, open_arrays
from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.barcodes import (
    BARCODE_ENDINGS,
    BARCODE_PICTURE_ENDINGS,
    dump_barcode,
    read_barcode,
    write_barcode,
    write_barcode_picture,
    write_barcode_table,
)
from napari_toposeg.formats.choices import SeveralFramesError, SeveralSeriesError
from napari_toposeg.formats.dicom_reading import DicomOrigin, read_dicom
from napari_toposeg.formats.dicom_segmentation import read_dicom_segmentation, write_dicom_segmentation
from napari_toposeg.formats.dicom_series import DicomSeries, find_series, is_dicom
from napari_toposeg.formats.fields import read_displacement, write_displacement, write_jacobian
from napari_toposeg.formats.map_sources import MAP_ENDINGS
from napari_toposeg.formats.maps import MAP_WRITTEN_ENDINGS, ProbabilityMap, read_map, write_map
from napari_toposeg.formats.masks import on_grid_of, read_mask
from napari_toposeg.formats.metaimage import read_metaimage, write_metaimage
from napari_toposeg.formats.nifti_reading import read_nifti
from napari_toposeg.formats.nifti_writing import write_nifti_image, write_nifti_mask
from napari_toposeg.formats.nrrd_files import read_nrrd, write_nrrd
from napari_toposeg.formats.origins import FileOrigin, source_hash
from napari_toposeg.formats.paths import (
    DICOM_ENDINGS,
    ENDINGS,
    NIFTI_ENDINGS,
    PICTURE_ENDINGS,
    files_by_name,
    sha256_of,
    split_ending,
    split_label,
)
from napari_toposeg.formats.pictures import picture_volume, read_picture, write_picture
from napari_toposeg.formats.report import complete_report, report_text, write_report
from napari_toposeg.formats.session_file import SESSION_ENDING
from napari_toposeg.formats.surfaces import SURFACE_ENDINGS, write_surface
from napari_toposeg.formats.templates import read_prior, write_prior
from napari_toposeg.formats.volumes import (
    MASK_ENDINGS,
    WRITTEN_ENDINGS,
    can_read,
    read_volume,
    volume_steps,
    write_image,
    write_labels,
    write_mask,
)
from napari_toposeg.volume import check_finite

__all__ = [
    "ARRAY_ENDINGS",
    "BARCODE_ENDINGS",
    "BARCODE_PICTURE_ENDINGS",
    "DICOM_ENDINGS",
    "ENDINGS",
    "MAP_ENDINGS",
    "MAP_WRITTEN_ENDINGS",
    "MASK_ENDINGS",
    "NIFTI_ENDINGS",
    "PICTURE_ENDINGS",
    "SESSION_ENDING",
    "SURFACE_ENDINGS",
    "WRITTEN_ENDINGS",
    "DicomOrigin",
    "DicomSeries",
    "FileOrigin",
    "ProbabilityMap",
    "SeveralFramesError",
    "SeveralSeriesError",
    "can_read",
    "check_finite",
    "complete_report",
    "dump_barcode",
    "files_by_name",
    "find_series",
    "is_dicom",
    "on_grid_of",
    "open_arrays",
    "picture_volume",
    "read_barcode",
    "read_dicom",
    "read_dicom_segmentation",
    "read_displacement",
    "read_map",
    "read_mask",
    "read_metaimage",
    "read_nifti",
    "read_nrrd",
    "read_picture",
    "read_prior",
    "read_volume",
    "replacing",
    "report_text",
    "sha256_of",
    "source_hash",
    "split_ending",
    "split_label",
    "volume_steps",
    "write_barcode",
    "write_barcode_picture",
    "write_barcode_table",
    "write_dicom_segmentation",
    "write_displacement",
    "write_image",
    "write_jacobian",
    "write_labels",
    "write_map",
    "write_mask",
    "write_metaimage",
    "write_nifti_image",
    "write_nifti_mask",
    "write_nrrd",
    "write_picture",
    "write_prior",
    "write_report",
    "write_surface",
]
