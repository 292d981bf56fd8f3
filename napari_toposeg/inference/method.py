"""How a volume is segmented where nobody says how: by the shipped network of its prior, or by a fit to this image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_toposeg.inference.site import Site
from napari_toposeg.inference.weights import KnownWeights, default_weights
from napari_toposeg.priors import Prior
from napari_toposeg.volume import Volume

_LEAST_COSINE = 0.866
"""Of the angle between the template's axis and the one that a network knows: up to 30 degrees."""


@dataclass(frozen=True)
class Method:
    """How, and why.

    Attributes
    ----------
    known : KnownWeights or None
        Of the network that is asked; None: the template is fitted to the image (`segment`).
    why : str
        A sentence for the report.
    """

    known: KnownWeights | None
    why: str


def default_method(prior: Prior, site: Site, volume: Volume) -> Method:
    """The shipped network of a prior where it can be asked, else the fit.

    Parameters
    ----------
    prior : Prior
        The template.
    site : Site
        Where it stands. A network that looks around a box needs one, and one that knows a ring about one axis cannot be
        asked for a ring about another. None was trained with a template that is bent along a stroke.
    volume : Volume
        The image.
    """
    if site.template is not None:
        return Method(None, "The template was bent along a stroke, and no shipped network was trained with such.")
    known = default_weights(prior)
    if known is None or known.card is None:
        return Method(None, f"No shipped network was trained with the prior {prior.name!r}.")
    window = known.card.window
    if window.around == "box" and site.within is None:
        return Method(None, f"The shipped network {known.name!r} looks around a box, and none is given.")
    if prior.ndim == 3 and prior.has_axis:
        axis = volume.frame.affine[:3, "xyz".index(window.axis)]
        stands = site.placement.matrix[:3, 2]
        cosine = abs(axis @ stands) / (np.linalg.norm(axis) * np.linalg.norm(stands))
        if cosine < _LEAST_COSINE:
            return Method(
                None, f"The shipped network {known.name!r} knows a {prior.name} about {window.axis}, not as it stands."
            )
    return Method(known, f"The shipped network {known.name!r} was trained with the prior {prior.name!r}.")
