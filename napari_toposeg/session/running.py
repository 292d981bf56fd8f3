"""The part of a session that runs: one object, or all of them in one job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from napari_toposeg.backends import ComputeThread
from napari_toposeg.errors import ToposegError, listed
from napari_toposeg.frame import Box
from napari_toposeg.inference import (
    MultiSegmentation,
    Outcome,
    Prompts,
    Segmentation,
    Settings,
    Site,
    continue_segmentation,
    region_of,
    segment_together,
)
from napari_toposeg.priors import Prior
from napari_toposeg.session.networks import NetworkChoice, Networks
from napari_toposeg.session.runs import Ran, Runs
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session
    from napari_toposeg.steps import Steps


class Running:
    """Begins runs, ends them, and takes over what they give."""

    def begin_running(self, compute: ComputeThread) -> None:
        """Once the session's events are there."""
        self._networks = Networks()
        self._run_region: Box | None = None
        self._run_numbers: tuple[int, ...] = ()
        self._runs = Runs(compute, cast("Session", self).events, self._keep)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._runs.running

    @property
    def preview_box(self) -> Box | None:
        """The box, in canonical voxels, that the previews of the newest run cover."""
        return self._run_region

    def run(self) -> None:
        """Segment the volume in the compute thread; `events` tell how it goes.

        Several objects are segmented one after the other, and share no voxel in the end (`segment_together`).

        Raises
        ------
        ToposegError
            If there is no volume, or an object has no prior or placement.
        """
        session = cast("Session", self)
        if session.several:
            self._run_all(session)
            return
        volume, prior = session.ready()
        site, settings, network, prompts = session.site, session.settings, session.network, session.prompts.prompts
        if site is None:
            raise ToposegError("The prior is not placed yet.", todo="Draw a box over the organ first.")
        begin = self.beginning(volume, prior, site, settings, network, prompts)
        why = ""

        def make() -> Steps[Segmentation]:
            nonlocal why
            steps, why = begin()
            return steps

        self._run_region, self._run_numbers = site.region, (session.chosen_object.number,)
        self._runs.start(make, lambda result: replace(result, why=why))

    def follow_prompts(self) -> None:
        """Go on from the result so that it follows the prompts, in the compute thread, without segmenting anew.

        Raises
        ------
        ToposegError
            If there is no result that deforms a template, or there are no prompts.
        """
        session = cast("Session", self)
        result, site, settings, prompts = session.result, session.site, session.settings, session.prompts.prompts
        if not isinstance(result, Segmentation) or site is None:
            raise ToposegError("Nothing that was segmented can follow prompts.", todo="Press Run first.")
        if not prompts:
            raise ToposegError("There are no prompts to follow.", todo="Click into the image first.")
        self._run_region, self._run_numbers = site.region, (session.chosen_object.number,)
        self._runs.start(
            lambda: continue_segmentation(result, site, settings, prompts), lambda made: replace(made, why=result.why)
        )

    def networks(self) -> tuple[NetworkChoice, ...]:
        """What `network` can be set to for this prior and volume. It reads cards: not for a window's thread.

        Returns
        -------
        tuple of NetworkChoice
            First what is best for the template as it stands, then all weights that fit the prior, and what `network`
            is set to now, if that is a file; last the fit.
        """
        session = cast("Session", self)
        return self._networks.choices(session.prior, session.volume, session.site, session.network)

    def warm_up(self) -> None:
        """Load the network that a run would ask, in the compute thread, so that the first run is as quick as others.

        What is wrong with it is said when it is asked.
        """
        session = cast("Session", self)
        prior, network, settings = session.prior, session.network, session.settings
        if prior is not None:
            session.later(
                lambda: self._networks.warm_up(prior, network, settings),
                lambda _: None,
                failed=lambda sentence: None,
            )

    def cancel(self) -> None:
        """Stop the run at its next step and keep the best result so far: it is certified and arrives as `result`.

        Of several objects those are kept that were done, and the one that was being segmented; the others stay as they
        were.
        """
        self._runs.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the run's end (not in a window's thread); whether it came in time."""
        return self._runs.wait(timeout)

    def beginning(
        self, volume: Volume, prior: Prior, site: Site, settings: Settings, network: str | None, prompts: Prompts
    ) -> Callable[[], tuple[Steps[Segmentation], str]]:
        """How the run of one object begins, in the compute thread: its steps, and why it is done so."""
        return lambda: self._networks.begin(volume, prior, site, settings, network, prompts)

    def _run_all(self, session: Session) -> None:
        volume = session.opened()
        numbers, tasks = session.tasks(volume)
        keep_topology = session.settings.certify == "strict"
        self._run_region, self._run_numbers = region_of([task.region for task in tasks]), numbers
        self._runs.start(lambda: segment_together(volume, tasks, keep_topology=keep_topology))

    def _keep(self, result: Ran) -> Outcome | None:
        session = cast("Session", self)
        if isinstance(result, MultiSegmentation):
            # Those that came after the one in which the run was cancelled are not among them.
            numbers = self._run_numbers[: len(result.objects)]
            session.take_objects(result, numbers, f"Run: {listed(result.names)}")
        else:
            session.choose_number(self._run_numbers[0])
            session.working_mask.take(result, None, f"Run: {result.prior.name}")
        return session.result
