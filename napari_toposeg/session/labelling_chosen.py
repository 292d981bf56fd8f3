"""The one volume of a folder that a session works on: read, shown, corrected, accepted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Outcome
from napari_toposeg.session.labelling_events import LabellingEvents
from napari_toposeg.session.labelling_folder import LabellingFolder
from napari_toposeg.session.labelling_outcomes import KeptOutcomes
from napari_toposeg.session.labelling_rows import BY_HAND, LabellingRow, Status, neighbour
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session


@dataclass(frozen=True, eq=False)
class Looked:
    """A volume that was read to be worked on: its row, itself, its mask (*volume.shape), and that as a result.

    The last two are None where there is no mask, and the result where no prior is chosen.
    """

    row: LabellingRow
    volume: Volume
    mask: NDArray[np.bool_] | None
    outcome: Outcome | None


@dataclass(frozen=True, eq=False)
class Decided:
    """What is to be written of a volume: its mask (*volume.shape) as it stood when that was decided."""

    name: str
    volume: Volume
    mask: NDArray[np.bool_]
    status: Status
    origin: str


class ChosenVolume(ABC):
    """The part of labelling that works on one volume.

    `look`, `write`, `choose`, `next`, `previous`, `accept` and `correct` read or write files: not for a window's
    thread, which has the first two done elsewhere and calls `show` and `decide` itself.
    """

    def __init__(self, session: Session, outcomes: KeptOutcomes) -> None:
        self.events = LabellingEvents()
        self._session = session
        self._outcomes = outcomes
        self._chosen: str | None = None
        self._volume: Volume | None = None
        # The chosen volume's mask as it is on disk; None where there is none.
        self._on_disk: NDArray[np.bool_] | None = None
        session.events.volume.connect(self._volume_changed)
        session.events.prior.connect(self._prior_changed)

    @abstractmethod
    def _opened(self) -> LabellingFolder:
        """The folder, or a refusal."""

    @property
    @abstractmethod
    def rows(self) -> tuple[LabellingRow, ...]:
        """All volumes, in the order in which they are looked at."""

    @property
    def chosen(self) -> LabellingRow | None:
        """The volume that the session works on; None where that is none of the folder."""
        return None if self._chosen is None else self._opened().row(self._chosen)

    def choose(self, name: str) -> Volume:
        """Work on a volume: the session has it, and its mask as a result. What was changed before is kept as corrected.

        Raises
        ------
        ToposegError
            If there is no such volume, or its files cannot be read.
        """
        self.correct()
        looked = self.look(name)
        self.show(looked)
        return looked.volume

    def next(self) -> LabellingRow | None:
        """Work on the next volume that is not accepted; None where there is none left."""
        return self._go(1)

    def previous(self) -> LabellingRow | None:
        """Work on the one before."""
        return self._go(-1)

    def accept(self) -> LabellingRow:
        """Accept the mask as it stands: it is written, and trained on from now on.

        Raises
        ------
        ToposegError
            If no volume of the folder is worked on, it has no mask, or that cannot be written.
        """
        return self.write(self.decide("accepted"))

    def correct(self) -> LabellingRow | None:
        """Keep what was painted in the mask, or what came of another run, without accepting it.

        Returns
        -------
        LabellingRow or None
            None where there was nothing new.
        """
        return self.write(self.decide("corrected")) if self.is_changed else None

    def neighbour(self, step: Literal[1, -1]) -> LabellingRow | None:
        """The next volume that is not accepted (1), or the one before (-1), in the order of `rows`."""
        return neighbour(self.rows, self._chosen, step)

    def look(self, name: str) -> Looked:
        """Read a volume and its mask, without showing them.

        Raises
        ------
        ToposegError
            If there is no such volume, or its files cannot be read.
        """
        folder = self._opened()
        row = folder.row(name)
        volume, mask = folder.read(name)
        return Looked(row, volume, mask, None if mask is None else self._outcome_of(row, volume, mask))

    def show(self, looked: Looked) -> None:
        """Let the session work on what was read."""
        self._chosen, self._volume, self._on_disk = looked.row.name, looked.volume, looked.mask
        self._session.set_volume(looked.volume)
        if looked.outcome is not None and looked.outcome.prior is self._session.prior:
            self._session.take_result(looked.outcome)
        else:
            self._prior_changed()
        self.events.chosen.emit(looked.row)

    @property
    def is_changed(self) -> bool:
        """Whether the chosen volume's mask is another one than that on disk: painted in, or of another run."""
        session = self._session
        if self._chosen is None or session.volume is not self._volume or session.result is None:
            return False
        if not session.edited and session.result is self._outcomes.of(self._chosen):
            return False
        mask = session.mask
        return mask is not None and (self._on_disk is None or not np.array_equal(mask != 0, self._on_disk))

    def decide(self, status: Status) -> Decided:
        """What is to be written of the chosen volume, its mask as it stands.

        Raises
        ------
        ToposegError
            If no volume of the folder is worked on, or it has no mask.
        """
        session, row, volume = self._session, self.chosen, self._volume
        if row is None or volume is None or session.volume is not volume:
            raise ToposegError("No volume of the folder is being worked on.", todo="Choose one of the list.")
        mask = session.mask
        if mask is None:
            raise ToposegError(
                f"{row.name} has no mask yet.",
                todo="Let the network propose one, or run a segmentation in the Segment dock.",
            )
        origin = BY_HAND if self.is_changed else row.origin or BY_HAND
        # A copy: a layer may show it, and be painted on.
        return Decided(row.name, volume, np.array(mask) != 0, status, origin)

    def write(self, decided: Decided) -> LabellingRow:
        """Write what was decided, and remember it.

        Raises
        ------
        ToposegError
            If it cannot be written.
        """
        row = self._opened().keep(decided.name, decided.volume, decided.mask, decided.status, origin=decided.origin)
        if decided.name == self._chosen and self._volume is decided.volume:
            self._on_disk = decided.mask
        self._tell_rows()
        return row

    def _outcome_of(self, row: LabellingRow, volume: Volume, mask: NDArray[np.bool_]) -> Outcome | None:
        session = self._session
        if session.prior is None or session.prior.ndim != volume.ndim:
            return None
        return self._outcomes.take(row.name, volume, mask, session.prior, session.settings, row.origin)

    def _prior_changed(self, _: object = None) -> None:
        """A mask that is on disk becomes the result as soon as it is known what it has to be."""
        session, row, volume, mask = self._session, self.chosen, self._volume, self._on_disk
        if row is None or volume is None or mask is None or session.volume is not volume or session.result is not None:
            return
        outcome = self._outcome_of(row, volume, mask)
        if outcome is not None:
            session.take_result(outcome)

    def _go(self, step: Literal[1, -1]) -> LabellingRow | None:
        # What is kept of this one may change the order: who comes next is decided before.
        found = self.neighbour(step)
        self.correct()
        if found is not None:
            self.choose(found.name)
        return found

    def _volume_changed(self, volume: Volume | None) -> None:
        """Another image was opened by hand: it is none of the folder."""
        if self._chosen is not None and volume is not self._volume:
            self._let_go()

    def _let_go(self) -> None:
        """Nothing of the folder is worked on."""
        was, self._chosen, self._volume, self._on_disk = self._chosen, None, None, None
        if was is not None:
            self.events.chosen.emit(None)

    def _tell_rows(self) -> None:
        self.events.rows.emit(self.rows)
