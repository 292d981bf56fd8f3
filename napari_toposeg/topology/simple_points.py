"""Simple points: voxels that can be flipped without any change of topology."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from napari_toposeg.topology.components import as_volume, bordered
from napari_toposeg.topology.connectivity import check_connectivity, touches_at_corners


def _bits(chosen: list[tuple[int, int, int]]) -> int:
    return sum(1 << (9 * plane + 3 * row + column) for plane, row, column in chosen)


_CUBE = [(plane, row, column) for plane in range(3) for row in range(3) for column in range(3)]
_ALL = _bits(_CUBE)
_CENTRE = _bits([(1, 1, 1)])
_FACES = _bits([o for o in _CUBE if sum(abs(k - 1) for k in o) == 1])
_FACES_AND_EDGES = _bits([o for o in _CUBE if sum(abs(k - 1) for k in o) in (1, 2)])
_MIDDLE = _bits([o for o in _CUBE if o[0] == 1])
_NOT_FIRST_COLUMN, _NOT_LAST_COLUMN = _bits([o for o in _CUBE if o[2] > 0]), _bits([o for o in _CUBE if o[2] < 2])
_NOT_FIRST_ROW, _NOT_LAST_ROW = _bits([o for o in _CUBE if o[1] > 0]), _bits([o for o in _CUBE if o[1] < 2])

PLANE_SHIFT = 9


@njit(cache=True, nogil=True)
def _corner_component(voxels: int, seed: int) -> int:
    """The 26-connected component of a 3x3x3 neighbourhood (27 bits) that holds the seed bits."""
    while True:
        grown = seed | seed << 1 & _NOT_FIRST_COLUMN | seed >> 1 & _NOT_LAST_COLUMN
        grown |= grown << 3 & _NOT_FIRST_ROW | grown >> 3 & _NOT_LAST_ROW
        grown |= grown << 9 | grown >> 9
        grown &= voxels
        if grown == seed:
            return seed
        seed = grown


@njit(cache=True, nogil=True)
def _face_component(voxels: int, seed: int) -> int:
    """The 6-connected component of a 3x3x3 neighbourhood (27 bits) that holds the seed bits."""
    while True:
        grown = seed | seed << 1 & _NOT_FIRST_COLUMN | seed >> 1 & _NOT_LAST_COLUMN
        grown |= seed << 3 & _NOT_FIRST_ROW | seed >> 3 & _NOT_LAST_ROW
        grown |= seed << 9 | seed >> 9
        grown &= voxels
        if grown == seed:
            return seed
        seed = grown


@njit(cache=True, nogil=True)
def simple_in(neighbourhood: int) -> bool:
    """Whether the centre of a 3x3x3 neighbourhood is (26, 6)-simple.

    Parameters
    ----------
    neighbourhood : int
        27 bits, bit ``9 * plane + 3 * row + column`` set where the voxel is foreground. The centre's own bit is
        ignored. A 2-D neighbourhood is the middle plane of one with nothing above and below (shift it by
        `PLANE_SHIFT`): the test then is the (8, 4) one, since the planes above and below join whatever 4-neighbours of
        the background there are.

    Notes
    -----
    G. Bertrand and G. Malandain, "A new characterization of three-dimensional simple points", Pattern Recognition
    Letters 15, 1994: one 26-component of the foreground among the 26 neighbours, and one 6-component of the background
    among the 18 that touches the centre by a face.
    """
    foreground = neighbourhood & (_ALL ^ _CENTRE)
    background = ~neighbourhood & _FACES_AND_EDGES
    touching = background & _FACES
    if foreground == 0 or touching == 0:
        return False
    if _corner_component(foreground, foreground & -foreground) != foreground:
        return False
    return touching & ~_face_component(background, touching & -touching) == 0


@njit(cache=True, nogil=True)
def parts_in(neighbourhood: int, flat: bool) -> tuple[int, int]:
    """How many parts of foreground and background meet at the centre of a 3x3x3 neighbourhood; 2 stands for more.

    It is (26, 6)-simple, or (8, 4)-simple in 2-D, where both are 1.

    Parameters
    ----------
    neighbourhood : int
        As in `simple_in`.
    flat : bool
        Whether it is a 2-D one: what lies above and below then belongs to neither.
    """
    foreground = neighbourhood & (_ALL ^ _CENTRE)
    background = ~neighbourhood & (_FACES_AND_EDGES & _MIDDLE if flat else _FACES_AND_EDGES)
    touching = background & _FACES
    corners = faces = 0
    if foreground != 0:
        corners = 1 if _corner_component(foreground, foreground & -foreground) == foreground else 2
    if touching != 0:
        faces = 1 if touching & ~_face_component(background, touching & -touching) == 0 else 2
    return corners, faces


@njit(cache=True, nogil=True)
def neighbourhood_of(state: NDArray[np.uint8], voxel: int, offsets: NDArray[np.int64]) -> int:
    """The lowest bits of a voxel and its neighbours, gathered in the order of the offsets (27 of them, or 9 in 2-D)."""
    gathered = np.int64(0)
    for number in range(offsets.size):
        gathered |= np.int64(state[voxel + offsets[number]] & 1) << number
    return int(gathered << PLANE_SHIFT if offsets.size == 9 else gathered)


def neighbour_offsets(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """(3**ndim,) offsets in a flattened C-ordered array, in raster order and with the voxel itself in the middle."""
    steps = np.cumprod((1, *shape[:0:-1]))[::-1]
    grid = np.indices((3,) * len(shape)).reshape(len(shape), -1) - 1
    return np.asarray(steps @ grid, np.int64)


@njit(cache=True, nogil=True)
def _mark_simple(state: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    marked = np.zeros(state.size, np.bool_)
    reach = offsets[offsets.size - 1]
    for voxel in range(reach, state.size - reach):
        marked[voxel] = simple_in(neighbourhood_of(state, voxel, offsets))
    return marked


def mark_simple_points(mask: NDArray[Any], *, connectivity: int | None = None) -> NDArray[np.bool_]:
    """Mark the voxels, of foreground and background alike, that can be flipped without any change of topology.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero. What lies outside of the array counts as background.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default.

    Returns
    -------
    (*mask.shape) bool
        One voxel at a time: flipping one may change whether its neighbours are simple.

    Raises
    ------
    ToposegError
        If the mask has not two or three axes, or that connectivity does not exist there.
    """
    connectivity = check_connectivity(connectivity, np.ndim(mask))
    shape = tuple(size + 2 for size in np.shape(mask))
    state = as_volume(bordered(np.asarray(mask))).ravel()
    # A point is (6, 26)-simple where it is (26, 6)-simple in the complement: the two roles are symmetric.
    if not touches_at_corners(connectivity):
        state = 1 - state
    marked = _mark_simple(state, neighbour_offsets(shape)).reshape(shape)
    return marked[(slice(1, -1),) * len(shape)].copy()
