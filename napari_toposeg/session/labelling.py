"""Labelling a folder: a network learns from the accepted masks and proposes the others, the most instructive first."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Outcome, trained_network
from napari_toposeg.inference.weights import load_weights, read_card, weights_path
from napari_toposeg.priors import Prior
from napari_toposeg.session.labelling_chosen import ChosenVolume
from napari_toposeg.session.labelling_folder import LabellingFolder
from napari_toposeg.session.labelling_measure import proposal
from napari_toposeg.session.labelling_outcomes import KeptOutcomes
from napari_toposeg.session.labelling_rows import LabellingRow, SortBy, in_order
from napari_toposeg.session.labelling_settings import LabellingSettings
from napari_toposeg.session.labelling_training import LabellingTraining, Prepared, TrainingProgress
from napari_toposeg.session.side_job import SideJob
from napari_toposeg.steps import Step, Steps

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session


class SessionLabelling(ChosenVolume):
    """A folder of volumes, of which the session works on one at a time.

    Parameters
    ----------
    session : Session
        Whose volume, prior and result are those of the chosen volume.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, KeptOutcomes())
        self._folder: LabellingFolder | None = None
        self._training: LabellingTraining | None = None
        self._sort: tuple[SortBy, bool] = ("instructive", False)
        self._settings = LabellingSettings()
        self._then_propose = True
        self._job = SideJob[Prepared | int](
            session.later,
            "The labelling",
            on_running=self.events.proposing.emit,
            on_step=self.events.step.emit,
            keep=self._keep,
            tell=self._training_told,
            on_failed=session.events.failed.emit,
        )

    # What there is

    @property
    def folder(self) -> LabellingFolder | None:
        """What is labelled; None where no folder is open."""
        return self._folder

    @property
    def rows(self) -> tuple[LabellingRow, ...]:
        """All volumes, in the order in which they are looked at."""
        folder = self._folder
        return () if folder is None else in_order(folder.rows, self._sort[0], descending=self._sort[1])

    @property
    def sorted_by(self) -> tuple[SortBy, bool]:
        """What `rows` are sorted by, and whether the other way round."""
        return self._sort

    @property
    def settings(self) -> LabellingSettings:
        """How the network learns."""
        return self._settings

    @settings.setter
    def settings(self, settings: LabellingSettings) -> None:
        self._settings = settings
        if self._folder is not None:
            self._folder.update(settings=settings)
        self.events.settings.emit(settings)

    @property
    def weights(self) -> str:
        """Who proposes: a name or a file of weights; empty before the first training, unless somebody chose some."""
        return "" if self._folder is None else self._folder.whole(self._folder.state.weights)

    @weights.setter
    def weights(self, weights: str) -> None:
        folder = self._opened()
        folder.update(weights=folder.short(weights))

    @property
    def training(self) -> TrainingProgress:
        """How far the newest training is."""
        return TrainingProgress() if self._training is None else self._training.progress

    @property
    def proposing(self) -> bool:
        """Whether masks are being proposed, or a training's files gathered."""
        return self._job.running

    @property
    def process(self) -> int | None:
        """The id of the process that trains; None where none does."""
        return None if self._training is None else self._training.process

    # A folder

    def open(
        self, images: str | Path, labels: str | Path | None = None, *, masks: str | Path | None = None
    ) -> tuple[LabellingRow, ...]:
        """Open a folder of volumes, as it was left.

        Parameters
        ----------
        images : path
            Folder of NIfTI files or pictures.
        labels : path, optional
            Folder of the labels that there are: files of the image's name, as `find_cases` takes them. They count as
            accepted.
        masks : path, optional
            Where masks go, and what is remembered. Default: a folder beside that of the images, with "_masks" behind
            its name.

        Returns
        -------
        tuple of LabellingRow
            All of them, the most instructive first.

        Raises
        ------
        ToposegError
            If a folder cannot be used, as `LabellingFolder`, or the session has several objects.
        """
        if self._session.several:
            raise ToposegError("A folder is labelled with one object.", todo="Remove the others first.")
        folder = LabellingFolder(
            Path(images), None if labels is None else Path(labels), None if masks is None else Path(masks)
        )
        self.close()
        self._folder, self._settings = folder, folder.state.settings
        self._training = LabellingTraining(folder, self._training_told, self._trained, self._session.events.failed.emit)
        self._sort = ("instructive", False)
        if folder.state.prior and self._session.prior is None:
            self._session.choose_prior(folder.whole(folder.state.prior))
        self.events.opened.emit(folder.images)
        self.events.settings.emit(self._settings)
        self._tell_rows()
        self._training_told()
        return self.rows

    def close(self) -> None:
        """Let the folder go; what was painted is kept as corrected.

        A training is stopped; it goes on where it was when the folder is open again.
        """
        if self._folder is not None:
            try:
                self.correct()
            except ToposegError as error:
                self._session.events.failed.emit(str(error))
        self._job.cancel()
        if self._training is not None:
            self._training.stop()
        self._outcomes.clear()
        self._let_go()
        was, self._folder, self._training = self._folder, None, None
        if was is not None:
            self.events.opened.emit(None)

    def sort(self, sort_by: SortBy = "instructive", *, descending: bool = False) -> None:
        """Look at the volumes in another order; see `in_order`."""
        self._sort = sort_by, descending
        self._tell_rows()

    # A network

    def train(self, *, then_propose: bool = True) -> None:
        """Train on the accepted masks, in a process of its own, or go on with a training that was stopped.

        Parameters
        ----------
        then_propose : bool
            Whether the rest is proposed when it is over.

        Raises
        ------
        ToposegError
            If no folder is open, no prior chosen, or a training is under way. What else is wrong is said by the
            session's `failed`.
        """
        self._opened()
        training, prior = self._training, self._prior()
        assert training is not None
        if training.progress.running:
            raise ToposegError("A training is under way.", todo="Wait for it, or stop it first.")
        self._then_propose = then_propose
        self._job.start(lambda: cast("Steps[Prepared | int]", training.prepared(prior)))

    def stop_training(self) -> None:
        """Stop it after the last complete epoch; `train` goes on from there, where nothing was accepted since."""
        if self._training is not None:
            self._training.stop()

    def propose(self, names: Sequence[str] | None = None) -> None:
        """Let the network propose masks, in the compute thread; each has the prior's topology.

        Parameters
        ----------
        names : sequence of str, optional
            Of which volumes. Default: of all that are unlabelled, or proposed before.

        Raises
        ------
        ToposegError
            If no folder is open, no prior chosen, or there is no network. What else is wrong is said by the session's
            `failed`, and of one volume by its row's `note`.
        """
        folder, prior = self._opened(), self._prior()
        if not folder.state.weights:
            raise ToposegError(
                "There is no network that could propose.", todo="Train on the accepted masks first, or choose weights."
            )
        if names is None:
            names = [row.name for row in self.rows if row.status in ("unlabelled", "proposed")]
        wanted = tuple(names)
        self._job.start(lambda: self._proposing(folder, prior, wanted))

    def cancel_proposing(self) -> None:
        """Stop at the next volume; what was proposed so far stays."""
        self._job.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is trained or proposed (not in a window's thread); whether that came in time."""
        return self._job.wait(timeout) and (
            self._training is None or (self._training.wait(timeout) and self._job.wait(timeout))
        )

    # How it does that

    def _opened(self) -> LabellingFolder:
        if self._folder is None:
            raise ToposegError("No folder is open.", todo="Choose a folder of volumes first.")
        return self._folder

    def _prior(self) -> Prior:
        if self._session.prior is None:
            raise ToposegError("No prior is chosen.", todo="Choose the shape that the organ has.")
        return self._session.prior

    def _proposing(self, folder: LabellingFolder, prior: Prior, names: tuple[str, ...]) -> Steps[Prepared | int]:
        training, weights = self._training, folder.whole(folder.state.weights)
        if training is not None:
            folder.update(prior=folder.short(training.prior_text(prior)))
        card = read_card(weights_path(weights))
        if card.window.around == "box":
            raise ToposegError(
                f"The weights {card.name!r} cannot propose masks for a folder.",
                why="They look at a box around the organ, and nobody has drawn one in each volume.",
                todo="Train on the accepted masks here, or choose weights that look at the whole image.",
            )
        trained = trained_network(*load_weights(weights))
        total = len(names) + 1
        yield Step("propose", 0, total)
        for number, name in enumerate(names):
            row = folder.row(name)
            # Somebody may have accepted it, or painted in it, meanwhile.
            if row.status in ("unlabelled", "proposed") and not self._is_in_work(name):
                try:
                    volume = folder.read(name)[0]
                    found = proposal(volume, prior, trained, self._session.settings)
                except ToposegError as error:
                    folder.remember(replace(folder.row(name), note=str(error)))
                else:
                    if folder.row(name).status in ("unlabelled", "proposed") and not self._is_in_work(name):
                        folder.keep(
                            name,
                            volume,
                            found.outcome.full_mask(),
                            "proposed",
                            origin=card.name,
                            found=found.found,
                            disagreement=found.disagreement,
                            uncertainty=found.uncertainty,
                        )
                        self._keep_outcome(name, found.outcome)
                self._tell_rows()
            yield Step("propose", number + 1, total)
        yield Step("propose", total, total, result=len(names))

    def _is_in_work(self, name: str) -> bool:
        return name == self._chosen and (self.is_changed or self._session.running)

    def _keep_outcome(self, name: str, outcome: Outcome) -> None:
        """Keep it in memory with its deformation, and show it where its volume is worked on."""
        session, volume = self._session, self._volume
        if name != self._chosen or volume is None or session.volume is not volume:
            self._outcomes.keep(name, outcome)
            return
        outcome = replace(outcome, volume=volume)
        self._outcomes.keep(name, outcome)
        self._on_disk = outcome.full_mask()
        session.take_result(outcome)

    def _trained(self, weights: Path) -> None:
        folder = self._folder
        if folder is None:
            return
        folder.update(weights=folder.short(weights))
        if self._then_propose:
            # The prior was taken away meanwhile: `propose` will ask for it.
            with contextlib.suppress(ToposegError):
                self.propose()

    def _training_told(self) -> None:
        self.events.training.emit(self.training)

    def _keep(self, outcome: Prepared | int) -> None:
        if isinstance(outcome, Prepared) and self._training is not None:
            self._training.start(outcome)
