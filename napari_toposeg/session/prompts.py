"""Prompts of a session: points and scribbles that say what belongs to the organ, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike
from psygnal import Signal, SignalGroup

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Outcome, Prompt, PromptOutcome, Prompts, Segmentation

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session

Fate = Literal["waiting", "satisfied", "impossible", "unreached", "ignored"]


@dataclass(frozen=True)
class Mark:
    """A point, or a scribble, that was put into the image at once.

    Attributes
    ----------
    points : tuple of (ndim,) tuples of float
        Canonical voxels, within the volume; of a scribble its corners, in the order in which it was drawn.
    include : bool
        Whether it lies in the organ.
    """

    points: tuple[tuple[float, ...], ...]
    include: bool

    @property
    def prompts(self) -> Prompts:
        """One prompt for each voxel that it passes through."""
        corners = np.array(self.points)
        places = [corners[:1]]
        for begin, end in pairwise(corners):
            steps = int(np.ceil(np.abs(end - begin).max()))
            if steps:
                places.append(begin + (np.arange(1, steps + 1) / steps)[:, None] * (end - begin))
        voxels = np.floor(np.concatenate(places) + 0.5)
        if len(self.points) == 1:
            return (Prompt(self.points[0], self.include),)
        return tuple(Prompt(tuple(voxel), self.include) for voxel in dict.fromkeys(map(tuple, voxels.tolist())))

    @property
    def words(self) -> str:
        """What it is: "Include point", "Exclude scribble"."""
        return f"{'Include' if self.include else 'Exclude'} {'point' if len(self.points) == 1 else 'scribble'}"


@dataclass(frozen=True, eq=False)
class MarksState:
    """All marks, for the history."""

    marks: tuple[Mark, ...]
    weight: Mapping[int, int] = field(default_factory=dict)


class PromptEvents(SignalGroup):
    """What a session's prompts tell, in the thread of whoever changed them."""

    changed = Signal(object)  # tuple of Mark
    hint = Signal(str)  # why something that was drawn is ignored


