"""Lines that a person draws along an organ: made smooth, and how thick a template may be about them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame

# Lines are sampled this finely, in voxels, and never at more places than that: all pairs of them are compared.
_STEP, _MOST_PLACES = 0.25, 1500

# Of a hand's tremor and of the steps from voxel to voxel, in voxels: they would count as length otherwise.
_TREMOR = 1.5

# Parts of a stroke this near to each other, in voxels, touch; parts within that much of its length are neighbours.
_TOUCH, _NEIGHBOURS = 0.25, 4.0

# A stroke is never smoothed over more than this share of its length: its ends would no longer say where it leads.
_MOST_SMOOTHED = 1.0 / 12.0


@dataclass(frozen=True, eq=False)
class Curve:
    """A smooth line, sampled at equal steps.

    Attributes
    ----------
    places : (n, ndim) float64
        In mm along the axes of a grid.
    step : float
        Length of the line between two of them, in mm.
    """

    places: NDArray[np.float64]
    step: float

    @property
    def length(self) -> float:
        """In mm."""
        return self.step * (len(self.places) - 1)

    @property
    def tangents(self) -> NDArray[np.float64]:
        """(n, ndim) unit vectors along the line."""
        along = np.gradient(self.places, axis=0)
        return np.asarray(along / np.linalg.norm(along, axis=1, keepdims=True))

    def room(self) -> NDArray[np.float64]:
        """(n,) radius in mm up to which a tube about the line neither folds in its bends nor touches itself.

        The least radius of a circle that is tangent to the line at a place and meets it again at another. It is the
        radius of curvature in a bend, and half of the gap between parts that run side by side: the global radius of
        curvature of O. Gonzalez and J. Maddocks, "Global curvature, thickness, and the ideal shapes of knots", PNAS 96,
        1999, in its form with one tangent.
        """
        apart = self.places[None] - self.places[:, None]
        squared = np.square(apart).sum(axis=-1)
        along = np.einsum("ijk,ik->ij", apart, self.tangents)
        beside = np.sqrt(np.maximum(squared - along**2, 0.0))
        # On a straight line nothing lies beside it, and the circle is infinitely large.
        return np.asarray(
            (squared / np.maximum(2.0 * beside, 1e-9 * self.length) + np.diag([np.inf] * len(apart))).min(1)
        )


def read_stroke(stroke: ArrayLike, frame: Frame) -> Curve:
    """A drawn polyline as a curve, without the hand's tremor.

    Parameters
    ----------
    stroke : (n, ndim) array
        Places in voxels of the frame, in the order in which they were drawn.
    frame : Frame
        Its grid.

    Raises
    ------
    ToposegError
        If the stroke has one place only, is shorter than two voxels, or crosses or touches itself.
    """
    places = np.asarray(stroke, float)
    if places.ndim != 2 or places.shape[1] != frame.ndim or not np.isfinite(places).all():
        raise ToposegError(
            "The stroke cannot be read.",
            why=f"It is a line of places of {frame.ndim} finite numbers each, in voxels.",
            todo="Draw it along the organ, from end to end.",
        )
    voxel = float(frame.spacing.min())
    local = places * frame.spacing
    length = float(np.linalg.norm(np.diff(local, axis=0), axis=1).sum())
    if length < 2.0 * voxel:
        raise ToposegError(
            "The stroke is too short.", why="It is no longer than two voxels.", todo="Draw it along the whole organ."
        )
    curve = smoothed(resampled(local, _STEP * voxel), _TREMOR * voxel)
    apart = np.linalg.norm(curve.places[None] - curve.places[:, None], axis=-1)
    number = np.arange(len(apart))
    far = np.abs(number[None] - number[:, None]) * curve.step > _NEIGHBOURS * voxel
    if (apart[far] < max(_TOUCH * voxel, 0.75 * curve.step)).any():
        raise ToposegError(
            "The stroke crosses or touches itself.",
            why="A template that follows it would have a hole there.",
            todo="Draw a line with two ends that stays clear of itself.",
        )
    return curve


def resampled(places: NDArray[np.float64], step: float) -> Curve:
    """A polyline (n, ndim) at equal steps of about this length."""
    sides = np.linalg.norm(np.diff(places, axis=0), axis=1)
    # A place that was drawn twice has no direction.
    places = places[np.concatenate([[True], sides > 0])]
    reached = np.concatenate([[0.0], np.cumsum(sides[sides > 0])])
    count = int(np.clip(np.ceil(reached[-1] / step) + 1, 16, _MOST_PLACES))
    wanted = np.linspace(0.0, reached[-1], count)
    columns = [np.interp(wanted, reached, column) for column in places.T]
    return Curve(np.stack(columns, axis=1), float(reached[-1] / (count - 1)))


def smoothed(curve: Curve, width: float) -> Curve:
    """The curve under a Gaussian of this width, in mm of its length; its ends stay where they are."""
    from scipy.ndimage import gaussian_filter1d

    sigma = min(width, _MOST_SMOOTHED * curve.length) / curve.step
    beyond = min(len(curve.places) - 1, int(np.ceil(4 * sigma)))
    # Mirrored at both ends in the point, so that they are their own mean.
    before = 2 * curve.places[0] - curve.places[beyond:0:-1]
    after = 2 * curve.places[-1] - curve.places[-2 : -beyond - 2 : -1]
    whole = gaussian_filter1d(np.concatenate([before, curve.places, after]), sigma, axis=0, mode="nearest")
    return resampled(whole[len(before) : len(whole) - len(after)], curve.step)


def carried_axes(curve: Curve, first: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, ndim, ndim - 1) unit vectors across the curve that turn about it as little as they can.

    Parameters
    ----------
    curve : Curve
        A smooth line.
    first : (ndim, ndim - 1) float64
        Orthonormal columns across its first tangent.
    """
    tangents = curve.tangents
    carried = [first]
    for before, after in pairwise(tangents):
        across = carried[-1]
        # Mirrored in the plane between two tangents, which are never opposite: what lies across the one lies across the
        # other, as by the smallest rotation that takes the one to the other.
        half = (before + after) / np.linalg.norm(before + after)
        carried.append(across - 2.0 * np.outer(half, half @ across))
    return np.stack(carried)
