"""What a loss is given: batches of maps, one channel by class."""

from __future__ import annotations

from torch import Tensor

from napari_toposeg.errors import ToposegError


def check_pair(p: Tensor, reference: Tensor) -> None:
    """Refuse maps that cannot be compared with their references.

    Parameters
    ----------
    p, reference : (N, C, *spatial) tensors
        Maps and what they should be.

    Raises
    ------
    ToposegError
        If the shapes differ, nothing is in them, or the maps are not 2-D or 3-D.
    """
    if p.shape != reference.shape or p.ndim not in (4, 5) or not p.numel():
        raise ToposegError(
            f"Maps of shape {tuple(p.shape)} and {tuple(reference.shape)} cannot be compared.",
            why="They are compared voxel by voxel and class by class.",
            todo="Give both as (batch, classes, *spatial), of one size, in 2-D or 3-D; labels as one mask by class.",
        )
