"""Putting a prior into an image: in a box, on a rough mask, or in the middle of everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.priors.prior import Placement, Prior, signed_distance
from napari_toposeg.topology import betti_numbers

AXES = ("x", "y", "z")
"""Names of the canonical axes: to the patient's right, front and head."""

WHOLE_IMAGE_SHARE = 0.5
"""Side of the template over that of the image where nothing says where the organ is."""

# Levels of the template's signed distance, in voxels, tried in this order where thresholding it at zero does not give
# the prior's Betti numbers: a wall thinner than a voxel has to be thickened, a pool smaller than one widened.
_LEVELS = (0.0, -0.25, 0.25, -0.5, 0.5, -0.75, 0.75, -1.0)


def axis_number(axis: str) -> int:
    """The canonical axis of this name.

    Raises
    ------
    ToposegError
        If it is not one of "x", "y", "z".
    """
    if axis not in AXES:
        raise ToposegError(
            f"There is no axis {axis!r}.",
            todo="Choose x (towards the patient's right), y (front) or z (head).",
        )
    return AXES.index(axis)


def check_dimension(prior: Prior, frame: Frame) -> None:
    """Refuse a prior with another number of dimensions than the image."""
    if prior.ndim != frame.ndim:
        raise ToposegError(
            f"The prior {prior.name!r} is {prior.ndim}-D and the image {frame.ndim}-D.",
            todo=f"Choose a {frame.ndim}-D prior; `toposeg priors` lists them.",
        )


def _unit_axes(prior: Prior, axis: str) -> list[int]:
    """The canonical axis along which each axis of the unit box lies."""
    if prior.ndim == 2:
        return [0, 1]
    turned = axis_number(axis) if prior.has_axis else 2
    return [(turned + 1) % 3, (turned + 2) % 3, turned]


