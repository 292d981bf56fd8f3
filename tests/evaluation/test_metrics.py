"""Metrics against SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.evaluation import betti_error, dice, hausdorff_distance


def masks(seed: int, ndim: int) -> tuple[np.ndarray, np.ndarray]:
    """Two random masks that are not empty."""
    generator = np.random.default_rng(seed)
    pair = generator.random((2, *(9, 8, 7)[:ndim])) < 0.2
    pair[:, (*[2] * ndim,)[0]] = True
    return pair[0], pair[1]


@given(seed=st.integers(0, 1000), ndim=st.sampled_from([2, 3]))
@settings(max_examples=25, deadline=None)
def test_dice_and_hausdorff_are_simpleitk_s(seed, ndim) -> None:
    one, other = masks(seed, ndim)
    spacing = (0.7, 1.3, 2.0)[:ndim]
    images = []
    for mask in (one, other):
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing(spacing[::-1])
        images.append(image)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    assert dice(one, other) == pytest.approx(overlap.GetDiceCoefficient())
    distance = sitk.HausdorffDistanceImageFilter()
    distance.Execute(*images)
    assert hausdorff_distance(one, other, spacing) == pytest.approx(distance.GetHausdorffDistance(), rel=1e-5)


def test_empty_masks_have_an_answer() -> None:
    nothing, something = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    assert dice(nothing, nothing) == 1.0
    assert dice(nothing, something) == 0.0
    assert hausdorff_distance(nothing, nothing, (1, 1)) == 0.0
    assert hausdorff_distance(nothing, something, (1, 1)) == float("inf")


def test_betti_errors_add_up_over_dimensions() -> None:
    assert betti_error((1, 0, 0), (1, 0, 0)) == 0
    assert betti_error((3, 0, 2), (1, 1, 0)) == 5
