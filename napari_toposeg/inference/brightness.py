"""What is as bright as the object, and what is as bright as the rest: a map that never saw such images hears them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.stats import rankdata

from napari_toposeg.topology import signed_distance

BRIGHTNESS = 4.0
"""What the logarithm of the two densities' ratio is multiplied by. Neighbouring voxels are not independent, and the
logits of a network that was trained with the Dice loss are larger than its odds: 1, which Bayes would take, moved the
median Dice of hippocampi of the choosing half from .66 to .69, 2 to .71, 3 to .72, 4 to .74, and 6 to .73."""

LEVELS = 32
"""Into how many levels, of as many voxels each, the intensities are sorted."""

ROUNDS = 2
"""How often the two histograms are counted, and the map heeds them."""

REACH = 0.125
"""Deviation of the Gaussian of the distance from the map's boundary within which it heeds them, over the window's
shortest side. Without it the median Dice of hippocampi of the choosing half was .01 higher; but on synthetic images,
where other things of the object's intensity stand about, that of the worst tenth fell from .81 to .70, and with it to
.77."""

FIRM = 14.0
"""Logits beyond this, either way, count as this: also what a network is surest of can be moved."""


def heeding_brightness(
    logits: NDArray[np.float32], image: NDArray[np.float32], weight: float = BRIGHTNESS
) -> NDArray[np.float32]:
    """Let a map heed how bright its inside is, and its outside.

    Parameters
    ----------
    logits, image : (*window) float32
        What a network says, and what it was shown.
    weight : float
        What the logarithm of the two densities' ratio is multiplied by.

    Returns
    -------
    (*window) float32

    Notes
    -----
    The image's levels are counted where the map is positive, and where it is not, weighted by the square of its
    probability; the logarithm of the two shares' ratio is added to the logits near the boundary, and the map that comes
    of it is counted again. That is a step of region competition (S. C. Zhu and A. Yuille, IEEE TPAMI 18, 1996) with
    histograms for the intensities, and the network's map in the place of the boundary's length.
    """
    firm = gaussian_filter(np.clip(logits, -FIRM, FIRM), 1.0)
    ranks = rankdata(image, method="ordinal").reshape(image.shape) - 1
    level = ranks * LEVELS // image.size
    near = np.exp(-0.5 * (signed_distance(firm > 0, (1.0,) * image.ndim) / (REACH * min(image.shape))) ** 2)
    heeded = firm
    for _ in range(ROUNDS):
        inside = _shares(level, _sigmoid(heeded) ** 2)
        outside = _shares(level, _sigmoid(-heeded) ** 2)
        ratio = gaussian_filter(np.log(inside / outside)[level], 0.5)
        heeded = firm + weight * near * ratio
    return np.asarray(heeded, np.float32)


def _shares(level: NDArray[np.integer], weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """(LEVELS,) the share of each level, smoothed, none of them 0."""
    counted = gaussian_filter1d(np.bincount(level.ravel(), weights.ravel(), LEVELS), 1.0)
    counted += 1e-3 * max(weights.sum(), 1.0)
    return np.asarray(counted / counted.sum())


def _sigmoid(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))
