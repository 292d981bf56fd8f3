"""A template bent along a line that a person drew: a curved organ, a vessel, a bowel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame, box_of, box_slices, grow_box
from napari_toposeg.priors.placement import check_dimension, placement_from, template_mask
from napari_toposeg.priors.prior import Placement, Prior
from napari_toposeg.priors.stroke import Curve, carried_axes, read_stroke, resampled, smoothed
from napari_toposeg.priors.template import sampled_distance, signed_distance_of
from napari_toposeg.topology import betti_numbers, signed_distance

WIDTH_SHARE = 0.25
"""Width of a bent template over the length of its stroke where nobody says. Over 20 hippocampi the ball that
is bent along the organ's middle and has its volume has a radius of 0.118 of its length in the median."""

# The bent template's own grid: so many voxels along its longest side, more where it is thin, and no more than that.
_LONGEST, _ACROSS, _MOST_VOXELS = 80, 6.0, 3e6

# How much of the room about the stroke may be filled: less is tried where more closes a bend or a wall breaks.
_SHARES_OF_ROOM = (0.85, 0.6, 0.4)

# Over how many radii the stroke is smoothed: more where it bends too sharply for the template.
_SMOOTHED = (0.5, 1.0)

# By how much the radius may change along the stroke.
_SLOPE = 0.5

# The end parts of a template keep the shape that they have in one this many radii long; what lies between is swept.
_END = 3.0
_SWEPT = 0.05

_BORDER = 2

# A template with corners reaches this many radii to the side.
_CORNERS = 1.5

_LEVELS = (0.0, -0.5, -1.0)
"""Levels, in voxels of its grid, at which a needle's tip or a thin wall holds together."""


def along_stroke(prior: Prior, frame: Frame, stroke: ArrayLike, radius: float | None = None) -> tuple[Prior, Placement]:
    """Bend a prior along a drawn line.

    Parameters
    ----------
    prior : Prior
        A prior with as many dimensions as the frame. A ring, tube or cylinder turns about the line.
    frame : Frame
        The grid that the stroke counts in.
    stroke : (n, ndim) array
        Places in voxels along the organ's middle, from one end to the other.
    radius : float, optional
        How far the template reaches to the sides, in mm. Default: an eighth of the stroke's length; a mask of one's own
        keeps its proportions.

    Returns
    -------
    prior : Prior
        The bent template, "ball along a stroke" for a ball, with the same Betti numbers: they were counted on its own
        grid and on the frame's voxels. In its unit box it stands as on the frame's axes.
    placement : Placement
        Where that stands.

    Raises
    ------
    ToposegError
        If the stroke has one place only, is no longer than two voxels, crosses or touches itself, or runs so near to
        itself that no template of this topology fits on the voxels; if the radius is not above 0 or the dimensions
        differ.

    Notes
    -----
    The stroke is smoothed: by a Gaussian of 1.5 voxels against the hand's tremor, and of half the radius (the whole,
    where it bends too sharply for the template); its ends stay. Each voxel is read in the prior's unit box at its place
    along the line and its offset from it over the radius there, in axes that are carried along without twist. So a ball
    becomes a sausage that tapers towards its ends, and a tube a hollow one that is open there. Where the line bends
    sharply or returns to itself the radius is smaller: at most 0.85 of the room that is left there (`Curve.room`).

    A template more than three times as long as wide is not stretched to a needle: its ends taper over three radii, and
    what lies between is swept with one section. A mask of one's own is stretched evenly up to its own proportions.
    """
    check_dimension(prior, frame)
    drawn = read_stroke(stroke, frame)
    axis = _axis_along(prior)
    if radius is None:
        radius = drawn.length / 2.0 * _default_share(prior, axis)
    if not 0.0 < radius < np.inf:
        raise ToposegError(
            f"A radius of {radius:g} mm makes no sense.", todo="Give a length in mm that is greater than 0."
        )
    for width in _SMOOTHED:
        curve = smoothed(drawn, width * radius)
        curve = resampled(curve.places, max(radius / 8.0, curve.step))
        room = curve.room()
        for share in _SHARES_OF_ROOM:
            bent = _bent(prior, axis, curve, _radii(curve, np.minimum(radius, share * room)), frame)
            if bent is not None:
                return bent
    raise ToposegError(
        f"The {prior.title.lower()} does not keep its topology along this stroke.",
        why="The stroke runs too near to itself, or the template about it is too thin for the image's voxels.",
        todo="Draw it farther apart, choose a larger radius, or a prior with fewer holes.",
    )


