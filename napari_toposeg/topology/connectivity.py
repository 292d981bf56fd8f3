"""Which voxels touch: the foreground's connectivity, and the background's that goes with it."""

from __future__ import annotations

from napari_toposeg.errors import ToposegError

_DUALS = {8: 4, 4: 8, 26: 6, 6: 26}
_OF_DIMENSION = {2: (8, 4), 3: (26, 6)}


def default_connectivity(ndim: int) -> int:
    """The foreground connectivity that is used where none is asked for: 8 in 2-D, 26 in 3-D.

    Parameters
    ----------
    ndim : int
        Number of axes, 2 or 3.

    Raises
    ------
    ToposegError
        If there are not two or three axes.
    """
    if ndim not in _OF_DIMENSION:
        raise ToposegError(
            f"The mask has {ndim} axes.",
            why="Topology is counted on 2-D and 3-D masks only.",
            todo="Take one frame or channel out of it first.",
        )
    return _OF_DIMENSION[ndim][0]


def check_connectivity(connectivity: int | None, ndim: int) -> int:
    """The foreground connectivity to use on a mask.

    Parameters
    ----------
    connectivity : int or None
        8 or 4 in 2-D, 26 or 6 in 3-D; None takes the default.
    ndim : int
        Number of axes, 2 or 3.

    Raises
    ------
    ToposegError
        If that connectivity does not exist in that dimension, or there are not two or three axes.
    """
    if connectivity is None:
        return default_connectivity(ndim)
    default_connectivity(ndim)
    if connectivity not in _OF_DIMENSION[ndim]:
        full, faces = _OF_DIMENSION[ndim]
        raise ToposegError(
            f"Connectivity {connectivity} does not exist in {ndim}-D.",
            why=f"The foreground of a {ndim}-D mask is {full}- or {faces}-connected.",
            todo=f"Choose {full} or {faces}.",
        )
    return connectivity


def dual_connectivity(connectivity: int) -> int:
    """The background's connectivity: 4 for 8, 6 for 26, and the other way round.

    Foreground and background must not both pass through a corner, or a closed curve would not separate its inside from
    its outside (A. Rosenfeld, "Digital topology", Amer. Math. Monthly 86, 1979).
    """
    return _DUALS[connectivity]


def touches_at_corners(connectivity: int) -> bool:
    """Whether voxels that share only a corner or an edge count as connected (8, 26)."""
    return connectivity in (8, 26)
