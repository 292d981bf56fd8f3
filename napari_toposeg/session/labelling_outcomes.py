"""What is shown of the volumes of a folder, with the deformation that made it where that is still in memory."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box
from napari_toposeg.inference import Outcome, PixelwiseSegmentation, Settings
from napari_toposeg.priors import Prior
from napari_toposeg.topology import certify
from napari_toposeg.volume import Volume

MOST_KEPT = 200_000_000
"""Bytes of masks and deformations that are kept: of a hundred volumes of 64x64x64 all, of one of 512x512x100 none."""


class KeptOutcomes:
    """Outcomes by the name of their volume, the newest last; older ones go where there are too many. For any thread."""

    def __init__(self) -> None:
        self._kept: dict[str, Outcome] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Outcome | None:
        """What was kept last of a volume."""
        with self._lock:
            return self._kept.get(name)

    def keep(self, name: str, outcome: Outcome) -> None:
        """Keep what came of a volume, at least until the next one is kept."""
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = outcome
            sizes = {name: _size(one) for name, one in self._kept.items()}
            for older in list(sizes)[:-1]:
                if sum(sizes.values()) <= MOST_KEPT:
                    break
                del self._kept[older], sizes[older]

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._kept.clear()

    def take(
        self, name: str, volume: Volume, mask: NDArray[np.bool_], prior: Prior, settings: Settings, origin: str
    ) -> Outcome:
        """What is shown of a mask that was read: what was kept, if that has this very mask, else the mask alone.

        Parameters
        ----------
        name : str
            Which volume.
        volume : Volume
            As it was read now.
        mask : (*volume.shape) bool
        prior, settings
            The session's.
        origin : str
            Where the mask comes from.
        """
        kept = self.of(name)
        if kept is not None and kept.prior is prior and np.array_equal(kept.full_mask(), mask):
            outcome = replace(kept, volume=volume)
        else:
            outcome = _of_mask(volume, mask, prior, settings, origin)
        self.keep(name, outcome)
        return outcome


def _of_mask(volume: Volume, mask: NDArray[np.bool_], prior: Prior, settings: Settings, origin: str) -> Outcome:
    """A mask as a result: its Betti numbers are counted, and nothing is said of a deformation."""
    tight = box_of(mask)
    box = volume.frame.box if tight is None else clip_box(grow_box(tight, [2.0] * mask.ndim), mask.shape)
    part = mask[box_slices(box)]
    return PixelwiseSegmentation(
        volume=volume,
        prior=prior,
        box=box,
        mask=part,
        certificate=certify(part, prior.betti, folding_voxels=None, least_jacobian=None, repaired_voxels=0),
        settings=settings,
        device="cpu",
        seconds={},
        start=f"a mask of the folder ({origin})",
    )


def _size(outcome: Outcome) -> int:
    """Bytes, about: a deformation is by far the largest of it."""
    displacement = getattr(outcome, "displacement", None)
    # Its Jacobian map has about as many numbers again.
    return outcome.mask.nbytes + (0 if displacement is None else 2 * int(displacement.values.nbytes))
