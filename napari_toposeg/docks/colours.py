"""The colours of what is drawn over an image and of what is said about it, for the dark and the light theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari.utils import Colormap, DirectLabelColormap

TEMPLATE = "#ffd23f"
BOX = "#f4f6fa"
PREVIEW = "#ff7b1c"
BEFORE = "#3f9bff"
MASK = "#2ec4b6"
FOLDING = "#ff2d55"
VECTORS = "#ffe066"
GRID = "#b8f2e6"
WORST = "#ffffff"
INCLUDE = "#39d353"
EXCLUDE = "#ff4d5e"
LEVEL_SET = "#d08cff"

GOOD = "#1f9d63"
DOUBTFUL = "#c77700"
BAD = "#d6404f"
NEUTRAL = "#7b8494"
ACCENT = "#2f8fe0"

DIMENSIONS_ON_DARK = ("#4da6ff", "#ffa033", "#34d1b2")
"""The hues of `DIMENSION_COLOURS` of topology's plots, lighter: pieces, loops, cavities on a dark window."""

# From folded to squeezed, unchanged, stretched: a diverging scale that is also read by those who cannot tell red from
# green. It is clear in the middle, so that the image is seen where nothing is squeezed or stretched.
_SQUEEZED, _STRETCHED = (0.80, 0.10, 0.30), (0.10, 0.45, 0.85)
_STEPS = 129


def one_colour(colour: str) -> DirectLabelColormap:
    """A colormap of labels that draws all of them in one colour."""
    from napari.utils import DirectLabelColormap

    return DirectLabelColormap(color_dict={0: "transparent", None: colour})


def by_label(given: Mapping[int, str]) -> DirectLabelColormap:
    """A colormap of labels that draws each in its own colour, and others not at all."""
    from napari.utils import DirectLabelColormap

    colours: dict[int | None, str] = {0: "transparent", None: "transparent"}
    for label, colour in given.items():
        colours[label] = colour
    return DirectLabelColormap(color_dict=colours)


def diverging_rgba() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(steps, 4) colours of the scale of Jacobian determinants, from the least to the greatest."""
    along = np.linspace(-1.0, 1.0, _STEPS)
    colours = np.where(along[:, None] < 0, np.array(_SQUEEZED), np.array(_STRETCHED))
    # Paler towards the middle, and clear there.
    share = np.abs(along)[:, None] ** 0.8
    return np.hstack([share * colours + (1.0 - share), np.clip(1.6 * share, 0.0, 1.0)])


def diverging() -> Colormap:
    """The scale of Jacobian determinants."""
    from napari.utils import Colormap

    return Colormap(diverging_rgba(), name="toposeg-jacobian", display_name="Jacobian determinant")
