"""One volume in, one label map of several objects out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_slices
from napari_toposeg.inference.devices import choose_device
from napari_toposeg.inference.finishing import finished
from napari_toposeg.inference.hybrid import part_of
from napari_toposeg.inference.objects import resolve_overlaps
from napari_toposeg.inference.pixelwise import certified_logits, check_pixelwise, logits_on_voxels, pixelwise_logits
from napari_toposeg.inference.prediction import Shown, check_deforms, look, predict, segmentation_of
from napari_toposeg.inference.segmentation import Outcome, PixelwiseSegmentation
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.site import Site
from napari_toposeg.inference.stopwatch import Stopwatch
from napari_toposeg.inference.trained import TrainedNetwork
from napari_toposeg.inference.warping import warped_distance
from napari_toposeg.priors import Prior
from napari_toposeg.steps import Step, Steps, announced
from napari_toposeg.topology import certify
from napari_toposeg.volume import Volume


@dataclass(frozen=True, eq=False)
class MultiSegmentation:
    """Several objects of one volume; no two of them share a voxel.

    Attributes
    ----------
    objects : tuple of Outcome
        One by object, in the order of the network's channels. What an object gave up to another counts as repaired in
        its certificate.
    contested_voxels : int
        How many were claimed by more than one object.
    seconds : mapping of str to float
        Time by stage, and "total", of all of them together.
    labels : tuple of int
        Each object's number in the label map; empty: 1 for the first, and so on.
    names : tuple of str
        What each is called; empty where nobody said.
    """

    objects: tuple[Outcome, ...]
    contested_voxels: int
    seconds: Mapping[str, float]
    labels: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """Each object's number in the label map."""
        return self.labels or tuple(range(1, len(self.objects) + 1))

    @property
    def named(self) -> dict[int, str]:
        """What the labels are called; empty where nobody said."""
        return dict(zip(self.numbers, self.names, strict=True)) if self.names else {}

    @property
    def volume(self) -> Volume:
        return self.objects[0].volume

    @property
    def settings(self) -> Settings:
        return self.objects[0].settings

    @property
    def broken(self) -> tuple[int, ...]:
        """Labels of the objects that have not their prior's topology."""
        return tuple(
            number for number, one in zip(self.numbers, self.objects, strict=True) if not one.certificate.topology_ok
        )

    def full_labels(self) -> NDArray[np.uint8]:
        """(*volume.shape) uint8: the objects' numbers, on the whole volume's canonical grid."""
        labels = np.zeros(self.volume.shape, np.uint8)
        for number, one in zip(self.numbers, self.objects, strict=True):
            labels[box_slices(one.box)][one.mask] = number
        return labels

    def report(self) -> dict[str, Any]:
        """What happened, ready for JSON: what all objects share, and under "objects" what is each one's own."""
        reports = [one.report() for one in self.objects]
        names = self.named
        shared = {key: reports[0][key] for key in _SHARED}
        own = [
            {
                "label": number,
                **({"name": names[number]} if names else {}),
                **{key: value for key, value in report.items() if key not in (*_SHARED, "seconds")},
            }
            for number, report in zip(self.numbers, reports, strict=True)
        ]
        return {
            **shared,
            "seconds": dict(self.seconds),
            "topology_ok": not self.broken,
            "broken": list(self.broken),
            "contested_voxels": self.contested_voxels,
            "objects": own,
        }


_SHARED = (
    "version",
    "connectivity",
    "device",
    "seed",
    "method",
    "why",
    "objective",
    "moves",
    "certify",
    "networks",
    "input",
)


