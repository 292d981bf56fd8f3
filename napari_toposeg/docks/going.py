"""Taking the viewer to a voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.workspace import Workspace


def go_to(workspace: Workspace, index: NDArray[Any]) -> NDArray[np.float64] | None:
    """Show the slices through a voxel, and bring it to the middle of the canvas.

    Parameters
    ----------
    workspace : Workspace
        Whose viewer is moved.
    index : (ndim,) array
        In canonical voxels of the image, not necessarily whole; beyond the image its nearest voxel is shown.

    Returns
    -------
    (ndim,) float64 or None
        Where the viewer went, in canonical voxels; None where no image is open.
    """
    layout, viewer = workspace.layout, workspace.viewer
    if layout is None:
        return None
    inside: NDArray[np.float64] = np.clip(np.asarray(index, float), 0, np.array(layout.shape) - 1)
    world = layout.world(inside)
    first = viewer.dims.ndim - layout.ndim
    for axis, place in enumerate(world):
        viewer.dims.set_point(first + axis, float(place))
    centre = list(viewer.scene.camera.center)
    seen = [int(axis) - first for axis in viewer.dims.displayed]
    for number, axis in enumerate(reversed(seen)):
        if axis >= 0:
            centre[-1 - number] = float(world[axis])
    viewer.scene.camera.center = tuple(centre)
    return inside
