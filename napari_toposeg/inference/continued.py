"""On from a deformation that is there: a few more steps down the energy, and wherever prompts pull."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from napari_toposeg.deformation import compose, resize
from napari_toposeg.frame import Box
from napari_toposeg.inference.descent import Moved, Stage, descend, halved, integrated, node_shape
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.inference.grids import WINDOW
from napari_toposeg.inference.levels import level_on
from napari_toposeg.inference.prompts import Prompt
from napari_toposeg.inference.pull import make_pull
from napari_toposeg.inference.settings import Settings
from napari_toposeg.priors import Prior
from napari_toposeg.steps import Step
from napari_toposeg.volume import Volume

NODES = {2: (12, 24), 3: (9, 15)}
"""Of the further velocity, along the longest axis: where the whole deformation is refined, and where prompts pull."""

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
    """What comes after a fit or a network: first the whole deformation is refined, then it follows prompts.

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
    for stage in ([()] if refines else []) + ([prompts] if prompts else []):
        steps = continued(
            volume, prior, fitted, settings, device, within=within, prompts=stage, explains=explains or not stage
        )
        for step in steps:
            done += 1
            fitted = step.result or fitted
            yield replace(step, number=done, total=total)


def iterations_after(settings: Settings, prompts: Sequence[Prompt], refines: bool) -> int:
    """How many steps `after_it` takes."""
    return settings.refine_iterations * (int(refines) + int(bool(prompts)))


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
        One an iteration, stage "refine"; each carries the best so far, and the first the start itself.

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
    frame = fitted.frame
    level = level_on(volume, frame, within, device)
    start = fitted.displacement.to(device)
    reach = settings.reach if within is not None and settings.reach > 0 else None
    pull = None
    if prompts:
        pull = make_pull(prompts, volume.frame, prior, fitted.placement, frame, start)
    velocity = torch.zeros(
        1, prior.ndim, *node_shape(frame, NODES[prior.ndim][pull is not None]), device=device, requires_grad=True
    )
    shape = halved(frame).shape
    width = [WINDOW * (half - 1) / (size - 1) for half, size in zip(shape, frame.shape, strict=True)]
    coarse = integrated(velocity, frame, width, None if pull is None else pull.influence)

    def moved() -> Moved:
        further = coarse()
        displacement = compose(start, resize(further, frame.shape))
        return Moved(displacement, displacement, further)

    iterations = settings.refine_iterations
    stage = Stage(level, moved, torch.optim.Adam([velocity], RATE), SOFTNESS, iterations)
    steps = descend(stage, prior, fitted.placement, settings, reach, explains=explains, pull=pull)
    for number, (terms, displacement) in enumerate(steps, start=1):
        yield Step("refine", number, iterations, terms, result=replace(fitted, displacement=displacement))
