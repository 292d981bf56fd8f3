from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.topology import Certificate, certify


def certificate(mask, prior, **more):
    return Certificate(
        prior,
        mask,
        more.pop("connectivity", 26 if len(mask) == 3 else 8),
        more.pop("folding_voxels", 0),
        more.pop("least_jacobian", 1.0),
        more.pop("repaired_voxels", 0),
    )


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (certificate((1, 0, 0), (1, 0, 0)), "One piece, no holes, as the prior: certified (26/6). No folds."),
        (certificate((1, 0), (1, 0)), "One piece, no holes, as the prior: certified (8/4). No folds."),
        (
            certificate((1, 1, 0), (1, 1, 0), connectivity=6),
            "One piece, one tunnel, no cavities, as the prior: certified (6/26). No folds.",
        ),
        (
            certificate((2, 0), (1, 0)),
            "Two pieces where the prior has one: not certified (8/4). No folds.",
        ),
        (
            certificate((1, 14, 2), (1, 0, 1), folding_voxels=None, least_jacobian=None),
            "14 tunnels where the prior has none; two cavities where the prior has one: not certified (26/6).",
        ),
        (
            certificate((0, 0), (1, 1), folding_voxels=None, least_jacobian=None),
            "No pieces where the prior has one; no holes where the prior has one: not certified (8/4).",
        ),
        (
            certificate((1, 0), (1, 0), folding_voxels=1, least_jacobian=-0.214, repaired_voxels=1),
            "One piece, no holes, as the prior: certified (8/4). One voxel folds (least determinant -0.21). "
            "One voxel repaired.",
        ),
        (
            certificate((1, 0), (1, 0), folding_voxels=31, least_jacobian=None, repaired_voxels=1234),
            "One piece, no holes, as the prior: certified (8/4). 31 voxels fold. 1,234 voxels repaired.",
        ),
    ],
)
def test_a_certificate_says_what_it_knows_in_plain_words(made, sentence):
    assert made.sentence == sentence


def test_a_certificate_is_ready_for_json():
    made = certify(np.ones((3, 4, 5)), [1, 0, 0], least_jacobian=np.float32(0.5), repaired_voxels=np.int64(3))
    assert json.loads(json.dumps(made.as_dict())) == {
        "betti_prior": [1, 0, 0],
        "betti_mask": [1, 0, 0],
        "connectivity": 26,
        "topology_ok": True,
        "folding_voxels": 0,
        "least_jacobian": 0.5,
        "repaired_voxels": 3,
    }


def test_the_mask_is_counted_and_not_believed():
    mask = np.array([[1, 0, 1]])
    assert not certify(mask, (1, 0)).topology_ok
    assert certify(mask, (2, 0)).topology_ok
    assert certify(mask, (1, 0)).betti_mask == (2, 0)


def test_the_mask_is_counted_with_the_connectivity_that_is_asked_for():
    corner = np.array([[1, 0], [0, 1]])
    assert certify(corner, (1, 0)).topology_ok
    made = certify(corner, (1, 0), connectivity=4)
    assert not made.topology_ok
    assert made.connectivity == 4


def test_a_mask_of_another_tool_has_no_field_to_speak_of():
    made = certify(np.ones((2, 2)), (1, 0), folding_voxels=None, least_jacobian=None)
    assert (made.folding_voxels, made.least_jacobian) == (None, None)
    assert "fold" not in made.sentence.lower()


def test_a_prior_of_another_dimension_is_refused():
    with pytest.raises(ToposegError, match="prior has 3 dimensions and the mask 2"):
        certify(np.ones((2, 2)), (1, 0, 0))


def test_a_certificate_cannot_be_changed():
    made = certify(np.ones((2, 2)), (1, 0))
    with pytest.raises(FrozenInstanceError):
        made.betti_mask = (2, 0)
