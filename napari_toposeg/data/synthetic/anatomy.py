"""The object itself: a random shape, bent, turned and deformed, as it stands in a window around its box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.data.synthetic.flow import Flow, identity_points, random_flow
from napari_toposeg.data.synthetic.random_fields import Floats, Generator, Mask
from napari_toposeg.data.synthetic.settings import SyntheticSettings
from napari_toposeg.data.synthetic.shapes import Shape, random_shape

_GENTLER = 0.93
"""What the deformation's strength is multiplied by after each draw whose topology came out wrong."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """An object on the voxels of a window.

    Attributes
    ----------
    label : (*shape) bool
        The object.
    depth : (*shape) float32
        About how deep in the object each voxel lies, in voxels; below 0 outside.
    hollow : (*shape) bool
        What it encloses, where it is hollow (it reaches into the wall).
    continued : (*shape) bool
        What continues it beyond its ends.
    """

    label: Mask
    depth: Floats
    hollow: Mask
    continued: Mask


@dataclass(frozen=True, eq=False)
class Pose:
    """How a shape is carried into the world: tapered, stretched, bent, turned, and then moved by a flow.

    Each of these is one to one, so that their composition keeps the topology.
    """

    stretch: Floats
    long_axis: int
    taper: tuple[float, float]
    bend: Floats
    turn: Floats
    flow: Flow

    def _section(self, along: Floats) -> Floats:
        """How much thicker the shape is at places along its long axis."""
        place = np.clip(along, -1.5, 1.5)
        return np.asarray(np.exp(self.taper[0] * place + self.taper[1] * (place**2 - 0.33)), np.float32)

    def _spine(self, along: Floats) -> Floats:
        """(N, ndim) how far the shape's axis is bent aside at places along it."""
        place = np.clip(along, -1.5, 1.5)
        squared = place * place  # a power of 3 takes ten times as long
        once, twice = squared - 0.33, (squared - 0.6) * place
        return np.asarray(once[:, None] * self.bend[0] + twice[:, None] * self.bend[1], np.float32)

    def to_world(self, points: Floats) -> Floats:
        """From the shape's own (N, ndim) points to the world's."""
        place = points[:, self.long_axis]
        scale = np.repeat(self._section(place)[:, None], points.shape[1], axis=1)
        scale[:, self.long_axis] = 1.0
        bent = points * scale * self.stretch + self._spine(place)
        return self.flow.follow(np.asarray(bent @ self.turn.T, np.float32), back=True)

    def to_shape(self, points: Floats) -> Floats:
        """From (N, ndim) points of the world to the shape's own."""
        bent = self.flow.follow(points) @ self.turn
        place = bent[:, self.long_axis] / self.stretch[self.long_axis]
        scale = self._section(place)[:, None]
        straight = (bent - self._spine(place)) / self.stretch
        answer = straight / scale
        answer[:, self.long_axis] = place
        return np.asarray(answer, np.float32)


def draw_anatomy(
    name: str, shape: tuple[int, ...], settings: SyntheticSettings, random: Generator, *, draw: int = 0
) -> Anatomy:
    """Draw an object and the window around it.

    Parameters
    ----------
    name : str
        Of the prior.
    shape : tuple of int
        Voxels of the window.
    settings : SyntheticSettings
    random : Generator
    draw : int
        How many draws before this one had the wrong topology: each makes the deformation gentler.

    Returns
    -------
    Anatomy
        Its topology is that of the prior but for the sampling on voxels, which can close a narrow hole.
    """
    # The template's radius in the window is what it would be if the box fitted exactly.
    radius = min(shape) / (1.0 + 2.0 * settings.margin) / 2.0
    thinnest = settings.hollow_thinness[0]
    template = random_shape(name, settings.least_wall / (radius * np.sqrt(thinnest)), settings, random)
    pose = _draw_pose(template, len(shape), _GENTLER**draw, settings, random)
    surface = pose.to_world(template.surface)
    low, high = surface.min(axis=0), surface.max(axis=0)
    start, stop = _draw_window(low, high, settings, random)
    points = pose.to_shape(np.asarray(start + identity_points(shape) * (stop - start), np.float32))
    level = template.level(points).reshape(shape)
    nowhere = np.zeros(shape, bool)
    return Anatomy(
        label=level > 0,
        depth=_in_voxels(level),
        hollow=nowhere if template.hollow is None else np.asarray(template.hollow(points), bool).reshape(shape),
        continued=nowhere
        if template.continued is None
        else np.asarray(template.continued(points), bool).reshape(shape),
    )


