"""Templates with known Betti numbers, and where they stand."""

from napari_toposeg.priors.adjustment import shift, stretch, turn
from napari_toposeg.priors.bending import along_stroke
from napari_toposeg.priors.outline import Outline, outline
from napari_toposeg.priors.placement import (
    AXES,
    axis_number,
    place_in_box,
    place_in_image,
    place_on_mask,
    template_mask,
)
from napari_toposeg.priors.prior import Placement, Prior, signed_distance
from napari_toposeg.priors.prompted_placement import LEAST_POINTS, MOST_POINTS, place_at_points
from napari_toposeg.priors.registry import builtin_priors, find_prior, prior_names
from napari_toposeg.priors.render import render
from napari_toposeg.priors.template import mean_shape, prior_from_mask, signed_distance_of

__all__ = [
    "AXES",
    "LEAST_POINTS",
    "MOST_POINTS",
    "Outline",
    "Placement",
    "Prior",
    "along_stroke",
    "axis_number",
    "builtin_priors",
    "find_prior",
    "mean_shape",
    "outline",
    "place_at_points",
    "place_in_box",
    "place_in_image",
    "place_on_mask",
    "prior_from_mask",
    "prior_names",
    "render",
    "shift",
    "signed_distance",
    "signed_distance_of",
    "stretch",
    "template_mask",
    "turn",
]
