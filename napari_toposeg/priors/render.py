"""Pictures of priors, for the gallery and the guide."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_toposeg.priors.prior import Prior

# A view from the front, a little from above and from the side, so that a ring shows its hole and a cylinder its lid.
_TURN, _TILT = np.deg2rad(35.0), np.deg2rad(30.0)
_TRACING_STEPS = 80

_ROUGH_SIZE = 48

# Half the diagonal of the unit box, and a little: nothing is wider.
_WIDEST = 1.8

# A ray that has come this far, through the unit box and out again, meets nothing more.
_FAR = 6.0


def render(
    prior: Prior, size: int = 128, *, colour: tuple[float, float, float] = (0.36, 0.68, 0.93)
) -> NDArray[np.uint8]:
    """Draw a prior.

    Parameters
    ----------
    prior : Prior
        A 2-D prior is drawn as a filled shape; a 3-D one as a lit solid, cut open where it has a cavity.
    size : int
        Side of the picture in pixels.
    colour : (3,) tuple of float
        Red, green and blue from 0 to 1.

    Returns
    -------
    (size, size, 4) uint8
        Red, green, blue and opacity; rows run down.
    """
    draw = _flat if prior.ndim == 2 else _solid
    # A first small picture tells how large the shape looks, so that each fills its frame.
    _, rough = draw(prior, _ROUGH_SIZE, _WIDEST)
    rows, columns = np.nonzero(rough)
    middle = (_ROUGH_SIZE - 1) / 2.0
    reach = max(np.abs(rows - middle).max(), np.abs(columns - middle).max()) / middle if rows.size else 1.0
    # Drawn at twice the size and averaged, so that outlines are smooth.
    drawn = draw(prior, 2 * size, _WIDEST * (reach * 1.12 + 0.02))
    light, opacity = (part.reshape(size, 2, size, 2).mean(axis=(1, 3)) for part in drawn)
    light = light / np.maximum(opacity, 1e-6)
    picture = np.empty((size, size, 4))
    picture[..., :3] = light[..., None] * np.array(colour)
    picture[..., 3] = opacity
    return np.asarray(np.clip(picture * 255.0, 0, 255).round(), np.uint8)


def _distance(prior: Prior, points: torch.Tensor) -> torch.Tensor:
    """A lower bound of the distance to the shape as it is drawn, positive inside."""
    if prior.drawn_stretch is None:
        return prior.signed_distance(points)
    stretch = torch.tensor(prior.drawn_stretch).reshape(-1, *[1] * (points.ndim - 1))
    return prior.signed_distance(points / stretch) * float(stretch.min())


def _flat(prior: Prior, size: int, half_width: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    along = torch.linspace(-half_width, half_width, size)
    down, right = torch.meshgrid(-along, along, indexing="ij")
    inside = (_distance(prior, torch.stack([right, down])) > 0).numpy().astype(float)
    return inside, inside


def _solid(prior: Prior, size: int, half_width: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sphere tracing of the signed distance with an orthographic camera; light from the upper left."""
    toward = np.array([np.cos(_TILT) * np.sin(_TURN), -np.cos(_TILT) * np.cos(_TURN), np.sin(_TILT)])
    right = np.array([np.cos(_TURN), np.sin(_TURN), 0.0])
    up = np.cross(toward, -right)
    up = up if up[2] > 0 else -up
    along = np.linspace(-half_width, half_width, size)
    horizontal, vertical = np.meshgrid(along, -along)
    start = torch.tensor(
        horizontal[None] * right[:, None, None] + vertical[None] * up[:, None, None] + 3.0 * toward[:, None, None],
        dtype=torch.float32,
    )
    direction = torch.tensor(-toward, dtype=torch.float32).reshape(3, 1, 1)
    cut_open = prior.betti[2] > 0

    def distance(points: torch.Tensor) -> torch.Tensor:
        inside = _distance(prior, points)
        if cut_open:
            # The eighth that faces the viewer is taken away.
            corner = torch.stack([points[0], -points[1], points[2]]).amin(dim=0)
            inside = torch.minimum(inside, -corner)
        return inside

    travelled = torch.zeros(1, size, size)
    for _ in range(_TRACING_STEPS):
        travelled = (travelled + (-distance(start + travelled * direction)).clamp(min=0.0)).clamp(max=_FAR)
    points = start + travelled * direction
    hit = ((-distance(points)) < 2e-2) & (travelled[0] < _FAR)
    step = 1e-3
    gradient = torch.stack(
        [distance(points + offset) - distance(points - offset) for offset in (step * torch.eye(3)).reshape(3, 3, 1, 1)]
    )
    normal = -gradient / gradient.norm(dim=0).clamp(min=1e-9)
    lamp = torch.tensor(toward + 0.6 * up - 0.7 * right, dtype=torch.float32)
    lamp = (lamp / lamp.norm()).reshape(3, 1, 1)
    light = 0.35 + 0.65 * (normal * lamp).sum(dim=0).clamp(min=0.0)
    opacity = hit.numpy().astype(float)
    return light.numpy() * opacity, opacity
