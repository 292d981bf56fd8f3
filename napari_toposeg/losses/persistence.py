"""How far the barcode of a probability map is from the Betti numbers that it should have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses.dense_gradient import spread_gradient
from napari_toposeg.topology.connectivity import check_connectivity
from napari_toposeg.topology.persistence import persistence_pairs


@dataclass(frozen=True)
class BettiRange:
    """Betti numbers that are all as good.

    Attributes
    ----------
    low : int
        So many features are wanted, at least 0.
    high : int or None
        More than so many are unwanted. None: never too many.
    """

    low: int
    high: int | None = None

    def __post_init__(self) -> None:
        if self.low < 0 or (self.high is not None and self.high < self.low):
            raise ToposegError(
                f"There is no Betti number from {self.low} to {self.high}.",
                why="It is at least 0, and the range goes from the smaller to the larger.",
            )


BettiTarget = Sequence[int | BettiRange]
"""What one class should have, by dimension: components, loops and, in 3-D, cavities."""


class PersistenceLoss(nn.Module):
    """The persistent homology loss: wanted features are to last from 1 to 0, unwanted ones not at all.

    Parameters
    ----------
    betti : sequence
        For maps of one class: one int or `BettiRange` by dimension, as ``(1, 1)`` for a ring in 2-D or
        ``(1, BettiRange(0, 2), 0)`` in 3-D. For maps of several: a sequence of such targets, one by class, as
        ``[(1, 0), (1, 1)]``; None instead of a target: that class (the background, say) is not looked at. A range is
        always a `BettiRange`, never a pair: a sequence in a sequence is a class.
    weights : sequence of float, optional
        How much each dimension counts; or a sequence of such, one by class. Default: 1 each.
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D. Default 8, 26.
    band : float
        From 0 up to .5: the bars are those of ``clip(p, band, 1 - band)``, which takes less time. No gradient arrives
        where `p` lies outside.
    min_persistence : float
        Bars not longer than this are left out, but for the component that never dies: unwanted ones cost nothing
        then, and wanted ones count as missing.
    spread : float
        Above 0: the gradient with respect to `p` is spread by `spread_gradient` with this standard deviation in voxels.
        The value stays the same. Where `p` comes of logits, `spread_gradient` on the logits does better
        (docs/results.md, "Where the gradient of that loss is put").

    Raises
    ------
    ToposegError
        If the targets or weights do not make sense, or that connectivity does not exist.

    Notes
    -----
    Clough et al., "A Topological Loss Function for Deep-Learning based Image Segmentation using Persistent Homology".
    With the bars of dimension k of the super-level sets of p sorted by length, l_1 >= l_2 >= ..., Eq. 3 and 4::

        L_k(beta) = sum_{i <= beta} (1 - l_i**2) + sum_{i > beta} l_i**2        L = sum_k weight_k L_k(beta_k)

    With a range, as the end of their section 3.2 allows, the first sum goes to its low end and the second starts
    above its high end: bars between cost nothing. A wanted bar that the map does not have has length 0: it costs 1,
    and nothing can be learnt from it. The component that never dies dies at 0.

    The gradient is exact: that of a bar's length is 1 at its birth voxel and -1 at its death voxel. It jumps where two
    voxels on which a bar may begin or end change their order, and where a wanted bar and an unwanted one are as long.
    Where several voxels have the same value, one of them gets all of it.
    """

    def __init__(
        self,
        betti: BettiTarget | Sequence[BettiTarget | None],
        *,
        weights: Sequence[float] | Sequence[Sequence[float]] | None = None,
        connectivity: int | None = None,
        band: float = 0.0,
        min_persistence: float = 0.0,
        spread: float = 0.0,
    ) -> None:
        super().__init__()
        self.targets = _targets(betti)
        self.ndim = next(len(target) for target in self.targets if target is not None)
        self.weights = _weights(weights, (len(self.targets), self.ndim))
        self.connectivity = check_connectivity(connectivity, self.ndim)
        self.band = band
        self.min_persistence = min_persistence
        self.spread = spread

    def forward(self, p: Tensor) -> Tensor:
        """The loss of a batch.

        Parameters
        ----------
        p : (N, C, *spatial) tensor
            Probabilities in [0, 1], one channel by class; 2-D or 3-D.

        Returns
        -------
        () tensor
            Mean over the batch of the weighted sum over classes and dimensions.

        Raises
        ------
        ToposegError
            If the shape does not fit the targets, or values are not in [0, 1] or not numbers.
        """
        terms = self.terms(p)
        return (terms * terms.new_tensor(self.weights)).sum(dim=(1, 2)).mean()

    def terms(self, p: Tensor) -> Tensor:
        """The terms L_k of each sample, without weights; same `p` and errors as `forward`.

        Returns
        -------
        (N, C, ndim) tensor
            By sample, class and dimension. 0 for a class without target.
        """
        if p.ndim != self.ndim + 2 or p.shape[1] != len(self.targets):
            raise ToposegError(
                f"Maps of shape {tuple(p.shape)} do not fit the Betti numbers.",
                why=f"These are for {len(self.targets)} class(es) in {self.ndim}-D.",
                todo="Give maps of shape (batch, classes, *spatial), and Betti numbers for each class.",
            )
        # Under autocast p may be in half precision, which knows a thousand levels only.
        p = p.to(torch.promote_types(p.dtype, torch.float32))
        if self.spread > 0:
            p = spread_gradient(p, self.spread)
        looked_at = [number for number, target in enumerate(self.targets) if target is not None]
        maps = p[:, looked_at].flatten(0, 1)
        targets = [target for target in self.targets if target is not None] * len(p)
        terms = p.new_zeros(len(p), len(self.targets), self.ndim)
        terms[:, looked_at] = self._terms_of_maps(maps, targets).reshape(len(p), len(looked_at), self.ndim)
        return terms

    def extra_repr(self) -> str:
        return f"targets={self.targets}, connectivity={self.connectivity}, band={self.band}, spread={self.spread}"

    def _terms_of_maps(self, maps: Tensor, targets: list[tuple[BettiRange, ...]]) -> Tensor:
        """(n, ndim) terms of (n, *spatial) maps, one target each."""
        values = maps.detach().cpu().numpy()
        pairs = persistence_pairs(
            values, connectivity=self.connectivity, min_persistence=self.min_persistence, band=self.band
        )
        low = np.array([[one.low for one in target] for target in targets], np.float64)
        high = np.array([[np.inf if one.high is None else one.high for one in target] for target in targets])
        rank = _rank(pairs.item * self.ndim + pairs.dimension)
        wanted = rank < low[pairs.item, pairs.dimension]
        unwanted = rank >= high[pairs.item, pairs.dimension]
        kept = wanted | unwanted

        item = torch.from_numpy(pairs.item[kept]).to(maps.device)
        dimension = torch.from_numpy(pairs.dimension[kept].astype(np.int64)).to(maps.device)
        birth = self._levels(maps, item, pairs.birth_index[kept], pairs.birth[kept])
        death = self._levels(maps, item, pairs.death_index[kept], pairs.death[kept])
        sign = maps.new_tensor(np.where(wanted[kept], -1.0, 1.0))
        squares = sign * (birth - death).square()
        # The sum of 1 - l**2 over wanted bars, there or not, is their number less the squares of those that are there.
        terms = maps.new_tensor(low).flatten().index_add(0, item * self.ndim + dimension, squares)
        return terms.reshape(len(maps), self.ndim)

    def _levels(self, maps: Tensor, item: Tensor, places: NDArray[np.int64], levels: NDArray[np.float64]) -> Tensor:
        """Values of the maps at flat indices, clipped to the band; the levels themselves where the index is -1."""
        where = torch.from_numpy(places).to(maps.device)
        found = maps.flatten(1)[item, where.clamp(min=0)]
        if self.band:
            found = found.clamp(self.band, 1 - self.band)
        return torch.where(where >= 0, found, maps.new_tensor(levels))


def _rank(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each row within its group, where groups are sorted."""
    rows = np.arange(len(group))
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return rows - np.repeat(starts, np.diff(starts, append=len(group)))


