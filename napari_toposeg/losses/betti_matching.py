"""How far the features of a probability map are from those of a reference, feature by feature, where they are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_toposeg.losses.batches import check_pair
from napari_toposeg.losses.dense_gradient import spread_gradient
from napari_toposeg.topology.persistence import match_bars


class BettiMatchingLoss(nn.Module):
    """The Betti matching loss: features that the reference has too are to last as long as there, others not at all.

    Parameters
    ----------
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.
    overlapping : bool
        As in `match_bars`.
    count_reference : bool
        Whether the reference's features that the prediction lacks count. They say how much is missing, but nothing
        can be learnt from them: no voxel of the prediction makes them. The paper counts them; the authors' 3-D
        program offers both.
    spread : float
        Above 0: the gradient with respect to the prediction is spread by `spread_gradient` with this standard deviation
        in voxels. The value stays the same.

    Notes
    -----
    Stucki et al., "Topologically faithful image segmentation via induced matching of persistence barcodes", ICML 2023.
    With the bars (b, d) of the prediction matched to bars (b', d') of the reference (`match_bars`)::

        L = sum_matched 2 ((b - b')**2 + (d - d')**2) + sum_unmatched (b - d)**2

    where the second sum goes over both maps, and both over all dimensions. It is the squared distance of matched
    points of the two diagrams, and of the others to the diagonal, twice. The components that never die are always
    matched and die at 0, as in the paper; the authors' 3-D program leaves them out.

    The reference is taken as it is: no gradient goes to it. The gradient is exact, and jumps where two voxels on which
    a bar may begin or end change their order.
    """

    def __init__(
        self,
        *,
        connectivity: int | None = None,
        overlapping: bool = False,
        count_reference: bool = True,
        spread: float = 0.0,
    ) -> None:
        super().__init__()
        self.connectivity = connectivity
        self.overlapping = overlapping
        self.count_reference = count_reference
        self.spread = spread

    def forward(self, p: Tensor, reference: Tensor) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        p, reference : (N, C, *spatial) tensor
            Probabilities in [0, 1], one channel by class; 2-D or 3-D. The reference may be a mask of any type.

        Returns
        -------
        () tensor
            Sum over classes and dimensions, mean over the batch.

        Raises
        ------
        ToposegError
            If the shapes differ or do not fit, or values are not in [0, 1] or not numbers.
        """
        check_pair(p, reference)
        # Under autocast p may be in half precision, which knows a thousand levels only.
        p = p.to(torch.promote_types(p.dtype, torch.float32))
        if self.spread > 0:
            p = spread_gradient(p, self.spread)
        wanted = _values(reference)
        given = _values(p)
        losses = [self._of_maps(p[place], given[place], wanted[place]) for place in np.ndindex(p.shape[0], p.shape[1])]
        return torch.stack(losses).sum() / len(p)

    def extra_repr(self) -> str:
        return (
            f"connectivity={self.connectivity}, overlapping={self.overlapping}, "
            f"count_reference={self.count_reference}, spread={self.spread}"
        )

    def _of_maps(self, p: Tensor, given: NDArray[np.float64], wanted: NDArray[np.float64]) -> Tensor:
        matching = match_bars(given, wanted, connectivity=self.connectivity, overlapping=self.overlapping)
        own, theirs, lone = matching.matched_prediction, matching.matched_reference, matching.unmatched_prediction
        births = _levels(p, own.birth_voxel) - p.new_tensor(theirs.birth)
        deaths = _levels(p, own.death_voxel) - p.new_tensor(theirs.death)
        lengths = _levels(p, lone.birth_voxel) - _levels(p, lone.death_voxel)
        loss = 2 * (births.square().sum() + deaths.square().sum()) + lengths.square().sum()
        if self.count_reference:
            loss = loss + float(np.square(matching.unmatched_reference.length).sum())
        return loss


def _values(maps: Tensor) -> NDArray[np.float64]:
    return maps.detach().cpu().to(torch.float64).numpy()


def _levels(p: Tensor, voxels: NDArray[np.int64]) -> Tensor:
    """The map's values at voxels; 0 where there is none."""
    index = np.zeros(len(voxels), np.int64)
    there = voxels[:, 0] >= 0
    index[there] = np.ravel_multi_index(tuple(voxels[there].T), tuple(p.shape))
    where = torch.from_numpy(there).to(p.device)
    return torch.where(where, p.flatten()[torch.from_numpy(index).to(p.device)], p.new_zeros(()))
