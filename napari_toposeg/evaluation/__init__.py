"""How good masks are: figures of one case, of many, of two methods, and the tables that they make."""

from napari_toposeg.evaluation.case import CaseMetrics, evaluate_case
from napari_toposeg.evaluation.catalogue import METRICS, Metric
from napari_toposeg.evaluation.comparison import Difference, compare
from napari_toposeg.evaluation.fields import FieldMetrics, evaluate_field
from napari_toposeg.evaluation.files import (
    CaseFiles,
    MatchedFiles,
    check_same_cases,
    evaluate_files,
    labels_in,
    match_files,
    unit_of,
)
from napari_toposeg.evaluation.meshes import DistanceSurface, Mesh, distance_surface, surface_mesh
from napari_toposeg.evaluation.metrics import (
    betti_error,
    betti_matching_error,
    component_error,
    dice,
    hausdorff_distance,
    precision,
    recall,
    slice_component_error,
    volume_error,
    voxel_correlation,
)
from napari_toposeg.evaluation.shape_figures import (
    ShapeFigures,
    axis_lengths,
    feret_diameter,
    measure_shape,
    surface_size,
)
from napari_toposeg.evaluation.summary import Statistic, Summary, summarize
from napari_toposeg.evaluation.surface import SurfaceDistances, surface_distances
from napari_toposeg.evaluation.tables import Evaluation, LabelTable, Method, csv_text, facts, markdown_text, tabulate

__all__ = [
    "METRICS",
    "CaseFiles",
    "CaseMetrics",
    "Difference",
    "DistanceSurface",
    "Evaluation",
    "FieldMetrics",
    "LabelTable",
    "MatchedFiles",
    "Mesh",
    "Method",
    "Metric",
    "ShapeFigures",
    "Statistic",
    "Summary",
    "SurfaceDistances",
    "axis_lengths",
    "betti_error",
    "betti_matching_error",
    "check_same_cases",
    "compare",
    "component_error",
    "csv_text",
    "dice",
    "distance_surface",
    "evaluate_case",
    "evaluate_field",
    "evaluate_files",
    "facts",
    "feret_diameter",
    "hausdorff_distance",
    "labels_in",
    "markdown_text",
    "match_files",
    "measure_shape",
    "precision",
    "recall",
    "slice_component_error",
    "summarize",
    "surface_distances",
    "surface_mesh",
    "surface_size",
    "tabulate",
    "unit_of",
    "volume_error",
    "voxel_correlation",
]
