"""A session to a file and back: everything but the image, which is named by its path and its hash."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_volume, source_hash
from napari_toposeg.formats.session_file import SessionFile, read_session_file, write_session_file
from napari_toposeg.session.mask import edits_in
from napari_toposeg.session.plain_state import Packing, Unpacking
from napari_toposeg.volume import Volume

if TYPE_CHECKING:
    from napari_toposeg.session.session import Session

MOST_HISTORY = 256 * 2**20
"""Bytes of older results and strokes that a file holds at most; the oldest changes are left out first."""


class ImageNotFoundError(ToposegError):
    """The image of a session is not where it was; whoever knows where it is may say so."""


@dataclass(frozen=True, eq=False)
class SavedSession:
    """What a session's file holds, once its image is found.

    Attributes
    ----------
    volume : Volume
        The image, read again.
    state : mapping
        What `Session.restore` takes.
    saved : str
        When it was written, in UTC, as ISO 8601 has it.
    """

    volume: Volume
    state: Mapping[str, Any]
    saved: str


class Hashes:
    """The hashes of images, each worked out once for every state of its file."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, float, int], str | None] = {}

    def of(self, volume: Volume) -> str | None:
        """As `source_hash`."""
        if volume.path is None:
            return None
        try:
            there = os.stat(volume.path)
        except OSError as error:
            raise ToposegError(
                f"The image {volume.path} is no longer there.",
                why="A session's file names its image by its hash.",
                todo="Put it back.",
            ) from error
        key = (volume.path, there.st_mtime, there.st_size)
        if key not in self._known:
            self._known = {key: source_hash(volume)}
        return self._known[key]


def state_of(session: Session, *, most_history: int = MOST_HISTORY) -> dict[str, Any]:
    """All that a session's file keeps, as it is at this moment; what may change later is copied.

    Quick, so that a window's thread may wait for it: a hand may paint while the rest is written.
    """
    history = session.history
    with history.lock:
        return {
            "volume": session.volume,
            "placing": session.placing_state(),
            "settings": session.settings,
            "network": session.network,
            "mask": session.working_mask.as_state(),
            "marks": session.prompts.marks,
            "objects": session.objects_for_file(),
            "history": history.as_state(most_history),
        }


def write_session(
    state: Mapping[str, Any], path: str | os.PathLike[str], *, hashes: Hashes | None = None, home: Path | None = None
) -> None:
    """Write what `state_of` gave.

    Parameters
    ----------
    state : mapping
        Of a session with an image.
    path : path
        .toposeg; appears whole or not at all.
    hashes : Hashes, optional
        What is known of the image's files.
    home : Path, optional
        From where the image's relative path counts. Default: the folder of the file.

    Raises
    ------
    ToposegError
        If no image is open, or the file cannot be written.
    """
    volume: Volume | None = state["volume"]
    if volume is None:
        raise ToposegError("There is no session to save.", why="No image is open.", todo="Open one first.")
    packing = Packing(volume)
    inner = {name: packing.plain(value) for name, value in state.items() if name != "volume"}
    facts = {
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "volume": _named(volume, packing, hashes or Hashes(), home or Path(path).resolve().parent),
        "inner": inner,
        "objects": packing.objects,
    }
    write_session_file(SessionFile(facts, packing.arrays), path)


def read_session(path: str | os.PathLike[str], *, image: str | os.PathLike[str] | None = None) -> SavedSession:
    """Read a session, and its image.

    Parameters
    ----------
    path : path
        What `save_session` wrote, on this computer or another one.
    image : path, optional
        Where its image is now. Default: where it was; else where it would be if it had been moved along with the file.

    Returns
    -------
    SavedSession

    Raises
    ------
    ImageNotFoundError
        If the image is in none of these places, or what is there is another one.
    ToposegError
        If the file cannot be read.
    """
    content = read_session_file(path)
    facts: Any = content.state
    arrays = list(content.arrays)
    try:
        volume = _found(facts["volume"], arrays, Path(path).resolve().parent, image)
        unpacking = Unpacking(facts["objects"], arrays, volume)
        state = {name: unpacking.value(plain) for name, plain in facts["inner"].items()}
        state["mask"] = {**state["mask"], "edits": edits_in(state["mask"])}
        return SavedSession(volume, state, str(facts["saved"]))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ToposegError(
            f"{path} cannot be read as a session.",
            why=f"What it holds does not fit together ({type(error).__name__}: {error}).",
            todo="Open it with the version that wrote it.",
        ) from error


def restore(session: Session, saved: SavedSession) -> None:
    """Make a session what the saved one was; its runs are dropped."""
    session.set_volume(saved.volume)
    state = saved.state
    with session.history.resting():
        placing = state["placing"]
        session.load_objects(state.get("objects"))
        session.choose_prior(placing.prior)
        session.settings = state["settings"]
        session.network = state["network"]
        session.bring_back_placing(placing)
        session.prompts.load_marks(state["marks"])
        session.working_mask.load_state(state["mask"])
    session.history.load_state(state["history"])


def _named(volume: Volume, packing: Packing, hashes: Hashes, home: Path) -> dict[str, Any]:
    """What finds the image again; its voxels where no file of ours has them."""
    named: dict[str, Any] = {
        "name": volume.name,
        "shape": list(volume.stored.shape),
        "affine": volume.stored.affine.tolist(),
        "frame_number": volume.frame_number,
    }
    if volume.path is None or volume.stored.header is None:
        # Phantoms, and layers that another plugin read in its own way.
        return {**named, "voxels": packing.plain(np.ascontiguousarray(volume.to_stored(volume.voxels)))}
    absolute = Path(volume.path).resolve()
    try:
        relative = os.path.relpath(absolute, home)
    except ValueError:
        relative = absolute.name  # on another drive
    return {**named, "path": str(absolute), "relative": Path(relative).as_posix(), "sha256": hashes.of(volume)}


def _found(
    named: Mapping[str, Any], arrays: list[NDArray[Any]], home: Path, image: str | os.PathLike[str] | None
) -> Volume:
    if "voxels" in named:
        voxels = arrays[named["voxels"]["$array"]]
        return Volume.from_stored(voxels, np.array(named["affine"]), name=str(named["name"]))
    places = [Path(named["path"]), home / named["relative"], home / Path(named["relative"]).name]
    places = list(dict.fromkeys(places)) if image is None else [Path(image)]
    others = []
    for place in places:
        if not place.exists():
            continue
        volume = read_volume(place, named["frame_number"])
        if source_hash(volume) == named["sha256"]:
            return volume
        others.append(place)
    raise ImageNotFoundError(
        f"The image of the session, {Path(named['path']).name}, is not found.",
        why=f"{others[0]} is another image: its hash differs."
        if others
        else f"It is not in {' nor in '.join(str(place.parent) for place in places)}.",
        todo="Say where it is.",
    )
