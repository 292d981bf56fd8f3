"""Fine-tuning on one volume: a map, a deformation, or a network's weights, by topology or by the image's energy."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_toposeg.deformation import Displacement, compose, resize
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, Frame
from napari_toposeg.inference.continuation import box_of_frame
from napari_toposeg.inference.descent import Moved, Stage, descend
from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.finishing import finished
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.inference.grids import WORKING_VOXELS, working_frame
from napari_toposeg.inference.honouring import honoured
from napari_toposeg.inference.levels import level_on
from napari_toposeg.inference.pixelwise import certified_logits, check_pixelwise, logits_on_voxels
from napari_toposeg.inference.prediction import (
    check_deforms,
    field_on_voxels,
    held_on_border,
    look,
    segmentation_of,
)
from napari_toposeg.inference.prompts import heard
from napari_toposeg.inference.refine import refine, refine_network
from napari_toposeg.inference.refined import Refined
from napari_toposeg.inference.segmentation import Outcome, PixelwiseSegmentation, Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.trained import TrainedNetwork
from napari_toposeg.inference.tuning_moves import (
    STAGE_SOFTNESS,
    Move,
    descend_topology,
    further_stage,
    seen,
)
from napari_toposeg.inference.tuning_record import record, record_of_refined
from napari_toposeg.inference.tuning_settings import TuningSettings
from napari_toposeg.inference.window import shown_image, window_frame
from napari_toposeg.priors import Prior
from napari_toposeg.steps import Finish, Step, Steps, announced
from napari_toposeg.topology import betti_numbers, betti_words, certify
from napari_toposeg.volume import Volume, check_finite

_AROUND_ZERO = 10.0
"""Logits beyond plus and minus this are as sure as can be: probabilities of a network's map are kept within."""


def tune_map(
    volume: Volume,
    prior: Prior,
    map: NDArray[Any],
    box: Box,
    tuning: TuningSettings,
    *,
    name: str,
    logits: bool = False,
    result: Outcome | None = None,
) -> Steps[Outcome]:
    """Give a map, and so its mask, the prior's topology by `refine`.

    Parameters
    ----------
    volume, prior
        The image on whose grid the map lies, and whose topology its mask should have.
    map : (*box) array
        Probabilities, or logits.
    box : Box
        Which voxels of the volume these are; there is no mask outside of it.
    tuning : TuningSettings
        How.
    name : str
        What the map is, in words.
    logits : bool
        Whether it holds logits.
    result : Outcome, optional
        What the map was made from: its deformation and prompts are kept.

    Yields
    ------
    Step[Outcome]
        As `refine`; the losses have the Betti numbers among them, as "b0" and so on.

    Raises
    ------
    ToposegError
        As `refine`; and if the map has the topology already: then there is nothing to tune.
    """
    before = map > 0 if logits else map > 0.5
    betti = betti_numbers(before)
    if betti == prior.betti:
        raise ToposegError(
            "There is nothing to tune: the map has the prior's topology already.",
            why=f"At its threshold it has {betti_words(betti)}.",
            todo="Let the velocity field move by the Chan-Vese loss, to follow the image more closely.",
        )
    spacing = [float(step) for step in volume.spacing]
    steps = refine(map, prior.betti, tuning.refine, logits=logits, spacing=spacing)
    yield from _told(steps, lambda refined: _of_map(volume, prior, box, tuning, name, refined, result))


def tune_velocity(result: Segmentation, site: Site, tuning: TuningSettings) -> Steps[Segmentation]:
    """Let a further velocity field improve a result's deformation, and certify what comes of it.

    Parameters
    ----------
    result : Segmentation
        By a fit or by a network. Its prompts hold on.
    site : Site
        Where it was made.
    tuning : TuningSettings
        Which loss, and how long.

    Yields
    ------
    Step[Segmentation]
        Stages tune, unfold and certify. Steps have previews on the result's box: the warped template with no voxel
        repaired; its Betti numbers are among the losses, as "b0" and so on. `Finish` keeps the best so far.

    Raises
    ------
    ToposegError
        If what is seen is not finite or of one single intensity, or the device does not exist.
    """
    settings, volume, prior = result.settings, result.volume, result.prior
    watch = Stopwatch()
    device = choose_device(settings.device, ndim=volume.ndim)
    kept = result.displacement.frame
    region = box_of_frame(kept, volume.frame)
    check_finite(volume, region)
    frame = working_frame(kept, WORKING_VOXELS[volume.ndim][-1])
    fitted = Fitted(result.placement, resize(torch.from_numpy(result.displacement.values)[None], frame.shape), frame)
    within = None if site.within == volume.frame.box else site.within
    stage = further_stage(volume, fitted, within, device, tuning)
    grid = volume.frame.crop(result.box)
    moves = _moves(stage, prior, fitted, grid, tuning, settings, local=within is not None)
    best, losses, iterations = yield from _followed(moves, tuning.iterations)
    fitted = replace(fitted, displacement=best.displacement.cpu())
    watch.lap("tune")
    yield from announced(Step("unfold", tuning.iterations + 1, tuning.iterations + 2, losses))
    # The further part alone is brought to the voxels: what was there keeps its detail.
    whole = compose(torch.from_numpy(result.displacement.values)[None], resize(best.bends.cpu(), kept.shape))
    field = Displacement(whole[0].numpy(), kept)
    found = finished(volume, prior, site.placement, fitted, field, region, settings.certify, watch)
    made = segmentation_of(volume, prior, found, settings, device, result.networks, watch.total())
    made = replace(made, iterations=iterations, losses=losses, why=result.why)
    made = _with_prompts(made, result, region)
    told = record(tuning, "the deformation", made, result, iterations, losses)
    made = replace(made, tuned=(*result.tuned, told), seconds=watch.total())
    yield Step("certify", tuning.iterations + 2, tuning.iterations + 2, losses, result=made)


