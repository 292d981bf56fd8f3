"""Correction that keeps what a map is surest of."""

from __future__ import annotations

import numpy as np

from napari_toposeg.inference.refine_correction import across_the_threshold, corrected_mask
from napari_toposeg.topology import betti_numbers


def test_a_corrected_map_lies_just_across_the_threshold_where_it_changed_and_nowhere_else() -> None:
    i, j = np.indices((36, 40))
    p = np.exp(-((i - 18) ** 2 + (j - 14) ** 2) / 60) + 0.72 * np.exp(-((i - 18) ** 2 + (j - 32) ** 2) / 6)
    p = np.minimum(p, 0.99).astype(np.float32)
    mask = corrected_mask(p, (1, 0))
    assert mask is not None
    after = across_the_threshold(p, mask)
    assert np.array_equal(after > 0.5, mask)
    changed = mask != (p > 0.5)
    assert np.array_equal(after[~changed], p[~changed])
    assert np.abs(after[changed] - 0.5).max() < 0.02


def test_a_correction_cuts_where_the_map_is_least_sure() -> None:
    # A ring that should be a disk's rim without a hole, and cannot be filled: its faintest sector is where it opens.
    i, j = np.indices((41, 41)) - 20
    angle = np.arctan2(i, j)
    p = np.where(np.abs(np.hypot(i, j) - 15) < 2.5, 0.9 - 0.35 * np.exp(-((angle / 0.3) ** 2)), 0.0).astype(np.float32)
    mask = corrected_mask(p, (1, 0))
    removed = np.argwhere((p > 0.5) & ~mask)
    assert betti_numbers(mask) == (1, 0)
    assert len(removed)
    assert np.abs(angle[tuple(removed.T)]).max() < 0.3


def test_what_is_beyond_repair_at_the_threshold_is_found_at_another_level(gudhi_betti) -> None:
    # Above 0.5 there are two specks; the ring that the map has lies far below.
    i, j = np.indices((31, 31)) - 15
    p = np.where(np.abs(np.hypot(i, j) - 9) < 2, 0.2, 0.0).astype(np.float32)
    p[15, 24] = p[15, 6] = 0.9
    mask = corrected_mask(p, (1, 1))
    assert mask is not None
    assert gudhi_betti(mask) == (1, 1)
    assert mask[15, 24]
    assert not mask[15, 15]
