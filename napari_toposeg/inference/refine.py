"""Post-processing by persistent homology: the least change of a map, or of a network, that gives a topology."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference.refine_correction import across_the_threshold, corrected_mask
from napari_toposeg.inference.refine_loss import (
    State,
    Variables,
    logit_variables,
    minimise,
    network_variables,
    seen_band,
    sigmoid,
)
from napari_toposeg.inference.refine_settings import RefineSettings
from napari_toposeg.inference.refine_target import betti_error, check_target, nearest_in
from napari_toposeg.inference.refined import Refined, SolvedBy
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.losses import BettiRange, BettiTarget
from napari_toposeg.steps import Finish, Step, Steps
from napari_toposeg.topology import betti_numbers, certify, check_connectivity, snap

PREVIEW_EVERY = 5
"""A preview is due after this many iterations."""

# The loss has stalled where it has not fallen by this share of itself within the patience.
_PROGRESS = 1e-3
_FINISHED = "the loss was finished early"


def refine(
    map: ArrayLike,
    betti: BettiTarget,
    settings: RefineSettings | None = None,
    *,
    logits: bool = False,
    spacing: Sequence[float] | None = None,
    previews: bool = True,
) -> Steps[Refined]:
    """Give a map the wanted topology at 0.5 by the least change of it.

    Parameters
    ----------
    map : (H, W) or (D, H, W) array
        Probabilities in [0, 1], any tool's.
    betti : sequence of int or BettiRange
        What is wanted: pieces, holes; in 3-D pieces, tunnels, cavities.
    settings : RefineSettings, optional
        How.
    logits : bool
        Whether the map holds logits, of which probabilities are the sigmoid.
    spacing : sequence of float, optional
        Distance between voxel centres along each axis, for the correction; 1 by default.
    previews : bool
        Whether steps carry previews.

    Yields
    ------
    Step[Refined]
        One an iteration, and one each for counting, correcting and certifying. Every few carry a preview: the mask as
        it would be now. The last carries the result. Throwing `Finish` ends the loss early: the best so far is the
        result if its topology is right, and is corrected if not.

    Raises
    ------
    ToposegError
        If the map holds NaN, infinite values, no probabilities, or the same value everywhere, the target does not fit
        it or is impossible, or the connectivity does not exist in that dimension.

    Notes
    -----
    J. R. Clough et al., "A Topological Loss Function for Deep-Learning based Image Segmentation using Persistent
    Homology", Eq. 5: mean squared change + lambda * L_topo. Here the first term is weighted instead, by ``keep = 1 /
    lambda``. They optimise the weights of the network that made the map (`refine_network`); here it is the logits of
    each voxel, which need no network. Ours are also the end (they state none: here the topology has to be right, and to
    stay so for `settings.stay` further iterations; of the maps that have it the one that changed the fewest voxels is
    kept) and the homotopic correction where the loss comes to nothing.
    """
    settings = settings or RefineSettings()
    p, own_logits = _probabilities(map, logits)
    target = check_target(betti, p.shape)
    check_connectivity(settings.connectivity, p.ndim)
    yield from _refined(
        p, target, settings, lambda band: logit_variables(p, own_logits, band, settings), spacing, previews
    )


def refine_network(
    network: nn.Module,
    image: Tensor,
    betti: BettiTarget,
    settings: RefineSettings | None = None,
    *,
    spacing: Sequence[float] | None = None,
    previews: bool = True,
) -> Steps[Refined]:
    """Give a network's output for one image the wanted topology by fine-tuning a copy of the network on it.

    Parameters
    ----------
    network : Module
        Makes logits of shape (1, 1, *grid) of the image. Its weights are left as they are; of the copy's those change
        that require a gradient. The copy is used in evaluation mode, so that without any change of weights its output
        is what the network's user sees.
    image : (1, channels, *grid) tensor
        One image.
    betti, settings, spacing, previews
        As for `refine`. The learning rate is `settings.network_learning_rate`.

    Yields
    ------
    Step[Refined]
        As for `refine`.

    Raises
    ------
    ToposegError
        As for `refine`, and if the network has no weights that may change or its output is no single map.

    Notes
    -----
    Clough et al., Eq. 5, as published: one copy of the weights for each image.
    """
    settings = settings or RefineSettings()
    copy = deepcopy(network).eval()
    weights = [weight for weight in copy.parameters() if weight.requires_grad]
    if not weights:
        raise ToposegError(
            "The network has no weights to tune.",
            why="None of them requires a gradient.",
            todo="Refine its output as a map.",
        )
    seen = image.to(weights[0].device)
    with torch.no_grad():
        first = copy(seen)
    if first.shape[:2] != (1, 1) or first.ndim not in (4, 5):
        raise ToposegError(
            f"The network's output has the shape {tuple(first.shape)}.",
            why="The logits of one class of one image are refined: (1, 1, *grid).",
            todo="Give one image, and wrap the network so that one class comes out.",
        )
    p, _ = _probabilities(first[0, 0].cpu().numpy(), True)
    target = check_target(betti, p.shape)
    check_connectivity(settings.connectivity, p.ndim)
    yield from _refined(
        p, target, settings, lambda band: network_variables(copy, weights, seen, settings), spacing, previews
    )


def _probabilities(given: ArrayLike, logits: bool) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Probabilities, and the logits where these were given."""
    values = np.asarray(given)
    if values.dtype.kind not in "biuf":
        raise ToposegError(f"The map holds {values.dtype} values.", todo="Give one real number for each voxel.")
    values = np.ascontiguousarray(values, np.float32)
    if not values.size:
        raise ToposegError("The map holds no voxels.", todo="Check that the file was written to its end.")
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise ToposegError(
            f"Of the map's {values.size} voxels {bad} {'is' if bad == 1 else 'are'} not a finite number.",
            todo="Replace them, for example by 0.",
        )
    low, high = float(values.min()), float(values.max())
    if low == high:
        raise ToposegError(
            f"The map is {low:g} everywhere.", why="Nothing in it says where a piece should be.", todo="Check the map."
        )
    if logits:
        return sigmoid(torch.from_numpy(values)[None, None]), values
    if low < 0.0 or high > 1.0:
        raise ToposegError(
            f"The map has values from {low:.4g} to {high:.4g}.",
            why="Probabilities lie between 0 and 1.",
            todo="If these are logits, say so.",
        )
    return values, None


