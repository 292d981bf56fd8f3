"""Where prediction and reference differ, seen from three sides and at several scales."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses.batches import check_pair


class ProjectedPoolingLoss(nn.Module):
    """The projected pooling loss: a stray voxel weighs as much as a large block of its shadow.

    Parameters
    ----------
    kernels : sequence of int
        Sides of the square blocks in voxels, each at least 1. Default: those of the paper.

    Raises
    ------
    ToposegError
        If there is no kernel, or one is less than 1.

    Notes
    -----
    Fu et al., "Introducing Soft Topology Constraints in Deep Learning-based Segmentation using Projected Pooling Loss",
    Eq. 1 to 3. With P_a the maximum of the prediction along axis a, G_a that of the reference, MP_k the maximum over
    blocks of k x k that do not overlap, K the kernels and A the projections::

        L = 1 / (|A| |K|) * sum over a in A, k in K of  mean | MP_k(G_a) - MP_k(P_a) |

    Their Eq. 2 adds the three planes and Eq. 3 the kernels within the absolute value. Planes have different shapes, and
    so do the results of different kernels: they cannot be added, and could cancel if they could. Here the difference is
    taken for each plane and kernel; as a mean, so that small kernels, which make more blocks, do not outweigh large
    ones, and the loss lies between 0 and 1.

    A 2-D map is its own projection: A is that one view. Its projections on the axes would be profiles, in which a hole
    or a second component hardly shows.

    Blocks begin at the first voxel; at the far border they may reach beyond the map, and the maximum is then taken over
    what lies within. Plain pooling would drop up to k - 1 voxels there, and fail on maps smaller than a kernel.

    What no view shows is not seen: a cavity has no shadow. The background's shadow is everywhere: leave that channel
    out.
    """

    def __init__(self, kernels: Sequence[int] = (4, 5, 8, 10, 20)) -> None:
        super().__init__()
        if not kernels or min(kernels) < 1:
            raise ToposegError(
                f"Maps cannot be pooled with kernels {tuple(kernels)}.",
                todo="Give at least one, each at least 1 voxel.",
            )
        self.kernels = tuple(kernels)

    def forward(self, p: Tensor, reference: Tensor) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        p : (N, C, *spatial) tensor
            Probabilities in [0, 1], one channel by class; 2-D or 3-D.
        reference : (N, C, *spatial) tensor
            Masks or probabilities, one channel by class.

        Returns
        -------
        () tensor
            From 0 (the same from all sides, at all scales) to 1. Mean over batch and classes.

        Raises
        ------
        ToposegError
            If the shapes differ, or the maps are not 2-D or 3-D.
        """
        check_pair(p, reference)
        differences = [
            (_pool(seen, kernel) - _pool(true, kernel)).abs().mean()
            for seen, true in zip(_projections(p), _projections(reference.to(p.dtype)), strict=True)
            for kernel in self.kernels
        ]
        return torch.stack(differences).mean()

    def extra_repr(self) -> str:
        return f"kernels={self.kernels}"


def _projections(maps: Tensor) -> list[Tensor]:
    """The views of a map: along each axis in 3-D, the map itself in 2-D.

    Voxels of one ray that are as high as one another share its gradient.
    """
    return [maps] if maps.ndim == 4 else [maps.amax(dim=axis) for axis in (2, 3, 4)]


def _pool(view: Tensor, kernel: int) -> Tensor:
    return max_pool2d(view, kernel, ceil_mode=True)
