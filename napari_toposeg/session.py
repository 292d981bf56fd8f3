"""The interactive state, without Qt: a volume, a prior and where it stands, a run, its result.

Docks show a session and ask it to act; a notebook and a test do the same with the same names. Signals that come from a
run are emitted in the compute thread: connect a window to them with ``thread="main"``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal, SignalGroup

from napari_toposeg.backends import ComputeThread, Job
from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_prior, read_volume, write_displacement, write_jacobian, write_mask, write_report
from napari_toposeg.frame import Box, box_of, clip_box, grow_box
from napari_toposeg.inference import Segmentation, Settings, default_margin, segment
from napari_toposeg.priors import (
    Placement,
    Prior,
    builtin_priors,
    place_in_box,
    place_in_image,
    place_on_mask,
    signed_distance,
)
from napari_toposeg.volume import Volume

_logger = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Outline:
    """The placed template, for drawing it.

    Attributes
    ----------
    box : Box
        The part of the volume, in canonical voxels, that the template and two voxels around it take up; may be empty.
    distance : (*box) float32
        Signed distance to its surface there, in voxels; positive inside.
    """

    box: Box
    distance: NDArray[np.float32]


class SessionEvents(SignalGroup):
    """What a session tells.

    `volume`, `prior`, `placement` and `settings` follow a change made by whoever called; `running`, `step`, `result` and
    `failed` come from a run, in the compute thread.
    """

    volume = Signal(object)  # Volume or None
    prior = Signal(object)  # Prior or None
    placement = Signal(object)  # Placement or None
    settings = Signal(object)  # Settings
    running = Signal(bool)
    step = Signal(object)  # Step[Segmentation]
    result = Signal(object)  # Segmentation or None
    edited = Signal(bool)  # whether the mask was changed by hand since
    failed = Signal(str)  # the sentence that a person reads


class Session:
    """One person's work on one volume.

    Parameters
    ----------
    compute : ComputeThread, optional
        Where runs are computed. Default: a thread of its own.
    """

    def __init__(self, compute: ComputeThread | None = None) -> None:
        self.events = SessionEvents()
        self._compute = compute or ComputeThread()
        self._volume: Volume | None = None
        self._prior: Prior | None = None
        self._placement: Placement | None = None
        self._region: Box | None = None
        self._within: Box | None = None
        self._settings = Settings()
        self._result: Segmentation | None = None
        self._edited: NDArray[Any] | None = None
        self._job: Job[Segmentation] | None = None
        # Set in the caller's thread, taken back in the compute thread: whose run it is decides, under the lock.
        self._run: object | None = None
        self._run_region: Box | None = None
        self._lock = threading.Lock()

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
        return self._placement

    @property
    def region(self) -> Box | None:
        """The box, in canonical voxels, that the next run looks at; margin included."""
        return self._region

    @property
    def result(self) -> Segmentation | None:
        """The newest segmentation of this volume."""
        return self._result

    @property
    def settings(self) -> Settings:
        """What the next run will use."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        self.events.settings.emit(settings)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    @property
    def preview_box(self) -> Box | None:
        """The box, in canonical voxels, that the previews of the newest run cover."""
        return self._run_region

    @property
    def edited(self) -> bool:
        """Whether the result's mask was changed by hand since: its certificate then no longer holds."""
        return self._edited is not None

    def priors(self) -> tuple[Prior, ...]:
        """The built-in priors that fit the volume's dimensions; all where there is no volume."""
        volume = self._volume
        return tuple(prior for prior in builtin_priors() if volume is None or prior.ndim == volume.ndim)

    # What a person does

    def open(self, path: str | Path, *, frame_number: int | None = None) -> Volume:
        """Read a volume from disk and work on it.

        Raises
        ------
        ToposegError
            If the file cannot be read as an image.
        """
        volume = read_volume(path, frame_number=frame_number)
        self.set_volume(volume)
        return volume

    def set_volume(self, volume: Volume | None) -> None:
        """Work on another volume: a run is dropped, placement and result are gone, the prior stays where it fits."""
        if volume is self._volume:
            return
        self._stop()
        self._volume = volume
        self._region = None
        self._set_result(None)
        self.events.volume.emit(volume)
        self._set_placement(None)
        if self._prior is not None and volume is not None and self._prior.ndim != volume.ndim:
            self.choose_prior(None)

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
        self._prior = prior
        self.events.prior.emit(prior)
        if prior is None:
            self._region = None
            self._set_placement(None)
        elif self._replace is not None and self._placement is not None:
            self._replace()

    _replace: Callable[[], None] | None = None
    """Repeats the newest placement, for another prior."""

    def place_in_box(self, box: Box, *, margin: float | None = None, axis: str = "z") -> Placement:
        """Put the prior into a box.

        Parameters
        ----------
        box : Box
            Canonical voxels, end exclusive; the part outside of the volume is cut off.
        margin : float, optional
            How much of its surroundings is looked at, in mm. Default: `default_margin`.
        axis : {"x", "y", "z"}
            What a ring, tube or cylinder turns about.

        Raises
        ------
        ToposegError
            If there is no volume or prior, or the box lies outside of the volume.
        """
        volume, prior = self._ready()
        box = clip_box(box, volume.shape)
        if any(low >= high for low, high in box):
            raise ToposegError(
                "The box lies outside of the image, or holds none of its voxels.", todo="Draw it over the organ."
            )
        placement = place_in_box(prior, volume.frame, box, axis=axis)
        return self._place(placement, box, margin, lambda: self.place_in_box(box, margin=margin, axis=axis))

    def place_on_mask(self, mask: NDArray[Any], *, margin: float | None = None, axis: str = "z") -> Placement:
        """Put the prior on a rough mask (*volume.shape), along its principal axes. See `place_in_box`."""
        volume, prior = self._ready()
        if mask.shape != volume.shape:
            raise ToposegError(
                f"The mask has the shape {mask.shape} and the image {volume.shape}.",
                todo="Choose a mask on the image's own grid.",
            )
        placement = place_on_mask(prior, volume.frame, mask, axis=axis)
        box = box_of(mask)
        assert box is not None  # place_on_mask refuses an empty mask
        return self._place(placement, box, margin, lambda: self.place_on_mask(mask, margin=margin, axis=axis))

    def place_in_image(self, *, axis: str = "z") -> Placement:
        """Put the prior in the middle of the volume and look at all of it."""
        volume, prior = self._ready()
        placement = place_in_image(prior, volume.frame, axis=axis)
        return self._place(placement, volume.frame.box, 0.0, lambda: self.place_in_image(axis=axis))

    def outline(self) -> Outline | None:
        """Where the placed prior's surface is; None if it is not placed. Not for a window's thread."""
        volume, prior, placement = self._volume, self._prior, self._placement
        if volume is None or prior is None or placement is None:
            return None
        ndim = volume.ndim
        to_index = np.linalg.inv(placement.unit_from(volume.frame))
        half = np.array(prior.extent or (1.0,) * ndim)
        reach = np.abs(to_index[:ndim, :ndim]) @ half + 2.0
        centre = to_index[:ndim, 3]
        box = clip_box(
            tuple(
                (int(np.floor(low)), int(np.ceil(high)) + 1)
                for low, high in zip(centre - reach, centre + reach, strict=True)
            ),
            volume.shape,
        )
        if any(low >= high for low, high in box):
            return Outline(box, np.zeros((0,) * ndim, np.float32))
        frame = volume.frame.crop(box)
        return Outline(box, signed_distance(prior, placement, frame).numpy() * np.float32(placement.size_in(frame)))

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

    def run(self) -> None:
        """Segment the volume in the compute thread; `events` tell how it goes.

        Raises
        ------
        ToposegError
            If there is no volume, prior or placement.
        """
        volume, prior = self._ready()
        placement, region, within, settings = self._placement, self._region, self._within, self._settings
        if placement is None or region is None:
            raise ToposegError("The prior is not placed yet.", todo="Draw a box over the organ first.")
        self._stop()
        run = object()
        with self._lock:
            self._run = run
        self._run_region = region
        self.events.running.emit(True)
        self._job = self._compute.start(
            lambda: segment(volume, prior, placement=placement, region=region, within=within, settings=settings),
            on_step=self.events.step.emit,
            on_end=lambda result, error: self._ended(run, result, error),
        )

    def cancel(self) -> None:
        """Stop the run at its next step and keep the best result so far: it is certified and arrives as `result`."""
        if self._job is not None:
            self._job.finish()

    def edit(self, mask: NDArray[Any]) -> None:
        """Replace the mask by one changed by hand (*volume.shape): `save` writes that, and it is not certified."""
        if self._result is not None:
            self._edited = mask
            self.events.edited.emit(True)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the run's end (not in a window's thread); whether it came in time."""
        job = self._job
        return True if job is None else job.wait(timeout)

    def save(
        self,
        mask: str | Path,
        *,
        field: str | Path | None = None,
        jacobian: str | Path | None = None,
        report: str | Path | None = None,
    ) -> None:
        """Write the result on the volume's own grid, as its file had it.

        Parameters
        ----------
        mask, field, jacobian, report : path
            Where the mask, the displacement, the Jacobian determinant and the report go; only the mask has to be given.

        Raises
        ------
        ToposegError
            If there is no result, a file cannot be written, or a report is wanted of a mask that was edited since.
        """
        result, edited = self._result, self._edited
        if result is None:
            raise ToposegError("There is no segmentation to save.", todo="Press Run first.")
        if edited is not None and report is not None:
            raise ToposegError(
                "The report is not about this mask.",
                why="The mask was edited by hand after it had been certified.",
                todo="Save the mask without its report, or run again.",
            )
        write_mask(result.full_mask() if edited is None else edited != 0, result.volume, mask)
        if field is not None:
            write_displacement(result.displacement, result.volume, field)
        if jacobian is not None:
            write_jacobian(result.jacobian.at_voxels, result.displacement.frame, result.volume, jacobian)
        if report is not None:
            write_report(result.report(), result.volume, report)

    def close(self) -> None:
        """Drop the run and end the compute thread."""
        self._stop()
        self._compute.close()

    # How it does that

    def _ready(self) -> tuple[Volume, Prior]:
        if self._volume is None:
            raise ToposegError("No image is open.", todo="Open one first.")
        if self._prior is None:
            raise ToposegError("No prior is chosen.", todo="Choose the shape that the organ has.")
        return self._volume, self._prior

    def _place(self, placement: Placement, box: Box, margin: float | None, again: Callable[[], Any]) -> Placement:
        volume, _ = self._ready()
        if margin is None:
            margin = default_margin(volume.frame, box)
        self._region = clip_box(grow_box(box, list(margin / volume.spacing)), volume.shape)
        # The whole image is not a box that says where the organ lies.
        self._within = None if box == volume.frame.box else box
        self._replace = again
        self._set_placement(placement)
        return placement

    def _set_placement(self, placement: Placement | None) -> None:
        self._placement = placement
        if placement is None:
            self._replace = None
        self.events.placement.emit(placement)

    def _set_result(self, result: Segmentation | None) -> None:
        self._result = result
        self._edited = None
        self.events.result.emit(result)

    def _stop(self) -> None:
        with self._lock:
            job, self._job = self._job, None
            running, self._run = self._run is not None, None
        if job is not None:
            job.drop()
        if running:
            self.events.running.emit(False)

    def _ended(self, run: object, result: Segmentation | None, error: Exception | None) -> None:
        with self._lock:
            # Dropped at the very end, after its last step: another volume may be open by now.
            if run is not self._run:
                return
            self._run = None
            self._job = None
            if result is not None:
                self._result = result
                self._edited = None
        if result is not None:
            self.events.result.emit(result)
        if isinstance(error, ToposegError):
            self.events.failed.emit(str(error))
        elif error is not None:
            _logger.error("A run ended with an error.", exc_info=error)
            self.events.failed.emit(
                f"The run stopped: {type(error).__name__}: {error}. This is a defect; please report it."
            )
        self.events.running.emit(False)