def _scaled(prior: Prior, half_sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length in mm of each unit axis, from the half-sizes in mm that are to be filled."""
    lengths = half_sizes / np.array(prior.extent or (1.0,) * prior.ndim)
    return np.full(prior.ndim, lengths.min()) if prior.keeps_proportions else lengths


def place_in_box(prior: Prior, frame: Frame, box: Sequence[tuple[float, float]], *, axis: str = "z") -> Placement:
    """Inscribe a prior in a box of voxels.

    Parameters
    ----------
    prior : Prior
        A prior with as many dimensions as the frame.
    frame : Frame
        The grid that the box counts in.
    box : sequence of (float, float)
        Voxel ranges by axis, end exclusive; need not be whole. The template touches its outer faces.
    axis : {"x", "y", "z"}
        The canonical axis that a ring, tube or cylinder turns about.

    Returns
    -------
    Placement

    Raises
    ------
    ToposegError
        If the dimensions differ or the axis has another name.
    """
    check_dimension(prior, frame)
    order = _unit_axes(prior, axis)
    half = np.array([(high - low) / 2.0 for low, high in box])
    lengths = _scaled(prior, (half * frame.spacing)[order])
    unit_to_index = np.eye(4)
    for unit_axis, grid_axis in enumerate(order):
        column = np.zeros(4)
        column[grid_axis] = lengths[unit_axis] / frame.spacing[grid_axis]
        unit_to_index[:, unit_axis] = column
    unit_to_index[: frame.ndim, 3] = [(low + high - 1) / 2.0 for low, high in box]
    return Placement(frame.affine @ unit_to_index)


def place_in_image(prior: Prior, frame: Frame, *, axis: str = "z") -> Placement:
    """Put a prior in the middle of the image, half as large as it (`WHOLE_IMAGE_SHARE`).

    Parameters and errors are those of `place_in_box`.
    """
    inset = [size * (1.0 - WHOLE_IMAGE_SHARE) / 2.0 for size in frame.shape]
    box = tuple((int(np.floor(edge)), int(np.ceil(size - edge))) for edge, size in zip(inset, frame.shape, strict=True))
    return place_in_box(prior, frame, box, axis=axis)


def place_on_mask(prior: Prior, frame: Frame, mask: NDArray[Any], *, axis: str = "z") -> Placement:
    """Put a prior on a rough mask, turned and stretched along the mask's principal axes.

    Parameters
    ----------
    prior : Prior
        A prior with as many dimensions as the frame.
    frame : Frame
        The grid of the mask.
    mask : (*frame.shape) bool
        A rough mask; its voxels are weighed alike.
    axis : {"x", "y", "z"}
        A ring, tube or cylinder turns about the principal axis that lies nearest to this one.

    Returns
    -------
    Placement
        Every axis is filled, also where the prior keeps its proportions in a box: a mask says more about them.

    Raises
    ------
    ToposegError
        If the mask is empty, the dimensions differ or the axis has another name.
    """
    check_dimension(prior, frame)
    points = frame.world(np.argwhere(mask))
    if len(points) == 0:
        raise ToposegError("The rough mask is empty.", todo="Paint over the organ, or draw a box instead.")
    directions = frame.affine[:3, : frame.ndim] / frame.spacing
    local = (points - points.mean(axis=0)) @ directions
    _, principal = np.linalg.eigh(local.T @ local)
    along = local @ principal
    low, high = along.min(axis=0), along.max(axis=0)
    middle = (points.mean(axis=0) - frame.affine[:3, 3]) @ directions + principal @ ((low + high) / 2.0)
    half_voxel = frame.spacing.min() / 2.0
    return place_along(prior, frame, middle, principal, (high - low) / 2.0 + half_voxel, axis=axis)


def place_along(
    prior: Prior,
    frame: Frame,
    middle: NDArray[np.float64],
    directions: NDArray[np.float64],
    half_sizes: NDArray[np.float64],
    *,
    axis: str,
) -> Placement:
    """Put a prior into an oblique box.

    Parameters
    ----------
    prior : Prior
        A prior with as many dimensions as the frame.
    frame : Frame
        The grid along whose axes is measured.
    middle : (ndim,) float64
        Of the box, in mm from the frame's first voxel.
    directions : (ndim, ndim) float64
        Unit vectors of its sides, in columns.
    half_sizes : (ndim,) float64
        Half of each side, in mm.
    axis : {"x", "y", "z"}
        A ring, tube or cylinder turns about the side that lies nearest to this axis.

    Returns
    -------
    Placement
        Every side is filled.
    """
    wanted = _unit_axes(prior, axis)
    chosen: list[int] = []
    # The distinguished axis (the last) chooses first, so that it gets the direction nearest to what was asked for.
    for grid_axis in reversed(wanted):
        left = [k for k in range(frame.ndim) if k not in chosen]
        chosen.append(max(left, key=lambda k: abs(directions[grid_axis, k])))
    order = list(reversed(chosen))
    columns = directions[:, order]
    columns = columns * np.where(columns[wanted, range(frame.ndim)] < 0, -1.0, 1.0)
    lengths = half_sizes[order] / np.array(prior.extent or (1.0,) * prior.ndim)
    return placement_from(frame, middle, columns * lengths)


def placement_from(frame: Frame, middle: NDArray[np.float64], columns: NDArray[np.float64]) -> Placement:
    """The placement whose unit axes are these columns (ndim, ndim), in mm along the frame's axes, about a middle."""
    to_world = frame.affine[:3, : frame.ndim] / frame.spacing
    matrix = np.eye(4)
    matrix[:3, : frame.ndim] = to_world @ columns
    matrix[:3, 3] = frame.affine[:3, 3] + to_world @ middle
    if frame.ndim == 2:
        matrix[:3, 2] = frame.affine[:3, 2]
    return Placement(matrix)


def template_mask(prior: Prior, placement: Placement, frame: Frame) -> NDArray[np.bool_]:
    """The placed prior as voxels, with the prior's Betti numbers.

    Parameters
    ----------
    prior, placement
        The template and where it stands.
    frame : Frame
        The grid. What stands beyond it is cut off.

    Returns
    -------
    (*frame.shape) bool
        Where the signed distance is above zero; where that has other Betti numbers (a wall thinner than a voxel), above
        the nearest level, up to one voxel away, at which they are right. Counted with foreground 8/26.

    Raises
    ------
    ToposegError
        If no such level exists: the grid is too coarse, or part of the template lies outside of it.
    """
    values = signed_distance(prior, placement, frame).numpy()
    voxel = 1.0 / placement.size_in(frame)
    for level in _LEVELS:
        mask = values > level * voxel
        if betti_numbers(mask) == prior.betti:
            return np.asarray(mask)
    across = " x ".join(f"{2 * length:.1f}" for length in _sizes_in_voxels(prior, placement, frame))
    raise ToposegError(
        f"The {prior.title.lower()} does not keep its topology on this image's voxels.",
        why=f"It spans {across} voxels there, or part of it lies outside of the image.",
        todo="Choose a larger region, away from the image's border, or a prior with fewer holes.",
    )


def _sizes_in_voxels(prior: Prior, placement: Placement, frame: Frame) -> NDArray[np.float64]:
    to_index = np.linalg.inv(placement.unit_from(frame))[: frame.ndim, : frame.ndim]
    return np.asarray(np.abs(to_index * np.array(prior.extent or (1.0,) * prior.ndim)).sum(axis=1))
