"""One volume in, one certified mask out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.deformation import Displacement, JacobianMap, Unfolded, jacobian_map, resize, unfold
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, Frame, box_of, clip_box
from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.fit import Fitted, fit
from napari_toposeg.inference.grids import FIELD_VOXELS, field_box, working_frame
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.warping import warped_distance
from napari_toposeg.priors import Placement, Prior, template_mask
from napari_toposeg.steps import Finish, Step, Steps
from napari_toposeg.topology import Certificate, certify, path_snap
from napari_toposeg.volume import Volume, check_finite

PATH_STEPS = 6
"""Steps in which the template's mask is carried along the deformation. A ring that travels 30 voxels keeps a Dice of
1.000 to the unsnapped mask with 6 to 8 steps, and of .96 with one."""

PREVIEW_EVERY = 5
"""A preview is due after this many iterations, and not before the fit has worked for `_PREVIEW_REST` times as long as
the last one took: every five iterations of a 128x128x96 region they took 17 of 26 seconds."""
_PREVIEW_REST = 4.0


def segment(
    volume: Volume, prior: Prior, site: Site, settings: Settings | None = None, *, previews: bool = True
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
    """
    settings = settings or Settings()
    placement, region = site.placement, site.region
    watch = Stopwatch()
    device = choose_device(settings.device, ndim=volume.ndim)
    check_finite(volume, region)
    grid = volume.frame.crop(region)
    template_mask(prior, placement, grid)  # refuses at once what could not be certified at the end
    field = volume.frame.crop(field_box(volume.frame, region))
    extra = 3
    total = settings.iterations + extra
    step: Step[Segmentation] = Step("prepare", 1, total)
    watch.lap("prepare")
    yield step
    fitted: Fitted | None = None
    losses: Mapping[str, float] = {}
    iterations = 0
    cost, shown = 0.0, perf_counter()
    for inner in fit(volume, prior, placement, field, settings, device, within=site.within):
        fitted, losses, iterations = inner.result, inner.losses, inner.number
        watch.lap(inner.stage)
        preview = None
        due = inner.number % PREVIEW_EVERY == 0 and perf_counter() - shown >= _PREVIEW_REST * cost
        if previews and due and fitted is not None:
            begun = perf_counter()
            preview = warped_distance(prior, fitted.placement, grid, _numpy(fitted), fitted.frame) > 0
            shown = perf_counter()
            cost = shown - begun
            watch.lap("preview")
        try:
            yield Step(inner.stage, inner.number + 1, total, losses, preview)
        except Finish:
            break
    if fitted is None:
        raise ValueError("The fit gave nothing.")
    yield Step("unfold", total - 1, total, losses)
    displacement, jacobian, unfolded = _regular_field(fitted, field, settings)
    watch.lap("unfold")
    box = _support(volume, prior, placement, fitted, region)
    mask, certificate = _certified_mask(
        volume, prior, placement, fitted.placement, displacement, jacobian, box, settings
    )
    watch.lap("certify")
    yield Step(
        "certify",
        total,
        total,
        losses,
        result=Segmentation(
            volume=volume,
            prior=prior,
            placement=fitted.placement,
            box=box,
            mask=mask,
            displacement=displacement,
            jacobian=jacobian,
            unfolded=unfolded,
            certificate=certificate,
            settings=settings,
            device=str(device),
            iterations=iterations,
            losses=losses,
            seconds=watch.total(),
        ),
    )


def _numpy(fitted: Fitted) -> NDArray[np.float32]:
    values: NDArray[np.float32] = fitted.displacement[0].cpu().numpy()
    return values


def _regular_field(
    fitted: Fitted, field: Frame, settings: Settings
) -> tuple[Displacement, JacobianMap, Unfolded | None]:
    """The displacement on the image's own voxels, coarser only where they are too many; without folds if strict."""
    grid = field if np.prod(field.shape) <= FIELD_VOXELS else working_frame(field, FIELD_VOXELS)
    values = resize(fitted.displacement.cpu(), grid.shape)[0].numpy()
    jacobian = jacobian_map(values)
    unfolded = None
    if settings.certify == "strict" and jacobian.folding:
        unfolded = unfold(values)
        values = unfolded.values
        jacobian = jacobian_map(values)
    return Displacement(values, grid), jacobian, unfolded


def _support(volume: Volume, prior: Prior, placement: Placement, fitted: Fitted, region: Box) -> Box:
    """The voxels that the mask can hold on its way: the template as placed, as moved, and along the deformation."""
    frame = fitted.frame
    values = _numpy(fitted)
    still = np.zeros_like(values)
    near = warped_distance(prior, placement, frame, still, frame, share=0.0) > -2.0
    for share in np.linspace(0.0, 1.0, 4):
        near |= warped_distance(prior, fitted.placement, frame, values, frame, share=float(share)) > -2.0
    box = box_of(near)
    if box is None:
        return region
    corners = np.array(np.meshgrid(*[(low - 1, high) for low, high in box], indexing="ij")).reshape(frame.ndim, -1)
    at = frame.index_in(volume.frame)[: frame.ndim, : frame.ndim] @ corners
    at = at + frame.index_in(volume.frame)[: frame.ndim, 3:4]
    wide = tuple(
        (int(np.floor(low)) - 2, int(np.ceil(high)) + 3)
        for low, high in zip(at.min(axis=1), at.max(axis=1), strict=True)
    )
    return clip_box(wide, volume.shape)


def _path(
    prior: Prior, begin: Placement | None, placement: Placement, grid: Frame, displacement: Displacement
) -> Iterator[NDArray[np.float32]]:
    """Signed distances on the way of the template: as placed, as moved by the affine stage, as deformed."""
    still = np.zeros((grid.ndim, *displacement.frame.shape), np.float32)
    if begin is not None:
        for share in np.linspace(0.0, 1.0, PATH_STEPS + 1):
            between = Placement((1.0 - share) * begin.matrix + share * placement.matrix)
            yield warped_distance(prior, between, grid, still, displacement.frame, share=0.0)
    for number in range(PATH_STEPS + 1):
        yield warped_distance(
            prior, placement, grid, displacement.values, displacement.frame, share=number / PATH_STEPS
        )


def _certified_mask(
    volume: Volume,
    prior: Prior,
    begin: Placement,
    placement: Placement,
    displacement: Displacement,
    jacobian: JacobianMap,
    box: Box,
    settings: Settings,
) -> tuple[NDArray[np.bool_], Certificate]:
    grid = volume.frame.crop(box)
    plain = warped_distance(prior, placement, grid, displacement.values, displacement.frame) > 0
    if settings.certify == "strict":
        try:
            start, from_where = template_mask(prior, placement, grid), None
        except ToposegError:
            # Moved by the affine stage it leaves the image or has grown too thin: it starts where the person placed it.
            start, from_where = template_mask(prior, begin, grid), begin
        mask = path_snap(start, _path(prior, from_where, placement, grid, displacement))
    else:
        mask = plain
    certificate = certify(
        mask,
        prior.betti,
        folding_voxels=jacobian.folding,
        least_jacobian=jacobian.least_determinant,
        repaired_voxels=int((mask != plain).sum()),
    )
    if settings.certify == "strict" and not certificate.topology_ok:
        raise RuntimeError(f"The path snap changed the topology: {certificate.sentence}")
    return mask, certificate