class SessionPrompts:
    """The include and exclude marks that hold for every run from now on.

    Parameters
    ----------
    session : Session
        Whose volume they lie in. Its `history` is there already.
    """

    def __init__(self, session: Session) -> None:
        self.events = PromptEvents()
        self._session = session
        self._marks: tuple[Mark, ...] = ()
        session.history.restores("prompts", self._restore)
        session.events.volume.connect(self._forget)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Points and scribbles, in the order in which they were given."""
        return self._marks

    @property
    def prompts(self) -> Prompts:
        """Their voxels, as `segment` takes them."""
        return tuple(prompt for mark in self._marks for prompt in mark.prompts)

    def add(self, points: ArrayLike, *, include: bool) -> Mark | None:
        """Add a point (ndim,), or a scribble (n, ndim) by its corners.

        Parameters
        ----------
        points : (ndim,) or (n, ndim) array
            Canonical voxels, on any plane or across slices. What lies outside of the volume is ignored, with a hint.
        include : bool
            Whether it lies in the organ.

        Returns
        -------
        Mark or None
            What was added; None where all of it lies outside.

        Raises
        ------
        ToposegError
            If no image is open, or a point has another number of coordinates than it has axes, or is not finite.
        """
        volume = self._session.volume
        if volume is None:
            raise ToposegError("No image is open.", todo="Open one first.")
        places = np.atleast_2d(np.asarray(points, float))
        if places.ndim != 2 or places.shape[1] != volume.ndim or not np.isfinite(places).all():
            raise ToposegError(
                f"A prompt of shape {places.shape} has no place in an image of {volume.ndim} axes.",
                todo="Give finite points with one coordinate for each axis.",
            )
        nearest = np.floor(places + 0.5)
        within = ((nearest >= 0) & (nearest < volume.shape)).all(axis=1)
        if not within.all():
            what = "The point lies" if len(places) == 1 else f"{int((~within).sum())} of {len(places)} points lie"
            self.events.hint.emit(f"{what} outside of the image, and {'is' if len(places) == 1 else 'are'} ignored.")
        if not within.any():
            return None
        mark = Mark(tuple(tuple(place) for place in places[within].tolist()), include)
        self._set((*self._marks, mark), mark.words)
        return mark

    def remove(self, number: int) -> None:
        """Take a mark away again.

        Raises
        ------
        ToposegError
            If there is no such mark.
        """
        if not 0 <= number < len(self._marks):
            raise ToposegError(f"There is no prompt {number}.", why=f"There are {len(self._marks)}, counted from 0.")
        marks = (*self._marks[:number], *self._marks[number + 1 :])
        self._set(marks, f"{self._marks[number].words} removed")

    def clear(self) -> None:
        """Take all marks away."""
        if self._marks:
            self._set((), "Prompts removed")

    def fates(self) -> tuple[Fate, ...]:
        """What became of each mark in the mask as it stands.

        Returns
        -------
        tuple of str
            "satisfied"; "impossible" where the newest run could not satisfy it without breaking the topology or another
            mark; "unreached" where that run was not to change what the deformation had made; "ignored" where it lies
            outside of the region of that run, or a later mark says the opposite; "waiting" where no run knew of it yet,
            or the mask was changed by hand since so that it no longer holds.
        """
        mask, result = self._session.mask, self._session.result
        if mask is None:
            return tuple("waiting" for _ in self._marks)
        told = {}
        if isinstance(result, Segmentation):
            told = {(outcome.prompt.voxel, outcome.prompt.include): outcome.means for outcome in result.prompts}
        fates: list[Fate] = []
        for mark in self._marks:
            open_ = [prompt for prompt in mark.prompts if bool(mask[prompt.voxel]) != prompt.include]
            means = {told.get((prompt.voxel, prompt.include)) for prompt in open_}
            if not open_:
                fates.append("satisfied")
            elif "impossible" in means:
                fates.append("impossible")
            elif "unreached" in means:
                fates.append("unreached")
            elif means & {"outside", "contradicted"} and None not in means:
                fates.append("ignored")
            else:
                fates.append("waiting")
        return tuple(fates)

    def demanded_of(self, result: Outcome) -> Outcome:
        """The result as fine-tuning takes it: all marks hold from now on, also those that it knew nothing of."""
        if not self._marks or not isinstance(result, Segmentation):
            return result
        return replace(result, prompts=tuple(PromptOutcome(prompt, "unreached") for prompt in self.prompts))

    @property
    def sentence(self) -> str:
        """How many there are and what became of them: "3 prompts: 2 satisfied, 1 impossible."; empty without any."""
        fates = self.fates()
        if not fates:
            return ""
        counts = [f"{fates.count(fate)} {_WORDS[fate]}" for fate in _WORDS if fate in fates]
        return f"{len(fates)} {'prompt' if len(fates) == 1 else 'prompts'}: {', '.join(counts)}."

    def load_marks(self, marks: tuple[Mark, ...]) -> None:
        """Bring back marks; the history does not know of it."""
        self._restore(MarksState(marks))

    def _set(self, marks: tuple[Mark, ...], name: str) -> None:
        before, self._marks = self._marks, marks
        self._session.history.add(name, "prompts", MarksState(before), MarksState(marks))
        self.events.changed.emit(marks)

    def _restore(self, state: MarksState) -> None:
        self._marks = state.marks
        self.events.changed.emit(state.marks)

    def _forget(self, _: object) -> None:
        self._restore(MarksState(()))


_WORDS: Mapping[Fate, str] = {
    "satisfied": "satisfied",
    "impossible": "impossible without breaking the topology",
    "unreached": "not reached by the deformation",
    "ignored": "ignored",
    "waiting": "waiting for the next run",
}