def _axis_along(prior: Prior) -> int:
    """The unit axis that is laid along the stroke: a ring's or a tube's own; the longest of a mask of one's own."""
    if prior.has_axis or prior.extent is None:
        return prior.ndim - 1
    return int(np.argmax(prior.extent))


def _extent(prior: Prior) -> NDArray[np.float64]:
    return np.array(prior.extent or (1.0,) * prior.ndim)


def _length_over_width(prior: Prior, axis: int) -> float:
    """Of a mask of one's own; 1 where the prior's unit box says nothing of proportions."""
    if prior.has_axis or prior.extent is None:
        return 1.0
    extent = _extent(prior)
    return float(extent[axis] / np.delete(extent, axis).max())


def _default_share(prior: Prior, axis: int) -> float:
    own = _length_over_width(prior, axis)
    return WIDTH_SHARE if own == 1.0 else 1.0 / own


def _radii(curve: Curve, limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) radius along a curve: the largest below the limits that changes no faster than `_SLOPE`."""
    number = np.arange(len(limits))
    return np.asarray((limits[None] + _SLOPE * curve.step * np.abs(number[None] - number[:, None])).min(axis=1))


def _bent(
    prior: Prior, axis: int, curve: Curve, radii: NDArray[np.float64], frame: Frame
) -> tuple[Prior, Placement] | None:
    """The bent template and its placement; None where its topology is not the prior's."""
    grid = _Grid.around(curve, radii)
    level_set = _level_set(prior, axis, curve, radii, grid)
    for level in _LEVELS:
        distance = _as_distance(level_set, grid.step, level)
        if betti_numbers(distance > 0) == prior.betti:
            break
    else:
        return None
    box = box_of(distance > 0)
    assert box is not None  # no prior has the Betti numbers of nothing
    half = np.array([high - low for low, high in box]) * grid.step / 2.0
    unit = half.max()
    # `_Grid.around` leaves more than these voxels outside of every template.
    values = distance[box_slices(grow_box(box, (_BORDER,) * prior.ndim))]
    half_sizes = (np.array(values.shape) - 1) * grid.step / 2.0
    middle = grid.first + np.array([low + high - 1 for low, high in box]) * grid.step / 2.0
    placed = Prior(
        name=f"{prior.name} along a stroke",
        title=f"{prior.title} along a stroke",
        description=f"Bent along a stroke of {curve.length:.0f} mm. {prior.description}",
        betti=prior.betti,
        signed_distance=partial(
            sampled_distance,
            values=torch.from_numpy(values / np.float32(unit)),
            half_sizes=torch.from_numpy((half_sizes / unit).astype(np.float32)),
        ),
        extent=tuple(float(size) for size in half / unit),
    )
    placement = placement_from(frame, middle, unit * np.eye(prior.ndim))
    return (placed, placement) if _holds_on_voxels(placed, placement, frame, middle, half) else None


