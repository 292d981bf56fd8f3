"""How large an object is: volume, surface, diameters, all in mm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import box_of, box_slices
from napari_toposeg.topology import betti_numbers, check_connectivity


@dataclass(frozen=True)
class ShapeFigures:
    """What was measured on one object.

    Attributes
    ----------
    voxels : int
        How many there are.
    share : float
        Of the image's voxels, 0 to 1.
    volume : float
        In the unit of the spacing to the power of ndim: mm3, in 2-D an area in mm2.
    surface : float
        Inner and outer surface together, in the unit squared: see `surface_size`. In 2-D the perimeter, in the unit.
    feret_diameter : float
        The largest distance of two points of the surface, in the unit: see `feret_diameter`.
    axis_lengths : tuple of float
        Lengths of the principal axes, longest first, in the unit: see `axis_lengths`.
    connectivity : int
        Of the foreground, with which the Betti numbers were counted.
    betti : tuple of int
        Betti numbers.
    """

    voxels: int
    share: float
    volume: float
    surface: float
    feret_diameter: float
    axis_lengths: tuple[float, ...]
    connectivity: int
    betti: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.betti)

    def as_dict(self) -> dict[str, Any]:
        """All of it with plain lists and numbers, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def measure_shape(
    mask: NDArray[Any], spacing: Sequence[float] | NDArray[np.float64], *, connectivity: int | None = None
) -> ShapeFigures:
    """Measure one object.

    Parameters
    ----------
    mask : (*grid) array
        Foreground where not zero; 2-D or 3-D. Where it is empty all figures are 0.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis, in mm.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.

    Raises
    ------
    ToposegError
        If the mask is neither 2-D nor 3-D, or the connectivity does not exist there.
    """
    mask = np.asarray(mask) != 0
    connectivity = check_connectivity(connectivity, mask.ndim)
    widths = np.asarray(spacing, np.float64)
    share = float(mask.mean()) if mask.size else 0.0
    box = box_of(mask)
    part = mask if box is None else mask[box_slices(box)]
    voxels = int(np.count_nonzero(part))
    return ShapeFigures(
        voxels=voxels,
        share=share,
        volume=float(voxels * np.prod(widths)),
        surface=surface_size(part, widths),
        feret_diameter=feret_diameter(part, widths),
        axis_lengths=axis_lengths(part, widths),
        connectivity=connectivity,
        betti=betti_numbers(part, connectivity=connectivity),
    )


def surface_size(mask: NDArray[Any], spacing: Sequence[float] | NDArray[np.float64]) -> float:
    """Area of an object's surface; in 2-D the length of its outline.

    Parameters
    ----------
    mask : (*grid) array
        Foreground where not zero; what lies outside of the grid is background.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis.

    Returns
    -------
    float
        In the unit of the spacing, in 3-D squared.

    Notes
    -----
    Crofton's formula: how often lines in 13 directions (in 2-D 4) cross the surface, each direction weighted by its
    Voronoi cell on the sphere (G. Lehmann, D. Legland, "Efficient N-dimensional surface estimation using Crofton
    formula and run-length encoding", Insight Journal, 2012).

    Of balls of 8 and 15 voxels on 1 x 1 x 1, 1 x 1 x 3 and 0.5 x 0.5 x 2 mm it is off by at most 1.3 %, where the
    triangles of marching cubes, which go up and down the voxels' stairs, have 8 to 19 % too much. It is at its worst
    for planes that lie along the grid: 10 % too little for a cube, 17 % on 1 x 1 x 3 mm.
    """
    mask, widths = np.asarray(mask) != 0, np.asarray(spacing, np.float64)
    ndim = mask.ndim
    padded = np.pad(mask, 1)
    # One of each pair of opposite directions: that whose first component that is not 0 is positive.
    steps = [step for step in product((-1, 0, 1), repeat=ndim) if step > (0,) * ndim]
    lengths = np.linalg.norm(np.array(steps) * widths, axis=1)
    shares = _shares_of_sphere(np.array(steps) * widths / lengths[:, None])
    total = 0.0
    for step, length, share in zip(steps, lengths, shares, strict=True):
        here = padded[
            tuple(slice(max(-one, 0), size - max(one, 0)) for one, size in zip(step, padded.shape, strict=True))
        ]
        there = padded[
            tuple(slice(max(one, 0), size + min(one, 0)) for one, size in zip(step, padded.shape, strict=True))
        ]
        # Each line along the step stands for this much of the plane across it.
        across = float(np.prod(widths)) / length
        total += share * across * np.count_nonzero(here != there)
    # The mean over all directions of |cos|: 1/2 on the sphere, 2/pi on the circle.
    return float(total * (2.0 if ndim == 3 else np.pi / 2.0))