def tune_network(
    volume: Volume,
    prior: Prior,
    site: Site,
    trained: TrainedNetwork,
    tuning: TuningSettings,
    settings: Settings | None = None,
    *,
    result: Outcome | None = None,
) -> Steps[Outcome]:
    """Let a copy of a network's weights move, for this volume alone, and certify what it then says.

    Parameters
    ----------
    volume, prior, site
        As for `segment_by_network`.
    trained : TrainedNetwork
        It is left as it is. A network that deforms is tuned by any loss; a pixel-wise one by the persistence loss.
    tuning : TuningSettings
        Which loss, and how long.
    settings : Settings, optional
        `device` and `certify` matter, and the weights of energy and folds.
    result : Outcome, optional
        What there was before.

    Yields
    ------
    Step[Outcome]
        As `tune_velocity`, with previews on `site.region`; of a pixel-wise network as `refine_network`, without them.

    Raises
    ------
    ToposegError
        As `segment_by_network`, or `refine_network`; and if a pixel-wise network should follow the Chan-Vese energy.
    """
    settings = settings or Settings()
    device = choose_device(settings.device, ndim=volume.ndim)
    if not trained.deforms:
        yield from _pixelwise_network(volume, prior, site, trained, tuning, settings, device)
        return
    check_deforms(trained, 1)
    watch = Stopwatch()
    shown = look(volume, (prior,), site, trained)
    network = deepcopy(trained.network).eval().to(device)
    image, template = shown.image.to(device), shown.templates.to(device)

    def moved() -> Moved:
        displacement = held_on_border(network(image, template).of_object(0))
        return Moved(displacement, displacement, displacement)

    (fitted,) = shown.placed
    level = level_on(volume, shown.frame, site.within, device)
    optimizer = torch.optim.Adam(network.parameters(), tuning.step_size)
    stage = Stage(level, moved, optimizer, STAGE_SOFTNESS, tuning.iterations)
    grid = volume.frame.crop(site.region)
    moves = _moves(stage, prior, fitted, grid, tuning, settings, local=site.within is not None)
    best, losses, iterations = yield from _followed(moves, tuning.iterations)
    fitted = replace(fitted, displacement=best.displacement.cpu())
    watch.lap("tune")
    yield from announced(Step("unfold", tuning.iterations + 1, tuning.iterations + 2, losses))
    field = field_on_voxels(volume, fitted)
    found = finished(volume, prior, site.placement, fitted, field, shown.region, settings.certify, watch)
    made = segmentation_of(volume, prior, found, settings, device, (trained.facts(),), watch.total())
    made = replace(made, iterations=iterations, losses=losses)
    if isinstance(result, Segmentation):
        made = _with_prompts(made, result, shown.region)
    told = record(tuning, "the network's weights", made, result, iterations, losses)
    made = replace(made, tuned=(told,), seconds=watch.total())
    yield Step("certify", tuning.iterations + 2, tuning.iterations + 2, losses, result=made)


