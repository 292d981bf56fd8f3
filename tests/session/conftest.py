"""A result that nobody had to wait for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_toposeg.frame import box_of, box_slices, clip_box, grow_box
from napari_toposeg.inference import PixelwiseSegmentation, Settings
from napari_toposeg.priors import find_prior
from napari_toposeg.topology import certify


@pytest.fixture
def made_outcome() -> Callable[..., PixelwiseSegmentation]:
    """What a run would have given: (volume, mask, name of the prior) to a result."""
    return _made


def _made(volume, mask, prior):
    box = clip_box(grow_box(box_of(mask), [2] * mask.ndim), mask.shape)
    template = find_prior(prior)
    return PixelwiseSegmentation(
        volume=volume,
        prior=template,
        box=box,
        mask=mask[box_slices(box)],
        certificate=certify(mask, template.betti, folding_voxels=None, least_jacobian=None),
        settings=Settings(),
        device="cpu",
        seconds={"total": 0.0},
        start="nothing",
    )
