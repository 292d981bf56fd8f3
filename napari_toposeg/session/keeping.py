"""A session is kept: in a file that a person names, and by itself, so that a crash loses at most a minute."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from napari_toposeg.errors import ToposegError
from napari_toposeg.session.autosave import EVERY, Autosave
from napari_toposeg.session.saving import SavedSession, read_session, restore, state_of, write_session

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session


class Keeping:
    """The part of a session that goes to disk and comes back."""

    def __init__(self) -> None:
        super().__init__()
        self._autosave: Autosave | None = None

    @property
    def autosave(self) -> Autosave | None:
        """What keeps it by itself; None where nobody asked for that."""
        return self._autosave

    def accept(self) -> None:
        """Stand by the mask as it is: where the session is kept by itself, that is done at once.

        Raises
        ------
        ToposegError
            If there is no mask.
        """
        if cast("Session", self).result is None:
            raise ToposegError("There is no mask to accept.", todo="Press Run first.")
        if self._autosave is not None:
            self._autosave.soon()

    def save_session(self, path: str | os.PathLike[str]) -> None:
        """Write all of it to one file, but for the image, which is named by its path and its hash.

        Prior, placement, settings, network, result with mask, field and certificate, what a hand made of it, prompts
        and history. An image that came from no file of its own is written, too.

        Parameters
        ----------
        path : path
            .toposeg; appears whole or not at all.

        Raises
        ------
        ToposegError
            If no image is open, its file is gone, or the file cannot be written.
        """
        write_session(state_of(cast("Session", self)), path)

    def open_session(
        self, path: str | os.PathLike[str], *, image: str | os.PathLike[str] | None = None
    ) -> SavedSession:
        """Go on with what `save_session` wrote; what is worked on now is dropped.

        Parameters
        ----------
        path : path
            The file.
        image : path, optional
            Where its image is now, if it is neither where it was nor beside the file.

        Raises
        ------
        ImageNotFoundError
            If the image is not found, or is another one.
        ToposegError
            If the file cannot be read.
        """
        saved = read_session(path, image=image)
        self.restore(saved)
        return saved

    def restore(self, saved: SavedSession) -> None:
        """Go on with a session that was read."""
        restore(cast("Session", self), saved)

    def start_autosave(self, folder: str | os.PathLike[str] | None = None, *, every: float = EVERY) -> None:
        """Have the session kept by itself from now on; see `Autosave`. Without effect where it is already."""
        if self._autosave is None:
            self._autosave = Autosave(cast("Session", self), None if folder is None else Path(folder), every=every)

    def stop_autosave(self) -> None:
        """End that: the session ended as it should, and nothing of it is left."""
        autosave, self._autosave = self._autosave, None
        if autosave is not None:
            autosave.end()
