"""Moving, stretching and turning a template that stands in an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.priors.placement import AXES, axis_number
from napari_toposeg.priors.prior import Placement

# A template is never made so much smaller or larger at once, nor so thin that its matrix cannot be inverted.
_LEAST_FACTOR, _MOST_FACTOR = 0.05, 20.0


def shift(frame: Frame, by: ArrayLike) -> NDArray[np.float64]:
    """What moves a template along the axes of a grid.

    Parameters
    ----------
    frame : Frame
        The grid.
    by : (ndim,) array
        In mm along the grid's axes: to the patient's right, front and head.

    Returns
    -------
    (4, 4) float64
        From RAS mm to RAS mm.

    Raises
    ------
    ToposegError
        If these are not as many finite numbers as the grid has axes.
    """
    change = np.eye(4)
    change[:3, 3] = _directions(frame)[:, : frame.ndim] @ _numbers(by, frame, "moved")
    return change


def stretch(placement: Placement, frame: Frame, factors: ArrayLike) -> NDArray[np.float64]:
    """What makes a placed template larger or smaller about its middle, along its own axes: it is never sheared.

    Parameters
    ----------
    placement : Placement
        Where the template stands.
    frame : Frame
        The grid whose axes name those of the template.
    factors : float or (ndim,) array
        One for all axes, or one for each axis of the grid: it is that of the template's own axis that lies nearest to
        it.

    Returns
    -------
    (4, 4) float64
        From RAS mm to RAS mm.

    Raises
    ------
    ToposegError
        If these are not as many numbers as the grid has axes, or one is not between 0.05 and 20.
    """
    from scipy.optimize import linear_sum_assignment

    ndim = frame.ndim
    wanted = _numbers(np.broadcast_to(factors, ndim) if np.ndim(factors) == 0 else factors, frame, "scaled")
    if (wanted < _LEAST_FACTOR).any() or (wanted > _MOST_FACTOR).any():
        raise ToposegError(
            f"The template cannot be scaled by {', '.join(f'{factor:g}' for factor in wanted)}.",
            todo=f"Give factors between {_LEAST_FACTOR:g} and {_MOST_FACTOR:g}; 1 leaves it as it is.",
        )
    own = placement.matrix[:3, :ndim]
    along = np.linalg.inv(_directions(frame))[:ndim] @ own
    grid_axes, own_axes = linear_sum_assignment(-np.abs(along) / np.linalg.norm(along, axis=0))
    diagonal = np.eye(4)
    diagonal[own_axes, own_axes] = wanted[grid_axes]
    return np.asarray(placement.matrix @ diagonal @ np.linalg.inv(placement.matrix))


def turn(placement: Placement, frame: Frame, degrees: float, axis: str = "z") -> NDArray[np.float64]:
    """What turns a placed template about its middle.

    Parameters
    ----------
    placement : Placement
        Where the template stands.
    frame : Frame
        The grid whose axes are meant.
    degrees : float
        By the right-hand rule: about z, what lies at the patient's right comes to the front.
    axis : {"x", "y", "z"}
        What it turns about. A 2-D template turns in its plane: about z.

    Returns
    -------
    (4, 4) float64
        From RAS mm to RAS mm.

    Raises
    ------
    ToposegError
        If the axis has another name, or the angle is not finite.
    """
    number = axis_number(axis)
    if not np.isfinite(degrees):
        raise ToposegError("The template cannot be turned by that angle.", todo="Give a finite number of degrees.")
    if frame.ndim == 2 and number != AXES.index("z"):
        raise ToposegError(f"A 2-D template cannot be turned about {axis}.", todo="Turn it about z: in its plane.")
    first, second = (number + 1) % 3, (number + 2) % 3
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    rotation = np.eye(3)
    rotation[[first, second], [first, second]] = cosine
    rotation[second, first], rotation[first, second] = sine, -sine
    directions = _directions(frame)
    change = np.eye(4)
    change[:3, :3] = directions @ rotation @ np.linalg.inv(directions)
    middle = placement.matrix[:3, 3]
    change[:3, 3] = middle - change[:3, :3] @ middle
    return change


def _directions(frame: Frame) -> NDArray[np.float64]:
    """(3, 3) unit vectors of the grid's axes in the world, in columns."""
    linear = frame.affine[:3, :3]
    return np.asarray(linear / np.linalg.norm(linear, axis=0))


def _numbers(values: ArrayLike, frame: Frame, what: str) -> NDArray[np.float64]:
    numbers = np.asarray(values, float)
    if numbers.shape != (frame.ndim,) or not np.isfinite(numbers).all():
        raise ToposegError(
            f"The template cannot be {what} by that.", todo=f"Give {frame.ndim} finite numbers, one for each axis."
        )
    return numbers