def feret_diameter(mask: NDArray[Any], spacing: Sequence[float] | NDArray[np.float64]) -> float:
    """The largest distance of two points of an object's surface: what a caliper measures at most.

    Parameters
    ----------
    mask : (*grid) array
        Foreground where not zero.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis; the answer has its unit.

    Returns
    -------
    float
        0 for an empty mask.

    Notes
    -----
    The points are the middles of the faces between foreground and background, which are the vertices of marching cubes:
    a row of n voxels is n voxels long, and a ball at most one voxel longer than it is.
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    points = _face_middles(np.asarray(mask) != 0) * np.asarray(spacing, np.float64)
    if not len(points):
        return 0.0
    # Faces on both sides of every voxel along every axis: they never lie in one plane, so there is always a hull.
    return float(pdist(points[ConvexHull(points).vertices]).max())


def axis_lengths(mask: NDArray[Any], spacing: Sequence[float] | NDArray[np.float64]) -> tuple[float, ...]:
    """Lengths of the axes of the ellipsoid that has an object's second moments.

    Parameters
    ----------
    mask : (*grid) array
        Foreground where not zero.
    spacing : (ndim,) sequence of float
        Size of a voxel along each axis; the answer has its unit.

    Returns
    -------
    tuple of float
        As many as axes, longest first; of a solid ellipsoid its own. 0 for an empty mask.

    Notes
    -----
    A solid ellipsoid of semi-axis a has the variance a**2 / (ndim + 2) along it. A voxel is a block, not a point: it
    adds a twelfth of its squared width.
    """
    mask, widths = np.asarray(mask) != 0, np.asarray(spacing, np.float64)
    ndim = mask.ndim
    places = np.argwhere(mask) * widths
    if not len(places):
        return (0.0,) * ndim
    centred = places - places.mean(axis=0)
    moments = centred.T @ centred / len(places) + np.diag(widths**2 / 12.0)
    variances = np.linalg.eigvalsh(moments)[::-1]
    return tuple(float(length) for length in 2.0 * np.sqrt((ndim + 2) * variances))


def _shares_of_sphere(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) shares of the sphere, or circle, nearer to a direction (N, ndim) or its opposite than to any other."""
    if directions.shape[1] == 3:
        from scipy.spatial import SphericalVoronoi

        areas = SphericalVoronoi(np.vstack([directions, -directions])).calculate_areas() / (4.0 * np.pi)
        return np.asarray(areas[: len(directions)] + areas[len(directions) :])
    # Angles of lines, not of rays: the half circle is closed on itself.
    angles = np.arctan2(directions[:, 1], directions[:, 0]) % np.pi
    order = np.argsort(angles)
    gaps = np.diff(np.append(angles[order], angles[order[0]] + np.pi))
    shares = np.empty(len(directions))
    shares[order] = (gaps + np.roll(gaps, 1)) / (2.0 * np.pi)
    return shares


def _face_middles(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, ndim) middles of the faces between foreground and background, in voxels; without those inside a row."""
    padded = np.pad(mask, 1)
    found = []
    for axis in range(mask.ndim):
        along = np.moveaxis(padded, axis, -1)
        rows = np.argwhere(along.any(axis=-1))
        if not len(rows):
            return np.zeros((0, mask.ndim))
        lines = along[tuple(rows.T)]
        # The hull needs the two ends of a row only.
        first, last = lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
        for place in (first - 0.5, last + 0.5):
            found.append(np.insert(rows.astype(np.float64), axis, place, axis=1))
    return np.concatenate(found) - 1.0
