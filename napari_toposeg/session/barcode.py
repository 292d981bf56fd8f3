"""The barcode of a session: of a mask, a warped template, a probability map or the image."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box
from napari_toposeg.inference import Outcome
from napari_toposeg.session.barcode_events import BarcodeEvents, SelectedBar
from napari_toposeg.session.barcode_map import (
    CERTIFIED,
    BarcodeMap,
    map_of_mask,
    map_of_template,
    map_of_values,
    mask_title,
)
from napari_toposeg.session.barcode_saving import save_barcode
from napari_toposeg.session.side_job import SideJob
from napari_toposeg.steps import Step, Steps
from napari_toposeg.topology import Barcode, barcode_steps
from napari_toposeg.topology.persistence import Scale
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session

_Found: TypeAlias = tuple[Barcode, BarcodeMap, Outcome | None]
"""A barcode, its map, and the result that the map was made from, if one was."""


class SessionBarcode:
    """Finds barcodes in the session's compute thread, and holds the newest one.

    A request makes all earlier ones stale. Whatever run goes on proceeds between a barcode's dimensions.

    Parameters
    ----------
    session : Session
        Whose volume, prior and result are looked at.
    """

    def __init__(self, session: Session) -> None:
        self.events = BarcodeEvents()
        self._session = session
        self._map: BarcodeMap | None = None
        self._barcode: Barcode | None = None
        self._wanted: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._right: NDArray[np.float64] = np.zeros((0, 2))
        self._result: Outcome | None = None
        self._threshold = 0.5
        self._selected: SelectedBar | None = None
        # Barcode and map are put away in the compute thread, and belong together.
        self._lock = threading.RLock()
        self._job = SideJob[_Found](
            session.later,
            "The barcode",
            on_running=self.events.computing.emit,
            on_step=self.events.step.emit,
            keep=self._keep,
            tell=self._tell,
            on_failed=session.events.failed.emit,
        )
        session.events.volume.connect(self._volume_changed)
        session.events.result.connect(self._result_changed)
        session.events.prior.connect(self._prior_changed)

    # What there is

    @property
    def barcode(self) -> Barcode | None:
        """The newest barcode, longest bar first; its voxels are the volume's canonical ones."""
        return self._barcode

    @property
    def map(self) -> BarcodeMap | None:
        """What it is the barcode of."""
        return self._map

    @property
    def source(self) -> str:
        """What it is the barcode of, in words."""
        return "" if self._map is None else self._map.name

    @property
    def scale(self) -> Scale:
        """What the levels stand for."""
        return Scale() if self._map is None else self._map.scale

    @property
    def computing(self) -> bool:
        """Whether a barcode is being found."""
        return self._job.running

    @property
    def threshold(self) -> float:
        """The level, from 0 to 1, whose super-level set is looked at; `scale` has the map's own number of it."""
        return self._threshold

    @threshold.setter
    def threshold(self, level: float) -> None:
        self._threshold = float(np.clip(level, 0.0, 1.0))
        self.events.threshold.emit(self._threshold)

    @property
    def selected(self) -> SelectedBar | None:
        """The bar that was chosen last."""
        return self._selected

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """(n,) which bars are the prior's: of each dimension as many of the longest as it has features.

        The rest is noise. None is wanted where no prior was chosen.
        """
        return self._wanted

    @property
    def right_levels(self) -> NDArray[np.float64]:
        """(m, 2) the ranges of levels, each from above the first to the second, with the prior's Betti numbers."""
        return self._right

    @property
    def betti_wanted(self) -> tuple[int, ...] | None:
        """The Betti numbers of the prior."""
        prior = self._session.prior if self._result is None else self._result.prior
        return None if prior is None else prior.betti

    def betti_at(self, threshold: float | None = None) -> tuple[int, ...]:
        """Betti numbers of the super-level set at a level, by counting bars.

        Parameters
        ----------
        threshold : float, optional
            A level from 0 to 1. Default: `threshold`.

        Raises
        ------
        ToposegError
            If there is no barcode.
        """
        return self._there()[0].betti(self._threshold if threshold is None else threshold)

    def super_level_set(self, threshold: float | None = None) -> NDArray[np.bool_]:
        """(*map.box) bool: where the map is at least at this level.

        Raises
        ------
        ToposegError
            If there is no barcode.
        """
        level = self._threshold if threshold is None else threshold
        # As precise as the map: 0.1 is then what a voxel of 0.1 has.
        return self._there()[1].levels >= np.float32(level)

    # What a person does

    def of_mask(
        self, mask: NDArray[Any] | None = None, *, distance: bool = True, box: Box | None = None, name: str = ""
    ) -> None:
        """Find the barcode of a mask.

        Parameters
        ----------
        mask : (*volume.shape) array, optional
            Foreground where not zero. Default: the certified mask.
        distance : bool
            Take the signed distance from its surface, of which the bars' lengths say how thick and how deep, in mm.
            Else the mask itself: its features, all of one length.
        box : Box, optional
            Which part is looked at, in canonical voxels. Default: the result's, or the mask's and some voxels around.
        name : str
            What the mask is.

        Raises
        ------
        ToposegError
            If there is no volume, or no result where none is given. What else is wrong is said by the session's
            `failed`.
        """
        volume = self._volume()
        result = None
        what = name or "the mask"
        if mask is None:
            result = self._newest_result()
            mask, box, what = result.full_mask(), box or result.box, CERTIFIED
        title = mask_title(what, distance=distance)
        chosen = mask
        self._find(lambda: map_of_mask(volume, chosen, box, distance=distance, name=title), result)

    def of_template(self) -> None:
        """Find the barcode of the warped template's distance, before it was made a mask and repaired.

        Raises
        ------
        ToposegError
            If there is no result.
        """
        result = self._newest_result()
        self._find(lambda: map_of_template(result), result)

    def of_map(self, values: NDArray[Any], *, box: Box | None = None, name: str = "Map") -> None:
        """Find the barcode of a probability map, or of any image.

        Parameters
        ----------
        values : (*volume.shape) array
            Canonical. Real numbers within 0 and 1 are taken for probabilities, others from the least to the greatest.
        box : Box, optional
            Which part is looked at, in canonical voxels. Default: the placed template's region, or all.
        name : str
            What the map is.

        Raises
        ------
        ToposegError
            If there is no volume. What else is wrong is said by the session's `failed`.
        """
        volume = self._volume()
        region = box or self._session.region or volume.frame.box
        self._find(lambda: map_of_values(volume, values, region, name), None)

    def of_image(self, *, box: Box | None = None) -> None:
        """Find the barcode of the image's own intensities; see `of_map`."""
        volume = self._volume()
        self.of_map(volume.voxels, box=box, name=volume.name)

    def select(self, number: int | None) -> SelectedBar | None:
        """Choose a bar by its number in the barcode, or none.

        Raises
        ------
        ToposegError
            If there is no such bar.
        """
        self._selected = None if number is None else self._ends_of(number)
        self.events.selected.emit(self._selected)
        return self._selected

    def cancel(self) -> None:
        """Give up the barcode that is being found, at its next dimension; the one that is there stays."""
        self._job.cancel()

    def clear(self) -> None:
        """Forget the barcode."""
        self.cancel()
        if self._barcode is not None:
            self._keep(None)
            self._tell()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no barcode is being found (not in a window's thread); whether that came in time."""
        return self._job.wait(timeout)

    def save(self, path: str | os.PathLike[str], *, diagram: bool = False) -> None:
        """Write the barcode. Not for a window's thread where it is a picture.

        Parameters
        ----------
        path : path
            .json or .csv: all bars, their places counted in the image file's own array, as `toposeg barcode` does, and
            in the table in RAS millimetres besides. .png, .svg or .pdf: a picture of the longest.
        diagram : bool
            A picture is that of birth against death.

        Raises
        ------
        ToposegError
            If there is no barcode, the ending is another one, or the file cannot be written.
        """
        barcode, map_ = self._there()
        save_barcode(
            barcode,
            map_,
            path,
            betti=self.betti_wanted,
            wanted=self._wanted,
            level=self._threshold,
            diagram=diagram,
        )

    # How it does that

    def _there(self) -> tuple[Barcode, BarcodeMap]:
        with self._lock:
            barcode, map_ = self._barcode, self._map
        if barcode is None or map_ is None:
            raise ToposegError("There is no barcode.", todo="Choose what to take it of first.")
        return barcode, map_

    def _volume(self) -> Volume:
        if self._session.volume is None:
            raise ToposegError("No image is open.", todo="Open one first.")
        return self._session.volume

    def _newest_result(self) -> Outcome:
        if self._session.result is None:
            raise ToposegError("There is no segmentation.", todo="Press Run first, or choose another map.")
        return self._session.result

    def _find(self, make: Callable[[], BarcodeMap], result: Outcome | None) -> None:
        def steps() -> Steps[_Found]:
            map_ = make()
            for step in barcode_steps(map_.levels):
                found = step.result
                if found is None:
                    yield Step(step.stage, step.number, step.total)
                else:
                    whole = found.moved(map_.offset, map_.volume.shape)
                    yield Step(step.stage, step.number, step.total, result=(whole, map_, result))

        self._job.start(steps)

    def _keep(self, found: _Found | None) -> None:
        with self._lock:
            self._barcode, self._map, self._result = found or (None, None, None)
            self._selected = None
            self._compare()
            if self._map is not None:
                self._threshold = _first_threshold(self._map, self._right)

    def _compare(self) -> None:
        """Set the barcode beside the prior."""
        barcode, betti = self._barcode, self.betti_wanted
        if barcode is None or betti is None or len(betti) != barcode.ndim:
            self._wanted = np.zeros(0 if barcode is None else len(barcode), np.bool_)
            self._right = np.zeros((0, 2))
        else:
            self._wanted = barcode.longest(betti)
            self._right = barcode.levels_with(betti)

    def _tell(self) -> None:
        self.events.barcode.emit(self._barcode)
        self.events.threshold.emit(self._threshold)
        self.events.selected.emit(None)

    def _ends_of(self, number: int) -> SelectedBar:
        barcode, map_ = self._there()
        if not 0 <= number < len(barcode):
            raise ToposegError(f"There is no bar {number}.", why=f"The barcode has {len(barcode)}, counted from 0.")
        bar = barcode[number]
        places = [
            None if voxel is None else tuple(map_.volume.frame.world(np.array(voxel)).tolist())
            for voxel in (bar.birth_voxel, bar.death_voxel)
        ]
        return SelectedBar(number, bar, *places)

    def _volume_changed(self, _: object) -> None:
        self.clear()

    def _prior_changed(self, _: object) -> None:
        # Noise has hundreds of thousands of bars, and a window is not to wait until they are sorted.
        self._session.later(self._compare_again, self.events.wanted.emit)

    def _compare_again(self) -> NDArray[np.bool_]:
        with self._lock:
            self._compare()
            return self._wanted

    def _result_changed(self, result: object) -> None:
        if self._result is not None and result is not self._result:
            self.clear()


def _first_threshold(map_: BarcodeMap, right: NDArray[np.float64]) -> float:
    """The level at which a map is a mask; else the middle of the longest range with the prior's Betti numbers."""
    if map_.threshold is not None:
        return map_.threshold
    if len(right) == 0:
        return 0.5
    return float(right[np.argmax(right[:, 1] - right[:, 0])].mean())
