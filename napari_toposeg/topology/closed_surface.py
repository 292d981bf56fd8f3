"""The surface of a mask as a closed mesh that has the mask's topology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.betti import betti_numbers
from napari_toposeg.topology.connectivity import check_connectivity

_NEAR_INSIDE = {26: 0.1, 6: 0.9}
_REACH = 0.4
_ROUNDS = 10
_PULL, _PUSH = 0.5, -0.53


@dataclass(frozen=True, eq=False)
class ClosedSurface:
    """A closed surface of triangles.

    Attributes
    ----------
    vertices : (n, 3) float64
        In voxels of the mask, not necessarily whole.
    faces : (m, 3) int64
        Indices of vertices, counter-clockwise as seen from outside where the voxels' axes are right-handed.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    @property
    def euler_characteristic(self) -> int:
        """Vertices less edges plus triangles."""
        return len(self.vertices) - len(self._edges()[0]) + len(self.faces)

    @property
    def closed(self) -> bool:
        """Whether every edge lies between exactly two triangles."""
        return bool((self._edges()[1] == 2).all())

    @property
    def pieces(self) -> int:
        """How many surfaces that do not touch there are."""
        from scipy.sparse.csgraph import connected_components

        return int(connected_components(self.neighbours(), directed=False, return_labels=False))

    def neighbours(self) -> Any:
        """(n, n) sparse array: 1 where an edge joins two vertices."""
        (edges, _), size = self._edges(), len(self.vertices)
        ends = np.concatenate([edges, edges[:, ::-1]])
        return coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size)).tocsr()

    def _edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The edges, and of how many triangles each is one."""
        sides = np.sort(self.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        numbers, counts = np.unique(sides[:, 0] * len(self.vertices) + sides[:, 1], return_counts=True)
        return np.stack(np.divmod(numbers, len(self.vertices)), axis=1), counts


def closed_surface(mask: NDArray[Any], *, connectivity: int | None = None) -> ClosedSurface:
    """The surface of a mask, smoothed within its voxels.

    Parameters
    ----------
    mask : (I, J, K) array
        Foreground where it is not zero; not empty.
    connectivity : {26, 6}, optional
        Of the foreground. Default: 26.

    Returns
    -------
    ClosedSurface
        Its pieces are as many as the mask's components and cavities together, and its Euler characteristic is twice
        that of the mask, 2 (b0 - b1 + b2). Both are counted before it is handed out.

    Raises
    ------
    ToposegError
        If the mask is empty or 2-D, or the surface that was made has another topology than the mask.

    Notes
    -----
    Marching cubes at half-way between 0 and 1 cannot tell at an ambiguous cell which corners belong together, and may
    well answer otherwise than the connectivity does. The trilinear interpolant of a mask, however, is above a level
    close to 0 exactly on a neighbourhood of its voxels, where all that touch at a corner are joined (26), and above one
    close to 1 only where they share a face (6). So the surface is taken there, by the tables of Lewiner et al.
    ("Efficient implementation of Marching Cubes' cases with topological guarantees", 2003), which follow the
    interpolant, and its vertices are then moved half-way between the voxels that they separate. Smoothing moves no
    vertex by more than 0.4 voxels along an axis.
    """
    from skimage.measure import marching_cubes

    mask = np.asarray(mask) != 0
    if mask.ndim != 3:
        raise ToposegError(
            f"A mask of {mask.ndim} axes has no surface.", why="A surface bounds a body.", todo="Save the mask itself."
        )
    connectivity = check_connectivity(connectivity, 3)
    if not mask.any():
        raise ToposegError("The mask is empty.", why="It has no surface.", todo="Segment something first.")
    along = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    inner = np.pad(mask[tuple(slice(found[0], found[-1] + 1) for found in along)], 1)
    corners, faces, _, _ = marching_cubes(inner.astype(np.float32), _NEAR_INSIDE[connectivity], allow_degenerate=True)
    vertices = corners.astype(np.float64) - 1.0 + np.array([found[0] for found in along])
    # A vertex on a grid's edge has one coordinate that is not whole: it goes to the middle. Those within a cell stay.
    between = np.abs(vertices - np.round(vertices)) > 1e-4
    on_edge = between.sum(axis=1) == 1
    middle = np.where(between, np.floor(vertices) + 0.5, np.round(vertices))
    vertices = np.where(on_edge[:, None], middle, vertices)
    # skimage winds its triangles for a gradient that points inwards the other way round.
    mesh = ClosedSurface(vertices, faces[:, ::-1].astype(np.int64))
    betti = betti_numbers(inner, connectivity=connectivity)
    if (
        not mesh.closed
        or mesh.euler_characteristic != 2 * (betti[0] - betti[1] + betti[2])
        or mesh.pieces != betti[0] + betti[2]
    ):
        raise ToposegError(
            "The surface has not the mask's topology.",
            why=f"The mask has Betti numbers {betti}, the surface {mesh.pieces} pieces and the Euler characteristic "
            f"{mesh.euler_characteristic}. This is a defect; please report it.",
            todo="Save the mask itself.",
        )
    return ClosedSurface(_smoothed(mesh), mesh.faces)


def _smoothed(mesh: ClosedSurface) -> NDArray[np.float64]:
    """Vertices smoothed without shrinking (Taubin, 1995), each within reach of where it was."""
    neighbours = mesh.neighbours()
    share = 1.0 / np.asarray(neighbours.sum(axis=1)).ravel()[:, None]
    low, high = mesh.vertices - _REACH, mesh.vertices + _REACH
    vertices = mesh.vertices
    for _ in range(_ROUNDS):
        for factor in (_PULL, _PUSH):
            vertices = vertices + factor * (share * (neighbours @ vertices) - vertices)
        vertices = np.clip(vertices, low, high)
    return vertices
