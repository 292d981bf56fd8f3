"""MR images with lines of their k-space missing: the harder, the more lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_toposeg.errors import ToposegError


def sampled_lines(count: int, removed: int, *, kept: int = 8, seed: int | Sequence[int] = 0) -> NDArray[np.bool_]:
    """Which lines of k-space are left where some are removed at random, but none of the middle.

    Parameters
    ----------
    count : int
        Lines there are.
    removed : int
        Lines to remove: m in Clough et al., section 4.2.
    kept : int
        Lines in the middle that are never removed; line ``count // 2`` is that of frequency zero.
    seed : int or sequence of int
        Of the draw.

    Returns
    -------
    (count,) bool
        True where the line stays; the lines run from the lowest to the highest frequency.

    Raises
    ------
    ToposegError
        If so many lines cannot be removed.
    """
    first = count // 2 - kept // 2
    free = np.array([line for line in range(count) if not first <= line < first + kept], np.int64)
    if not 0 <= removed <= len(free):
        raise ToposegError(
            f"{removed} lines cannot be removed from {count}.",
            why=f"The middle {kept} are kept.",
            todo=f"Remove 0 to {len(free)} lines.",
        )
    left = np.ones(count, bool)
    left[np.random.default_rng(seed).choice(free, removed, replace=False)] = False
    return left


def remove_lines(
    image: ArrayLike, removed: int, *, kept: int = 8, axis: int = 0, seed: int | Sequence[int] = 0
) -> NDArray[np.float64]:
    """Degrade an image as a scan would that skips lines of k-space.

    Lines of the image's Fourier transform are set to zero. What is transformed back is complex, because the lines are
    not drawn in pairs of opposite frequency; its magnitude is taken and rescaled to [0, 1].

    Parameters
    ----------
    image : (H, W) array
        Any intensities.
    removed : int
        Lines to remove.
    kept : int
        Lines in the middle that are never removed.
    axis : int
        The axis along which the lines are numbered, as the phase-encoding direction of a scan.
    seed : int or sequence of int
        Which lines go. The same seed removes the same lines.

    Returns
    -------
    (H, W) float64
        From 0 to 1; all 0 where the magnitude is the same everywhere.

    Raises
    ------
    ToposegError
        If the image has not two axes, or so many lines cannot be removed.

    Notes
    -----
    J. R. Clough et al., "A topological loss function for deep-learning based image segmentation using persistent
    homology", IEEE TPAMI 2020, section 4.2 (m = 20 and 60 of 80 lines, the middle 8 kept). The paper does not say along
    which axis; here it is one, as in a Cartesian scan.
    """
    values = np.asarray(image, np.float64)
    if values.ndim != 2:
        raise ToposegError(f"An image has two axes, and this array has {values.ndim}.", todo="Pass one slice.")
    left = sampled_lines(values.shape[axis], removed, kept=kept, seed=seed)
    spectrum = np.fft.fft(values, axis=axis)
    # A line of the 2-D transform along one axis is zero where that of the 1-D transform is.
    lines = np.fft.ifftshift(left)[:, None] if axis % 2 == 0 else np.fft.ifftshift(left)[None, :]
    magnitude = np.abs(np.fft.ifft(np.where(lines, spectrum, 0), axis=axis))
    low, high = float(magnitude.min()), float(magnitude.max())
    # Less than this is the transform's rounding, not contrast.
    if high - low <= 1e-12 * max(abs(high), 1.0):
        return np.zeros_like(magnitude)
    return np.asarray((magnitude - low) / (high - low))