def _pixelwise_network(
    volume: Volume,
    prior: Prior,
    site: Site,
    trained: TrainedNetwork,
    tuning: TuningSettings,
    settings: Settings,
    device: torch.device,
) -> Steps[Outcome]:
    if not tuning.by_topology:
        raise ToposegError(
            "The Chan-Vese loss cannot tune a pixel-wise network.",
            why="Nothing would hold its mask together: each voxel would follow its own intensity.",
            todo="Choose a PH loss, or a network that deforms a template.",
        )
    check_pixelwise(trained, 1)
    frame = window_frame(trained.window, volume.frame, site.within)
    image = shown_image(volume, frame).to(device)
    steps = refine_network(trained.network.to(device), image, prior.betti, tuning.refine, previews=False)

    def made(refined: Refined) -> Outcome:
        # Of probabilities: a network's logits leave `refine_network` as such, and 0.5 is where they are 0.
        sure = np.clip(refined.map.astype(np.float64), np.exp(-_AROUND_ZERO), 1.0 - np.exp(-_AROUND_ZERO))
        logits = np.log(sure / (1.0 - sure)).astype(np.float32)
        (values,), box = logits_on_voxels(logits[None], frame, volume)
        mask, certificate, start = certified_logits(volume, prior, site.placement, values, box, settings.certify)
        outcome = PixelwiseSegmentation(
            volume=volume,
            prior=prior,
            box=box,
            mask=mask,
            certificate=certificate,
            settings=settings,
            device=str(device),
            seconds=refined.seconds,
            networks=(trained.facts(),),
            iterations=refined.iterations,
            start=f"the tuned network's logits, {start}",
        )
        return replace(outcome, tuned=(record_of_refined(tuning, "the network's weights", refined),))

    yield from _told(steps, made)


def _moves(
    stage: Stage,
    prior: Prior,
    fitted: Fitted,
    grid: Frame,
    tuning: TuningSettings,
    settings: Settings,
    *,
    local: bool,
) -> Iterator[Move]:
    if tuning.by_topology:
        return descend_topology(stage, prior, fitted.placement, grid, tuning, settings)
    reach = settings.reach if local and settings.reach > 0 else None
    steps = descend(stage, prior, fitted.placement, settings, reach)
    return seen(steps, prior, fitted.placement, fitted.frame, grid)


def _followed(
    moves: Iterator[Move], iterations: int
) -> Generator[Step[Any], None, tuple[Moved, Mapping[str, float], int]]:
    """Tell of each move; `Finish` ends them. The best of them, the last one's losses, and how many there were."""
    best: Moved | None = None
    losses, number = dict[str, float](), 0
    for number, move in enumerate(moves, start=1):
        best, losses = move.best, dict(move.terms)
        counted = {f"b{dimension}": float(count) for dimension, count in enumerate(move.betti or ())}
        try:
            yield Step("tune", number, iterations + 2, losses | counted, move.inside)
        except Finish:
            break
    assert best is not None  # there is at least one iteration
    return best, losses, number


def _told(steps: Steps[Refined], made: Callable[[Refined], Outcome]) -> Steps[Outcome]:
    """The steps of a refinement, with an outcome at their end."""
    step = next(steps)
    while True:
        found = None if step.result is None else made(step.result)
        stage = "tune" if step.stage == "refine" else step.stage
        told: Step[Outcome] = Step(stage, step.number, step.total, step.losses, step.preview, found)
        if found is not None:
            yield told
            return
        try:
            yield told
        except Finish:
            step = steps.throw(Finish())
        else:
            step = next(steps)


def _of_map(
    volume: Volume, prior: Prior, box: Box, tuning: TuningSettings, name: str, refined: Refined, result: Outcome | None
) -> Outcome:
    record = record_of_refined(tuning, name, refined)
    before = result.certificate if isinstance(result, Segmentation) else None
    certificate = certify(
        refined.mask,
        prior.betti,
        folding_voxels=None if before is None else before.folding_voxels,
        least_jacobian=None if before is None else before.least_jacobian,
        repaired_voxels=refined.changed_voxels,
    )
    if isinstance(result, Segmentation):
        moved = replace(
            result,
            box=box,
            mask=refined.mask,
            certificate=certificate,
            tuned=(*result.tuned, record),
            iterations=refined.iterations,
            seconds=refined.seconds,
        )
        return _with_prompts(moved, result, box)
    return PixelwiseSegmentation(
        volume=volume,
        prior=prior,
        box=box,
        mask=refined.mask,
        certificate=certificate,
        settings=Settings() if result is None else result.settings,
        device="cpu",
        seconds=refined.seconds,
        networks=() if result is None else result.networks,
        iterations=refined.iterations,
        tuned=(record,) if result is None else (*result.tuned, record),
        start=name,
    )


def _with_prompts(made: Segmentation, result: Segmentation, region: Box) -> Segmentation:
    """What was demanded of the result before holds on; where it cannot, the new result says so."""
    prompts = tuple(outcome.prompt for outcome in result.prompts)
    return honoured(replace(made, prompts=(), prompted_voxels=0), heard(prompts, region), region) if prompts else made
