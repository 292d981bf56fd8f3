"""What comes out of a refinement: a mask, the map that it is the 0.5 level of, and what brought them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.inference.refine_settings import RefineSettings
from napari_toposeg.inference.refine_target import target_text
from napari_toposeg.losses import BettiRange
from napari_toposeg.topology import Certificate

SolvedBy = Literal["already right", "loss", "correction", "nothing"]


@dataclass(frozen=True, eq=False)
class Refined:
    """A map brought to a topology, or as near to it as could be had.

    Attributes
    ----------
    mask : (*grid) bool
        Where `map` is above 0.5.
    map : (*grid) float32
        The refined map. After a correction it is the map that came in, but for the voxels that the correction changed:
        those lie just across 0.5.
    certificate : Certificate
        Betti numbers counted on the mask, beside those within the target that are nearest to them.
    target : tuple of BettiRange
        What was asked for.
    betti_before : tuple of int
        Betti numbers of the map that came in, at 0.5.
    solved_by : {"already right", "loss", "correction", "nothing"}
        What gave the mask the wanted topology; "nothing": it has not got it.
    ended : str
        Why the loss went no further, in words: "the topology stayed right", "the loss stalled", ...
    iterations : int
        Iterations of the loss that were done.
    right_at : int or None
        The first iteration after which the topology was right; None: it never was.
    changed_voxels, voxels_before : int
        Voxels in which the mask differs from that of the map that came in, and voxels of that one.
    losses : mapping of str to float
        Terms of the objective at the last iteration; empty where there was none.
    settings : RefineSettings
        What was asked for.
    seconds : mapping of str to float
        Time by stage, and "total".
    """

    mask: NDArray[np.bool_]
    map: NDArray[np.float32]
    certificate: Certificate
    target: tuple[BettiRange, ...]
    betti_before: tuple[int, ...]
    solved_by: SolvedBy
    ended: str
    iterations: int
    right_at: int | None
    changed_voxels: int
    voxels_before: int
    losses: Mapping[str, float]
    settings: RefineSettings
    seconds: Mapping[str, float]

    @property
    def betti_after(self) -> tuple[int, ...]:
        """Betti numbers of the mask, counted."""
        return self.certificate.betti_mask

    @property
    def topology_ok(self) -> bool:
        """Whether the mask has the wanted topology."""
        return self.certificate.topology_ok

    @property
    def sentence(self) -> str:
        """What gave the mask its topology, in words, without a full stop."""
        iterations = f"{self.iterations} iteration{'' if self.iterations == 1 else 's'}"
        if self.solved_by == "already right":
            return "nobody: the map has the topology already"
        if self.solved_by == "loss":
            return f"the loss: right after {self.right_at} of {iterations}; {self.ended}"
        who = "homotopic correction" if self.solved_by == "correction" else "NOBODY"
        after = f" after {iterations}" if self.iterations else ""
        also = "" if self.solved_by == "correction" or not self.settings.correct else ", and no correction was found"
        return f"{who}: {self.ended}{after}{also}"

    def report(self) -> dict[str, Any]:
        """What happened, ready for JSON."""
        from napari_toposeg import __version__

        return {
            "version": __version__,
            "target": target_text(self.target),
            "betti_before": list(self.betti_before),
            "betti_after": list(self.betti_after),
            "connectivity": self.certificate.connectivity,
            "topology_ok": self.topology_ok,
            "solved_by": self.solved_by,
            "ended": self.ended,
            "iterations": self.iterations,
            "right_at": self.right_at,
            "changed_voxels": self.changed_voxels,
            "voxels_before": self.voxels_before,
            "mask_voxels": int(self.mask.sum()),
            "losses": dict(self.losses),
            "settings": asdict(self.settings),
            "seconds": dict(self.seconds),
        }
