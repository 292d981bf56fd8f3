"""One volume in, one certified mask out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from napari_toposeg.deformation import Displacement, resize
from napari_toposeg.frame import Box, Frame
from napari_toposeg.inference.continued import after_it, iterations_after
from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.finishing import field_grid, finished
from napari_toposeg.inference.fit import Fitted, fit
from napari_toposeg.inference.grids import field_box
from napari_toposeg.inference.honouring import honoured
from napari_toposeg.inference.prompts import Heard, Prompts, heard
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.warping import warped_distance
from napari_toposeg.inference.waypoints import Trail
from napari_toposeg.priors import Placement, Prior, template_mask
from napari_toposeg.steps import Finish, Step, Steps
from napari_toposeg.volume import Volume, check_finite

PREVIEW_EVERY = 5
"""A preview is due after this many iterations, and not before the fit has worked for `_PREVIEW_REST` times as long as
the last one took: every five iterations of a 128x128x96 region they took 17 of 26 seconds."""
_PREVIEW_REST = 4.0


def segment(
    volume: Volume,
    prior: Prior,
    site: Site,
    settings: Settings | None = None,
    prompts: Prompts = (),
    *,
    previews: bool = True,
) -> Steps[Segmentation]:
    """Segment one volume: fit the placed prior, repair folds, make the mask, certify it.

    Parameters
    ----------
    volume : Volume
        The image.
    prior : Prior
        The template; as many dimensions as the image.
    site : Site
        Where it stands at first, what is looked at, and where the organ is said to lie.
    settings : Settings, optional
        How.
    prompts : tuple of Prompt
        Voxels that have to be in the mask or out of it. The fit comes first, as it would be without them; then the
        deformation follows them one by one, for `settings.refine_iterations` each, with the energy going on near by;
        what it has not reached in the end is reached by flipping simple points. `Segmentation.prompts` names those that
        cannot be satisfied.
    previews : bool
        Whether steps carry previews: where nobody looks they only cost time.

    Yields
    ------
    Step[Segmentation]
        One an iteration, and one each for preparing, unfolding and certifying. Every few carry a preview: the mask as
        it would be now, on the region. The last carries the result. Throwing `Finish` ends the fit early; what was best
        is certified.

    Raises
    ------
    ToposegError
        If the dimensions differ, the region holds values that are not finite or one single intensity, the template has
        too few voxels there to keep its topology, or the device does not exist.

    Warns
    -----
    ToposegWarning
        If prompts lie outside of the region: they are ignored.
    """
    settings = settings or Settings()
    told = heard(prompts, site.region)
    prior, placement, region = site.template_for(prior), site.placement, site.region
    watch = Stopwatch()
    device = choose_device(settings.device, ndim=volume.ndim)
    check_finite(volume, region)
    grid = volume.frame.crop(region)
    template_mask(prior, placement, grid)  # refuses at once what could not be certified at the end
    field = volume.frame.crop(field_box(volume.frame, region))
    extra = 3
    after = iterations_after(settings, tuple(told.counting.values()), refines=False)
    total = settings.iterations + after + extra
    step: Step[Segmentation] = Step("prepare", 1, total)
    watch.lap("prepare")
    yield step
    fitted: Fitted | None = None
    losses: Mapping[str, float] = {}
    iterations = 0
    trail = Trail(placement)
    cost, shown = 0.0, perf_counter()
    # To a fit, a box as large as the image says nothing.
    within = None if site.within == volume.frame.box else site.within
    for inner in _deformed(volume, prior, placement, field, settings, device, within, told):
        fitted, losses, iterations = inner.result, inner.losses, iterations + 1
        if fitted is not None:
            trail.follow(inner.stage, fitted)
        watch.lap(inner.stage)
        preview = None
        due = iterations % PREVIEW_EVERY == 0 and perf_counter() - shown >= _PREVIEW_REST * cost
        if previews and due and fitted is not None:
            begun = perf_counter()
            preview = warped_distance(prior, fitted.placement, grid, _numpy(fitted), fitted.frame) > 0
            shown = perf_counter()
            cost = shown - begun
            watch.lap("preview")
        try:
            yield Step(inner.stage, iterations + 1, total, losses, preview)
        except Finish:
            break
    if fitted is None:
        raise ValueError("The fit gave nothing.")
    yield Step("unfold", total - 1, total, losses)
    kept = field_grid(field)
    displacement = Displacement(resize(fitted.displacement.cpu(), kept.shape)[0].numpy(), kept)
    found = finished(volume, prior, placement, fitted, displacement, region, settings.certify, watch)
    result = Segmentation(
        volume=volume,
        prior=prior,
        box=found.box,
        mask=found.mask,
        certificate=found.certificate,
        settings=settings,
        device=str(device),
        seconds=watch.total(),
        placement=found.placement,
        displacement=found.displacement,
        jacobian=found.jacobian,
        unfolded=found.unfolded,
        iterations=iterations,
        losses=losses,
        way=trail.way,
    )
    if prompts:
        result = honoured(result, told, region)
        watch.lap("prompts")
        result = replace(result, seconds=watch.total())
    yield Step("certify", total, total, losses, result=result)


def _deformed(
    volume: Volume,
    prior: Prior,
    placement: Placement,
    field: Frame,
    settings: Settings,
    device: torch.device,
    within: Box | None,
    told: Heard,
) -> Iterator[Step[Fitted]]:
    """The fit, and after it what the prompts make of it."""
    fitted: Fitted | None = None
    for step in fit(volume, prior, placement, field, settings, device, within=within):
        fitted = step.result
        yield step
    counting = tuple(told.counting.values())
    if counting and fitted is not None:
        after = after_it(
            volume, prior, fitted, settings, device, within=within, prompts=counting, refines=False, explains=True
        )
        for step in after:
            fitted = step.result or fitted
            yield replace(step, result=fitted)


def _numpy(fitted: Fitted) -> NDArray[np.float32]:
    values: NDArray[np.float32] = fitted.displacement[0].cpu().numpy()
    return values
