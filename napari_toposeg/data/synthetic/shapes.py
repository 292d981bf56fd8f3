"""The undeformed shapes, each with a prior's topology, and with random proportions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_toposeg.data.synthetic.random_fields import Floats, Generator, Mask
from napari_toposeg.data.synthetic.settings import SyntheticSettings


@dataclass(frozen=True, eq=False)
class Shape:
    """A shape in the box [-1, 1]**ndim.

    Attributes
    ----------
    level : callable
        From (N, ndim) points to (N,): above 0 inside, rising inwards, 0 on the surface.
    hollow : callable or None
        From points to (N,) bool: what the shape encloses (a pool, a lumen), and some of the wall around it.
    continued : callable or None
        From points to (N,) bool: where a shape that was cut off at its ends goes on.
    surface : (M, ndim) float32
        Points on the outer surface, dense enough to find its box.
    axis : int or None
        Of what turns about an axis (a tube): that axis, which stays near to the window's.
    """

    level: Callable[[Floats], Floats]
    surface: Floats
    hollow: Callable[[Floats], Mask] | None = None
    continued: Callable[[Floats], Mask] | None = None
    axis: int | None = None

    @property
    def solid(self) -> bool:
        return self.hollow is None and self.axis is None


def _length(points: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", points, points)))


def _circle(count: int) -> Floats:
    angle = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def _sphere(count: int) -> Floats:
    """Points on the sphere, evenly by the golden angle."""
    height = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    angle = np.arange(count) * np.pi * (3.0 - np.sqrt(5.0))
    radius = np.sqrt(1.0 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1).astype(np.float32)


def _tubular_surface() -> Floats:
    rings = [np.column_stack([_circle(48), np.full(48, height, np.float32)]) for height in np.linspace(-1, 1, 9)]
    return np.concatenate(rings).astype(np.float32)


def _ball(ndim: int) -> Shape:
    return Shape(lambda points: 1.0 - _length(points), _circle(256) if ndim == 2 else _sphere(600))


def _uneven_radius(ndim: int, strength: float, random: Generator) -> Callable[[Floats], Floats]:
    """A factor about 1 that depends on the direction only: two-lobed and three-lobed."""
    form = random.normal(size=(ndim, ndim))
    form = (form + form.T) / 2.0
    form -= np.eye(ndim) * np.trace(form) / ndim
    form *= strength * random.uniform(0, 1) / np.linalg.norm(form)
    pull = random.normal(size=ndim)
    pull *= strength * random.uniform(0, 0.5) / np.linalg.norm(pull)

    def factor(points: Floats) -> Floats:
        directions = points / np.maximum(_length(points), 1e-3)[:, None]
        lobes = np.einsum("ij,ij->i", directions @ form.astype(np.float32), directions)
        lobe = directions @ pull.astype(np.float32)
        return np.asarray(1.0 + lobes + lobe * lobe * lobe, np.float32)

    return factor


def _wall(least: float, settings: SyntheticSettings, random: Generator) -> float:
    """Thickness of a wall as a share of the outer radius; thin ones as often as thick ones."""
    low, high = max(settings.wall[0], least), settings.wall[1]
    return float(np.exp(random.uniform(np.log(min(low, high)), np.log(high))))


def _shell(ndim: int, least: float, settings: SyntheticSettings, random: Generator) -> Shape:
    """A ring or a closed shell whose pool is off the centre and uneven, so that the wall's thickness varies."""
    wall = _wall(least, settings, random)
    spare = max(wall - least, 0.0)
    aside = random.normal(size=ndim)
    offset = (aside / np.linalg.norm(aside) * spare * random.uniform(0, 0.6)).astype(np.float32)
    inner = 1.0 - wall
    factor = _uneven_radius(ndim, min(0.35, 0.5 * spare / inner), random)

    def pool(points: Floats) -> Floats:
        from_middle = points - offset
        return np.asarray(_length(from_middle) - inner * factor(from_middle))

    return Shape(
        lambda points: np.minimum(1.0 - _length(points), pool(points)),
        _circle(256) if ndim == 2 else _sphere(600),
        hollow=lambda points: pool(points) < 0.5 * wall,
    )


def _cylinder(_: float, settings: SyntheticSettings, random: Generator) -> Shape:
    goes_on = random.uniform() < settings.continued
    return Shape(
        lambda points: np.minimum(1.0 - _length(points[:, :2]), 1.0 - np.abs(points[:, 2])),
        _tubular_surface(),
        continued=(lambda points: _length(points[:, :2]) < 1.0) if goes_on else None,
        axis=2,
    )


def _tube(least: float, settings: SyntheticSettings, random: Generator) -> Shape:
    # Tapered, bent and askew, walls of the least thickness broke: 8 of 40 draws were wrong at 48 x 48 x 48 voxels, and
    # 4 with this.
    section = _shell(2, 1.4 * least, settings, random)
    goes_on = random.uniform() < settings.continued
    beyond = random.uniform(1.0, 2.0)  # the lumen's contents come out of the ends, or do not
    inside = section.hollow
    assert inside is not None
    return Shape(
        lambda points: np.minimum(section.level(points[:, :2]), 1.0 - np.abs(points[:, 2])),
        _tubular_surface(),
        hollow=lambda points: inside(points[:, :2]) & (np.abs(points[:, 2]) < (9.0 if goes_on else beyond)),
        continued=(lambda points: section.level(points[:, :2]) > 0) if goes_on else None,
        axis=2,
    )


def _torus(least: float, settings: SyntheticSettings, random: Generator) -> Shape:
    # Thicker than half the radius, deformation closes the hole.
    thickness = float(np.clip(_wall(2.0 * least, settings, random) / 2.0, 0.14, 0.42))
    middle = 1.0 - thickness
    turn = _circle(24)
    surface = np.concatenate(
        [
            np.column_stack([_circle(48) * (middle + thickness * x), np.full(48, thickness * z, np.float32)])
            for x, z in turn
        ]
    )

    def level(points: Floats) -> Floats:
        around = _length(points[:, :2]) - middle
        return np.asarray(thickness - np.hypot(around, points[:, 2]))

    return Shape(level, surface.astype(np.float32), axis=2)


def random_shape(name: str, least_wall: float, settings: SyntheticSettings, random: Generator) -> Shape:
    """Draw the proportions of a shape.

    Parameters
    ----------
    name : str
        A name of `SHAPES`.
    least_wall : float
        Thickness below which a wall would be lost on the window's voxels, as a share of the outer radius.
    settings : SyntheticSettings
    random : Generator
    """
    return SHAPES[name](least_wall, settings, random)


SHAPES: dict[str, Callable[[float, SyntheticSettings, Generator], Shape]] = {
    "disk": lambda *_: _ball(2),
    "annulus": lambda *draw: _shell(2, *draw),
    "ball": lambda *_: _ball(3),
    "shell": lambda *draw: _shell(3, *draw),
    "cylinder": _cylinder,
    "tube": _tube,
    "torus": _torus,
}
