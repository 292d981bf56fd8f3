"""The colours of a deformation's lengths, levels and determinants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks import colours

# From the template's colour to the mask's, each told from its neighbours on grey.
_LEVELS = (colours.TEMPLATE, "#ff9f1c", "#ff6392", "#b98cff", "#5aa9ff", colours.MASK)
# Short ones are pale and long ones strong; none is as dark as an image's background.
_LENGTHS = ("#8fd3ff", "#e8f27a", "#ffb02e", "#ff3d6e")
_STEPS = 65


def level_colours(number: int) -> tuple[str, ...]:
    """So many colours on the way from the template's to the mask's."""
    if number == 1:
        return (_LEVELS[-1],)
    places = np.linspace(0.0, 1.0, number)
    return tuple("#" + "".join(f"{round(255 * part):02x}" for part in _between(_LEVELS, place)) for place in places)


def length_rgba(share: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """(N, 4) colours of lengths.

    Parameters
    ----------
    share : (N,) float32, optional
        Of the greatest length. Default: evenly from 0 to 1.
    """
    if share is None:
        share = np.linspace(0.0, 1.0, _STEPS, dtype=np.float32)
    stops = np.array([_rgb(colour) for colour in _LENGTHS])
    along = np.linspace(0.0, 1.0, len(stops))
    parts = [np.interp(share, along, stops[:, part]) for part in range(3)]
    return np.stack([*parts, np.ones(len(share))], axis=1)


def rgba_of(colour: str) -> tuple[float, float, float, float]:
    """A colour (#rrggbb) as napari takes it."""
    red, green, blue = _rgb(colour)
    return red, green, blue, 1.0


def _between(colours_: tuple[str, ...], place: float) -> list[float]:
    stops = np.array([_rgb(colour) for colour in colours_])
    along = np.linspace(0.0, 1.0, len(stops))
    return [float(np.interp(place, along, stops[:, part])) for part in range(3)]


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue
