"""Any tool's mask in, one with the prior's topology out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box
from napari_toposeg.inference.segment import segment
from napari_toposeg.inference.site import site_in_box
from napari_toposeg.priors import AXES, Placement, Prior, place_on_mask, signed_distance
from napari_toposeg.steps import Step, Steps, last
from napari_toposeg.topology import Certificate, certify, correct
from napari_toposeg.volume import Volume

# A correction that changes more than this share of the foreground is compared with one that starts from a fitted
# template.
_LARGE_CHANGE = 0.05


@dataclass(frozen=True, eq=False)
class CertifiedMask:
    """A mask brought to a prior's topology.

    Attributes
    ----------
    mask : (*grid) bool
        The corrected mask, on the grid of the one that came in.
    certificate : Certificate
        Its Betti numbers and the prior's; there is no field to speak of.
    betti_before : tuple of int
        Betti numbers of the mask that came in.
    changed_voxels, foreground_voxels : int
        Voxels that differ between the two, and voxels of the mask that came in.
    start : str
        What the correction began from, in words.
    """

    mask: NDArray[np.bool_]
    certificate: Certificate
    betti_before: tuple[int, ...]
    changed_voxels: int
    foreground_voxels: int
    start: str


def certify_mask(mask: NDArray[np.bool_], prior: Prior, *, volume: Volume) -> Steps[CertifiedMask]:
    """Bring a mask to a prior's topology with as few changed voxels as can be found.

    A mask with the right Betti numbers is left as it is. Otherwise it is repaired in place (`correct`); where that
    changes much, or fails, the prior itself is fitted to the mask and moved towards it by simple points.

    Parameters
    ----------
    mask : (*volume.shape) bool
        The mask, canonical like the volume.
    prior : Prior
        What topology it should have.
    volume : Volume
        Its grid.

    Yields
    ------
    Step[CertifiedMask]
        The last carries the result.

    Raises
    ------
    ToposegError
        If the mask is empty or the dimensions differ, or nothing with the prior's topology fits its grid.
    """
    mask = np.asarray(mask, bool)
    if prior.ndim != mask.ndim:
        raise ToposegError(
            f"The prior {prior.name!r} is {prior.ndim}-D and the mask {mask.ndim}-D.",
            todo=f"Choose a {mask.ndim}-D prior; `toposeg priors` lists them.",
        )
    tight = box_of(mask)
    if tight is None:
        raise ToposegError("The mask is empty.", todo="Choose a mask, or a label, with at least one voxel.")
    total = 3
    yield Step("count", 1, total)
    box = clip_box(grow_box(tight, [2.0] * mask.ndim), mask.shape)
    part = mask[box_slices(box)]
    before = certify(part, prior.betti)
    corrected, start = part, "already right"
    if not before.topology_ok:
        yield Step("correct", 2, total)
        spacing = tuple(float(step) for step in volume.spacing)
        found = correct(part, prior.betti, spacing=spacing)
        if found is None or found.changed_voxels > _LARGE_CHANGE * part.sum():
            fitted = _fitted_template(mask, prior, volume)[box_slices(box)]
            found = correct(part, prior.betti, spacing=spacing, starts=(fitted,)) or found
        if found is None:
            raise ToposegError(
                f"The mask could not be brought to the topology of the prior {prior.name!r}.",
                why="No start with that topology fits its grid.",
                todo="Choose another prior, or a mask on a finer grid.",
            )
        corrected, start = found.mask, found.start
    full = np.zeros_like(mask)
    full[box_slices(box)] = corrected
    changed = int((full != mask).sum())
    certificate = certify(full, prior.betti, folding_voxels=None, least_jacobian=None, repaired_voxels=changed)
    yield Step(
        "certify",
        total,
        total,
        result=CertifiedMask(full, certificate, before.betti_mask, changed, int(mask.sum()), start),
    )


def _best_placement(mask: NDArray[np.bool_], prior: Prior, volume: Volume) -> Placement:
    """On the mask's principal axes, turned about the one of them that overlaps the mask best."""
    axes = AXES if prior.has_axis else AXES[-1:]

    def overlap(placement: Placement) -> float:
        template = signed_distance(prior, placement, volume.frame).numpy() > 0
        return float((template & mask).sum()) / max(1.0, float((template | mask).sum()))

    return max((place_on_mask(prior, volume.frame, mask, axis=axis) for axis in axes), key=overlap)


def _fitted_template(mask: NDArray[np.bool_], prior: Prior, volume: Volume) -> NDArray[np.bool_]:
    """The prior deformed on to the mask, taken as an image of two intensities."""
    image = Volume(mask.astype(np.float32), volume.affine, "mask", volume.stored)
    placement = _best_placement(mask, prior, volume)
    box = box_of(mask)
    assert box is not None  # an empty mask was refused before
    # A mask has two values everywhere: the energy's means are those of the whole region, and nothing has to hold the
    # template.
    site = replace(site_in_box(prior, volume, box), placement=placement, within=None)
    return last(segment(image, prior, site, previews=False)).full_mask()
