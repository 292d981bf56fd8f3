"""Putting a prior on to a few points that a person clicked on the organ's surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.priors.placement import check_dimension, place_along
from napari_toposeg.priors.prior import Placement, Prior

LEAST_POINTS, MOST_POINTS = 2, 6

THICKNESS_SHARE = 1.0 / 3.0
"""Width of the template over its length where the points say nothing about it."""

# What is held to be likely of an ellipsoid, as deviations: how far the points lie from its surface, as a share of the
# ellipsoid; how far its middle lies from that of its ends, in half-lengths; how far its long axis is stretched
# (logarithm) and turned (radians) from the line through its ends; how much its width differs from `THICKNESS_SHARE`,
# and its short axes from each other (logarithms). Only their ratios matter.
_OFF_SURFACE, _OFF_MIDDLE, _STRETCH, _TURN, _WIDTH, _FLATNESS = 0.02, 0.15, 0.1, 0.3, 0.7, 0.4


def place_at_points(prior: Prior, frame: Frame, points: ArrayLike, *, axis: str = "z") -> Placement:
    """Put a prior into the ellipsoid through a few points of the organ's surface.

    Parameters
    ----------
    prior : Prior
        A prior with as many dimensions as the frame.
    frame : Frame
        The grid that the points count in.
    points : (n, ndim) array
        Two to six places in voxels, in any order, not necessarily whole. The two farthest apart are the organ's ends.
        A third says how wide it is, a fourth how thick, or where its other side is; six can be the ends of its three
        axes.
    axis : {"x", "y", "z"}
        A ring, tube or cylinder turns about the axis of the ellipsoid that lies nearest to this one.

    Returns
    -------
    Placement
        The oblique box around the ellipsoid is filled, also where the prior keeps its proportions in a box: the points
        say more about them.

    Raises
    ------
    ToposegError
        If there are fewer than two or more than six points, all lie on one place, more than two lie on one
        line, the dimensions differ or the axis has another name.

    Notes
    -----
    Six points cannot determine the nine numbers of an ellipsoid, and two points even less. So it is the likeliest one:
    the least squares of how far the points lie from its surface (weighed so that it passes near them, within some
    hundredths of its size) and of how far it differs from the ellipsoid of revolution about the line through the ends
    that is a third as wide as long. That has one answer for any number of points, it changes smoothly as long as the
    ends are the same, and it turns with the points. Distances are in mm.

    Through two points it is that ellipsoid of revolution exactly. Over 20 hippocampi the median width of the label's
    principal box (geometric mean of its short sides over the long one) was 0.36; a third gave as good a Dice.
    """
    check_dimension(prior, frame)
    local = _checked(points, frame) * frame.spacing
    middle, directions, half_sizes = _ellipsoid(local, float(frame.spacing.min()))
    return place_along(prior, frame, middle, directions, half_sizes, axis=axis)


def _checked(points: ArrayLike, frame: Frame) -> NDArray[np.float64]:
    places = np.asarray(points, float)
    if places.ndim != 2 or places.shape[1] != frame.ndim or not np.isfinite(places).all():
        raise ToposegError(
            "The points cannot be read.",
            why=f"Each of them is {frame.ndim} finite numbers, a place in voxels.",
            todo="Click them on the organ's surface.",
        )
    if not LEAST_POINTS <= len(places) <= MOST_POINTS:
        raise ToposegError(
            f"The template cannot be placed by {len(places)} point{'s' * (len(places) != 1)}.",
            why=f"It takes {LEAST_POINTS} to {MOST_POINTS}: the ends of the organ, then its sides.",
            todo="Click both ends of its longest axis first.",
        )
    return places


def _ellipsoid(
    points: NDArray[np.float64], voxel: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Middle (ndim,), directions in columns (ndim, ndim) and half-sizes (ndim,) of the likeliest ellipsoid."""
    from scipy.optimize import least_squares

    ndim = points.shape[1]
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    first, last = np.unravel_index(apart.argmax(), apart.shape)
    half_length = float(apart[first, last]) / 2.0
    if half_length < voxel / 2.0:
        raise ToposegError(
            "The points lie on one place.",
            why="They are less than a voxel apart.",
            todo="Click both ends of the organ.",
        )
    middle = (points[first] + points[last]) / 2.0
    long_axis = (points[last] - points[first]) / (2.0 * half_length)
    others = np.delete(points, [first, last], axis=0) - middle
    beside = others - np.outer(others @ long_axis, long_axis)
    if len(others) and (np.linalg.norm(beside, axis=1) < voxel / 2.0).all():
        raise ToposegError(
            "All points lie on one line.",
            why="The two that are farthest apart are the organ's ends; the others have to say how wide it is.",
            todo="Click on the organ's sides, or its two ends alone.",
        )
    start = _axes(long_axis, beside)
    usual = np.array([0.0, *[np.log(THICKNESS_SHARE)] * (ndim - 1)])
    # In the frame of the start, in half-lengths.
    seen = (points - middle) @ start / half_length
    if len(points) == LEAST_POINTS:
        return middle, start, half_length * np.exp(usual)

    def misfit(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        offset, stretch, turn = np.split(parameters, [ndim, 2 * ndim])
        relative = (seen - offset) @ _turned(turn, ndim) / np.exp(usual + stretch)
        surface = np.linalg.norm(relative, axis=1) - 1.0
        width = stretch[1:].mean()
        # The turn about the long axis is free: what it starts from is read off the points.
        return np.concatenate(
            [
                surface / _OFF_SURFACE,
                offset / _OFF_MIDDLE,
                [stretch[0] / _STRETCH, width / _WIDTH],
                (stretch[1:] - width) / _FLATNESS,
                turn[-2:] / _TURN,
            ]
        )

    found = least_squares(misfit, np.zeros(2 * ndim + (1 if ndim == 2 else 3))).x
    offset, stretch, turn = np.split(found, [ndim, 2 * ndim])
    return (
        middle + half_length * start @ offset,
        start @ _turned(turn, ndim),
        half_length * np.exp(usual + stretch),
    )


def _axes(long_axis: NDArray[np.float64], beside: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal columns: the long axis, then the direction in which the other points lie farthest from it.

    Where they say nothing, the sides lie as near to the grid's axes as the long one allows.
    """
    ndim = long_axis.size
    across = np.eye(ndim) - np.outer(long_axis, long_axis)
    if len(beside):
        _, principal = np.linalg.eigh(beside.T @ beside)
        side = across @ principal[:, -1]
    else:
        side = across[:, int(np.abs(long_axis).argmin())]
    side = side / np.linalg.norm(side)
    return np.stack([long_axis, side] if ndim == 2 else [long_axis, side, np.cross(long_axis, side)], axis=1)


def _turned(turn: NDArray[Any], ndim: int) -> NDArray[np.float64]:
    """(ndim, ndim) rotation by an angle in 2-D, by a rotation vector in 3-D."""
    from scipy.spatial.transform import Rotation

    vector = turn if ndim == 3 else np.array([0.0, 0.0, turn[0]])
    return np.asarray(Rotation.from_rotvec(vector).as_matrix()[:ndim, :ndim])
