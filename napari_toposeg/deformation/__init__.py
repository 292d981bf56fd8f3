"""Deformations: warp, integrate, compose, invert; the strict test for folds, and their repair."""

from napari_toposeg.deformation.displacement import Displacement
from napari_toposeg.deformation.histogram import Histogram, determinant_histogram
from napari_toposeg.deformation.jacobian import corner_determinants, jacobian_determinant, laplacian
from napari_toposeg.deformation.lattice import on_lattice
from napari_toposeg.deformation.regularity import JacobianMap, jacobian_map, worst_cells
from napari_toposeg.deformation.unfold import Unfolded, unfold
from napari_toposeg.deformation.velocity import border_window, integrate
from napari_toposeg.deformation.warm_up import warm_up
from napari_toposeg.deformation.warp import Inverse, compose, identity_grid, invert, resize, sample, warp

__all__ = [
    "Displacement",
    "Histogram",
    "Inverse",
    "JacobianMap",
    "Unfolded",
    "border_window",
    "compose",
    "corner_determinants",
    "determinant_histogram",
    "identity_grid",
    "integrate",
    "invert",
    "jacobian_determinant",
    "jacobian_map",
    "laplacian",
    "on_lattice",
    "resize",
    "sample",
    "unfold",
    "warm_up",
    "warp",
    "worst_cells",
]
