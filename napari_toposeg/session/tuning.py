"""Fine-tuning in a session: on its volume alone, step by step, and taken over only where a person accepts it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal, SignalGroup

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, box_of, box_slices
from napari_toposeg.inference import Outcome, TuningSettings
from napari_toposeg.session.side_job import SideJob
from napari_toposeg.session.tuning_source import (
    Chosen,
    chosen_array,
    chosen_map_of_result,
    chosen_network,
    chosen_velocity,
    names_of_networks,
)
from napari_toposeg.steps import Step, Steps
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session


class TuningEvents(SignalGroup):
    """What fine-tuning tells.

    `settings`, `pausing` and `accepted` follow whoever called, and so does the first `running`; all else comes from the
    compute thread.
    """

    settings = Signal(object)  # TuningSettings
    running = Signal(bool)
    pausing = Signal(bool)
    step = Signal(object)  # Step
    proposal = Signal(object)  # Proposal or None
    accepted = Signal(bool)  # True: the proposal is the result; False: the one before is again


@dataclass(frozen=True, eq=False)
class Proposal:
    """What fine-tuning came to, beside what there was.

    Attributes
    ----------
    before : (*volume.shape) bool
        The mask as it stood: the result's, or what was made of it by hand, or that of the map.
    after : Outcome
        The tuned result, certified; `after.tuned` says how it came about.
    betti_before : tuple of int
        Betti numbers of the mask before.
    """

    before: NDArray[np.bool_]
    after: Outcome
    betti_before: tuple[int, ...]

    @property
    def betti_after(self) -> tuple[int, ...]:
        """Betti numbers of the mask that is proposed."""
        return self.after.certificate.betti_mask

    @property
    def changed_voxels(self) -> int:
        """In how many voxels the two masks differ."""
        return int(np.count_nonzero(self.before != self.after.full_mask()))


class SessionTuning:
    """Tunes on the session's volume, beside its runs, and holds what came of it until somebody decides.

    A proposal changes nothing: `accept` makes it the session's result, and `revert` brings the one before back.

    Parameters
    ----------
    session : Session
        Whose volume, prior and result are tuned.
    """

    def __init__(self, session: Session) -> None:
        self.events = TuningEvents()
        self._session = session
        self._settings = TuningSettings()
        self._weights: str | None = None
        self._curves: dict[str, list[float]] = {}
        self._betti: tuple[int, ...] | None = None
        self._preview: NDArray[np.bool_] | None = None
        self._chosen: Chosen | None = None
        self._before: NDArray[np.bool_] | None = None
        self._before_box: Box | None = None
        self._betti_before: tuple[int, ...] | None = None
        self._proposal: Proposal | None = None
        # The result, and what was made of its mask by hand, from before an acceptance.
        self._replaced: tuple[Outcome | None, NDArray[Any] | None] | None = None
        self._taking = False
        self._lock = threading.Lock()
        self._job = SideJob[Outcome](
            session.later,
            "The fine-tuning",
            on_running=self.events.running.emit,
            on_step=self._take_step,
            keep=self._keep,
            tell=self._tell,
            on_failed=session.events.failed.emit,
        )
        session.events.volume.connect(self._volume_changed)
        session.events.result.connect(self._result_changed)

    # What there is

    @property
    def settings(self) -> TuningSettings:
        """What the next fine-tuning will use."""
        return self._settings

    @settings.setter
    def settings(self, settings: TuningSettings) -> None:
        self._settings = settings
        self.events.settings.emit(settings)

    @property
    def weights(self) -> str | None:
        """Name or file of the network that is tuned; None: the one that the result came from."""
        return self._weights

    @weights.setter
    def weights(self, weights: str | None) -> None:
        self._weights = weights

    @property
    def running(self) -> bool:
        """Whether something is being tuned, paused or not."""
        return self._job.running

    @property
    def paused(self) -> bool:
        """Whether it makes no steps for now."""
        return self._job.paused

    @property
    def curves(self) -> Mapping[str, tuple[float, ...]]:
        """Each term of the loss over the iterations of the newest fine-tuning."""
        with self._lock:
            return {name: tuple(values) for name, values in self._curves.items()}

    @property
    def betti(self) -> tuple[int, ...] | None:
        """Betti numbers of the mask as it was when last counted; at first those of the mask before."""
        return self._betti

    @property
    def betti_wanted(self) -> tuple[int, ...] | None:
        """Those of the prior that is tuned to."""
        return None if self._chosen is None else self._chosen.prior.betti

    @property
    def preview(self) -> NDArray[np.bool_] | None:
        """(*preview_box) the newest mask on the way; nothing is certified of it."""
        return self._preview

    @property
    def preview_box(self) -> Box | None:
        """Which canonical voxels the previews of the newest fine-tuning cover."""
        return None if self._chosen is None else self._chosen.box

    @property
    def before(self) -> NDArray[np.bool_] | None:
        """(*volume.shape) the mask from which the newest fine-tuning started; there from its first step on."""
        return self._before

    @property
    def before_box(self) -> Box | None:
        """The box that holds that mask; None where it is empty, or not there yet."""
        return self._before_box

    @property
    def proposal(self) -> Proposal | None:
        """What the newest fine-tuning came to, accepted or not."""
        return self._proposal

    @property
    def accepted(self) -> bool:
        """Whether the proposal is the session's result."""
        return self._replaced is not None

    def networks(self) -> tuple[str, ...]:
        """Names of the weights on this computer that fit the prior, by deforming it or voxel by voxel.

        It reads cards: not for a window's thread.
        """
        prior = self._session.prior
        return () if prior is None else names_of_networks(prior)

    # What a person does

    def start(self, source: NDArray[Any] | None = None, *, name: str = "the map", logits: bool = False) -> None:
        """Tune, in the compute thread; `events` tell how it goes.

        Parameters
        ----------
        source : (*volume.shape) array, optional
            A probability map, canonical; only the map itself can move then. Looked at in the placed template's region,
            or everywhere. Default: the session's result. Its map is the distance to the surface of the warped template,
            or of its mask where that was changed by hand or nothing deforms.
        name : str
            What a given map is, for the report.
        logits : bool
            Whether a given map holds logits.

        Raises
        ------
        ToposegError
            If there is nothing to tune, or what moves is not there. What else is wrong is said by the session's
            `failed`.
        """
        volume = self._session.volume
        if volume is None:
            raise ToposegError("No image is open.", todo="Open one first.")
        if self._session.running:
            raise ToposegError(
                "A run is under way.", why="Its result would not be the one that is tuned.", todo="Wait, or cancel it."
            )
        chosen = self._of_result(volume) if source is None else self._of_array(volume, source, name, logits)
        self._forget()
        self._chosen = chosen
        self.events.proposal.emit(None)
        self._job.start(lambda: self._steps(chosen))

    def pause(self) -> None:
        """Make no further step until `resume`; the compute thread is free for other work."""
        self._job.pause()
        self.events.pausing.emit(self.paused)

    def resume(self) -> None:
        """Go on after a pause."""
        self._job.resume()
        self.events.pausing.emit(False)

    def cancel(self) -> None:
        """Stop at the next step and keep the best so far: it is certified, and arrives as a proposal."""
        self._job.finish()

    def accept(self) -> None:
        """Make the proposal the session's result.

        Raises
        ------
        ToposegError
            If there is none.
        """
        proposal = self._proposal
        if proposal is None:
            raise ToposegError("Nothing is proposed.", todo="Tune first.")
        if self._replaced is None:
            session = self._session
            # A copy: what was edited may be what a layer shows, and be painted on.
            self._replaced = session.result, np.array(session.mask) if session.edited else None
            self._take(proposal.after, None, "Fine-tuning accepted")
            self.events.accepted.emit(True)

    def revert(self) -> None:
        """Bring the result back that was there before the proposal was accepted; else forget the proposal.

        After an acceptance the proposal stays, so that it can be accepted again.
        """
        if self._replaced is not None:
            (result, edited), self._replaced = self._replaced, None
            self._take(result, edited, "Fine-tuning taken back")
            self.events.accepted.emit(False)
        elif self._proposal is not None:
            self._forget()
            self.events.proposal.emit(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being tuned (not in a window's thread); whether that came in time."""
        return self._job.wait(timeout)

    # How it does that

    def _of_result(self, volume: Volume) -> Chosen:
        session, tuning = self._session, self._settings
        site = session.site
        result = None if session.result is None else session.prompts.demanded_of(session.result)
        edited = session.mask if session.edited else None
        if tuning.moves == "network":
            prior = session.prior if result is None else result.prior
            if prior is None or site is None:
                raise ToposegError("The prior is not placed yet.", todo="Draw a box over the organ first.")
            return chosen_network(volume, prior, site, self._weights, tuning, session.settings, result, edited)
        if result is None:
            raise ToposegError("There is no segmentation to tune.", todo="Press Run first, or choose a map.")
        if tuning.moves == "map":
            return chosen_map_of_result(result, edited, tuning)
        return chosen_velocity(result, site, edited, tuning)

    def _of_array(self, volume: Volume, source: NDArray[Any], name: str, logits: bool) -> Chosen:
        prior = self._session.prior
        if prior is None:
            raise ToposegError("No prior is chosen.", todo="Choose the shape that the organ has.")
        return chosen_array(volume, prior, source, self._session.region, self._settings, name=name, logits=logits)

    def _steps(self, chosen: Chosen) -> Steps[Outcome]:
        before = chosen.before()
        tight = box_of(before)
        # A whole CT takes seconds to count; what is beyond the mask's own box has no say.
        betti = betti_numbers(before if tight is None else before[box_slices(tight)])
        with self._lock:
            if chosen is self._chosen:
                self._before, self._before_box = before, tight
                self._betti_before = self._betti = betti
        yield from chosen.make()

    def _take_step(self, step: Step[Outcome]) -> None:
        with self._lock:
            for term, value in step.losses.items():
                if step.stage == "tune" and not _counts(term):
                    self._curves.setdefault(term, []).append(value)
            betti = tuple(int(value) for term, value in sorted(step.losses.items()) if _counts(term))
            if betti and step.stage == "tune":
                self._betti = betti
            if step.preview is not None:
                self._preview = step.preview
        self.events.step.emit(step)

    def _keep(self, after: Outcome) -> None:
        before, betti = self._before, self._betti_before
        assert before is not None  # both are set before the first step
        assert betti is not None
        self._proposal = Proposal(before, after, betti)
        self._betti = after.certificate.betti_mask

    def _tell(self) -> None:
        self.events.proposal.emit(self._proposal)

    def _forget(self) -> None:
        self._job.cancel()
        with self._lock:
            self._curves = {}
            self._betti = self._betti_before = self._preview = self._before = self._before_box = None
            self._chosen = self._proposal = self._replaced = None

    def _volume_changed(self, _: object) -> None:
        self._forget()
        self.events.proposal.emit(None)

    def _result_changed(self, _: object) -> None:
        """Another result than the two that this is about: what was tuned is no longer of anything."""
        if not self._taking and self._chosen is not None:
            self._forget()
            self.events.proposal.emit(None)

    def _take(self, result: Outcome | None, edited: NDArray[Any] | None, name: str) -> None:
        self._taking = True
        try:
            self._session.take_result(result, edited, name=name)
        finally:
            self._taking = False


def _counts(term: str) -> bool:
    """Whether a "loss" is a Betti number that travels with the losses."""
    return term[:1] == "b" and term[1:].isdigit()
