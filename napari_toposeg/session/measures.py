"""Figures of a session's mask, alone and beside a reference."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal, SignalGroup

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import DistanceSurface, Mesh, distance_surface, evaluate_case, measure_shape
from napari_toposeg.formats import PICTURE_ENDINGS, split_ending
from napari_toposeg.session.measure_table import MeasuredObject, Measures
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session

MOST_OBJECTS = 64
"""More are hardly objects: an image was taken for a label map."""


class MeasurementEvents(SignalGroup):
    """What a session's measurements tell; in the caller's thread."""

    chosen = Signal()  # another mask or reference


@dataclass(frozen=True, eq=False)
class _Labels:
    values: NDArray[Any]
    name: str
    label: int | None = None


@dataclass(frozen=True, eq=False)
class _Pair:
    name: str
    label: int | None
    mask: NDArray[np.bool_]
    reference: NDArray[np.bool_] | None


class Measurements:
    """What a session's mask measures, and how near it is to a reference.

    Nothing is kept but what was chosen: every question is answered of the mask as it stands. `measure`, `distances` and
    `save` are not for a window's thread.

    Parameters
    ----------
    session : Session
        Whose mask and volume.
    """

    def __init__(self, session: Session) -> None:
        self.events = MeasurementEvents()
        self._session = session
        self._mask: _Labels | None = None
        self._reference: _Labels | None = None
        session.events.volume.connect(self._forget)

    @property
    def reference(self) -> str | None:
        """The name of the reference; None where there is none."""
        return None if self._reference is None else self._reference.name

    def choose_mask(self, labels: NDArray[Any] | None, *, name: str = "Labels") -> None:
        """Measure something else than the session's mask.

        Parameters
        ----------
        labels : (*volume.shape) array or None
            Canonical; 0 is background, and each other value an object. None: the session's own mask again.
        name : str
            What to call it.

        Raises
        ------
        ToposegError
            If there is no volume, or it has another shape.
        """
        self._mask = None if labels is None else self._labels(labels, name, None)
        self.events.chosen.emit()

    def choose_reference(
        self, labels: NDArray[Any] | None, *, name: str = "Reference", label: int | None = None
    ) -> None:
        """Compare with this.

        Parameters
        ----------
        labels : (*volume.shape) array or None
            Canonical; 0 is background. None: nothing is compared.
        name : str
            What to call it.
        label : int, optional
            Which of its values one object is compared with. Default: all that is not background. Of several objects
            each is compared with its own value.

        Raises
        ------
        ToposegError
            If there is no volume, or it has another shape.
        """
        self._reference = None if labels is None else self._labels(labels, name, label)
        self.events.chosen.emit()

    def measure(self) -> Measures:
        """Measure the mask as it stands.

        Raises
        ------
        ToposegError
            If there is no mask, or it has more than `MOST_OBJECTS` objects.
        """
        volume = self._volume()
        objects = []
        for pair in self._pairs():
            comparison = None
            if pair.reference is not None:
                comparison = evaluate_case(
                    pair.mask, pair.reference, volume.spacing, name=volume.name, label_value=pair.label
                )
            objects.append(MeasuredObject(pair.name, pair.label, measure_shape(pair.mask, volume.spacing), comparison))
        return Measures(volume.name, self._name(), self.reference, _unit(volume), tuple(objects))

    def distances(self) -> DistanceSurface:
        """The mask's surface, and how far each of its points lies from the reference's: of all objects together.

        Returns
        -------
        DistanceSurface
            In canonical voxels of the volume; distances in mm, positive outside of the reference.

        Raises
        ------
        ToposegError
            If there is no mask or no reference, or one of them is empty.
        """
        volume = self._volume()
        if self._reference is None:
            raise ToposegError("There is no reference to measure distances to.", todo="Choose a labels layer as one.")
        parts = []
        for pair in self._pairs():
            assert pair.reference is not None  # there is one, for all of them
            parts.append(distance_surface(pair.mask, pair.reference, volume.spacing))
        starts = np.cumsum([0, *(len(part.distances) for part in parts)])
        return DistanceSurface(
            Mesh(
                np.concatenate([part.mesh.vertices for part in parts]),
                np.concatenate([part.mesh.faces + start for part, start in zip(parts, starts, strict=False)]),
            ),
            np.concatenate([part.distances for part in parts]),
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Measure, and write the table: .csv, .md or .json. See `Measures.save`."""
        self.measure().save(path)

    def _volume(self) -> Volume:
        volume = self._session.volume
        if volume is None:
            raise ToposegError("No image is open.", todo="Open one first.")
        return volume

    def _labels(self, labels: NDArray[Any], name: str, label: int | None) -> _Labels:
        volume = self._volume()
        if labels.shape != volume.shape:
            raise ToposegError(
                f"{name} does not lie on the image's grid.",
                why=f"It has {_size(labels.shape)} voxels, the image {_size(volume.shape)}.",
                todo="Resample it on to the image's grid with the tool that made it.",
            )
        return _Labels(labels, name, label)

    def _name(self) -> str:
        if self._mask is not None:
            return self._mask.name
        return "result, edited by hand" if self._session.edited else "result"

    def _pairs(self) -> list[_Pair]:
        """The objects, each with what it is compared with."""
        chosen = self._mask.values if self._mask is not None else self._session.mask
        if chosen is None:
            raise ToposegError("There is nothing to measure.", todo="Press Run first, or choose a labels layer.")
        # A copy: somebody may be painting in it.
        labels = np.array(chosen)
        reference = None if self._reference is None else np.array(self._reference.values)
        values = [int(value) for value in np.unique(labels[labels != 0])]
        if len(values) > MOST_OBJECTS:
            raise ToposegError(
                f"{self._name()} has {len(values):,} labels.",
                why=f"At most {MOST_OBJECTS} objects are measured at once.",
                todo="Choose a layer in which each organ has a label of its own.",
            )
        if len(values) > 1:
            return [
                _Pair(f"Label {value}", value, labels == value, None if reference is None else reference == value)
                for value in values
            ]
        if self._reference is not None and reference is not None:
            wanted = self._reference.label
            reference = reference != 0 if wanted is None else reference == wanted
        return [_Pair(self._name(), None, labels != 0, reference)]

    def _forget(self, _: object = None) -> None:
        """Another volume: what was chosen lies on the old one's grid."""
        if self._mask is not None or self._reference is not None:
            self._mask = self._reference = None
            self.events.chosen.emit()


def _unit(volume: Volume) -> str:
    """A picture's pixels have no size, unless somebody gave them one."""
    picture = volume.path is not None and split_ending(volume.path)[1] in PICTURE_ENDINGS
    return "px" if picture and np.allclose(volume.spacing, 1.0) else "mm"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
