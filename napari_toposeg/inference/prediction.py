"""One volume in, one certified mask out, by a trained network."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_toposeg.deformation import Displacement, border_window, resize
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, Frame, box_slices, clip_box
from napari_toposeg.inference.continued import after_it, iterations_after
from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.finishing import Finished, field_grid, finished
from napari_toposeg.inference.fit import Fitted
from napari_toposeg.inference.grids import WINDOW
from napari_toposeg.inference.honouring import honoured
from napari_toposeg.inference.hybrid import snapped_on_to_logits
from napari_toposeg.inference.onto_logits import ITERATIONS, fitted_to_logits
from napari_toposeg.inference.pixelwise import check_pixelwise, logits_on_voxels, pixelwise_logits
from napari_toposeg.inference.prompted_logits import heeding
from napari_toposeg.inference.prompts import Prompts, heard
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.trained import TrainedNetwork
from napari_toposeg.inference.warping import warped_distance
from napari_toposeg.inference.waypoints import Trail, Waypoint, levels_of, waypoint
from napari_toposeg.inference.window import shown_image, shown_template, span_of, window_frame, window_placement
from napari_toposeg.priors import Prior
from napari_toposeg.steps import Finish, Step, Steps, announced
from napari_toposeg.topology import certify
from napari_toposeg.volume import Volume, check_finite

_STILL = 1e-3
"""Voxels of the window: a displacement that is nowhere larger on its border is the identity there. A network with a
border leaves at most what rounding leaves, about 1e-6."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a network says of several templates, before anything is repaired.

    Attributes
    ----------
    fitted : tuple of Fitted
        One by template, on the window's grid; the identity on its border.
    fields : tuple of Displacement
        The same on the image's own voxels; the identity beyond the window.
    ways : tuple of tuple of Waypoint
        By template: as it is shown, and what the network's levels make of it one after the other.
    region : Box
        The image's voxels that the window touches.
    """

    fitted: tuple[Fitted, ...]
    fields: tuple[Displacement, ...]
    ways: tuple[tuple[Waypoint, ...], ...]
    region: Box


def segment_by_network(
    volume: Volume,
    prior: Prior,
    site: Site,
    trained: TrainedNetwork,
    settings: Settings | None = None,
    prompts: Prompts = (),
    *,
    hybrid: TrainedNetwork | None = None,
    previews: bool = True,
) -> Steps[Segmentation]:
    """Segment one volume by a trained network's deformation of the template, repair folds, make the mask, certify it.

    Parameters
    ----------
    volume : Volume
        The image.
    prior : Prior
        The template; it should be the one that the network was trained with.
    site : Site
        Its `within` box says where the organ is. Its placement is used only where the template does not keep its
        topology as the network is shown it.
    trained : TrainedNetwork
        Of one object. A deformation network; or a pixel-wise one, to whose map the template is fitted first, and on to
        whose logits the mask is carried in the end.
    settings : Settings, optional
        `device`, `certify`, `refine` and `refine_iterations` matter, and the energy's weights where it is refined;
        nothing is random.
    prompts : tuple of Prompt
        Voxels that have to be in the mask or out of it, as in `segment`. They move the deformation also where it is not
        refined otherwise: then the image does not count. A pixel-wise network's logits heed them, too.
    hybrid : TrainedNetwork, optional
        A pixel-wise network of one object, towards whose logits the mask is carried in the end, by simple points alone.
        The two need not see the image through the same window.
    previews : bool
        Whether the steps of the prediction carry previews on `site.region`, with nothing repaired and nothing
        certified: what a pixel-wise network sees, as soon as it is known, and the template as it is deformed.

    Yields
    ------
    Step[Segmentation]
        Stages prepare, of a pixel-wise network predict and those of the fit to its map, predict, refine (one an
        iteration, where there is anything to do), unfold and certify; the last carries the result. `Finish` ends a fit
        or the refinement early, and goes on to the result.

    Raises
    ------
    ToposegError
        If the window wants a box and the site has none, the dimensions or the number of objects differ, what is seen is
        not finite or of one single intensity, the template has too few voxels there to keep its topology, a network
        answers with values that are not finite, or the device does not exist.

    Warns
    -----
    ToposegWarning
        If prompts lie outside of the window: they are ignored.

    Notes
    -----
    What a network says is brought from its window to the image's own voxels; that field is tested, unfolded, kept and
    saved. A displacement that is not the identity on its window's border (a preset without a border) is first
    multiplied by a window that rises from 0 over 4 voxels: without it a positive Jacobian would promise nothing.
    """
    settings = settings or Settings()
    watch = Stopwatch()
    device = choose_device(settings.device, ndim=volume.ndim)
    if trained.deforms:
        check_deforms(trained, 1)
    else:
        check_pixelwise(trained, 1)
        if hybrid is not None:
            raise ToposegError(
                "A pixel-wise network's mask is carried on to its own logits.",
                todo="Leave the second network out, or give weights of a deformation network first.",
            )
        hybrid = trained
    if hybrid is not None:
        check_pixelwise(hybrid, 1)
    shown = look(volume, (prior,), site, trained)
    told = heard(prompts, shown.region)
    counting = tuple(told.counting.values())
    explains = settings.refine == "chan-vese"
    after = iterations_after(settings, counting, explains)
    total = 4 + after + (0 if trained.deforms else 1 + ITERATIONS)
    watch.lap("prepare")
    yield from announced(Step("prepare", 1, total))
    logits = None if hybrid is None else pixelwise_logits(volume, site, hybrid, device)
    if logits is not None and counting:
        values, frame = logits
        seen = shown_image(volume, frame)[0, 0].numpy()
        logits = heeding(values[0], seen, frame, volume.frame, counting)[None], frame
    if trained.deforms or logits is None:
        predicted = predict(volume, shown, trained, device)
        watch.lap("predict")
    else:
        watch.lap("predict")
        preview = _positive(volume, site, *logits) if previews else None
        yield from announced(Step("predict", 2, total, preview=preview))
        watch.lap("preview")
        predicted = yield from _fitted_to(logits, volume, prior, shown, trained, settings, device, total)
        watch.lap("fit")
    (fitted,), (field,), (way,) = predicted.fitted, predicted.fields, predicted.ways
    preview = _preview(volume, prior, site, fitted) if previews else None
    watch.lap("preview")
    asked = total - after - 2
    yield from announced(Step("predict", asked, total, preview=preview))
    losses: Mapping[str, float] = {}
    iterations = 0
    if after:
        way = (*way, waypoint("by the network", fitted))
        steps = after_it(
            volume,
            prior,
            fitted,
            settings,
            device,
            within=site.within,
            prompts=counting,
            refines=explains,
            explains=explains,
        )
        for inner in steps:
            fitted, losses, iterations = inner.result or fitted, inner.losses, inner.number
            try:
                yield Step(inner.stage, asked + inner.number, total, losses)
            except Finish:
                break
        fitted = replace(fitted, displacement=fitted.displacement.cpu())
        field = field_on_voxels(volume, fitted)
        watch.lap("refine")
    yield from announced(Step("unfold", total - 1, total, losses))
    begin = site.placement_of(prior, fitted.placement)
    found = finished(volume, prior, begin, fitted, field, predicted.region, settings.certify, watch)
    result = segmentation_of(volume, prior, found, settings, device, (trained.facts(),), watch.total())
    result = replace(result, iterations=iterations, losses=losses, way=way)
    if hybrid is not None and logits is not None:
        result = _hybrid(result, *logits, hybrid)
        watch.lap("hybrid")
    if prompts:
        result = honoured(result, told, predicted.region)
        watch.lap("prompts")
    yield Step("certify", total, total, losses, result=replace(result, seconds=watch.total()))


def _fitted_to(
    logits: tuple[NDArray[np.float32], Frame],
    volume: Volume,
    prior: Prior,
    shown: Shown,
    trained: TrainedNetwork,
    settings: Settings,
    device: torch.device,
    total: int,
) -> Generator[Step[Segmentation], None, Predicted]:
    """The template fitted to a pixel-wise network's map, as if the network had deformed it."""
    (fitted,) = shown.placed
    trail = Trail(fitted.placement)
    values, frame = logits
    for inner in fitted_to_logits(prior, values[0], frame, trained.window, settings, device):
        fitted = inner.result or fitted
        trail.follow(inner.stage, fitted)
        try:
            yield Step(inner.stage, 2 + inner.number, total, inner.losses)
        except Finish:
            break
    # The fit's grid is coarser than the window, and the window's is what all the rest goes by.
    moved = resize(fitted.displacement.cpu(), shown.frame.shape)
    fitted = Fitted(fitted.placement, moved, shown.frame)
    return Predicted((fitted,), (field_on_voxels(volume, fitted),), (trail.way,), shown.region)


