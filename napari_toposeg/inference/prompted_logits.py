"""Prompts in a pixel-wise network's map: what a person says of a voxel holds for what is near and as bright."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Frame
from napari_toposeg.inference.prompts import Prompt
from napari_toposeg.topology import signed_distance

REACH = 2.0
"""Deviation of the Gaussian round a prompt, as a share of its distance from the boundary that it is to move."""

ALIKE = 0.4
"""Deviation of the Gaussian of the difference in intensity, as a share of that of the whole window.

With these two, three clicks of the simulated user raised the median Dice of 14 hippocampi of the choosing half by .085;
without regard to the intensity by .064, with a reach of 3 by .057. Where prompts moved the deformation alone, and the
mask was then carried on to a map that knew nothing of them, it was .008."""

FIRM = 4.0
"""What a prompt's own logit becomes, in favour of what is said of it."""


def heeding(
    logits: NDArray[np.float32],
    image: NDArray[np.float32],
    frame: Frame,
    volume_frame: Frame,
    prompts: Iterable[Prompt],
) -> NDArray[np.float32]:
    """Let logits heed prompts, one after the other.

    Parameters
    ----------
    logits, image : (*window) float32
        What a network says, and what it was shown: intensities of mean 0 and deviation 1.
    frame : Frame
        Of the window.
    volume_frame : Frame
        The grid that the prompts count in.
    prompts : iterable of Prompt
        The last ones have the last word.

    Returns
    -------
    (*window) float32
        About a prompt that lies a distance d on the wrong side of the boundary, logits are moved to the right side by a
        Gaussian of deviation `REACH` * d, at least a voxel, times one of how far the intensity is from the prompt's.
    """
    spacing = frame.spacing
    to_frame = volume_frame.index_in(frame)
    ndim = frame.ndim
    grid = np.indices(frame.shape, dtype=np.float32)
    heeded = logits.copy()
    for prompt in prompts:
        centre = to_frame[:ndim, :ndim] @ np.array(prompt.point) + to_frame[:ndim, ndim]
        nearest = tuple(np.clip(np.round(centre).astype(int), 0, np.array(frame.shape) - 1).tolist())
        sign = 1.0 if prompt.include else -1.0
        wrong = max(-sign * float(signed_distance(heeded > 0, tuple(spacing))[nearest]), 0.0)
        squared = sum(((grid[axis] - centre[axis]) * spacing[axis]) ** 2 for axis in range(ndim))
        # Of the window's nearest voxels: a prompt may lie in the image's last voxel, beyond the window's.
        around = tuple(slice(max(index - 1, 0), index + 2) for index in nearest)
        alike = image - image[around].mean()
        width = max(REACH * wrong, float(spacing.min()))
        weight = np.exp(-0.5 * squared / width**2 - 0.5 * (alike / ALIKE) ** 2)
        heeded += (sign * (abs(float(heeded[nearest])) + FIRM) * weight).astype(np.float32)
    return heeded
