"""One case: a prediction against its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation.fields import evaluate_field
from napari_toposeg.evaluation.metrics import (
    betti_error,
    betti_matching_error,
    component_error,
    dice,
    precision,
    recall,
    slice_component_error,
    volume_error,
    voxel_correlation,
)
from napari_toposeg.evaluation.surface import surface_distances
from napari_toposeg.topology import betti_numbers, check_connectivity, dual_connectivity


@dataclass(frozen=True)
class CaseMetrics:
    """What was measured on one case.

    Attributes
    ----------
    name : str
        Of the case.
    label : int or None
        Which label of the label map; None for all that is not background.
    empty : str
        Which of the two masks is empty: "prediction", "label", "both" or "neither".
    dice, precision, recall, voxel_correlation : float
        Overlap; 1 where both masks are empty and 0 where one is.
    hausdorff, hausdorff_95, average_surface_distance : float
        In the unit of the spacing, see `surface_distances`; the diagonal of the grid where one mask is empty.
    volume_prediction, volume_label : float
        In the unit of the spacing to the power of ndim.
    volume_error, absolute_volume_error : float
        As shares of the label's volume; NaN where only the label is empty.
    connectivity : int
        Of the foreground, for all that is counted.
    betti_prediction, betti_label : tuple of int
        Betti numbers.
    betti_expected : tuple of int
        Those that the prediction should have: the prior's where one was given, else the label's.
    right_topology : bool
        Whether the prediction has them.
    right_topology_dual : bool
        The same with the dual connectivity (6 for 26, 4 for 8), in which the label is then counted, too.
    betti_error : int
        Sum of the absolute differences to those expected.
    betti_matching_error : int
        Features that prediction and label do not have in the same place.
    component_error : int
        By how much the number of components differs from the label's (CCE).
    slice_component_error : float or None
        The same in slices, on average; None in 2-D.
    folding_share, relu_jacobian : float or None
        Of the displacement field; None where there is none.
    """

    name: str
    label: int | None
    empty: Literal["prediction", "label", "both", "neither"]
    dice: float
    precision: float
    recall: float
    voxel_correlation: float
    hausdorff: float
    hausdorff_95: float
    average_surface_distance: float
    volume_prediction: float
    volume_label: float
    volume_error: float
    absolute_volume_error: float
    connectivity: int
    betti_prediction: tuple[int, ...]
    betti_label: tuple[int, ...]
    betti_expected: tuple[int, ...]
    right_topology: bool
    right_topology_dual: bool
    betti_error: int
    betti_matching_error: int
    component_error: int
    slice_component_error: float | None
    folding_share: float | None
    relu_jacobian: float | None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.betti_prediction)

    def as_dict(self) -> dict[str, Any]:
        """All of it with plain lists and numbers, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def evaluate_case(
    prediction: NDArray[Any],
    label: NDArray[Any],
    spacing: Sequence[float] | NDArray[np.float64],
    *,
    betti_expected: Sequence[int] | None = None,
    connectivity: int | None = None,
    displacement: NDArray[Any] | None = None,
    name: str = "",
    label_value: int | None = None,
) -> CaseMetrics:
    """Measure a prediction against its label.

    Parameters
    ----------
    prediction, label : (*grid) array
        Foreground where not zero; 2-D or 3-D, on the same grid.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis, in mm.
    betti_expected : sequence of int, optional
        Betti numbers that the prediction should have. Default: the label's own.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.
    displacement : (ndim, *any grid) array, optional
        The field that made the prediction, in voxels of its grid.
    name, label_value
        Kept with the figures.

    Raises
    ------
    ToposegError
        If the masks differ in shape, are neither 2-D nor 3-D, or the expected Betti numbers are not as many as axes.
    """
    prediction, label = np.asarray(prediction) != 0, np.asarray(label) != 0
    connectivity = check_connectivity(connectivity, prediction.ndim)
    if prediction.shape != label.shape:
        raise ToposegError(
            "The prediction and its label have different shapes.",
            why=f"The prediction has {_shape(prediction)} voxels, the label {_shape(label)}.",
            todo="Resample one of them on to the other's grid with the tool that made it.",
        )
    if betti_expected is not None and len(betti_expected) != prediction.ndim:
        raise ToposegError(
            f"{len(betti_expected)} Betti numbers are expected of a mask of {prediction.ndim} dimensions.",
            todo=f"Choose a prior of {prediction.ndim} dimensions.",
        )
    expected = None if betti_expected is None else tuple(int(number) for number in betti_expected)
    surface = surface_distances(prediction, label, spacing)
    error = volume_error(prediction, label)
    voxel = float(np.prod(spacing))
    betti_prediction = betti_numbers(prediction, connectivity=connectivity)
    betti_label = betti_numbers(label, connectivity=connectivity)
    wanted = betti_label if expected is None else expected
    dual = dual_connectivity(connectivity)
    wanted_dual = betti_numbers(label, connectivity=dual) if expected is None else expected
    field = None if displacement is None else evaluate_field(displacement)
    # Where voxels touch at corners in 3-D, they do in a slice.
    in_slices = 8 if connectivity == 26 else 4
    return CaseMetrics(
        name=name,
        label=label_value,
        empty=_EMPTY[bool(prediction.any()), bool(label.any())],
        dice=dice(prediction, label),
        precision=precision(prediction, label),
        recall=recall(prediction, label),
        voxel_correlation=voxel_correlation(prediction, label),
        hausdorff=surface.hausdorff,
        hausdorff_95=surface.hausdorff_95,
        average_surface_distance=surface.average,
        volume_prediction=int(prediction.sum()) * voxel,
        volume_label=int(label.sum()) * voxel,
        volume_error=error,
        absolute_volume_error=abs(error),
        connectivity=connectivity,
        betti_prediction=betti_prediction,
        betti_label=betti_label,
        betti_expected=wanted,
        right_topology=betti_prediction == wanted,
        right_topology_dual=betti_numbers(prediction, connectivity=dual) == wanted_dual,
        betti_error=betti_error(betti_prediction, wanted),
        betti_matching_error=betti_matching_error(prediction, label, connectivity),
        component_error=component_error(prediction, label, connectivity),
        slice_component_error=None if label.ndim == 2 else slice_component_error(prediction, label, in_slices),
        folding_share=None if field is None else field.folding_share,
        relu_jacobian=None if field is None else field.relu_jacobian,
    )


_EMPTY: dict[tuple[bool, bool], Literal["prediction", "label", "both", "neither"]] = {
    (False, False): "both",
    (False, True): "prediction",
    (True, False): "label",
    (True, True): "neither",
}


def _shape(mask: NDArray[Any]) -> str:
    return " x ".join(map(str, mask.shape))