def _draw_pose(template: Shape, ndim: int, strength: float, settings: SyntheticSettings, random: Generator) -> Pose:
    low, high = np.log(settings.thinness if template.solid else settings.hollow_thinness)
    stretch = np.exp(random.uniform(low, high, ndim))
    long_axis = ndim - 1
    stretch[long_axis] = 1.0
    bends = template.solid or template.axis is not None
    aside = random.normal(size=(2, ndim))
    aside[:, long_axis] = 0.0
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    bend = strength * random.uniform(*settings.bend) * aside * [[1.0], [random.uniform(-0.7, 0.7)]]
    tapers = (*settings.taper,) if bends else (0.0, 0.0)
    taper = strength * random.uniform(*tapers, 2) * random.choice([-1.0, 1.0], 2) * [1.0, 0.7]
    speeds = settings.speed if template.solid else settings.hollow_speed
    return Pose(
        stretch=stretch.astype(np.float32),
        long_axis=long_axis,
        taper=(float(taper[0]), float(taper[1])),
        bend=(bend if bends else np.zeros_like(bend)).astype(np.float32),
        turn=_draw_turn(template, ndim, np.deg2rad(settings.tilt), random).astype(np.float32),
        flow=random_flow(ndim, settings.detail, [strength * random.uniform(0, most) for most in speeds], random),
    )


def _draw_turn(template: Shape, ndim: int, tilt: float, random: Generator) -> NDArray[np.float64]:
    """(ndim, ndim) a rotation: any, or one that leaves the shape's axis near to the window's."""
    if template.axis is None:
        orthogonal, upper = np.linalg.qr(random.normal(size=(ndim, ndim)))
        turn = orthogonal * np.sign(np.diag(upper))
        turn[:, 0] *= np.sign(np.linalg.det(turn))
        return np.asarray(turn)
    about, lean, angle = random.uniform(0, 2 * np.pi), random.uniform(0, 2 * np.pi), random.uniform(0, tilt)
    return _about_third_axis(lean) @ _about_first_axis(angle) @ _about_third_axis(about - lean)


def _about_third_axis(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])


def _about_first_axis(angle: float) -> NDArray[np.float64]:
    return np.array([[1.0, 0.0, 0.0], [0.0, np.cos(angle), -np.sin(angle)], [0.0, np.sin(angle), np.cos(angle)]])


def _draw_window(low: Floats, high: Floats, settings: SyntheticSettings, random: Generator) -> tuple[Floats, Floats]:
    """Two opposite corners of the window around a box drawn around an object from `low` to `high`."""
    side = high - low
    spread = settings.slack_spread
    common = random.uniform(*settings.slack)
    before = common + random.uniform(-spread, spread, len(side))
    after = common + random.uniform(-spread, spread, len(side))
    margin = settings.margin * (1.0 + before + after)
    return np.asarray(low - side * (before + margin)), np.asarray(high + side * (after + margin))


def _in_voxels(level: Floats) -> Floats:
    """A level function over the length of its gradient: about the distance to its zero, in voxels."""
    steepness = np.zeros_like(level)
    for axis in range(level.ndim):
        steepness += np.gradient(level, axis=axis) ** 2
    # Where the gradient vanishes (along a wall's middle) the distance would be endless.
    typical = np.sqrt(steepness.mean())
    return np.asarray(level / np.sqrt(steepness + (0.3 * typical) ** 2), np.float32)
