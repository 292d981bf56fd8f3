"""Persistent homology of probability maps: barcodes with places."""

from __future__ import annotations

from napari_toposeg.topology.persistence.bars import NO_VOXEL, Bar, Barcode
from napari_toposeg.topology.persistence.compiled import warm_up
from napari_toposeg.topology.persistence.cubical import PersistencePairs, barcode, barcode_steps, persistence_pairs
from napari_toposeg.topology.persistence.distances import bottleneck_distance, wasserstein_distance
from napari_toposeg.topology.persistence.matching import BettiMatching, match_bars
from napari_toposeg.topology.persistence.scale import Scale

__all__ = [
    "NO_VOXEL",
    "Bar",
    "Barcode",
    "BettiMatching",
    "PersistencePairs",
    "Scale",
    "barcode",
    "barcode_steps",
    "bottleneck_distance",
    "match_bars",
    "persistence_pairs",
    "warm_up",
    "wasserstein_distance",
]