def _holds_on_voxels(
    prior: Prior, placement: Placement, frame: Frame, middle: NDArray[np.float64], half: NDArray[np.float64]
) -> bool:
    """Whether it keeps its topology on the image's voxels, which may end before it does."""
    low, high = np.floor((middle - half) / frame.spacing) - 1, np.ceil((middle + half) / frame.spacing) + 2
    box = tuple((int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    try:
        template_mask(prior, placement, frame.crop(box))
    except ToposegError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class _Grid:
    """Cubic voxels of a side `step` in mm, along the axes of the frame; `first` is where the first of them lies."""

    first: NDArray[np.float64]
    shape: tuple[int, ...]
    step: float

    @classmethod
    def around(cls, curve: Curve, radii: NDArray[np.float64]) -> _Grid:
        """The grid of a template about a curve."""
        reach = _CORNERS * radii[:, None]
        low, high = (curve.places - reach).min(axis=0), (curve.places + reach).max(axis=0)
        step = min(float((high - low).max()) / _LONGEST, float(radii.max()) / _ACROSS, float(radii.min()) / 2.0)
        step = max(step, float(np.prod(high - low) / _MOST_VOXELS) ** (1.0 / low.size))
        first = low - (_BORDER + 2) * step
        return cls(first, tuple(int(size) for size in np.ceil((high - first) / step) + _BORDER + 3), step)


def _level_set(prior: Prior, axis: int, curve: Curve, radii: NDArray[np.float64], grid: _Grid) -> NDArray[np.float32]:
    """(*grid.shape) the prior's signed distance at the place of each voxel along the curve and beside it.

    Its zero is the bent surface; away from it, it is no distance.
    """
    from scipy.spatial import cKDTree

    chord = curve.places[-1] - curve.places[0]
    if chord[np.abs(chord).argmax()] < 0:  # whichever end was drawn first
        curve, radii = Curve(curve.places[::-1], curve.step), radii[::-1]
    ndim = prior.ndim
    on_line = np.zeros(grid.shape, bool)
    on_line[tuple(np.round((curve.places - grid.first) / grid.step).astype(int).T)] = True
    reach = _CORNERS * radii.max() + (_BORDER + 2) * grid.step
    near = signed_distance(on_line) > -reach / grid.step
    places = np.argwhere(near) * grid.step + grid.first
    _, nearest = cKDTree(curve.places).query(places)
    offset, tangents = places - curve.places[nearest], curve.tangents[nearest]
    # Within the line, as far as half-way to the next sample; at its ends, as far as may be.
    ahead = (offset * tangents).sum(axis=1)
    reached = np.arange(len(radii)) * curve.step
    along = reached[nearest] + ahead
    across = np.einsum("ni,nij->nj", offset, carried_axes(curve, _first_axes(curve.tangents[0], axis))[nearest])
    extent = _extent(prior)
    sides = [k for k in range(ndim) if k != axis]
    unit = np.empty((ndim, len(places)), np.float32)
    unit[sides] = (across / np.interp(along, reached, radii)[:, None]).T * extent[sides].max()
    end = max(_END, _length_over_width(prior, axis)) * float(radii.max())
    unit[axis] = _unit_along(along - curve.length / 2.0, curve.length / 2.0, end) * extent[axis]
    inside = prior.signed_distance(torch.from_numpy(unit).reshape(ndim, -1, *[1] * (ndim - 1))).numpy().ravel()
    values = np.full(grid.shape, inside.min(), np.float32)
    values[near] = inside
    return values


def _unit_along(along: NDArray[np.float64], half: float, end: float) -> NDArray[np.float64]:
    """From places along a line, 0 in its middle, to the unit interval: evenly, or the ends alone where it is long."""
    if end >= half:
        return along / half
    beyond = np.abs(along) - (half - end)
    swept = _SWEPT * (1.0 + np.minimum(beyond, 0.0) / (half - end))
    return np.asarray(np.sign(along) * (swept + (1.0 - _SWEPT) * np.maximum(beyond, 0.0) / end))


def _first_axes(tangent: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """(ndim, ndim - 1) where the unit axes beside the line lie at its start: near the frame's own, never mirrored."""
    ndim = tangent.size
    sides = [k for k in range(ndim) if k != axis]
    columns = np.zeros((ndim, ndim))
    columns[:, axis] = tangent
    if ndim == 2:
        columns[:, sides[0]] = tangent[1], -tangent[0]
    else:
        likeliest = sides[0] if abs(tangent[sides[0]]) < 0.9 else sides[1]
        first = np.eye(3)[likeliest] - tangent[likeliest] * tangent
        columns[:, sides[0]] = first / np.linalg.norm(first)
        columns[:, sides[1]] = np.cross(tangent, columns[:, sides[0]])
    if np.linalg.det(columns) < 0:
        columns[:, sides[-1]] *= -1.0
    return columns[:, sides]


def _as_distance(level_set: NDArray[np.float32], step: float, level: float) -> NDArray[np.float32]:
    """Signed distance in mm to the zero of a level set, moved by a share of a voxel.

    Near the surface it is the level set over the length of its gradient, which knows where between the voxels the
    surface lies; farther away the distance to the mask's boundary. The distance to the mask alone would leave the
    steps of its voxels in the template.
    """
    gradient = np.sqrt(sum(np.square(part) for part in np.gradient(level_set, step)))
    fine = np.clip(level_set / np.maximum(gradient, 1e-6), -3.0 * step, 3.0 * step) - np.float32(level * step)
    mask = fine > 0
    if not mask.any() or mask.all():
        return np.asarray(fine, np.float32)
    coarse = signed_distance_of(mask, (step,) * mask.ndim)
    near = np.clip(2.0 - np.abs(coarse) / step, 0.0, 1.0)
    return np.asarray(near * fine + (1.0 - near) * coarse, np.float32)