def _positive(volume: Volume, site: Site, logits: NDArray[np.float32], frame: Frame) -> NDArray[np.bool_]:
    """What a pixel-wise network sees, from its logits (1, *window), on the region that is looked at."""
    (values,), seen = logits_on_voxels(logits, frame, volume)
    inside = np.zeros(volume.shape, bool)
    inside[box_slices(seen)] = values > 0
    return inside[box_slices(site.region)]


def _preview(volume: Volume, prior: Prior, site: Site, fitted: Fitted) -> NDArray[np.bool_]:
    """What a network says of the template, on the region that is looked at."""
    grid = volume.frame.crop(site.region)
    inside: NDArray[np.bool_] = (
        warped_distance(prior, fitted.placement, grid, fitted.displacement[0].numpy(), fitted.frame) > 0
    )
    return inside


def segmentation_of(
    volume: Volume,
    prior: Prior,
    found: Finished,
    settings: Settings,
    device: torch.device,
    networks: tuple[Mapping[str, Any], ...],
    seconds: Mapping[str, float],
) -> Segmentation:
    """What was finished of a network's deformation, as a result."""
    return Segmentation(
        volume=volume,
        prior=prior,
        box=found.box,
        mask=found.mask,
        certificate=found.certificate,
        settings=settings,
        device=str(device),
        seconds=seconds,
        networks=networks,
        placement=found.placement,
        displacement=found.displacement,
        jacobian=found.jacobian,
        unfolded=found.unfolded,
        iterations=0,
        losses={},
    )


