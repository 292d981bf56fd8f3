"""Numbers as a person says them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_toposeg.priors import find_prior
from napari_toposeg.topology import betti_words
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.inference import Outcome
    from napari_toposeg.inference.estimate import Estimate


def volume_words(volume: Volume) -> str:
    """Size and spacing of an image: "96 × 96 × 64 voxels of 1 × 1 × 1.5 mm"."""
    return grid_words(volume.shape, tuple(map(float, volume.spacing)))


def grid_words(shape: tuple[int, ...], spacing: tuple[float, ...]) -> str:
    """Size and spacing of a grid: "96 × 96 × 64 voxels of 1 × 1 × 1.5 mm"."""
    sides = " × ".join(map(str, shape))
    steps = " × ".join(f"{step:.3g}" for step in spacing)
    return f"{sides} {'voxels' if len(shape) == 3 else 'pixels'} of {steps} mm"


def bytes_words(count: int) -> str:
    """An amount of memory: "5.1 GB", "320 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def estimate_words(found: Estimate) -> str:
    """What a run will be like: "Works on 48 × 48 × 48 voxels of 1.5 × 1.5 × 1 mm; about 1 s and 150 MB."."""
    if found.seconds is None:
        time = "how long was not measured on this device;"
    else:
        time = f"about {found.seconds:.0f} s and" if found.seconds >= 1.5 else "about a second and"
    return f"Works on {grid_words(found.shape, found.spacing)}; {time} {bytes_words(found.memory)}."


def certificate_words(result: Outcome) -> str:
    """A certificate for somebody who knows the organ and no topology: "One piece, no holes: as a ball must be."."""
    certificate = result.certificate
    prior = result.prior
    counted = betti_words(certificate.betti_mask)
    # A template of one's own is called by its file's name, which is not what an organ is.
    shape = "the template"
    if find_prior(prior.name) is prior:
        title = prior.title.lower()
        shape = f"{'an' if title[0] in 'aeio' else 'a'} {title}"
    if certificate.topology_ok:
        return f"{counted[0].upper()}{counted[1:]}: as {shape} {'is' if shape == 'the template' else 'must be'}."
    return f"{counted[0].upper()}{counted[1:]}: not as {shape}, which has {betti_words(certificate.betti_prior)}."
