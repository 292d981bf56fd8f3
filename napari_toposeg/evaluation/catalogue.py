"""What each figure of a case is called, in which unit it is, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "nearer 0"]
Group = Literal["overlap", "surface", "volume", "topology", "deformation"]


@dataclass(frozen=True)
class Metric:
    """One figure that every case has.

    Attributes
    ----------
    name : str
        The attribute of `CaseMetrics`, and its name in JSON and CSV.
    title : str
        What a person reads.
    group : str
        Under which heading it stands.
    better : str
        Which way is better.
    unit : str
        "length" for mm (pixels in a picture), "share" for what is read in per cent, "thousandth" for what is small, ""
        for a bare number.
    digits : int
        How many are shown behind the point.
    """

    name: str
    title: str
    group: Group
    better: Better
    unit: Literal["", "length", "share", "thousandth"] = ""
    digits: int = 3


METRICS = (
    Metric("dice", "Dice", "overlap", "higher"),
    Metric("precision", "precision", "overlap", "higher"),
    Metric("recall", "recall", "overlap", "higher"),
    Metric("voxel_correlation", "Pearson's r of voxels", "overlap", "higher"),
    Metric("hausdorff", "Hausdorff", "surface", "lower", "length", 2),
    Metric("hausdorff_95", "Hausdorff, 95 %", "surface", "lower", "length", 2),
    Metric("average_surface_distance", "surface distance", "surface", "lower", "length", 2),
    Metric("volume_error", "volume error", "volume", "nearer 0", "share", 1),
    Metric("absolute_volume_error", "volume error, abs.", "volume", "lower", "share", 1),
    Metric("right_topology", "right topology", "topology", "higher", "share", 1),
    Metric("right_topology_dual", "right topology", "topology", "higher", "share", 1),
    Metric("betti_error", "Betti error", "topology", "lower", "", 2),
    Metric("betti_matching_error", "Betti matching error", "topology", "lower", "", 2),
    Metric("component_error", "component error", "topology", "lower", "", 2),
    Metric("slice_component_error", "component error, 2-D", "topology", "lower", "", 2),
    Metric("folding_share", "folding cells", "deformation", "lower", "share", 3),
    Metric("relu_jacobian", "ReLU-Jacobian", "deformation", "lower", "thousandth", 3),
)
"""All figures, in the order in which they are shown."""
