"""The certified mask keeps what prompts demand, or says which of them cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Box
from napari_toposeg.inference.hybrid import part_of
from napari_toposeg.inference.prompts import Heard, Means, Prompt, PromptOutcome
from napari_toposeg.inference.segmentation import Segmentation
from napari_toposeg.topology import certify, reach_voxel


def honoured(plain: Segmentation, told: Heard, region: Box) -> Segmentation:
    """A segmentation whose mask has what prompts demand.

    Parameters
    ----------
    plain : Segmentation
        As the deformation, and a hybrid's logits, left it.
    told : Heard
        The prompts.
    region : Box
        What is looked at: where voxels may flip.

    Returns
    -------
    Segmentation
        With `prompts` and `prompted_voxels` set, and its mask's Betti numbers counted again. Where the mask is not to
        be repaired ("report", "off") nothing is flipped. Without prompts the segmentation itself.

    Raises
    ------
    RuntimeError
        If flipping simple points has changed the topology: a defect.
    """
    if not told.prompts:
        return plain
    whole = tuple(
        (min(low, other_low), max(high, other_high))
        for (low, high), (other_low, other_high) in zip(plain.box, region, strict=True)
    )
    mask = np.zeros([high - low for low, high in whole], bool)
    mask[part_of(plain.box, whole)] = plain.mask
    counting = {
        number: Prompt(tuple(at - low for at, (low, _) in zip(prompt.voxel, whole, strict=True)), prompt.include)
        for number, prompt in told.counting.items()
    }
    means: dict[int, Means] = {
        number: "deformation" if mask[prompt.voxel] == prompt.include else "unreached"
        for number, prompt in counting.items()
    }
    reached = mask
    if plain.settings.certify == "strict":
        reached = satisfy(mask, counting, tuple(plain.volume.spacing))
        means |= {
            number: "flips" if reached[counting[number].voxel] == counting[number].include else "impossible"
            for number, how in means.items()
            if how == "unreached"
        }
    outcomes = tuple(
        PromptOutcome(prompt, told.ignored[number] if number in told.ignored else means[number])
        for number, prompt in enumerate(told.prompts)
    )
    flipped = int(np.count_nonzero(reached != mask))
    if not flipped:
        return replace(plain, prompts=outcomes)
    before = plain.certificate
    certificate = certify(
        reached,
        plain.prior.betti,
        folding_voxels=before.folding_voxels,
        least_jacobian=before.least_jacobian,
        repaired_voxels=before.repaired_voxels,
    )
    if certificate.betti_mask != before.betti_mask:
        raise RuntimeError(f"Following the prompts changed the topology: {certificate.sentence}")
    return replace(plain, mask=reached, box=whole, certificate=certificate, prompts=outcomes, prompted_voxels=flipped)


def satisfy(mask: NDArray[np.bool_], prompts: Mapping[int, Prompt], spacing: Sequence[float]) -> NDArray[np.bool_]:
    """Flip simple points until as many prompts as can be are satisfied.

    Parameters
    ----------
    mask : (*grid) bool
        The mask.
    prompts : mapping of int to Prompt
        In voxels of the mask, no two on one voxel; the later ones are served first, and what is satisfied stays so.
    spacing : sequence of float
        Voxel size by axis.

    Returns
    -------
    (*grid) bool
        Homotopy equivalent to the mask.
    """
    fixed = np.zeros(mask.shape, bool)
    for prompt in prompts.values():
        fixed[prompt.voxel] = mask[prompt.voxel] == prompt.include
    # Twice: a prompt whose way was barred by voxels that another one has moved since may now be reached.
    for _ in range(2):
        for number in sorted(prompts, reverse=True):
            prompt = prompts[number]
            if mask[prompt.voxel] != prompt.include:
                found = reach_voxel(mask, prompt.voxel, prompt.include, fixed=fixed, spacing=spacing)
                mask = mask if found is None else found
            fixed[prompt.voxel] = mask[prompt.voxel] == prompt.include
    return mask
