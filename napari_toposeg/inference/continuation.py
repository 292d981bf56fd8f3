"""On from a result: what a click on a segmentation asks for, without segmenting anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from napari_toposeg.deformation import Displacement, resize
from napari_toposeg.frame import Box, Frame, clip_box
from napari_toposeg.inference.continued import after_it, iterations_after
from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.finishing import finished
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.inference.grids import WORKING_VOXELS, working_frame
from napari_toposeg.inference.honouring import honoured
from napari_toposeg.inference.prediction import segmentation_of
from napari_toposeg.inference.prompts import Prompts, heard
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.waypoints import waypoint
from napari_toposeg.steps import Finish, Step, Steps, announced
from napari_toposeg.volume import check_finite


def continue_segmentation(
    result: Segmentation, site: Site, settings: Settings | None = None, prompts: Prompts = ()
) -> Steps[Segmentation]:
    """Go on from a segmentation: its deformation follows prompts, or without any is refined, where that is asked for.

    Parameters
    ----------
    result : Segmentation
        What is there, by a fit or by a network. A hybrid's last carrying on to logits is not repeated.
    site : Site
        Where it was made: its `within` box and, where the template cannot start elsewhere, its placement.
    settings : Settings, optional
        As in `segment`. Default: the result's own. The image counts where the result was fitted, or `refine` says so.
    prompts : tuple of Prompt
        All that shall hold from now on, also those that the result satisfies already.

    Yields
    ------
    Step[Segmentation]
        Stages prepare, refine, unfold and certify; the last carries the result. `Finish` ends the refinement early.

    Raises
    ------
    ToposegError
        If what is seen is not finite or of one single intensity, a prompt has another number of coordinates, or the
        device does not exist.

    Warns
    -----
    ToposegWarning
        If prompts lie outside of the grid of the deformation: they are ignored.
    """
    settings = settings or result.settings
    watch = Stopwatch()
    volume, prior = result.volume, result.prior
    device = choose_device(settings.device, ndim=volume.ndim)
    kept = result.displacement.frame
    region = box_of_frame(kept, volume.frame)
    told = heard(prompts, region)
    counting = tuple(told.counting.values())
    explains = settings.refine == "chan-vese" or not result.networks
    check_finite(volume, region)
    frame = working_frame(kept, WORKING_VOXELS[volume.ndim][-1])
    start = resize(torch.from_numpy(result.displacement.values)[None], frame.shape)
    fitted = Fitted(result.placement, start, frame)
    way = (*result.way, waypoint("before going on", fitted))
    refines = settings.refine == "chan-vese" and not counting
    after = iterations_after(settings, counting, refines)
    total = after + 3
    watch.lap("prepare")
    yield from announced(Step("prepare", 1, total))
    losses: Mapping[str, float] = result.losses
    iterations = 0
    within = None if site.within == volume.frame.box else site.within
    if after:
        steps = after_it(
            volume,
            prior,
            fitted,
            settings,
            device,
            within=within,
            prompts=counting,
            refines=refines,
            explains=explains,
        )
        for inner in steps:
            fitted, losses, iterations = inner.result or fitted, inner.losses, inner.number
            try:
                yield Step(inner.stage, 1 + inner.number, total, losses)
            except Finish:
                break
    fitted = replace(fitted, displacement=fitted.displacement.cpu())
    watch.lap("refine")
    yield from announced(Step("unfold", total - 1, total, losses))
    field = result.displacement
    if iterations:
        field = Displacement(resize(fitted.displacement, kept.shape)[0].numpy(), kept)
    begin = site.placement_of(prior, fitted.placement)
    found = finished(volume, prior, begin, fitted, field, region, settings.certify, watch)
    made = segmentation_of(volume, prior, found, settings, device, result.networks, watch.total())
    made = replace(made, iterations=iterations, losses=losses, way=way if iterations else result.way)
    if prompts:
        made = honoured(made, told, region)
        watch.lap("prompts")
    yield Step("certify", total, total, losses, result=replace(made, seconds=watch.total()))


def box_of_frame(inner: Frame, frame: Frame) -> Box:
    """The voxels of a grid that lie on another one, which has the same axes and spans it by its corners' centres."""
    matrix = inner.index_in(frame)
    last = np.diag(matrix)[: frame.ndim] * (np.array(inner.shape) - 1)
    first = matrix[: frame.ndim, 3]
    return clip_box(
        tuple((int(np.round(low)), int(np.round(low + length)) + 1) for low, length in zip(first, last, strict=True)),
        frame.shape,
    )
