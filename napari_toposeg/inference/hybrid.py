"""A hybrid: the certified mask of a deformation, carried on to a pixel-wise network's logits by simple points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Box, Frame
from napari_toposeg.inference.pixelwise import logits_on_voxels
from napari_toposeg.topology import snap
from napari_toposeg.volume import Volume


def snapped_on_to_logits(
    volume: Volume, mask: NDArray[np.bool_], box: Box, logits: NDArray[np.float32], frame: Frame
) -> tuple[NDArray[np.bool_], Box, int]:
    """Carry a mask towards logits without any change of its topology.

    Parameters
    ----------
    volume : Volume
        The image.
    mask : (*box) bool
        The mask; there is none outside of the box.
    box : Box
        In voxels of the image.
    logits : (*window) float32
        Positive where the pixel-wise network sees the organ. Beyond its window nothing flips.
    frame : Frame
        Of the window.

    Returns
    -------
    mask : (*box) bool
        Homotopy equivalent to the one that was given.
    box : Box
        That holds both the mask that was given and the window.
    flipped : int
        Voxels that differ.

    Notes
    -----
    Neither of the papers has it. A pixel-wise network has the better boundary and no topology, a deformed template the
    reverse: on 200 synthetic rings of 96x96 a U-Net alone had Dice .942 and 82.5 % right topologies, the deformed
    template .905 and 100 %, and this .941 and 100 %.
    """
    (values,), seen = logits_on_voxels(logits[None], frame, volume)
    whole = tuple(
        (min(low, other_low), max(high, other_high))
        for (low, high), (other_low, other_high) in zip(box, seen, strict=True)
    )
    start = np.zeros([high - low for low, high in whole], bool)
    start[part_of(box, whole)] = mask
    target = np.zeros(start.shape, np.float32)
    target[part_of(seen, whole)] = values
    allowed = np.zeros_like(start)
    allowed[part_of(seen, whole)] = True
    snapped = snap(start, target, allowed=allowed)
    return snapped, whole, int(np.count_nonzero(snapped != start))


def part_of(box: Box, whole: Box) -> tuple[slice, ...]:
    """Where a box lies in an array of another one that holds it."""
    return tuple(slice(low - start, high - start) for (low, high), (start, _) in zip(box, whole, strict=True))
