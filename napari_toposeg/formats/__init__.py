"""What crosses the disk: NIfTI and pictures in; masks, fields and images out."""

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
from napari_toposeg.formats.fields import read_displacement, write_displacement, write_jacobian
from napari_toposeg.formats.map_sources import MAP_ENDINGS
from napari_toposeg.formats.maps import MAP_WRITTEN_ENDINGS, ProbabilityMap, read_map, write_map
from napari_toposeg.formats.masks import on_grid_of, read_mask
from napari_toposeg.formats.nifti_reading import read_nifti
from napari_toposeg.formats.nifti_writing import write_nifti_image, write_nifti_mask
from napari_toposeg.formats.paths import (
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
from napari_toposeg.formats.templates import read_prior, write_prior
from napari_toposeg.formats.volumes import WRITTEN_ENDINGS, read_volume, write_image, write_labels, write_mask
from napari_toposeg.volume import check_finite

__all__ = [
    "ARRAY_ENDINGS",
    "BARCODE_ENDINGS",
    "BARCODE_PICTURE_ENDINGS",
    "ENDINGS",
    "MAP_ENDINGS",
    "MAP_WRITTEN_ENDINGS",
    "NIFTI_ENDINGS",
    "PICTURE_ENDINGS",
    "WRITTEN_ENDINGS",
    "ProbabilityMap",
    "check_finite",
    "complete_report",
    "dump_barcode",
    "files_by_name",
    "on_grid_of",
    "open_arrays",
    "picture_volume",
    "read_barcode",
    "read_displacement",
    "read_map",
    "read_mask",
    "read_nifti",
    "read_picture",
    "read_prior",
    "read_volume",
    "replacing",
    "report_text",
    "sha256_of",
    "split_ending",
    "split_label",
    "write_barcode",
    "write_barcode_picture",
    "write_barcode_table",
    "write_displacement",
    "write_image",
    "write_jacobian",
    "write_labels",
    "write_map",
    "write_mask",
    "write_nifti_image",
    "write_nifti_mask",
    "write_picture",
    "write_prior",
    "write_report",
]
