"""Logits that heed prompts."""

from __future__ import annotations

import numpy as np
import pytest

from napari_toposeg.frame import Frame
from napari_toposeg.inference.prompted_logits import FIRM, heeding
from napari_toposeg.inference.prompts import Prompt

GRID = Frame(np.eye(4), (32, 32, 32))
ALONG = np.indices(GRID.shape)[0]


def seen(last: int) -> np.ndarray:
    """Logits of a network that sees the object up to a plane."""
    return np.where(last >= ALONG, 3.0, -3.0).astype(np.float32)


def image(last: int) -> np.ndarray:
    """An image in which the object goes up to a plane."""
    return np.where(last >= ALONG, 1.0, -1.0).astype(np.float32)


def test_what_is_near_and_as_bright_follows_and_the_rest_does_not() -> None:
    heeded = heeding(seen(12), image(20), GRID, GRID, [Prompt((17, 16, 16), include=True)])
    assert heeded[17, 16, 16] == pytest.approx(FIRM)
    # Up to the edge of what is as bright, and no farther; and not at the window's end.
    assert (heeded[13:21, 16, 16] > 0).all()
    assert (heeded[21:, 16, 16] < 0).all()
    assert (heeded[17:, 0, 0] < 0).all()
    assert (heeded[:13] > 0).all()


def test_the_farther_the_boundary_is_the_more_follows() -> None:
    flat = np.zeros(GRID.shape, np.float32)
    grown = [
        int((heeding(seen(12), flat, GRID, GRID, [Prompt((at, 16, 16), include=True)]) > 0).sum()) for at in (14, 18)
    ]
    assert grown[1] > grown[0] > int((seen(12) > 0).sum())


def test_excluding_is_the_same_the_other_way_round() -> None:
    prompt = [Prompt((9, 16, 16), include=False)]
    excluded = heeding(seen(12), image(5), GRID, GRID, prompt)
    included = heeding(-seen(12), -image(5), GRID, GRID, [Prompt((9, 16, 16), include=True)])
    np.testing.assert_allclose(excluded, -included, atol=1e-4)


def test_the_last_word_counts_and_nothing_is_changed_in_place() -> None:
    before = seen(12)
    kept = before.copy()
    twice = [Prompt((17, 16, 16), include=True), Prompt((17, 16, 16), include=False)]
    assert heeding(before, image(20), GRID, GRID, twice)[17, 16, 16] < 0
    assert heeding(before, image(20), GRID, GRID, twice[::-1])[17, 16, 16] > 0
    np.testing.assert_array_equal(before, kept)


def test_places_count_in_the_volume_and_distances_in_millimetres() -> None:
    coarse = Frame(np.diag([1.0, 2.0, 2.0, 1.0]), (32, 16, 16))
    heeded = heeding(seen(12)[:, ::2, ::2], image(20)[:, ::2, ::2], coarse, GRID, [Prompt((17, 16, 16), include=True)])
    fine = heeding(seen(12), image(20), GRID, GRID, [Prompt((17, 16, 16), include=True)])
    np.testing.assert_allclose(heeded[17, :, 8], fine[17, ::2, 16], atol=0.2)


def test_a_prompt_beyond_the_window_leaves_numbers() -> None:
    heeded = heeding(seen(12), image(20), GRID, GRID, [Prompt((35.0, 16, 40), include=True)])
    assert np.isfinite(heeded).all()
    assert (heeded[:13] > 0).all()
