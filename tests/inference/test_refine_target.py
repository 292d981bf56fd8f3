"""What can be asked of a map's topology, and how a person writes it."""

from __future__ import annotations

import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import parse_betti, target_words
from napari_toposeg.inference.refine_target import betti_error, check_target, nearest_in, target_text
from napari_toposeg.losses import BettiRange


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("1,0", (BettiRange(1, 1), BettiRange(0, 0)), "one piece, no holes"),
        (
            "1, 0-2 ,0",
            (BettiRange(1, 1), BettiRange(0, 2), BettiRange(0, 0)),
            "one piece, up to two tunnels, no cavities",
        ),
        ("1+,0+", (BettiRange(1), BettiRange(0)), "at least one piece, any number of holes"),
        ("2-3,1", (BettiRange(2, 3), BettiRange(1, 1)), "two to three pieces, one hole"),
    ],
)
def test_betti_numbers_are_read_and_said(text: str, target: tuple, words: str) -> None:
    assert parse_betti(text) == target
    assert target_words(target) == words
    assert parse_betti(target_text(target)) == target


@pytest.mark.parametrize("text", ["", "1,", "a,b", "1;0", "-1,0", "1-,0", "1.5,0", "1--2,0", "+,0", "²,0"])
def test_what_are_no_betti_numbers_is_refused(text: str) -> None:
    with pytest.raises(ToposegError, match="cannot be read"):
        parse_betti(text)


def test_what_is_nearest_in_a_target_misses_it_by_nothing() -> None:
    target = parse_betti("1,2-3,0+")
    for betti, nearest, error in (((4, 0, 7), (1, 2, 7), 5), ((0, 5, 0), (1, 3, 0), 3), ((1, 2, 9), (1, 2, 9), 0)):
        assert nearest_in(target, betti) == nearest
        assert betti_error(target, betti) == error
        assert betti_error(target, nearest) == 0


def test_where_holes_are_wanted_there_has_to_be_a_piece() -> None:
    assert check_target((BettiRange(0, 2), 1), (9, 9)) == (BettiRange(1, 2), BettiRange(1, 1))
    assert check_target((BettiRange(0, 2), 0), (9, 9)) == (BettiRange(0, 2), BettiRange(0, 0))
