"""What a hand does in a session: the mask as it stands, the brush, the prompts, and the history of all of it."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.inference import Outcome
from napari_toposeg.session.brush import SessionBrush
from napari_toposeg.session.history import History
from napari_toposeg.session.mask import SessionMask
from napari_toposeg.session.prompts import SessionPrompts
from napari_toposeg.topology import Certificate

if TYPE_CHECKING:
    from napari_toposeg.session.events import SessionEvents
    from napari_toposeg.session.session import Session


class Correcting(ABC):
    """The part of a session that holds its result, and lets a person correct it.

    Attributes
    ----------
    history : History
        What was done, and the way back.
    working_mask : SessionMask
        The mask as it stands.
    brush : SessionBrush
        Paints and erases on it.
    prompts : SessionPrompts
        What every run has to heed.
    """

    events: SessionEvents

    def __init__(self) -> None:
        super().__init__()
        self.history = History()

    def begin_correcting(self) -> None:
        """Once the session's events are there."""
        session = cast("Session", self)
        self.working_mask = SessionMask(session)
        self.brush = SessionBrush(session)
        self.prompts = SessionPrompts(session)

    @property
    def result(self) -> Outcome | None:
        """The newest segmentation of this volume: a `Segmentation`, unless a map without deformation was taken over."""
        return self.working_mask.result

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """(*volume.shape) bool: the mask as it stands, changed by hand or not; not to be written into."""
        return self.working_mask.voxels

    @property
    def certificate(self) -> Certificate | None:
        """What is certain about the mask as it stands; None where there is none, or it is still being counted."""
        return self.working_mask.certificate

    @property
    def edited(self) -> bool:
        """Whether the mask was changed by hand since the result came; `certificate` says what still holds."""
        return self.working_mask.edited

    def edit(self, mask: NDArray[Any]) -> None:
        """Replace the mask by one changed by hand (*volume.shape): `save` writes that. Its topology is counted anew."""
        if self.result is not None:
            self.brush.take(mask, "Edited by hand", locked=False)

    def take_result(
        self, result: Outcome | None, edited: NDArray[Any] | None = None, *, name: str = "Result taken over"
    ) -> None:
        """Make something else the result, with its mask as changed by hand (*volume.shape) where that is given.

        The history calls it by that name.
        """
        self.working_mask.take(result, edited, name)
        self.events.result.emit(result)
        if edited is not None:
            self.events.edited.emit(True)
