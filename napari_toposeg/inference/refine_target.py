"""What can be asked of a map's topology, and how a person writes it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses import BettiRange, BettiTarget
from napari_toposeg.topology import betti_words
from napari_toposeg.topology.words import FEATURES, counted, number_word


def check_target(betti: BettiTarget, shape: Sequence[int]) -> tuple[BettiRange, ...]:
    """What is wanted of a map, as ranges; refused where no mask of that shape can have it.

    Parameters
    ----------
    betti : sequence of int or BettiRange
        One for each dimension of the map.
    shape : sequence of int
        Of the map.

    Returns
    -------
    tuple of BettiRange

    Raises
    ------
    ToposegError
        If the number of Betti numbers is not that of the map's axes, one of them is no Betti number, or they are
        impossible: nothing at all, holes in nothing, or more features than the grid has room for.
    """
    if len(shape) not in (2, 3):
        raise ToposegError(
            f"The map has {len(shape)} axes.",
            why="Topology is counted on 2-D and 3-D maps only.",
            todo="Take one channel out of it first.",
        )
    target = tuple(_as_range(one) for one in betti)
    if len(target) != len(shape):
        names = "pieces, holes" if len(shape) == 2 else "pieces, tunnels, cavities"
        raise ToposegError(
            f"{len(target)} Betti numbers are given, and the map is {len(shape)}-D.",
            why=f"A {len(shape)}-D map has {len(shape)}: {names}.",
            todo=f"Give {len(shape)}, as {'1,0' if len(shape) == 2 else '1,0,0'} for one piece without holes.",
        )
    least = tuple(one.low for one in target)
    if target[0].high == 0:
        said = betti_words(least, absent=False)
        raise ToposegError(
            f"No piece and {said} is impossible." if any(least) else "A mask without any piece is empty.",
            why="Holes are holes in something." if any(least) else "There is nothing to refine.",
            todo="Ask for at least one piece.",
        )
    _check_room(least, shape)
    if any(least[1:]):
        # Holes need something around them, also where no piece would do.
        target = (BettiRange(max(1, target[0].low), target[0].high), *target[1:])
    return target


def _check_room(least: Sequence[int], shape: Sequence[int]) -> None:
    # The smallest pore has a voxel on each side of it: a hole in 2-D and a cavity in 3-D along every axis,
    # a tunnel along two.
    sides = sorted(shape, reverse=True)
    room = 1
    for size in shape:
        room *= size
    tunnel_fits = sides[1] >= 3
    pore_fits = sides[-1] >= 3
    for dimension, number in enumerate(least):
        fits = dimension == 0 or (pore_fits if dimension == len(shape) - 1 else tunnel_fits)
        # No two features share a voxel of their own.
        if number > room // 2 + 1 or (number and not fits):
            wanted = tuple(number if k == dimension else 0 for k in range(len(shape)))
            raise ToposegError(
                f"There is no room for {betti_words(wanted, absent=False)} on {' x '.join(map(str, shape))} voxels.",
                todo="Ask for fewer, or refine a map on a finer grid.",
            )


def _as_range(one: int | BettiRange) -> BettiRange:
    if isinstance(one, BettiRange):
        return one
    try:
        number = index(one)
    except TypeError as error:
        raise ToposegError(
            f"{one!r} is not a Betti number.", todo="Give a whole number, or BettiRange(low, high)."
        ) from error
    return BettiRange(number, number)


def nearest_in(target: Sequence[BettiRange], betti: Sequence[int]) -> tuple[int, ...]:
    """The Betti numbers within the target that are nearest to these."""
    return tuple(
        max(one.low, number if one.high is None else min(number, one.high))
        for one, number in zip(target, betti, strict=True)
    )


def parse_betti(text: str) -> tuple[BettiRange, ...]:
    """Betti numbers as a person writes them: ``1,0`` or ``1,0,0``; each may be a range, ``0-2``, or open, ``1+``.

    Raises
    ------
    ToposegError
        If the text is anything else.
    """
    return tuple(_parse_one(word.strip(), text) for word in text.split(","))


def _parse_one(word: str, text: str) -> BettiRange:
    low, dash, high = word.partition("-")
    if not dash and word.endswith("+") and word[:-1].isdecimal():
        return BettiRange(int(word[:-1]), None)
    if low.isdecimal() and (high.isdecimal() if dash else True):
        return BettiRange(int(low), int(high) if dash else int(low))
    raise ToposegError(
        f"The Betti numbers {text!r} cannot be read.",
        why="They are one number for each dimension: pieces, holes; in 3-D pieces, tunnels, cavities.",
        todo="Write them like 1,0 or 1,0,0; a range like 0-2, any number from one like 1+.",
    )


def target_words(target: Sequence[BettiRange]) -> str:
    """A target in words, as `betti_words` says Betti numbers: "one piece, up to two holes"."""
    if all(one.low == one.high for one in target):
        return betti_words([one.low for one in target])
    words = []
    for one, names in zip(target, FEATURES[len(target)], strict=True):
        if one.high is None:
            words.append(f"at least {counted(one.low, names)}" if one.low else f"any number of {names[1]}")
        elif one.low == one.high:
            words.append(counted(one.low, names))
        else:
            until = counted(one.high, names)
            words.append(f"{number_word(one.low)} to {until}" if one.low else f"up to {until}")
    return ", ".join(words)


def target_text(target: Sequence[BettiRange]) -> str:
    """A target as `parse_betti` reads it."""
    words = []
    for one in target:
        if one.high is None:
            words.append(f"{one.low}+")
        else:
            words.append(str(one.low) if one.low == one.high else f"{one.low}-{one.high}")
    return ",".join(words)


def betti_error(target: Sequence[BettiRange], betti: Sequence[int]) -> int:
    """By how many features Betti numbers miss a target, over all dimensions."""
    return sum(
        max(one.low - number, 0) + (0 if one.high is None else max(number - one.high, 0))
        for one, number in zip(target, betti, strict=True)
    )
