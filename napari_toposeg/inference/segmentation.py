"""What comes out of one volume: a mask, what made it, its certificate, and where it all came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.deformation import Displacement, JacobianMap, Unfolded, on_lattice
from napari_toposeg.frame import Box, box_slices
from napari_toposeg.inference.prompts import PromptOutcome
from napari_toposeg.inference.settings import Settings
from napari_toposeg.inference.waypoints import Waypoint
from napari_toposeg.priors import Placement, Prior
from napari_toposeg.topology import Certificate
from napari_toposeg.volume import Volume


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """A certified mask of a volume, whatever made it.

    Attributes
    ----------
    volume : Volume
        What was segmented.
    prior : Prior
        The template.
    box : Box
        The part of the volume, in its canonical voxels, that the mask covers.
    mask : (*box) bool
        The segmented voxels of that part; there are none outside of it.
    certificate : Certificate
        Betti numbers of prior and mask, folds, repairs.
    settings : Settings
        What was asked for.
    device : str
        Where it was computed.
    seconds : mapping of str to float
        Time by stage, and "total".
    networks : tuple of mapping
        The trained networks that were asked, as `TrainedNetwork.facts` tells of them; empty where none was.
    why : str
        Why it was segmented in this way and no other; empty where nobody said.
    iterations : int
        How many were done; fewer than asked for where the run was finished early, and 0 where nothing was minimised.
    tuned : tuple of mapping
        What was tuned on this volume afterwards, one record each time; empty where nothing was.
    edited_voxels : int
        How many were flipped by hand afterwards, as simple points, so that the certificate holds.
    """

    volume: Volume
    prior: Prior
    box: Box
    mask: NDArray[np.bool_]
    certificate: Certificate
    settings: Settings
    device: str
    seconds: Mapping[str, float]
    networks: tuple[Mapping[str, Any], ...] = ()
    why: str = ""
    iterations: int = 0
    tuned: tuple[Mapping[str, Any], ...] = ()
    edited_voxels: int = 0

    def full_mask(self) -> NDArray[np.bool_]:
        """(*volume.shape) bool: the mask on the whole volume's canonical grid."""
        full = np.zeros(self.volume.shape, bool)
        full[box_slices(self.box)] = self.mask
        return full

    def report(self) -> dict[str, Any]:
        """What happened, ready for JSON (without the input's hash, which needs the file)."""
        from napari_toposeg import __version__

        fitted = not self.networks
        return {
            "version": __version__,
            "prior": self.prior.name,
            **self.certificate.as_dict(),
            "device": self.device,
            "seed": self.settings.seed,
            "seconds": dict(self.seconds),
            "method": "fit" if fitted else "network",
            "why": self.why or None,
            "objective": self.settings.objective if fitted else None,
            "moves": self.settings.moves if fitted else None,
            "certify": self.settings.certify,
            "networks": [dict(network) for network in self.networks],
            "tuned": [dict(record) for record in self.tuned],
            "edited_voxels": self.edited_voxels,
            "mask_voxels": int(self.mask.sum()),
            "input": {
                "path": self.volume.path,
                "shape": list(self.volume.stored.shape),
                "spacing": [float(step) for step in np.linalg.norm(self.volume.stored.affine[:3, :3], axis=0)][
                    : len(self.volume.stored.shape)
                ],
            },
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Segmentation(Outcome):
    """A volume segmented by a deformation of the template.

    Attributes
    ----------
    placement : Placement
        Where the undeformed template stands: after the affine stage of a fit, or as a network is shown it.
    displacement : Displacement
        The deformation of the placed template on to the organ: the mask is the template at x + u(x), but for what was
        repaired, and moved after it.
    jacobian : JacobianMap
        Its Jacobian determinant, on the same grid.
    unfolded : Unfolded or None
        What the unfolding did; None where nothing folded, or folds were to be left.
    losses : mapping of str to float
        Terms of the objective at the end.
    hybrid_voxels : int or None
        Of a hybrid: how many voxels were flipped after the deformation, towards a pixel-wise network's logits. None:
        the mask is no hybrid.
    prompts : tuple of PromptOutcome
        What became of each prompt, in the order in which they were given.
    prompted_voxels : int
        Voxels that were flipped, after the deformation and the hybrid's logits, so that prompts are satisfied.
    way : tuple of Waypoint
        What the deformation was after each earlier stage or level, first to last; small. Empty where nobody kept it.
    """

    placement: Placement
    displacement: Displacement
    jacobian: JacobianMap
    unfolded: Unfolded | None
    losses: Mapping[str, float]
    hybrid_voxels: int | None = None
    prompts: tuple[PromptOutcome, ...] = ()
    prompted_voxels: int = 0
    way: tuple[Waypoint, ...] = ()

    @property
    def unsatisfied(self) -> tuple[PromptOutcome, ...]:
        """The prompts that the mask does not satisfy."""
        return tuple(outcome for outcome in self.prompts if not outcome.satisfied)

    def field_on_voxels(self) -> tuple[Displacement, NDArray[np.float32]]:
        """The deformation on the image's own voxels, as files have it.

        Returns
        -------
        displacement : Displacement
            On a box of the image's voxel lattice: as it is, or resampled where a very large region is held on a coarser
            grid.
        determinant : (*displacement.frame.shape) float32
            At each voxel the least Jacobian determinant there, counted on that lattice.
        """
        displacement, jacobian = on_lattice(self.displacement, self.jacobian, self.volume.frame)
        return displacement, jacobian.at_voxels

    def template_distance(self) -> NDArray[np.float32]:
        """(*box) float32: signed distance to the deformed template's surface, in mm, positive inside.

        What the mask was made from. The distance is the template's own, carried along: it is exact in sign, and where
        the template was stretched its numbers are stretched, too. Of a hybrid: before the mask was moved on.
        """
        from napari_toposeg.inference.warping import warped_distance

        frame = self.volume.frame.crop(self.box)
        field = self.displacement
        distance = warped_distance(self.prior, self.placement, frame, field.values, field.frame)
        # A voxel's own length, that of a cube as large.
        return distance * np.float32(np.prod(frame.spacing) ** (1.0 / frame.ndim))

    def report(self) -> dict[str, Any]:
        """What happened, ready for JSON (without the input's hash, which needs the file)."""
        return {
            **super().report(),
            "iterations": self.iterations,
            "losses": dict(self.losses),
            "unfolded_cells": 0 if self.unfolded is None else self.unfolded.repaired_cells,
            "unfolding_moved_voxels": 0 if self.unfolded is None else self.unfolded.moved_voxels,
            "hybrid_voxels": self.hybrid_voxels,
            "prompts": [dict(outcome.as_dict()) for outcome in self.prompts],
            "prompted_voxels": self.prompted_voxels,
            "placement": self.placement.matrix.tolist(),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class PixelwiseSegmentation(Outcome):
    """A volume segmented voxel by voxel, by a network or from a map: nothing deforms, and nothing is said of folds.

    Attributes
    ----------
    start : str
        What the mask was made from, in words.
    """

    start: str

    def report(self) -> dict[str, Any]:
        """What happened, ready for JSON (without the input's hash, which needs the file)."""
        facts = {**super().report(), "iterations": self.iterations, "losses": {}, "start": self.start}
        return facts if self.networks else {**facts, "method": "map", "objective": None, "moves": None}
