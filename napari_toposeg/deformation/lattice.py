"""A deformation on an image's own voxels, as files have it."""

from __future__ import annotations

import numpy as np

from napari_toposeg.deformation.displacement import Displacement
from napari_toposeg.deformation.regularity import JacobianMap, jacobian_map
from napari_toposeg.frame import Frame


def on_lattice(displacement: Displacement, jacobian: JacobianMap, frame: Frame) -> tuple[Displacement, JacobianMap]:
    """A displacement, and its determinants counted there, on the voxels of an image.

    Parameters
    ----------
    displacement : Displacement
        On a box of the image's voxels, which may reach beyond; or on a coarser grid.
    jacobian : JacobianMap
        Its determinants.
    frame : Frame
        The image's grid.

    Returns
    -------
    displacement, jacobian
        What was given where it lies on the image's voxels already; else both anew, on all of them.
    """
    if np.allclose(displacement.frame.index_in(frame)[:3, :3], np.eye(3), atol=1e-3):
        return displacement, jacobian
    fine = displacement.resampled(frame)
    return fine, jacobian_map(fine.values)
