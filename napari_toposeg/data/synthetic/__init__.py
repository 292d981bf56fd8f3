"""Training samples that nobody's data is in: random shapes of a prior's topology in random surroundings.

Nothing heavy is imported here: the names below are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_toposeg.data.synthetic.sample import SyntheticSample, synthetic_priors, synthetic_sample
    from napari_toposeg.data.synthetic.settings import SyntheticSettings
    from napari_toposeg.data.synthetic.surroundings import CAVITY, OBJECT

_HOMES = {
    "CAVITY": "surroundings",
    "OBJECT": "surroundings",
    "SyntheticSample": "sample",
    "SyntheticSettings": "settings",
    "synthetic_priors": "sample",
    "synthetic_sample": "sample",
}

__all__ = ["CAVITY", "OBJECT", "SyntheticSample", "SyntheticSettings", "synthetic_priors", "synthetic_sample"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
