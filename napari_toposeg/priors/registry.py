"""The built-in priors, read from their definitions in ``resources/priors``."""

from __future__ import annotations

import json
from functools import cache, partial
from importlib.resources import files

from napari_toposeg.priors.prior import Prior

# As a gallery shows them: 2-D before 3-D, simple before pierced.
_ORDER = (
    "disk ellipse square annulus ball ellipsoid box cylinder shell torus tube".split()  # noqa: SIM905
)


@cache
def builtin_priors() -> tuple[Prior, ...]:
    """All built-in priors: 2-D before 3-D, simple before pierced."""
    from napari_toposeg.priors.shapes import SHAPES

    priors = []
    for name in _ORDER:
        text = files("napari_toposeg.resources").joinpath("priors", f"{name}.json").read_text(encoding="utf-8")
        definition = json.loads(text)
        priors.append(
            Prior(
                name=definition["name"],
                title=definition["title"],
                description=definition["description"],
                betti=tuple(definition["betti"]),
                signed_distance=partial(SHAPES[definition["shape"]], **definition["parameters"]),
                keeps_proportions=definition["keeps_proportions"],
                has_axis=definition["has_axis"],
                extent=_tuple(definition.get("extent")),
                drawn_stretch=_tuple(definition.get("drawn_stretch")),
            )
        )
    return tuple(priors)


def _tuple(numbers: list[float] | None) -> tuple[float, ...] | None:
    return None if numbers is None else tuple(numbers)


def prior_names() -> list[str]:
    """Names of the built-in priors, in the gallery's order."""
    return [prior.name for prior in builtin_priors()]


def find_prior(name: str) -> Prior | None:
    """The built-in prior of this name, or None."""
    return next((prior for prior in builtin_priors() if prior.name == name), None)
