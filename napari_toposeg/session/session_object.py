"""One of a session's objects, and all of them, as they stand at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Box, box_of, box_slices
from napari_toposeg.inference import Outcome, Site, region_of
from napari_toposeg.inference.hybrid import part_of
from napari_toposeg.priors import Placement, Prior, outline
from napari_toposeg.session.mask import ResultState, Standing
from napari_toposeg.session.placing import PlacedState
from napari_toposeg.session.prompts import Mark
from napari_toposeg.topology import Certificate, betti_numbers
from napari_toposeg.volume import Volume

NOWHERE = PlacedState(None, None, None, None, np.eye(4))
"""Where a template is of which nothing is known."""


@dataclass(frozen=True, eq=False)
class SessionObject:
    """One object, as it stands at this moment.

    Attributes
    ----------
    number : int
        Which one it is, as long as the session lasts.
    name : str
        As the person calls it; no two objects share one.
    label : int
        Its number in the label map, 1 to 255; no two objects share one.
    colour : str
        Of its outline and its mask, as "#rrggbb".
    placing : PlacedState
        Its prior, and where that stands.
    network : str or None
        As `Session.network`.
    marks : tuple of Mark
        Its prompts.
    mask : ResultState
        Its result, and what a hand made of that.
    certificate : Certificate or None
        What is certain of its mask as it stands; None where there is none, or it was being counted.
    """

    number: int
    name: str
    label: int
    colour: str
    placing: PlacedState
    network: str | None = None
    marks: tuple[Mark, ...] = ()
    mask: ResultState = field(default_factory=lambda: ResultState(None, None, Standing(0, 0, False)))
    certificate: Certificate | None = None

    @property
    def prior(self) -> Prior | None:
        """Its template."""
        return self.placing.prior

    @property
    def site(self) -> Site | None:
        """Where its run takes place."""
        return self.placing.site

    @property
    def placement(self) -> Placement | None:
        """Where its template stands."""
        return None if self.site is None else self.site.placement

    @property
    def result(self) -> Outcome | None:
        """Its newest result."""
        return self.mask.result

    @property
    def kept_topology(self) -> bool:
        """Whether nothing but simple points was flipped by hand."""
        return self.mask.standing.topology == self.mask.standing.certified

    def voxels(self) -> NDArray[np.bool_] | None:
        """(*volume.shape) bool: its mask as it stands; a copy. None where there is no result."""
        if self.mask.result is None:
            return None
        voxels = self.mask.result.full_mask()
        if self.mask.edits is not None and self.mask.edits.voxels:
            self.mask.edits.apply(voxels)
        return voxels

    def outcome(self) -> Outcome | None:
        """Its result with the mask as it stands, and a certificate of that. Not for a window's thread."""
        result, voxels = self.result, self.voxels()
        if result is None or voxels is None or not self.mask.standing.edited:
            return result
        box = box_of(voxels) or result.box
        mask = voxels[box_slices(box)].copy()
        certificate = result.certificate
        if not self.kept_topology:
            counted = betti_numbers(mask, connectivity=certificate.connectivity)
            certificate = replace(certificate, betti_mask=counted)
        changed = int(np.count_nonzero(voxels != result.full_mask()))
        return replace(result, mask=mask, box=box, certificate=certificate, edited_voxels=changed)


@dataclass(frozen=True, eq=False)
class ObjectsState:
    """All objects, and the number of the chosen one, for the history and for a file."""

    objects: tuple[SessionObject, ...]
    chosen: int

    @property
    def weight(self) -> Mapping[int, int]:
        """What their results hold, each counted once."""
        held: dict[int, int] = {}
        for one in self.objects:
            held |= one.mask.weight
        return held


def outlines_of(objects: Sequence[SessionObject], volume: Volume) -> tuple[NDArray[np.uint8], Box] | None:
    """Where the placed templates of objects are.

    Returns
    -------
    labels : (*box) uint8
        Each object's label where its template is; 0 elsewhere.
    box : Box
        In canonical voxels. None instead of both where none is placed.
    """
    drawn = [
        (one.label, outline(one.site.template_for(one.prior), one.site.placement, volume.frame))
        for one in objects
        if one.prior is not None and one.site is not None
    ]
    drawn = [(label, made) for label, made in drawn if made.distance.size]
    if not drawn:
        return None
    box = region_of([made.box for _, made in drawn])
    labels = np.zeros([high - low for low, high in box], np.uint8)
    for label, made in drawn:
        labels[part_of(made.box, box)][made.distance > 0] = label
    return labels, box


def labels_of(objects: Sequence[SessionObject], volume: Volume) -> tuple[NDArray[np.uint8], Box] | None:
    """The masks of objects as they stand, in the same way, on the whole volume."""
    run = [(one.label, voxels) for one in objects if (voxels := one.voxels()) is not None]
    if not run:
        return None
    labels = np.zeros(volume.shape, np.uint8)
    for label, voxels in run:
        labels[voxels] = label
    return labels, volume.frame.box
