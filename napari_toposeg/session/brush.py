"""The brush of a session: strokes on the mask that cannot break its topology, unless they are told that they may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from psygnal import Signal, SignalGroup

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import box_of
from napari_toposeg.session.mask import Standing
from napari_toposeg.session.mask_delta import MaskDelta, merged
from napari_toposeg.topology import Footprint, Painted, paint, stroke_footprint

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session
    from napari_toposeg.volume import Volume

_TAKEN = "These voxels belong to another object"


class BrushEvents(SignalGroup):
    """What a brush tells, in the thread of whoever paints."""

    settings = Signal(object)  # BrushSettings
    refused = Signal(str)  # why a locked stroke was not followed, as soon as it is known


@dataclass(frozen=True)
class BrushSettings:
    """How the brush paints.

    Attributes
    ----------
    radius : float
        In mm.
    locked : bool
        Whether only simple points flip.
    """

    radius: float = 4.0
    locked: bool = True


@dataclass(frozen=True)
class Foretold:
    """What a stroke would do.

    Attributes
    ----------
    words : str
        "Paints here.", "Erases 12 of 30 voxels here." and why not all of them.
    hindered : bool
        Whether any voxel would not follow.
    """

    words: str
    hindered: bool


class Stroke:
    """One drag of the brush: each part is painted as it is drawn, and all of it is one change.

    `SessionBrush.begin` makes it. Painting is so quick (docs/results.md) that a window's thread may do it.
    """

    def __init__(
        self, session: Session, settings: BrushSettings, *, erase: bool, axis: int | None, name: str | None = None
    ) -> None:
        self._session = session
        self._settings = settings
        self._erase = erase
        self._axis = axis
        self._result = session.result
        self._before: Standing = session.working_mask.standing
        self._deltas: list[MaskDelta] = []
        self._name = name or _stroke_name(settings, erase)
        self.refused = 0
        session.history.hold(self)

    def draw(self, points: ArrayLike) -> Painted | None:
        """Paint along a line from the first of these points to the last.

        Parameters
        ----------
        points : (n, ndim) array
            Canonical voxels, not necessarily whole; parts beyond the volume are passed over.

        Returns
        -------
        Painted or None
            What flipped, and what did not and why. None where the mask is another one meanwhile.
        """
        session = self._session
        volume = session.volume
        if volume is None or session.result is not self._result:
            return None
        return self.paint(_footprint(points, self._settings.radius, volume, self._axis))

    def paint(self, footprint: Footprint, *, erase: bool | None = None, tell: bool = True) -> Painted | None:
        """Paint what a footprint covers."""
        mask = self._session.working_mask
        # A result may come from the compute thread at any time.
        with self._session.history.lock:
            voxels, result = mask.voxels, mask.result
            if voxels is None or result is None or result is not self._result:
                return None
            if not (self._erase if erase is None else erase):
                footprint, taken = _of_nobody_else(self._session, footprint)
                if taken:
                    self._session.brush.events.refused.emit(_TAKEN)
            painted = paint(
                voxels,
                footprint,
                erase=self._erase if erase is None else erase,
                locked=self._settings.locked,
                connectivity=result.certificate.connectivity,
                betti=mask.betti,
            )
            box = tuple((side.start, side.stop) for side in painted.box)
            delta = mask.flip(painted.flipped, box, simple=self._settings.locked)
        self._deltas.append(delta)
        if tell and delta.voxels:
            # What is certain of it is said when the stroke is over: everybody who measures would measure at every move.
            self._session.events.mask.emit(box)
        self.refused += int(painted.refused.sum())
        if painted.reason:
            self._session.brush.events.refused.emit(painted.reason)
        return painted

    def end(self) -> MaskDelta | None:
        """The stroke is over: it goes into the history as one change. None where nothing was flipped."""
        mask, volume = self._session.working_mask, self._session.volume
        with self._session.history.lock:
            self._session.history.release(self)
            if volume is None or mask.result is not self._result or not self._deltas:
                return None
            delta = merged(self._deltas, volume.shape)
            self._deltas = []
            mask.keep(self._name, delta, self._before)
        self._session.events.edited.emit(mask.edited)
        return delta if delta.voxels else None


class SessionBrush:
    """Paints and erases on the session's mask.

    Parameters
    ----------
    session : Session
        Whose mask it is.
    """

    def __init__(self, session: Session) -> None:
        self.events = BrushEvents()
        self._session = session
        self._settings = BrushSettings()

    @property
    def settings(self) -> BrushSettings:
        """How the next stroke paints."""
        return self._settings

    @settings.setter
    def settings(self, settings: BrushSettings) -> None:
        if not (np.isfinite(settings.radius) and settings.radius >= 0):
            raise ToposegError(f"The brush has a radius of {settings.radius:g} mm.", todo="Give one from 0 upwards.")
        self._settings = settings
        self.events.settings.emit(settings)

    @property
    def radius(self) -> float:
        """In mm; at any radius the voxels that the line passes through are painted."""
        return self._settings.radius

    @radius.setter
    def radius(self, radius: float) -> None:
        self.settings = BrushSettings(float(radius), self._settings.locked)

    @property
    def locked(self) -> bool:
        """Whether strokes keep the topology."""
        return self._settings.locked

    @locked.setter
    def locked(self, locked: bool) -> None:
        self.settings = BrushSettings(self._settings.radius, bool(locked))

    def begin(self, *, erase: bool = False, axis: int | None = None, locked: bool | None = None) -> Stroke:
        """Begin a stroke.

        Parameters
        ----------
        erase : bool
            Whether it erases.
        axis : int, optional
            The canonical axis across which the brush is a disk, one voxel thick. Default: it is a ball.
        locked : bool, optional
            For this stroke only.

        Raises
        ------
        ToposegError
            If there is no mask.
        """
        settings = self._settings
        if locked is not None:
            settings = BrushSettings(settings.radius, locked)
        if self._session.working_mask.voxels is None:
            raise ToposegError("There is no mask to paint on.", todo="Press Run first.")
        return Stroke(self._session, settings, erase=erase, axis=axis)

    def foretell(
        self, point: ArrayLike, *, erase: bool = False, axis: int | None = None, locked: bool | None = None
    ) -> Foretold | None:
        """What a dab here would do, without doing it: a cursor says so before the button is pressed.

        Parameters
        ----------
        point : (ndim,) array
            Canonical voxel, not necessarily whole.
        erase, axis, locked
            As in `begin`.

        Returns
        -------
        Foretold or None
            None beyond the image, and where there is no mask.
        """
        mask, volume = self._session.working_mask, self._session.volume
        with self._session.history.lock:
            voxels, result = mask.voxels, mask.result
            if voxels is None or result is None or volume is None:
                return None
            footprint, taken = _footprint(point, self._settings.radius, volume, axis), False
            if not erase:
                footprint, taken = _of_nobody_else(self._session, footprint)
            if not footprint.inside.any():
                return Foretold(f"Paints nothing here. {_TAKEN}.", True) if taken else None
            painted = paint(
                voxels,
                footprint,
                erase=erase,
                locked=self._settings.locked if locked is None else locked,
                connectivity=result.certificate.connectivity,
                betti=mask.betti,
            )
        words = painted.foretold(erase=erase)
        words = f"{words} The rest belongs to another object." if taken else words
        return Foretold(words, taken or bool(painted.refused.any()))

    def paint(self, points: ArrayLike, *, axis: int | None = None, locked: bool | None = None) -> Painted:
        """Paint along a line (n, ndim) of canonical voxels, as one stroke. See `begin`.

        Returns
        -------
        Painted
            What flipped, and what did not and why.
        """
        return self._whole(points, erase=False, axis=axis, locked=locked)

    def erase(self, points: ArrayLike, *, axis: int | None = None, locked: bool | None = None) -> Painted:
        """Erase along a line. See `paint`."""
        return self._whole(points, erase=True, axis=axis, locked=locked)

    def take(self, mask: NDArray[Any], name: str, *, locked: bool | None = None) -> int:
        """Take over what another tool made of the mask, as one change; locked, as far as simple points lead.

        Parameters
        ----------
        mask : (*volume.shape) array
            Foreground where not zero.
        name : str
            What the change is called.
        locked : bool, optional
            For this once.

        Returns
        -------
        int
            How many voxels are not as the tool wanted them.

        Raises
        ------
        ToposegError
            If there is no mask, or it lies on another grid.
        """
        voxels = self._session.working_mask.voxels
        if voxels is None:
            raise ToposegError("There is no mask to change.", todo="Press Run first.")
        if np.shape(mask) != voxels.shape:
            raise ToposegError(
                f"The mask has the shape {np.shape(mask)} and the image {voxels.shape}.", todo="Give it on one grid."
            )
        differing = (np.asarray(mask) != 0) != voxels
        box = box_of(differing)
        if box is None:
            return 0
        settings = BrushSettings(self._settings.radius, self._settings.locked if locked is None else locked)
        slices = tuple(slice(low, high) for low, high in box)
        part = differing[slices]
        before = voxels[slices].copy()
        stroke = Stroke(self._session, settings, erase=False, axis=None, name=name)
        stroke.paint(Footprint(slices, part & ~before), erase=False, tell=False)
        stroke.paint(Footprint(slices, part & before), erase=True, tell=False)
        stroke.end()
        self._session.events.mask.emit(box)
        return stroke.refused

    def _whole(self, points: ArrayLike, *, erase: bool, axis: int | None, locked: bool | None) -> Painted:
        stroke = self.begin(erase=erase, axis=axis, locked=locked)
        painted = stroke.draw(points)
        assert painted is not None  # the mask was there a moment ago
        stroke.end()
        return painted


def _of_nobody_else(session: Session, footprint: Footprint) -> tuple[Footprint, bool]:
    """A footprint without what belongs to other objects of the session, and whether anything did."""
    theirs = session.other_voxels(tuple((side.start, side.stop) for side in footprint.box))
    if theirs is None or not (footprint.inside & theirs).any():
        return footprint, False
    return replace(footprint, inside=footprint.inside & ~theirs), True


def _footprint(points: ArrayLike, radius: float, volume: Volume, axis: int | None) -> Footprint:
    """What the brush covers along a line, as a disk across an axis or as a ball."""
    places = np.atleast_2d(np.asarray(points, float))
    axes = None if axis is None else [other for other in range(volume.ndim) if other != axis]
    return stroke_footprint(places, radius, volume.shape, tuple(map(float, volume.spacing)), plane=axes)


def _stroke_name(settings: BrushSettings, erase: bool) -> str:
    size = f"{settings.radius:.3g} mm"
    words = f"Erased with radius {size}" if erase else f"Stroke of radius {size}"
    return words if settings.locked else f"{words}, not locked"
