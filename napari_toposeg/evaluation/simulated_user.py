"""A person who clicks into the largest error: how interactive segmentation is measured without one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Prompt
from napari_toposeg.topology import signed_distance


def next_prompt(mask: NDArray[np.bool_], label: NDArray[np.bool_], spacing: Sequence[float]) -> Prompt | None:
    """Where a person would click next.

    Parameters
    ----------
    mask, label : (*grid) bool
        What was segmented, and what is true.
    spacing : sequence of float
        Voxel size by axis, in mm.

    Returns
    -------
    Prompt or None
        The deepest voxel of the largest connected error, in mm and in voxels of the grid: to be included where the mask
        lacks it, else to be excluded. Of equals the first in raster order. None where nothing is wrong.

    Raises
    ------
    ToposegError
        If the shapes differ.

    Notes
    -----
    What is missing and what is too much are parts apart from one another; voxels that share a corner are connected.
    Beyond the grid nothing is wrong. N. Xu et al., "Deep Interactive Object Selection" (2016), and most that came after
    it, click so.
    """
    if mask.shape != label.shape:
        raise ToposegError(
            f"The mask has the shape {mask.shape} and the label {label.shape}.", todo="Give both on one grid."
        )
    corners = np.ones((3,) * mask.ndim, bool)
    largest, size, include = np.zeros(mask.shape, bool), 0, True
    for wrong, missing in ((label & ~mask, True), (mask & ~label, False)):
        parts, count = ndimage.label(wrong, corners)
        if count:
            sizes = np.bincount(parts.ravel())[1:]
            if sizes.max() > size:
                largest, size, include = parts == int(sizes.argmax()) + 1, int(sizes.max()), missing
    if not size:
        return None
    depth = signed_distance(np.pad(largest, 1), tuple(float(step) for step in spacing))
    deepest = np.unravel_index(int(depth.argmax()), depth.shape)
    return Prompt(tuple(float(index - 1) for index in deepest), include)
