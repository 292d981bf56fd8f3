"""The deformation of a session's result: looked at, played, and written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal, SignalGroup

from napari_toposeg.deformation import Histogram
from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import ResultField, Segmentation, TemplateLevel, WorstCell

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session


class DeformationEvents(SignalGroup):
    """What a session's deformation tells.

    `field` follows a result, in the compute thread, or whoever chose another state of it; `share` whoever moved it.
    """

    field = Signal(object)  # ResultField or None
    share = Signal(float)


class SessionDeformation:
    """What the newest result's deformation does, and how it gets there.

    All that has to be computed is not for a window's thread: there `Session.later` asks for it.

    Parameters
    ----------
    session : Session
        Whose result is looked at. One without a deformation (a pixel-wise one) has nothing to show here.
    """

    def __init__(self, session: Session) -> None:
        self.events = DeformationEvents()
        self._after: ResultField | None = None
        self._before = False
        self._share = 1.0
        session.events.result.connect(self._result_changed)

    # What there is

    @property
    def field(self) -> ResultField | None:
        """The deformation that is looked at; None where there is none."""
        after = self._after
        return after.unrepaired if after is not None and self._before else after

    @property
    def repaired(self) -> bool:
        """Whether its folds were repaired, so that there is a before and an after."""
        return self._after is not None and self._after.unrepaired is not None

    @property
    def before(self) -> bool:
        """Whether the deformation is looked at as it was before its folds were repaired; refused where none were."""
        return self._before

    @before.setter
    def before(self, before: bool) -> None:
        self._there()
        if before and not self.repaired:
            raise ToposegError(
                "There is nothing before the repair.", why="Nothing in this deformation had to be unfolded."
            )
        if before != self._before:
            self._before = before
            self.events.field.emit(self.field)

    @property
    def share(self) -> float:
        """How far the template has gone along the deformation: from 0, where it was placed, to 1."""
        return self._share

    @share.setter
    def share(self, share: float) -> None:
        share = float(np.clip(share, 0.0, 1.0))
        if share != self._share:
            self._share = share
            self.events.share.emit(share)

    # What can be asked of it; each raises a ToposegError where there is no deformation

    def shifts(self) -> tuple[float, float]:
        """Mean and greatest length of the displacement within the mask, in mm."""
        return self._there().shifts()

    def worst_cells(self, number: int = 30, *, apart: int = 0) -> list[WorstCell]:
        """The cells with the least determinants, worst first. See `ResultField.worst_cells`."""
        return self._there().worst_cells(number, apart=apart)

    def histogram(self, bins: int = 60, *, log: bool = False) -> Histogram:
        """How many cells have which least determinant. See `ResultField.histogram`."""
        return self._there().histogram(bins, log=log)

    def template_at(self, share: float | None = None) -> NDArray[np.bool_]:
        """(*volume.shape) bool: the template on its way along the deformation.

        Parameters
        ----------
        share : float, optional
            From 0, as placed, to 1, the mask. Default: `share`.
        """
        field = self._there()
        result = field.result
        full = np.zeros(result.volume.shape, bool)
        full[tuple(slice(low, high) for low, high in result.box)] = field.template_at(
            self._share if share is None else share
        )
        return full

    def template_levels(self) -> list[TemplateLevel]:
        """The template after each stage of the fit or level of the network. See `ResultField.template_levels`."""
        return self._there().template_levels()

    def export(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write all of it: NIfTI, CSV and PNG. See `napari_toposeg.inference.field_saving.save_field`."""
        from napari_toposeg.inference.field_saving import save_field

        return save_field(self._there(), folder)

    # How it does that

    def _there(self) -> ResultField:
        field = self.field
        if field is None:
            raise ToposegError("There is no deformation to look at.", todo="Press Run first.")
        return field

    def _result_changed(self, result: object) -> None:
        self._after, self._before = ResultField(result) if isinstance(result, Segmentation) else None, False
        self.events.field.emit(self.field)
