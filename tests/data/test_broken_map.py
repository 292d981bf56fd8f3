"""A map that is wrong in a known way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from napari_toposeg.data import broken_map, phantom


@pytest.mark.parametrize(("prior", "shape", "right"), [("ball", (32, 36, 28), (1, 0, 0)), ("disk", (48, 48), (1, 0))])
def test_a_broken_map_has_a_hole_and_a_piece_too_many(
    prior: str, shape: tuple[int, ...], right: tuple[int, ...], gudhi_betti: Callable[..., tuple[int, ...]]
) -> None:
    mask = phantom(prior, shape, seed=3).mask
    found = broken_map(mask)
    assert gudhi_betti(mask) == right
    assert gudhi_betti(found >= 0.5) == (right[0] + 1, *right[1:-1], right[-1] + 1)
    assert found.min() >= 0.0
    assert found.max() <= 1.0
