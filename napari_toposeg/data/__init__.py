"""Cases on disk, their split and their augmentation; images and masks with known answers, and images made harder.

Nothing heavy is imported here: the names below are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_toposeg.data.augmentation import Augmentation, augmented
    from napari_toposeg.data.broken_masks import BETTI, Broken, broken_map, broken_mask
    from napari_toposeg.data.cases import Case, find_cases, read_case
    from napari_toposeg.data.phantoms import Phantom, phantom, phantom_row
    from napari_toposeg.data.practice import write_practice
    from napari_toposeg.data.split import Split, cases_of, draw_split, read_split, write_split
    from napari_toposeg.data.undersampling import remove_lines, sampled_lines

# No module is called as one of the names: once imported it would stand in the name's place.
_HOMES = {
    "Augmentation": "augmentation",
    "augmented": "augmentation",
    "BETTI": "broken_masks",
    "Broken": "broken_masks",
    "broken_map": "broken_masks",
    "broken_mask": "broken_masks",
    "Case": "cases",
    "find_cases": "cases",
    "read_case": "cases",
    "Phantom": "phantoms",
    "phantom": "phantoms",
    "phantom_row": "phantoms",
    "write_practice": "practice",
    "Split": "split",
    "cases_of": "split",
    "draw_split": "split",
    "read_split": "split",
    "write_split": "split",
    "remove_lines": "undersampling",
    "sampled_lines": "undersampling",
}

__all__ = [
    "BETTI",
    "Augmentation",
    "Broken",
    "Case",
    "Phantom",
    "Split",
    "augmented",
    "broken_map",
    "broken_mask",
    "cases_of",
    "draw_split",
    "find_cases",
    "phantom",
    "phantom_row",
    "read_case",
    "read_split",
    "remove_lines",
    "sampled_lines",
    "write_practice",
    "write_split",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