def _targets(betti: BettiTarget | Sequence[BettiTarget | None]) -> tuple[tuple[BettiRange, ...] | None, ...]:
    """One tuple of ranges by class."""
    several = any(one is None or isinstance(one, Sequence) for one in betti)
    classes = cast("Sequence[BettiTarget | None]", betti if several else [betti])
    targets = tuple(None if target is None else _ranges(target) for target in classes)
    if {len(target) for target in targets if target is not None} not in ({2}, {3}):
        raise ToposegError(
            f"{betti!r} are not the Betti numbers of a map.",
            why="A 2-D map has two (components, loops), a 3-D map three (components, loops, cavities), in every class.",
            todo="Give one number or BettiRange for each; for several classes, a sequence of such.",
        )
    return targets


def _ranges(target: object) -> tuple[BettiRange, ...]:
    if not isinstance(target, Sequence):
        raise ToposegError(
            f"{target!r} is not the target of a class.",
            why="Where one class has a sequence of Betti numbers, each has one, or None.",
            todo="Write a range as BettiRange(low, high): a pair is a class.",
        )
    return tuple(_range(one) for one in target)


def _range(betti: object) -> BettiRange:
    if isinstance(betti, BettiRange):
        return betti
    try:
        number = index(betti)  # type: ignore[arg-type]
    except TypeError as error:
        raise ToposegError(
            f"{betti!r} is not a Betti number.", todo="Give a whole number, or BettiRange(low, high)."
        ) from error
    return BettiRange(number, number)


def _weights(
    weights: Sequence[float] | Sequence[Sequence[float]] | None, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Weights by class and dimension."""
    given = np.ones(shape) if weights is None else np.asarray(weights, np.float64)
    if given.shape not in (shape, shape[1:]):
        raise ToposegError(
            f"Weights of shape {given.shape} do not fit {shape[0]} class(es) of {shape[1]} Betti numbers.",
            todo="Give one weight by dimension, or a sequence of such by class.",
        )
    return np.broadcast_to(given, shape).copy()
