"""Digital topology: Betti numbers, simple points, homotopic snap and correction, and the certificate."""

from __future__ import annotations

from napari_toposeg.topology.betti import betti_numbers, euler_characteristic
from napari_toposeg.topology.certificate import Certificate, certify
from napari_toposeg.topology.closed_surface import ClosedSurface, closed_surface
from napari_toposeg.topology.compiled import warm_up
from napari_toposeg.topology.components import count_components, fill_cavities, largest_components
from napari_toposeg.topology.connectivity import (
    check_connectivity,
    default_connectivity,
    dual_connectivity,
    touches_at_corners,
)
from napari_toposeg.topology.correction import Correction, correct
from napari_toposeg.topology.distance import signed_distance
from napari_toposeg.topology.homotopy import path_snap, snap
from napari_toposeg.topology.painting import Footprint, Painted, paint, stroke_footprint
from napari_toposeg.topology.persistence import (
    Bar,
    Barcode,
    BettiMatching,
    PersistencePairs,
    barcode,
    barcode_steps,
    match_bars,
    persistence_pairs,
)
from napari_toposeg.topology.reaching import reach_voxel
from napari_toposeg.topology.simple_points import mark_simple_points
from napari_toposeg.topology.words import betti_words

__all__ = [
    "Bar",
    "Barcode",
    "BettiMatching",
    "Certificate",
    "ClosedSurface",
    "Correction",
    "Footprint",
    "Painted",
    "PersistencePairs",
    "barcode",
    "barcode_steps",
    "betti_numbers",
    "betti_words",
    "certify",
    "check_connectivity",
    "closed_surface",
    "correct",
    "count_components",
    "default_connectivity",
    "dual_connectivity",
    "euler_characteristic",
    "fill_cavities",
    "largest_components",
    "mark_simple_points",
    "match_bars",
    "paint",
    "path_snap",
    "persistence_pairs",
    "reach_voxel",
    "signed_distance",
    "snap",
    "stroke_footprint",
    "touches_at_corners",
    "warm_up",
]
