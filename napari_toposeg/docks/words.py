"""Numbers as a person says them."""

from __future__ import annotations

from napari_toposeg.volume import Volume


def volume_words(volume: Volume) -> str:
    """Size and spacing of an image: "96 × 96 × 64 voxels of 1 × 1 × 1.5 mm"."""
    shape = " × ".join(map(str, volume.shape))
    spacing = " × ".join(f"{step:.3g}" for step in volume.spacing)
    return f"{shape} {'voxels' if volume.ndim == 3 else 'pixels'} of {spacing} mm"