def _refined(
    p: NDArray[np.float32],
    target: tuple[BettiRange, ...],
    settings: RefineSettings,
    variables: Callable[[float], Variables],
    spacing: Sequence[float] | None,
    previews: bool,
) -> Steps[Refined]:
    """Count, minimise, correct, certify; `variables` makes what is optimised of the band."""
    watch = Stopwatch()
    connectivity = settings.connectivity
    total = settings.iterations + 3
    finished = False
    try:
        yield Step("count", 1, total)
    except Finish:
        finished = True
    before = p > 0.5
    betti_before = betti_numbers(before, connectivity=connectivity)
    error_before = betti_error(target, betti_before)
    solved_by: SolvedBy = "already right" if error_before == 0 else "nothing"
    refined, mask, loss = p, before, _Loss()
    watch.lap("count")
    if error_before:
        if finished:
            loss = _Loss(ended=_FINISHED)
        else:
            loss = yield from _minimised(p, target, settings, variables, previews, watch)
        best = loss.best
        if best is not None and best.error == 0:
            refined, mask = _given_back(best.map, p, settings)
            solved_by = "loss"
        elif settings.correct:
            with suppress(Finish):  # it is on its way to the end already
                yield Step("correct", total - 1, total, loss.losses)
            aim = nearest_in(target, betti_before)
            also = [] if best is None else [best.map > 0.5]
            found = corrected_mask(p, aim, also=also, connectivity=connectivity, spacing=spacing)
            if found is not None:
                refined, mask = across_the_threshold(p, found), found
                solved_by = "correction"
            watch.lap("correct")
        if solved_by == "nothing" and best is not None and best.error < error_before:
            refined, mask = best.map, best.map > 0.5
    changed = int(np.count_nonzero(mask != before))
    after = betti_numbers(mask, connectivity=connectivity)
    certificate = certify(
        mask,
        nearest_in(target, after),
        connectivity=connectivity,
        folding_voxels=None,
        least_jacobian=None,
        repaired_voxels=changed,
    )
    watch.lap("certify")
    if not certificate.topology_ok and solved_by != "nothing":
        raise RuntimeError(f"The topology is not what it was found to be: {certificate.sentence}")
    result = Refined(
        mask=mask,
        map=refined,
        certificate=certificate,
        target=target,
        betti_before=betti_before,
        solved_by=solved_by,
        ended=loss.ended,
        iterations=loss.iterations,
        right_at=loss.right_at,
        changed_voxels=changed,
        voxels_before=int(np.count_nonzero(before)),
        losses=loss.losses,
        settings=settings,
        seconds=watch.total(),
    )
    yield Step("certify", total, total, loss.losses, result=result)


