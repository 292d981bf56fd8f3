"""Certificates: what was counted on a mask, beside what the prior promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology.betti import betti_numbers
from napari_toposeg.topology.connectivity import check_connectivity, dual_connectivity
from napari_toposeg.topology.words import FEATURES, betti_words, counted, number_word


@dataclass(frozen=True)
class Certificate:
    """What is known about the topology of a mask, and about the field that made it.

    Attributes
    ----------
    betti_prior : tuple of int
        Betti numbers (b0, b1) or (b0, b1, b2) of the prior.
    betti_mask : tuple of int
        Those counted on the voxels of the mask.
    connectivity : int
        Of the foreground, with which they were counted.
    folding_voxels : int or None
        Cells of the deformation where it folds; None for a mask that no deformation made.
    least_jacobian : float or None
        Least Jacobian determinant of the deformation; None likewise.
    repaired_voxels : int
        Voxels changed after the deformation so that the topology is right.
    """

    betti_prior: tuple[int, ...]
    betti_mask: tuple[int, ...]
    connectivity: int
    folding_voxels: int | None
    least_jacobian: float | None
    repaired_voxels: int

    @property
    def topology_ok(self) -> bool:
        """Whether the mask has the prior's Betti numbers."""
        return self.betti_mask == self.betti_prior

    @property
    def sentence(self) -> str:
        """The certificate in plain words, for a status line.

        "One piece, no holes, as the prior: certified (26/6). No folds."
        """
        convention = f"({self.connectivity}/{dual_connectivity(self.connectivity)})"
        if self.topology_ok:
            text = f"{betti_words(self.betti_mask)}, as the prior: certified {convention}."
        else:
            text = f"{_differences(self.betti_mask, self.betti_prior)}: not certified {convention}."
        text = text[0].upper() + text[1:]
        if self.folding_voxels == 0:
            text += " No folds."
        elif self.folding_voxels is not None:
            folds = counted(self.folding_voxels, ("voxel folds", "voxels fold"))
            text += f" {folds[0].upper()}{folds[1:]}"
            text += "." if self.least_jacobian is None else f" (least determinant {self.least_jacobian:.2g})."
        if self.repaired_voxels:
            repaired = counted(self.repaired_voxels, ("voxel repaired", "voxels repaired"))
            text += f" {repaired[0].upper()}{repaired[1:]}."
        return text

    def as_dict(self) -> dict[str, Any]:
        """The certificate with plain lists and numbers, ready for JSON."""
        return {
            "betti_prior": list(self.betti_prior),
            "betti_mask": list(self.betti_mask),
            "connectivity": self.connectivity,
            "topology_ok": self.topology_ok,
            "folding_voxels": self.folding_voxels,
            "least_jacobian": self.least_jacobian,
            "repaired_voxels": self.repaired_voxels,
        }


def certify(
    mask: NDArray[Any],
    betti_prior: Sequence[int],
    *,
    connectivity: int | None = None,
    folding_voxels: int | None = 0,
    least_jacobian: float | None = 1.0,
    repaired_voxels: int = 0,
) -> Certificate:
    """Count the Betti numbers of a mask and set them beside the prior's.

    Parameters
    ----------
    mask : (H, W) or (D, H, W) array
        Foreground where not zero.
    betti_prior : sequence of int
        (b0, b1) or (b0, b1, b2).
    connectivity : int, optional
        Of the foreground: 8 or 4 in 2-D, 26 or 6 in 3-D; 8 and 26 by default.
    folding_voxels, least_jacobian
        Of the deformation that made the mask; None for a mask that no deformation made. The defaults are the
        identity's.
    repaired_voxels : int
        Voxels changed after the deformation.

    Raises
    ------
    ToposegError
        If the prior has another number of dimensions, or the connectivity does not exist in that of the mask.
    """
    connectivity = check_connectivity(connectivity, mask.ndim)
    if len(betti_prior) != mask.ndim:
        raise ToposegError(
            f"The prior has {len(betti_prior)} dimensions and the mask {mask.ndim}.",
            todo=f"Choose a prior of {mask.ndim} dimensions.",
        )
    return Certificate(
        tuple(int(number) for number in betti_prior),
        betti_numbers(mask, connectivity=connectivity),
        connectivity,
        None if folding_voxels is None else int(folding_voxels),
        None if least_jacobian is None else float(least_jacobian),
        int(repaired_voxels),
    )


def _differences(found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return "; ".join(
        f"{counted(count, names)} where the prior has {number_word(due) if due else 'none'}"
        for count, due, names in zip(found, wanted, FEATURES[len(found)], strict=True)
        if count != due
    )
