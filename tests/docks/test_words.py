"""What the docks say in plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_toposeg.data import phantom
from napari_toposeg.docks.words import bytes_words, certificate_words, estimate_words
from napari_toposeg.frame import box_of
from napari_toposeg.inference import Segmentation, Settings, segment, site_in_box
from napari_toposeg.inference.estimate import Estimate
from napari_toposeg.priors import find_prior
from napari_toposeg.steps import last

TIMES = "\u00d7"


@pytest.fixture(scope="module")
def result() -> Segmentation:
    image = phantom("annulus", (40, 44), seed=3)
    prior = find_prior("annulus")
    assert prior is not None
    return last(
        segment(image.volume, prior, site_in_box(prior, image.volume, box_of(image.mask)), Settings(iterations=10))
    )


def test_a_certificate_is_said_in_the_words_of_the_organ_s_shape(result) -> None:
    assert certificate_words(result) == "One piece, one hole: as an annulus must be."
    broken = replace(result.certificate, betti_mask=(2, 0))
    assert certificate_words(replace(result, certificate=broken)) == (
        "Two pieces, no holes: not as an annulus, which has one piece, one hole."
    )
    # A template of one's own has the name of a file.
    own = replace(result.prior, name="case_07")
    assert certificate_words(replace(result, prior=own)) == "One piece, one hole: as the template is."


def test_an_estimate_is_no_more_exact_than_it_is() -> None:
    found = Estimate((48, 48, 32), (1.25, 1.25, 2.0), 0.4, 61_000_000)
    assert estimate_words(found) == (
        f"Works on 48 {TIMES} 48 {TIMES} 32 voxels of 1.25 {TIMES} 1.25 {TIMES} 2 mm; about a second and 61 MB."
    )
    assert "about 12 s" in estimate_words(replace(found, seconds=12.3))
    assert "not measured" in estimate_words(replace(found, seconds=None))
    assert bytes_words(5_120_000_000) == "5.1 GB"