def segment_objects(
    volume: Volume, priors: Sequence[Prior], site: Site, trained: TrainedNetwork, settings: Settings | None = None
) -> Steps[MultiSegmentation]:
    """Segment several objects of one volume by a trained network.

    Parameters
    ----------
    volume : Volume
        The image.
    priors : sequence of Prior
        One by object of the network, in the order of its channels; at most 255.
    site : Site
        Its `within` box says where all objects together are; the rest of it does not matter.
    trained : TrainedNetwork
        A deformation network, or a pixel-wise one, of as many objects.
    settings : Settings, optional
        `device` and `certify` matter. "strict": each object is certified alone, and overlaps are resolved so that they
        stay so where that can be (`resolve_overlaps`). Otherwise what is contested goes to the surer object.

    Yields
    ------
    Step[MultiSegmentation]
        Stages prepare, certify and part; the last carries the result.

    Raises
    ------
    ToposegError
        As `segment_by_network` and `segment_by_logits`.

    Warns
    -----
    ToposegWarning
        As `segment_by_logits`.
    """
    settings = settings or Settings()
    watch = Stopwatch()
    if not 0 < len(priors) <= np.iinfo(np.uint8).max:
        raise ToposegError(f"A label map cannot hold {len(priors)} objects.", todo="Give 1 to 255 priors.")
    (check_deforms if trained.deforms else check_pixelwise)(trained, len(priors))
    device = choose_device(settings.device, ndim=volume.ndim)
    shown = look(volume, priors, site, trained)
    watch.lap("prepare")
    yield from announced(Step("prepare", 1, 3))
    claim = _deformed if trained.deforms else _by_logits
    claims = claim(volume, priors, site, shown, trained, settings, device, watch)
    yield from announced(Step("certify", 2, 3))
    result = parted(claims, strict=settings.certify == "strict")
    watch.lap("part")
    yield Step("part", 3, 3, result=replace(result, seconds=watch.total()))


@dataclass(frozen=True, eq=False)
class Claims:
    """Objects that may overlap, the box of them all, and how sure (q, *box) of each voxel each of them is."""

    objects: tuple[Outcome, ...]
    box: Box
    sureness: NDArray[np.float32]


def _deformed(
    volume: Volume,
    priors: Sequence[Prior],
    site: Site,
    shown: Shown,
    trained: TrainedNetwork,
    settings: Settings,
    device: torch.device,
    watch: Stopwatch,
) -> Claims:
    predicted = predict(volume, shown, trained, device)
    watch.lap("predict")
    objects = []
    for prior, fitted, field, way in zip(priors, predicted.fitted, predicted.fields, predicted.ways, strict=True):
        begin = fitted.placement
        found = finished(volume, prior, begin, fitted, field, predicted.region, settings.certify, watch)
        made = segmentation_of(volume, prior, found, settings, device, (trained.facts(),), {})
        objects.append(replace(made, way=way))
    sides = zip(*[one.box for one in objects], strict=True)
    box = tuple((min(low for low, _ in side), max(high for _, high in side)) for side in sides)
    grid = volume.frame.crop(box)
    sureness = [
        warped_distance(one.prior, one.placement, grid, one.displacement.values, one.displacement.frame)
        for one in objects
    ]
    return Claims(tuple(objects), box, np.stack(sureness))


def _by_logits(
    volume: Volume,
    priors: Sequence[Prior],
    site: Site,
    shown: Shown,
    trained: TrainedNetwork,
    settings: Settings,
    device: torch.device,
    watch: Stopwatch,
) -> Claims:
    values, box = logits_on_voxels(*pixelwise_logits(volume, site, trained, device), volume)
    watch.lap("predict")
    objects = []
    for prior, placed, channel in zip(priors, shown.placed, values, strict=True):
        mask, certificate, start = certified_logits(volume, prior, placed.placement, channel, box, settings.certify)
        objects.append(
            PixelwiseSegmentation(
                volume=volume,
                prior=prior,
                box=box,
                mask=mask,
                certificate=certificate,
                settings=settings,
                device=str(device),
                seconds={},
                networks=(trained.facts(),),
                start=start,
            )
        )
    watch.lap("certify")
    return Claims(tuple(objects), box, values)


def parted(claims: Claims, *, strict: bool) -> MultiSegmentation:
    """Objects that share no voxel; each with a certificate of what is left of it."""
    masks = np.zeros(claims.sureness.shape, bool)
    for mask, one in zip(masks, claims.objects, strict=True):
        mask[part_of(one.box, claims.box)] = one.mask
    wanted = [one.prior.betti for one in claims.objects]
    resolved = resolve_overlaps(masks, claims.sureness, wanted, keep_topology=strict)
    left_over = []
    for number, (mask, one) in enumerate(zip(masks, claims.objects, strict=True), start=1):
        left = resolved.labels == number
        given_up = int(np.count_nonzero(mask != left))
        certificate = one.certificate
        if given_up:
            certificate = certify(
                left,
                one.prior.betti,
                folding_voxels=certificate.folding_voxels,
                least_jacobian=certificate.least_jacobian,
                repaired_voxels=certificate.repaired_voxels + given_up,
            )
        left_over.append(replace(one, box=claims.box, mask=left, certificate=certificate))
    return MultiSegmentation(tuple(left_over), resolved.contested_voxels, {})