def _hybrid(plain: Segmentation, logits: NDArray[np.float32], frame: Frame, pixelwise: TrainedNetwork) -> Segmentation:
    """A segmentation whose mask was carried on to logits (1, *window); the deformation stays what it was."""
    before = plain.certificate
    mask, box, flipped = snapped_on_to_logits(plain.volume, plain.mask, plain.box, logits[0], frame)
    certificate = certify(
        mask,
        plain.prior.betti,
        folding_voxels=before.folding_voxels,
        least_jacobian=before.least_jacobian,
        repaired_voxels=before.repaired_voxels,
    )
    if certificate.betti_mask != before.betti_mask:
        raise RuntimeError(f"The snap changed the topology: {certificate.sentence}")
    both = (*plain.networks, pixelwise.facts())
    networks = plain.networks if plain.networks[-1] == pixelwise.facts() else both
    return replace(plain, mask=mask, box=box, certificate=certificate, networks=networks, hybrid_voxels=flipped)


def check_deforms(trained: TrainedNetwork, objects: int) -> None:
    """Refuse a network that does not deform so many templates."""
    if not trained.deforms:
        raise ToposegError(
            f"The network {trained.facts()['name']!r} answers with logits, and deforms nothing.",
            todo="Give the weights of a network that deforms a template, such as mltpsn.",
        )
    wanted = int(trained.network.objects)  # type: ignore[arg-type]  # nn.Module types all attributes as modules
    if wanted != objects:
        raise ToposegError(
            f"The network deforms {wanted} template(s), and {objects} prior(s) are given.",
            todo="Give one prior for each of its objects.",
        )


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network is shown: the window, the image in it, the templates (1, q, *window), and where they stand."""

    frame: Frame
    region: Box
    image: Tensor
    templates: Tensor
    placed: tuple[Fitted, ...]


def look(volume: Volume, priors: Sequence[Prior], site: Site, trained: TrainedNetwork) -> Shown:
    """Look at an image through a network's window. Errors are those of `segment_by_network`."""
    for prior in priors:
        if prior.ndim != volume.ndim:
            raise ToposegError(
                f"The prior {prior.name!r} is {prior.ndim}-D and the image {volume.ndim}-D.",
                todo=f"Choose a {volume.ndim}-D prior; `toposeg priors` lists them.",
            )
    frame = window_frame(trained.window, volume.frame, site.within)
    region = clip_box(_lattice_box(frame, volume.frame), volume.shape)
    check_finite(volume, region)
    placements = [window_placement(trained.window, prior, frame, number) for number, prior in enumerate(priors)]
    still = torch.zeros(1, volume.ndim, *frame.shape)
    return Shown(
        frame,
        region,
        shown_image(volume, frame),
        torch.cat([shown_template(one, at, frame) for one, at in zip(priors, placements, strict=True)], dim=1),
        tuple(Fitted(placement, still, frame) for placement in placements),
    )


def predict(volume: Volume, shown: Shown, trained: TrainedNetwork, device: torch.device) -> Predicted:
    """Ask a deformation network, and bring its answer to the image's own voxels."""
    answer = trained.deformed(shown.image, shown.templates, device)
    fitted = [
        replace(placed, displacement=held_on_border(answer.of_object(number).float().cpu()))
        for number, placed in enumerate(shown.placed)
    ]
    fields = tuple(field_on_voxels(volume, one) for one in fitted)
    ways = tuple(levels_of(answer, number, placed, held_on_border) for number, placed in enumerate(shown.placed))
    return Predicted(tuple(fitted), fields, ways, shown.region)


def field_on_voxels(volume: Volume, fitted: Fitted) -> Displacement:
    """A deformation of a window, on the image's own voxels; the identity beyond it."""
    kept = field_grid(volume.frame.crop(_lattice_box(fitted.frame, volume.frame)))
    return Displacement(fitted.displacement[0].numpy(), fitted.frame).resampled(kept)


def held_on_border(displacement: Tensor) -> Tensor:
    """A displacement (1, ndim, *grid) that is the identity on the border of its grid."""
    border = max(
        float(displacement.detach().select(axis, end).abs().max())
        for axis in range(2, displacement.ndim)
        for end in (0, -1)
    )
    # What is made in inference mode may not be changed or learned from: a product and a copy may.
    if border <= _STILL:
        return displacement.clone()
    return displacement * border_window(displacement.shape[2:], WINDOW)


def _lattice_box(window: Frame, frame: Frame) -> Box:
    """The box of a grid's voxels, one beyond a window's outermost ones on each side; the axes of the two are the same.

    There the deformation is the identity exactly. It may reach beyond the image.
    """
    return tuple((int(np.floor(low)) - 1, int(np.ceil(high)) + 2) for low, high in span_of(window, frame, 0.0))
