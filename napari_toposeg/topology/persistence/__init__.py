"""Persistent homology of probability maps: barcodes with places."""

from __future__ import annotations

from napari_toposeg.topology.persistence.bars import NO_VOXEL, Bar, Barcode
from napari_toposeg.topology.persistence.cubical import PersistencePairs, barcode, persistence_pairs

__all__ = ["NO_VOXEL", "Bar", "Barcode", "PersistencePairs", "barcode", "persistence_pairs"]
