"""On from a deformation that is there: a few more steps down the energy, and wherever prompts pull."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from napari_toposeg.deformation import compose, resize
from napari_toposeg.frame import Box
from napari_toposeg.inference.descent import Moved, Stage, descend, halved, integrated, node_shape
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.inference.grids import WINDOW, working_frame
from napari_toposeg.inference.levels import level_on
from napari_toposeg.inference.prompts import Prompt
from napari_toposeg.inference.pull import make_pull
from napari_toposeg.inference.settings import Settings
from napari_toposeg.priors import Prior
from napari_toposeg.steps import Step
from napari_toposeg.volume import Volume

NODES = {2: (12, 24), 3: (9, 15)}
"""Of the further velocity, along the longest axis: where the whole deformation is refined, and where prompts pull."""

VOXELS = {2: 96**2, 3: 28**3}
"""Most voxels of the grid on which the further velocity is sought; it is composed on the deformation's own grid. At
48**3, a network's window, thirty iterations take 5 s on one core, and at 28**3 one."""

ONE_BY_ONE = 6
"""More prompts than these, a scribble's, are followed all together."""

_LOOK_EVERY = 5
"""After so many iterations the best so far is composed."""

SOFTNESS = 0.05
RATE = 0.1


def after_it(
    volume: Volume,
    prior: Prior,
    fitted: Fitted,
    settings: Settings,
    device: torch.device,
    *,
    within: Box | None = None,
    prompts: Sequence[Prompt] = (),
    refines: bool,
    explains: bool,
) -> Iterator[Step[Fitted]]:
    """What comes after a fit or a network: first the whole deformation is refined, then it follows the prompts.

    One prompt after the other, as a person gives them, each together with those before it: how far a prompt lies from
    the boundary, which says how much of its surroundings it means, is known only once the earlier ones were followed.
    On five rings three prompts taken together raised Dice by .06, one after the other by .08. A prompt that is
    satisfied already is passed over. Many (`ONE_BY_ONE`) are followed together.

    Parameters
    ----------
    refines : bool
        Whether the first is done.
    explains : bool
        Whether the image counts in the second.

    The other parameters, the steps and the errors are those of `continued`.
    """
    total = iterations_after(settings, prompts, refines)
    done = 0
    stages = [prompts[: number + 1] for number in range(len(prompts))]
    if len(prompts) > ONE_BY_ONE:
        stages = [prompts]
    for stage in [(), *stages] if refines else stages:
        steps = continued(
            volume, prior, fitted, settings, device, within=within, prompts=stage, explains=explains or not stage
        )
        for step in steps:
            done += 1
            fitted = step.result or fitted
            yield replace(step, number=done, total=total)


def iterations_after(settings: Settings, prompts: Sequence[Prompt], refines: bool) -> int:
    """How many steps `after_it` takes at most."""
    stages = len(prompts) if len(prompts) <= ONE_BY_ONE else 1
    return settings.refine_iterations * (int(refines) + stages)


def continued(
    volume: Volume,
    prior: Prior,
    fitted: Fitted,
    settings: Settings,
    device: torch.device,
    *,
    within: Box | None = None,
    prompts: Sequence[Prompt] = (),
    explains: bool = True,
) -> Iterator[Step[Fitted]]:
    """Go on from a deformation, by a network or by a fit.

    Parameters
    ----------
    volume, prior
        The image and the template.
    fitted : Fitted
        Where to start; the identity on the border of its grid, on which everything happens.
    settings : Settings
        The weights; `refine_iterations` says how long.
    device : torch.device
        Where to compute.
    within : Box, optional
        As in `fit`.
    prompts : sequence of Prompt
        What has to be inside and what outside; all within the grid. With any, only their surroundings move.
    explains : bool
        Whether the image counts: without it the deformation follows the prompts alone.

    Yields
    ------
    Step[Fitted]
        One an iteration, stage "refine"; every few and the last carry the best so far. None where all
        prompts are satisfied already.

    Raises
    ------
    ToposegError
        If the grid sees one single intensity.

    Notes
    -----
    A further stationary velocity v is minimised, with w = exp(v) - id and the whole displacement
    u(x) = w(x) + u0(x + w(x)): u0 is followed after w, so that its folds, if it has none, cannot be torn open by a sum.
    The energy is that of `fit`; its slope and bends are w's alone, so that nothing pulls the start back to the
    template.
    """
    frame = working_frame(fitted.frame, VOXELS[prior.ndim])
    level = level_on(volume, frame, within, device)
    whole = fitted.displacement.to(device)
    start = resize(whole, frame.shape)
    reach = settings.reach if within is not None and settings.reach > 0 else None
    pull = None
    if prompts:
        pull = make_pull(prompts, volume.frame, prior, fitted.placement, frame, start)
        if not pull.wrong:
            return
    velocity = torch.zeros(
        1, prior.ndim, *node_shape(frame, NODES[prior.ndim][pull is not None]), device=device, requires_grad=True
    )
    shape = halved(frame).shape
    width = [WINDOW * (half - 1) / (size - 1) for half, size in zip(shape, fitted.frame.shape, strict=True)]
    coarse = integrated(velocity, frame, width, None if pull is None else pull.influence)

    def moved() -> Moved:
        further = coarse()
        displacement = compose(start, resize(further, frame.shape))
        return Moved(displacement, displacement, further)

    iterations = settings.refine_iterations
    stage = Stage(level, moved, torch.optim.Adam([velocity], RATE), SOFTNESS, iterations)
    steps = descend(stage, prior, fitted.placement, settings, reach, explains=explains, pull=pull)
    for number, (terms, best) in enumerate(steps, start=1):
        result = None
        if number % _LOOK_EVERY == 0 or number == iterations:
            result = replace(fitted, displacement=compose(whole, resize(best.bends, fitted.frame.shape)))
        yield Step("refine", number, iterations, terms, result=result)
