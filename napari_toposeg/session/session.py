"""The interactive state, without Qt: a volume, a prior and where it stands, a run, its result.

Docks show a session and ask it to act; a notebook and a test do the same with the same names. Signals that come from a
run are emitted in the compute thread: connect a window to them with ``thread="main"``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from napari_toposeg.backends import ComputeThread
from napari_toposeg.errors import ToposegError, listed
from napari_toposeg.formats import read_prior, read_volume
from napari_toposeg.frame import Box
from napari_toposeg.inference import (
    Settings,
    Site,
    save,
)
from napari_toposeg.inference.saving import not_of_this_mask
from napari_toposeg.priors import Outline, Placement, Prior, builtin_priors, outline
from napari_toposeg.session.barcode import SessionBarcode
from napari_toposeg.session.correcting import Correcting
from napari_toposeg.session.deformation import SessionDeformation
from napari_toposeg.session.events import SessionEvents
from napari_toposeg.session.keeping import Keeping
from napari_toposeg.session.labelling import SessionLabelling
from napari_toposeg.session.measures import Measurements
from napari_toposeg.session.networks import NONE
from napari_toposeg.session.objects import Objects
from napari_toposeg.session.placing import PlacedState, Placing
from napari_toposeg.session.running import Running
from napari_toposeg.session.tuning import SessionTuning
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    pass

Value = TypeVar("Value")


class Session(Placing, Correcting, Objects, Running, Keeping):
    """One person's work on one volume, and on one object of it, or on several.

    Prior, placement, network, prompts, result and mask are those of the chosen object.

    Parameters
    ----------
    compute : ComputeThread, optional
        Where runs are computed. Default: a thread of its own.
    """

    def __init__(self, compute: ComputeThread | None = None) -> None:
        super().__init__()
        self.events = SessionEvents()
        self._compute = compute or ComputeThread()
        self._volume: Volume | None = None
        self._prior: Prior | None = None
        self._site: Site | None = None
        self._settings = Settings()
        self._network: str | None = None
        self.history.restores("placement", self._restore_placing)
        self.history.restores("objects", self.restore_objects)
        self.history.belongs(lambda: self._chosen, self.choose_number)
        self._seen_placing = self.placing_state()
        self.begin_correcting()
        self.begin_running(self._compute)
        self.barcode = SessionBarcode(self)
        self.deformation = SessionDeformation(self)
        self.measurements = Measurements(self)
        self.tuning = SessionTuning(self)
        self.labelling = SessionLabelling(self)

    # What there is

    @property
    def volume(self) -> Volume | None:
        """The volume that is worked on."""
        return self._volume

    @property
    def prior(self) -> Prior | None:
        """The chosen template."""
        return self._prior

    @property
    def placement(self) -> Placement | None:
        """Where the template stands."""
        return None if self._site is None else self._site.placement

    @property
    def region(self) -> Box | None:
        """The box, in canonical voxels, that the next run looks at; margin included."""
        return None if self._site is None else self._site.region

    @property
    def site(self) -> Site | None:
        """Where the next run takes place."""
        return self._site

    @property
    def settings(self) -> Settings:
        """What the next run will use."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        self.events.settings.emit(settings)

    @property
    def network(self) -> str | None:
        """Which network the next run asks: None for the shipped one of the prior where it can be asked, else the fit.

        Otherwise the name or the file of weights, as `load_weights` takes it, or "none" for the fit in any case.
        """
        return self._network

    @network.setter
    def network(self, network: str | None) -> None:
        self._network = network
        self.events.network.emit(network)

    def priors(self) -> tuple[Prior, ...]:
        """The built-in priors that fit the volume's dimensions; all where there is no volume."""
        volume = self._volume
        return tuple(prior for prior in builtin_priors() if volume is None or prior.ndim == volume.ndim)

    # What a person does

    def open(self, path: str | Path, *, frame_number: int | None = None, series: int | str | None = None) -> Volume:
        """Read a volume from disk and work on it.

        Raises
        ------
        ToposegError
            If the file cannot be read as an image, or has frames or series to choose from and none is chosen.
        """
        volume = read_volume(path, frame_number=frame_number, series=series)
        self.set_volume(volume)
        return volume

    def set_volume(self, volume: Volume | None) -> None:
        """Work on another volume: a run is dropped, placement and result are gone, the prior stays where it fits."""
        if volume is self._volume:
            return
        self._runs.stop()
        self._volume = volume
        self.take_result(None)
        self.events.volume.emit(volume)
        self._forget_placement()
        if self._prior is not None and volume is not None and self._prior.ndim != volume.ndim:
            self.choose_prior(None)
        self.forget_places()
        self.history.clear()

    def choose_prior(self, prior: Prior | str | None) -> None:
        """Choose a template: a prior, the name of a built-in one, or the path of a mask or of a folder of masks.

        A placement is kept where there is one: the new prior takes its place.

        Raises
        ------
        ToposegError
            If there is no such prior, or it does not fit the volume's dimensions.
        """
        if isinstance(prior, str):
            prior = read_prior(prior)
        if prior is not None and self._volume is not None and prior.ndim != self._volume.ndim:
            raise ToposegError(
                f"The prior {prior.name!r} is {prior.ndim}-D and the image {self._volume.ndim}-D.",
                todo=f"Choose a {self._volume.ndim}-D prior.",
            )
        changed = prior is not self._prior
        self._prior = prior
        if changed and self._network not in (None, NONE):
            self.network = None  # weights are those of one prior
        self.events.prior.emit(prior)
        if prior is None:
            self._forget_placement()
        else:
            self._place_another()

    def outline(self) -> Outline | None:
        """Where the placed prior's surface is; None if it is not placed. Not for a window's thread."""
        volume, prior, site = self._volume, self._prior, self._site
        if volume is None or prior is None or site is None:
            return None
        return outline(site.template_for(prior), site.placement, volume.frame)

    def later(
        self,
        work: Callable[[], Value],
        then: Callable[[Value], None],
        *,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Do something in the compute thread, between the steps of a run; it makes no run stale.

        Parameters
        ----------
        work : callable
            What to do.
        then : callable
            Given what came of it, in the compute thread.
        failed : callable, optional
            Given the sentence where a `ToposegError` came of it. Default: `events.failed` says it.
        """

        def do() -> None:
            try:
                value = work()
            except ToposegError as error:
                (failed or self.events.failed.emit)(str(error))
            else:
                then(value)

        self._compute.later(do)

    def save(
        self,
        mask: str | Path,
        *,
        field: str | Path | None = None,
        jacobian: str | Path | None = None,
        surface: str | Path | None = None,
        report: str | Path | None = None,
    ) -> None:
        """Write the result on the volume's own grid, as its file had it.

        Parameters
        ----------
        mask, field, jacobian, surface, report : path
            Where the mask, the displacement, the Jacobian determinant, the mask's surface and the report go; only the
            mask has to be given. Their endings say of what kind they are.

        Raises
        ------
        ToposegError
            If there is no result, a file cannot be written, or a report is wanted of a mask that was edited since; if
            a field is wanted of several objects, of which each has its own.
        """
        if self.several:
            broken = [one.name for one in self.objects if not one.kept_topology]
            if broken and report is not None:
                raise not_of_this_mask(listed(broken))
            save(self.part_objects(), mask, field=field, jacobian=jacobian, surface=surface, report=report)
            return
        result = self.result
        if result is None:
            raise ToposegError("There is no segmentation to save.", todo="Press Run first.")
        # Where only simple points were flipped by hand, what was certified holds, and the report says how many.
        whole = self.working_mask.corrected()
        edited = self.mask if whole is None else None
        save(whole or result, mask, field=field, jacobian=jacobian, surface=surface, report=report, edited=edited)

    def close(self) -> None:
        """Drop the run, stop a training, and end the compute thread."""
        self.labelling.close()
        self.stop_autosave()
        self._runs.stop()
        self._compute.close()

    # How it does that

    def opened(self) -> Volume:
        """The volume, or a refusal."""
        if self._volume is None:
            raise ToposegError("No image is open.", todo="Open one first.")
        return self._volume

    def ready(self) -> tuple[Volume, Prior]:
        """The volume and the prior, or a refusal."""
        volume = self.opened()
        if self._prior is None:
            raise ToposegError("No prior is chosen.", todo="Choose the shape that the organ has.")
        return volume, self._prior

    def _set_site(self, site: Site | None, name: str) -> None:
        with self.history.lock:
            before, self._site = self._seen_placing, site
            after = self._seen_placing = self.placing_state()
            if site is not before.site:
                self.history.add(name, "placement", before, after)
        self.events.placement.emit(self.placement)

    def bring_back_placing(self, state: PlacedState) -> None:
        """Have a template stand where it stood, of a file or of the history; that is no change of its own."""
        self._restore_placing(state)

    def _restore_placing(self, state: PlacedState) -> None:
        if state.prior is not None and state.site is not None and state.prior is not self._prior:
            self._prior = state.prior
            if self._network not in (None, NONE):
                self.network = None
            self.events.prior.emit(state.prior)
        self._site = state.site
        self.take_placing_state(state)
        self._seen_placing = self.placing_state()
        self.events.placement.emit(self.placement)

    def stand(self, state: PlacedState, network: str | None) -> None:
        """Go on with the prior, the place and the network of another object; that is no change of its own."""
        if state.prior is not self._prior:
            self._prior = state.prior
            self.events.prior.emit(state.prior)
        if network != self._network:
            self.network = network
        self._site = state.site
        self.take_placing_state(state)
        self._seen_placing = self.placing_state()
        self.events.placement.emit(self.placement)
