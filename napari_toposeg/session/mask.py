"""The mask of a session as it stands: what a run gave, what a hand made of it, and what is certain about it now."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.frame import Box, box_of, box_slices
from napari_toposeg.inference import Outcome
from napari_toposeg.session.mask_delta import MaskDelta, delta_between, delta_of_part
from napari_toposeg.topology import Certificate, betti_numbers

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session


@dataclass(frozen=True)
class Standing:
    """What is known of a mask, beside its voxels.

    Attributes
    ----------
    topology : int
        A number that two masks share where one came from the other by flipping simple points.
    certified : int
        That of the result's own mask.
    edited : bool
        Whether it was changed by hand.
    """

    topology: int
    certified: int
    edited: bool


@dataclass(frozen=True, eq=False)
class MaskState:
    """A mask before or after a change: the delta leads from each of the two to the other."""

    delta: MaskDelta
    standing: Standing

    @property
    def weight(self) -> Mapping[int, int]:
        return {id(self.delta): self.delta.nbytes}


@dataclass(frozen=True, eq=False)
class ResultState:
    """A result, and what a hand made of its mask."""

    result: Outcome | None
    edits: MaskDelta | None
    standing: Standing

    @property
    def weight(self) -> Mapping[int, int]:
        held = {} if self.edits is None else {id(self.edits): self.edits.nbytes}
        return held if self.result is None else {**held, id(self.result): bytes_of(self.result)}


class SessionMask:
    """Holds the voxels, changes them, and has the Betti numbers counted where they may have changed.

    Strokes come from a window's thread and results from the compute thread: all of it happens under the history's lock.

    Parameters
    ----------
    session : Session
        Whose result it is the mask of. Its `history` is there already.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = session.history.lock
        self._numbers = itertools.count(1)
        self._result: Outcome | None = None
        self._voxels: NDArray[np.bool_] | None = None
        self._reach: Box | None = None
        self._standing = Standing(0, 0, False)
        self._betti: dict[int, tuple[int, ...]] = {}
        session.history.restores("mask", self._restore_mask)
        session.history.restores("result", self._restore_result)

    # What there is

    @property
    def result(self) -> Outcome | None:
        """What it is the mask of."""
        return self._result

    @property
    def voxels(self) -> NDArray[np.bool_] | None:
        """(*volume.shape) bool, not to be written into; None where there is no result."""
        with self._lock:
            if self._voxels is None and self._result is not None:
                self._voxels, self._reach = self._result.full_mask(), self._result.box
            return self._voxels

    @property
    def standing(self) -> Standing:
        """What is known of it."""
        return self._standing

    @property
    def edited(self) -> bool:
        """Whether it was changed by hand."""
        return self._standing.edited

    @property
    def betti(self) -> tuple[int, ...] | None:
        """Its Betti numbers; None where there is no mask, or they are still being counted."""
        return self._betti.get(self._standing.topology)

    @property
    def certificate(self) -> Certificate | None:
        """What is certain about it as it stands; None as long as its Betti numbers are being counted."""
        result, betti = self._result, self.betti
        if result is None or betti is None:
            return None
        if betti == result.certificate.betti_mask:
            return result.certificate
        return replace(result.certificate, betti_mask=betti)

    @property
    def kept_topology(self) -> bool:
        """Whether nothing but simple points was flipped since the result came: what was certified still holds."""
        return self._result is not None and self._standing.topology == self._standing.certified

    def corrected(self) -> Outcome | None:
        """The result with the mask as it stands, where the result's certificate still holds of it; else None."""
        with self._lock:
            result, voxels = self._result, self.voxels
            if result is None or voxels is None or not self.kept_topology:
                return None
            if not self.edited:
                return result
            box = box_of(voxels) or result.box
            mask = voxels[box_slices(box)].copy()
            changed = int(np.count_nonzero(voxels != result.full_mask()))
            return replace(result, mask=mask, box=box, edited_voxels=changed)

    # What changes it

    def take(self, result: Outcome | None, edited: NDArray[Any] | None, name: str) -> None:
        """Another result, with its mask as changed by hand (*volume.shape) where that is given."""
        history = self._session.history
        with self._lock:
            before = self.state()
            self._result, self._voxels, self._reach = result, None, None
            number = next(self._numbers)
            self._standing = Standing(number, number, False)
            if result is not None:
                self._betti[number] = result.certificate.betti_mask
                if edited is not None:
                    self._voxels = np.ascontiguousarray(np.asarray(edited) != 0)
                    self._reach = box_of(self._voxels) or result.box
                    self._standing = Standing(next(self._numbers), number, True)
            if before.result is not None or result is not None:
                history.add(name, "result", before, self.state())
        if self.edited:
            self._count()

    def flip(self, flipped: NDArray[np.bool_], box: Box, *, simple: bool) -> MaskDelta:
        """Flip voxels of a box at once; nothing goes into the history.

        Parameters
        ----------
        flipped : (*box) bool
            Which ones.
        box : Box
            Canonical voxels.
        simple : bool
            Whether each of them was a simple point when its turn came.
        """
        with self._lock:
            voxels = self.voxels
            assert voxels is not None
            delta = delta_of_part(flipped, box, voxels.shape)
            if delta.voxels:
                topology = self._standing.topology if simple else next(self._numbers)
                self._change(delta, Standing(topology, self._standing.certified, True))
        return delta

    def keep(self, name: str, delta: MaskDelta, before: Standing) -> None:
        """Put what was flipped since then into the history, as one change."""
        if delta.voxels:
            after = self._standing
            self._session.history.add(name, "mask", MaskState(delta, before), MaskState(delta, after))
        if self.betti is None:
            self._count()

    # Kept aside and brought back

    def state(self) -> ResultState:
        """The result, and what a hand made of it."""
        with self._lock:
            result, edits = self._result, None
            if result is not None and self.edited and self._voxels is not None:
                edits = delta_between(result.full_mask(), self._voxels)
            return ResultState(result, edits, self._standing)

    def state_of(self, result: Outcome) -> ResultState:
        """That of a result which nobody has edited."""
        number = next(self._numbers)
        self._betti[number] = result.certificate.betti_mask
        return ResultState(result, None, Standing(number, number, False))

    def bring_back(self, state: ResultState) -> None:
        """Go on with what `state` gave; the history does not know of it."""
        with self._lock:
            self._restore_result(state)

    # To a file and back

    def as_state(self) -> dict[str, Any]:
        """The result, and what a hand made of its mask, as it is now: a copy."""
        with self._lock:
            part = None
            if self.edited and self._voxels is not None and self._reach is not None:
                part = self._voxels[box_slices(self._reach)].copy()
            return {
                "result": self._result,
                "standing": self._standing,
                "betti": dict(self._betti),
                "reach": self._reach,
                "edited": part,
            }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Bring back what `as_state` gave; nothing goes into the history."""
        result, standing = state["result"], state["standing"]
        edits = state["edits"] if "edits" in state else edits_in(state)
        with self._lock:
            self._betti = dict(state["betti"])
            self._numbers = itertools.count(1 + max([standing.topology, standing.certified, *self._betti]))
            self._restore_result(ResultState(result, edits, standing))

    # How it does that

    def _change(self, delta: MaskDelta, standing: Standing) -> None:
        voxels = self.voxels
        assert voxels is not None
        delta.apply(voxels)
        self._standing = standing
        reach = self._reach or delta.box
        self._reach = tuple(
            (min(low, other_low), max(high, other_high))
            for (low, high), (other_low, other_high) in zip(reach, delta.box, strict=True)
        )

    def _restore_mask(self, state: MaskState) -> None:
        self._change(state.delta, state.standing)
        if self.betti is None:
            self._count()
        self._session.events.mask.emit(state.delta.box)
        self._session.events.edited.emit(self.edited)

    def _restore_result(self, state: ResultState) -> None:
        self._result, self._voxels, self._reach = state.result, None, None
        self._standing = state.standing
        if state.edits is not None and state.edits.voxels:
            self._change(state.edits, state.standing)
        if self.betti is None and state.result is not None:
            self._count()
        self._session.events.result.emit(state.result)
        self._session.events.edited.emit(self.edited)

    def _count(self) -> None:
        """Have the Betti numbers counted in the compute thread; a mask that is another one by then is not counted."""
        standing, result = self._standing, self._result

        def count() -> bool:
            with self._lock:
                voxels, reach = self._voxels, self._reach
                if self._standing.topology != standing.topology or voxels is None or reach is None or result is None:
                    return False
                part = voxels[box_slices(reach)].copy()
            self._betti[standing.topology] = betti_numbers(part, connectivity=result.certificate.connectivity)
            return True

        def tell(counted: bool) -> None:
            if counted:
                self._session.events.edited.emit(self.edited)

        self._session.later(count, tell)


def edits_in(state: Mapping[str, Any]) -> MaskDelta | None:
    """What a hand made of the result's mask, of what `SessionMask.as_state` gave. Not for a window's thread."""
    result = state["result"]
    if result is None or state["edited"] is None:
        return None
    voxels = np.zeros(result.volume.shape, bool)
    voxels[box_slices(state["reach"])] = state["edited"]
    return delta_between(result.full_mask(), voxels)


def bytes_of(result: Outcome) -> int:
    """About how much memory a result takes: its mask, its field and its determinants."""
    total = int(result.mask.nbytes)
    displacement = getattr(result, "displacement", None)
    jacobian = getattr(result, "jacobian", None)
    for array in (getattr(displacement, "values", None), getattr(jacobian, "least", None)):
        total += 0 if array is None else int(array.nbytes)
    return total
