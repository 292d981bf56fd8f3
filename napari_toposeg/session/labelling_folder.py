"""A folder of volumes that is being labelled, as it lies on disk: its masks, and what is remembered of them."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.data import Case, find_cases, read_case
from napari_toposeg.errors import ToposegError, listed
from napari_toposeg.formats import PICTURE_ENDINGS, read_mask, read_volume, split_ending, write_mask
from napari_toposeg.session.labelling_rows import BY_HAND, GIVEN, LabellingRow, Status
from napari_toposeg.session.labelling_state import (
    LabellingState,
    read_state,
    remembered,
    with_remembered,
    write_state,
)
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

PROPOSED = "proposed"
"""The folder of masks that nobody has accepted yet, in the folder of masks."""


class LabellingFolder:
    """The volumes of a folder and their masks. Whatever it changes is on disk before it is told; any thread may ask.

    Accepted masks lie in the folder of masks under their volumes' names, so that it is a folder of labels like any
    other; masks that wait for somebody lie in `PROPOSED` below it. Given labels are never written to.

    Parameters
    ----------
    images : Path
        Folder of volumes.
    labels : Path, optional
        Folder of labels that are there already. Default: the one of the last time, if there was one.
    masks : Path, optional
        Where masks go; made where it is missing. Default: a folder beside that of the images, called like it with
        "_masks" behind.

    Raises
    ------
    ToposegError
        As `find_cases`; if the volumes are packed as .npz, the folder of masks is one of the other two, or cannot be
        made; as `read_state`.
    """

    def __init__(self, images: Path, labels: Path | None = None, masks: Path | None = None) -> None:
        self.images = images.resolve()
        self.masks = (masks or self.images.with_name(f"{self.images.name}_masks")).resolve()
        self._lock = threading.RLock()
        self._state = read_state(self.masks)
        if labels is None and self._state.labels:
            labels = Path(self.whole(self._state.labels))
        self.labels = None if labels is None else labels.resolve()
        if self.masks in (self.images, self.labels):
            raise ToposegError(
                f"Masks cannot be written to {self.masks}.",
                why="It holds the images, or labels that were given.",
                todo="Choose another folder for them.",
            )
        cases = find_cases(self.images, self.labels, partly=True)
        packed = [case.name for case in cases if split_ending(case.image)[1] == ".npz"]
        if packed:
            raise ToposegError(
                f"Packed images cannot be labelled: {listed(packed)}.",
                why="An .npz says nothing of how a mask of it is to be written.",
                todo="Write them as NIfTI or as pictures first.",
            )
        try:
            (self.masks / PROPOSED).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ToposegError(
                f"{self.masks} cannot be written.",
                why=f"{error.strerror or error}.",
                todo="Choose another folder for the masks.",
            ) from error
        self._rows = {case.name: self._row_of(case) for case in cases}
        if self.labels is not None:
            self.update(labels=self.short(self.labels))

    # What there is

    def short(self, place: str | Path) -> str:
        """A file or folder as it is remembered: from the folder of masks, so that all of it can be moved together."""
        if Path(place).name == str(place) or not Path(place).exists():
            return str(place)  # a name of weights, or of a prior
        try:
            return Path(os.path.relpath(place, self.masks)).as_posix()
        except ValueError:  # on another drive
            return str(Path(place).resolve())

    def whole(self, place: str) -> str:
        """The way back from `short`."""
        there = self.masks / place
        return str(there.resolve()) if place and there.exists() else place

    @property
    def rows(self) -> tuple[LabellingRow, ...]:
        """All volumes, by name."""
        with self._lock:
            return tuple(self._rows.values())

    @property
    def state(self) -> LabellingState:
        """What is remembered, but for the rows."""
        return self._state

    def row(self, name: str) -> LabellingRow:
        """One volume.

        Raises
        ------
        ToposegError
            If there is none of that name.
        """
        with self._lock:
            if name not in self._rows:
                raise ToposegError(f"There is no volume {name!r} in {self.images}.", todo="Choose one of the list.")
            return self._rows[name]

    def mask_path(self, row: LabellingRow, *, accepted: bool) -> Path:
        """Where the mask of a volume is written: a JPEG's as PNG, any other in its image's own format."""
        ending = split_ending(row.image)[1]
        if ending in PICTURE_ENDINGS:
            ending = ".tif" if ending in (".tif", ".tiff") else ".png"
        elif ending != ".nii":
            ending = ".nii.gz"
        return (self.masks if accepted else self.masks / PROPOSED) / f"{row.name}{ending}"

    def read(self, name: str) -> tuple[Volume, NDArray[np.bool_] | None]:
        """Read a volume, and its mask (*volume.shape) if it has one.

        Raises
        ------
        ToposegError
            If a file cannot be read, or the mask lies on another grid.
        """
        row = self.row(name)
        volume = read_volume(row.image)
        return volume, None if row.mask is None else self.read_mask_of(row, volume)

    def read_mask_of(self, row: LabellingRow, volume: Volume) -> NDArray[np.bool_]:
        """The mask (*volume.shape) of a row that has one; of a given label the values that are the organ."""
        assert row.mask is not None
        if row.origin != GIVEN:
            return read_mask(row.mask, volume=volume)[0]
        values = read_case(Case(row.name, row.name, row.image, row.mask))[1]
        assert values is not None  # it has a file
        organ = self._state.settings.labels
        return np.isin(values, organ) if organ else values != 0

    # What changes

    def keep(
        self,
        name: str,
        volume: Volume,
        mask: NDArray[Any],
        status: Status,
        *,
        origin: str = BY_HAND,
        **facts: Any,
    ) -> LabellingRow:
        """Write a mask on its volume's own grid, and remember what it is; other masks of it that we wrote go.

        Parameters
        ----------
        name : str
            Which volume.
        volume : Volume
            As `read` gave it.
        mask : (*volume.shape) array
            Not zero within.
        status : {"proposed", "corrected", "accepted"}
        origin : str
            As in `LabellingRow`.
        **facts
            Other attributes of the row.

        Raises
        ------
        ToposegError
            If it cannot be written.
        """
        row = self.row(name)
        path = self.mask_path(row, accepted=status == "accepted")
        write_mask(mask, volume, path)
        kept = replace(
            row,
            status=status,
            origin=origin,
            mask=path,
            betti=betti_numbers(np.asarray(mask) != 0),
            **{"note": "", **facts},
        )
        self.remember(kept)
        other = self.mask_path(row, accepted=status != "accepted")
        # An acceptance that was taken back, or a proposal that was accepted: one of the two would be stale.
        other.unlink(missing_ok=True)
        return kept

    def remember(self, row: LabellingRow) -> None:
        """Remember a row as it is now."""
        with self._lock:
            self._rows[row.name] = row
            self._write()

    def update(self, **facts: Any) -> None:
        """Remember something else: attributes of `LabellingState`."""
        with self._lock:
            self._state = replace(self._state, **facts)
            self._write()

    def _write(self) -> None:
        # A given label that nobody touched follows from the folders.
        rows = {row.name: remembered(row) for row in self._rows.values() if row.status != "unlabelled" or row.note}
        write_state(
            replace(self._state, rows={name: row for name, row in rows.items() if row["origin"] != GIVEN}), self.masks
        )

    def _row_of(self, case: Case) -> LabellingRow:
        """A volume as it stands: what is remembered where its mask is there, else a given label, else nothing."""
        bare = LabellingRow(case.name, case.image, case.label)
        kept = self._state.rows.get(case.name)
        for accepted in (True, False):
            path = self.mask_path(bare, accepted=accepted)
            if path.is_file() and (kept is None or (kept["status"] == "accepted") == accepted):
                if kept is not None:
                    return replace(with_remembered(bare, kept), mask=path)
                if accepted:
                    # The JSON is gone, or somebody put a mask there: accepted masks are what the folder is for.
                    return replace(bare, status="accepted", origin=BY_HAND, mask=path)
        if case.label is not None:
            return replace(bare, status="accepted", origin=GIVEN, mask=case.label)
        if kept is None:
            return bare
        lost = kept["status"] != "unlabelled"
        return replace(bare, note=f"Its {kept['status']} mask is no longer there." if lost else kept["note"])