@dataclass
class _Loss:
    """What came of the loss: the best state (None: there was no iteration), and how it ended."""

    best: State | None = None
    right_at: int | None = None
    iterations: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    ended: str = "nothing was to be done"


def _minimised(
    p: NDArray[np.float32],
    target: tuple[BettiRange, ...],
    settings: RefineSettings,
    variables: Callable[[float], Variables],
    previews: bool,
    watch: Stopwatch,
) -> Generator[Step[Refined], None, _Loss]:
    """Minimise until the topology is right and stays so, or it is not worth to go on, or somebody says so."""
    if not settings.iterations:
        return _Loss(ended="no iteration of the loss was asked for")
    band = seen_band(p, target, settings)
    watch.lap("count")
    if band is None:
        return _Loss(ended="the map has no trace of what is wanted")
    loss, end = _Loss(ended="the loss ran out of iterations"), _End(settings)
    for state in minimise(variables(band), p, target, band, settings):
        loss.iterations, loss.losses = state.number, state.losses
        if state.better_than(loss.best):
            loss.best = state
        if loss.right_at is None and state.error == 0:
            loss.right_at = state.number
        reached = end.reached(state)
        watch.lap("loss")
        preview = state.map > 0.5 if previews and state.number % PREVIEW_EVERY == 0 else None
        try:
            yield Step("refine", state.number + 1, settings.iterations + 3, state.losses, preview)
        except Finish:
            loss.ended = _FINISHED
            break
        if reached is not None:
            loss.ended = reached
            break
    return loss


def _given_back(
    refined: NDArray[np.float32], p: NDArray[np.float32], settings: RefineSettings
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A refined map, and its mask, without those of its changes that the topology does not need.

    The loss changes more than it has to, near where it must and where it went too far. By simple points the mask can
    go back without losing its topology. What the first map was unsure of stays as it is: a bridge over a gap would
    become as thin as a thread. (On the synthetic maps on which this was made, rings did best where nothing went back
    and balls where all did; `give_back` lies between.)
    """
    mask = refined > 0.5
    if settings.give_back is None:
        return refined, mask
    thinned = snap(mask, p - np.float32(0.5), connectivity=settings.connectivity, least=settings.give_back)
    return np.where(thinned != mask, p, refined), thinned


class _End:
    """Knows when to stop: the topology has stayed right for long enough, or it is not worth to go on."""

    def __init__(self, settings: RefineSettings) -> None:
        self._settings = settings
        self._right = 0
        self._first_right: int | None = None
        self._least, self._least_at = np.inf, 0

    def reached(self, state: State) -> str | None:
        """Why to stop after this state, or None to go on."""
        if state.error:
            self._right = 0
        else:
            self._right += 1
            self._first_right = self._first_right or state.number
        if self._right > self._settings.stay:
            return "the topology stayed right"
        if self._first_right is not None and state.number - self._first_right >= self._settings.patience:
            return "the topology did not stay right, and the best is kept"
        if state.losses["topology"] < (1.0 - _PROGRESS) * self._least:
            self._least, self._least_at = state.losses["topology"], state.number
        if self._first_right is None and state.number - self._least_at >= self._settings.patience:
            return "the loss stalled"
        return None
