"""Numbers as a person says them."""

from __future__ import annotations

from collections.abc import Sequence

from napari_toposeg.volume import Volume

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FEATURES = {2: ("piece", "hole"), 3: ("piece", "tunnel", "cavity")}
_PLURALS = {"cavity": "cavities"}


def betti_words(betti: Sequence[int]) -> str:
    """Betti numbers in words: (1, 1, 0) is "one piece, one tunnel"."""
    names = _FEATURES[len(betti)]
    parts = [_counted(number, name) for number, name in zip(betti, names, strict=True) if number]
    return ", ".join(parts) or "nothing"


def _counted(number: int, name: str) -> str:
    count = _COUNTS[number] if number < len(_COUNTS) else str(number)
    return f"{count} {name if number == 1 else _PLURALS.get(name, name + 's')}"


def volume_words(volume: Volume) -> str:
    """Size and spacing of an image: "96 × 96 × 64 voxels of 1 × 1 × 1.5 mm"."""
    shape = " × ".join(map(str, volume.shape))
    spacing = " × ".join(f"{step:.3g}" for step in volume.spacing)
    return f"{shape} {'voxels' if volume.ndim == 3 else 'pixels'} of {spacing} mm"
