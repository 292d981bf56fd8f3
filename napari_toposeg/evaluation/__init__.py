"""Metrics."""

from napari_toposeg.evaluation.metrics import betti_error, dice, hausdorff_distance

__all__ = ["betti_error", "dice", "hausdorff_distance"]
