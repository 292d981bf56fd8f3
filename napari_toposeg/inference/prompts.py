"""Prompts: voxels of which a person says that they belong to the organ, or that they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from warnings import warn

import numpy as np

from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.frame import Box

Means = Literal["deformation", "flips", "contradicted", "impossible", "unreached", "outside"]


@dataclass(frozen=True)
class Prompt:
    """A voxel that has to be in the mask, or out of it.

    Attributes
    ----------
    point : (ndim,) tuple of float
        In canonical voxels of the volume; whole numbers are the voxels' centres. The nearest voxel is meant.
    include : bool
        Whether it has to be in the mask.

    Raises
    ------
    ToposegError
        If a coordinate is not finite.
    """

    point: tuple[float, ...]
    include: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "point", tuple(float(value) for value in self.point))
        if not np.isfinite(self.point).all():
            raise ToposegError(f"A prompt lies at {self.point}.", todo="Give finite coordinates in voxels.")

    @property
    def voxel(self) -> tuple[int, ...]:
        """The nearest voxel."""
        return tuple(int(np.floor(value + 0.5)) for value in self.point)


Prompts: TypeAlias = tuple[Prompt, ...]


@dataclass(frozen=True)
class PromptOutcome:
    """What became of a prompt.

    Attributes
    ----------
    prompt : Prompt
        What was asked for.
    means : str
        How it is satisfied: "deformation" (the mask had it before anything was flipped), or "flips" (simple points were
        flipped to reach it). Or why it is not: "contradicted" (a later prompt demands the opposite of the same voxel),
        "impossible" (no simple points lead there: the topology, or other prompts, would break), "unreached" (nothing
        was flipped, since the mask was to be left as it is), or "outside" (of the volume or of the region: ignored).
    """

    prompt: Prompt
    means: Means

    @property
    def satisfied(self) -> bool:
        return self.means in ("deformation", "flips")

    @property
    def sentence(self) -> str:
        """What became of it, in plain words."""
        at = ", ".join(f"{value:g}" for value in self.prompt.point)
        return f"The {'include' if self.prompt.include else 'exclude'} point at ({at}) {_WORDS[self.means]}."

    def as_dict(self) -> Mapping[str, Any]:
        """With plain lists and words, ready for JSON."""
        return {
            "point": list(self.prompt.point),
            "include": self.prompt.include,
            "satisfied": self.satisfied,
            "means": self.means,
        }


_WORDS: Mapping[Means, str] = {
    "deformation": "is satisfied by the deformation",
    "flips": "is satisfied by flipping simple points",
    "contradicted": "is contradicted by a later one on the same voxel",
    "impossible": "cannot be satisfied without a change of the topology or of another point",
    "unreached": "is not reached by the deformation, and the mask is left as it is",
    "outside": "lies outside of the region and is ignored",
}


@dataclass(frozen=True)
class Heard:
    """Prompts, and which of them count.

    Attributes
    ----------
    prompts : tuple of Prompt
        All of them, in the order in which they were given.
    ignored : mapping of int to str
        By their numbers, those that do not count, and why: "outside" or "contradicted".
    """

    prompts: Prompts
    ignored: Mapping[int, Means]

    @property
    def counting(self) -> Mapping[int, Prompt]:
        """By their numbers, those that count."""
        return {number: prompt for number, prompt in enumerate(self.prompts) if number not in self.ignored}


def heard(prompts: Prompts, region: Box) -> Heard:
    """Which prompts count.

    Parameters
    ----------
    prompts : tuple of Prompt
        As they were given.
    region : Box
        What is looked at, in canonical voxels. What lies outside of it is ignored. Of those that contradict each other
        on one voxel the last counts.

    Raises
    ------
    ToposegError
        If a prompt has another number of coordinates than the region.

    Warns
    -----
    ToposegWarning
        If any lie outside.
    """
    ignored: dict[int, Means] = {}
    latest: dict[tuple[int, ...], bool] = {}
    for number in reversed(range(len(prompts))):
        prompt = prompts[number]
        if len(prompt.point) != len(region):
            raise ToposegError(
                f"A prompt has {len(prompt.point)} coordinates and the image {len(region)} axes.",
                todo="Give one coordinate by axis.",
            )
        if not all(low <= at < high for at, (low, high) in zip(prompt.voxel, region, strict=True)):
            ignored[number] = "outside"
        elif latest.setdefault(prompt.voxel, prompt.include) != prompt.include:
            ignored[number] = "contradicted"
    outside = sum(why == "outside" for why in ignored.values())
    if outside:
        warn(
            ToposegWarning(
                f"{outside} of {len(prompts)} include and exclude points lie outside of the image or of the region, "
                "and are ignored. Choose a larger region to reach them."
            ),
            stacklevel=2,
        )
    return Heard(tuple(prompts), ignored)
