"""The simulated user clicks into the middle of the largest error."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation.simulated_user import next_prompt
from napari_toposeg.inference import Prompt


def test_the_middle_of_the_largest_error_is_clicked() -> None:
    label = np.zeros((40, 40), bool)
    label[5:20, 5:20] = True
    mask = label.copy()
    mask[5:12, 5:12] = False  # 49 voxels are missing
    mask[30:35, 30:35] = True  # and 25 too much
    assert next_prompt(mask, label, (1.0, 1.0)) == Prompt((8.0, 8.0), include=True)
    mask[5:12, 5:12] = True
    assert next_prompt(mask, label, (1.0, 1.0)) == Prompt((32.0, 32.0), include=False)


def test_deepest_is_meant_in_millimetres() -> None:
    label = np.zeros((12, 12, 9), bool)
    label[2:10, 2:10, 2:4] = True  # deep in voxels along the first axes
    label[2:5, 2:5, 2:7] = True
    prompt = next_prompt(np.zeros_like(label), label, (1.0, 1.0, 10.0))
    assert prompt is not None
    assert prompt.include
    # With slices of 10 mm only the way within a slice counts: 4 voxels from the sides of the large square.
    assert {prompt.point[0], prompt.point[1]} <= {5.0, 6.0}


def test_missing_and_too_much_are_not_one_error_and_nothing_wrong_asks_for_nothing() -> None:
    label = np.zeros((10, 10), bool)
    label[:, :5] = True
    mask = np.zeros((10, 10), bool)
    mask[:, 5:8] = True
    assert next_prompt(mask, label, (1.0, 1.0)).include  # 50 missing, 30 too much, side by side
    assert next_prompt(label, label, (1.0, 1.0)) is None
    with pytest.raises(ToposegError, match="shape"):
        next_prompt(label, label[:5], (1.0, 1.0))
