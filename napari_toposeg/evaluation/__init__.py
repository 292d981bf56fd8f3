"""Metrics."""

from napari_toposeg.evaluation.metrics import betti_error, betti_matching_error, dice, hausdorff_distance

__all__ = ["betti_error", "betti_matching_error", "dice", "hausdorff_distance"]
