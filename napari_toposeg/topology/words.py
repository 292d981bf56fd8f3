"""Betti numbers as a person says them."""

from __future__ import annotations

from collections.abc import Sequence

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

FEATURES = {
    2: (("piece", "pieces"), ("hole", "holes")),
    3: (("piece", "pieces"), ("tunnel", "tunnels"), ("cavity", "cavities")),
}
"""What each Betti number counts, one and many, by the number of dimensions."""


def number_word(count: int) -> str:
    """A number in words up to twelve, in digits beyond."""
    return _NUMBERS[count] if count < len(_NUMBERS) else f"{count:,}"


def counted(count: int, names: tuple[str, str]) -> str:
    """A number of things: "one tunnel", "no cavities"."""
    return f"{number_word(count)} {names[count != 1]}"


def betti_words(betti: Sequence[int], *, absent: bool = True) -> str:
    """Betti numbers in words.

    Parameters
    ----------
    betti : sequence of int
        (b0, b1) or (b0, b1, b2).
    absent : bool
        Whether what there is none of is said too: "one piece, one tunnel, no cavities" against "one piece, one
        tunnel".

    Returns
    -------
    str
        In small letters, without a full stop.
    """
    features = FEATURES[len(betti)]
    if not absent:
        there = [counted(count, names) for count, names in zip(betti, features, strict=True) if count]
        return ", ".join(there) or "nothing"
    if len(betti) == 3 and not any(betti[1:]):
        return f"{counted(betti[0], features[0])}, no holes"
    return ", ".join(counted(count, names) for count, names in zip(betti, features, strict=True))
