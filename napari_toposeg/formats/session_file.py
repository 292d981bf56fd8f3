"""A session on disk: one zip with a JSON and the arrays that it names. Nothing is ever unpickled.

``session.json`` holds ``{"format": "napari-toposeg session", "version": 1, "written_by": "0.1.0", "state": ...}``; in
the state ``{"$array": 3}`` stands for the array ``arrays/3.npy`` of the same zip. What the state says is the session's
affair.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.atomic import replacing
from napari_toposeg.formats.paths import existing_file

SESSION_ENDING = ".toposeg"
VERSION = 1

_FORMAT = "napari-toposeg session"
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, NotImplementedError)


@dataclass(frozen=True, eq=False)
class SessionFile:
    """What a session's file holds.

    Attributes
    ----------
    state : mapping
        Plain values, ready for JSON.
    arrays : sequence of array
        Those that the state refers to by their number.
    """

    state: Mapping[str, Any]
    arrays: Sequence[NDArray[Any]]


def write_session_file(content: SessionFile, path: str | os.PathLike[str]) -> None:
    """Write a session.

    Parameters
    ----------
    content : SessionFile
        Its arrays hold numbers or truth values.
    path : path
        Appears whole or not at all.

    Raises
    ------
    ToposegError
        If it cannot be written.
    """
    from napari_toposeg import __version__

    head = {"format": _FORMAT, "version": VERSION, "written_by": __version__, "state": content.state}
    with replacing(path) as part, zipfile.ZipFile(part, "w", allowZip64=True) as archive:
        archive.writestr("session.json", json.dumps(head), zipfile.ZIP_DEFLATED, 1)
        for number, array in enumerate(content.arrays):
            # Fields are noise to a packer: 144 MB of them take seconds to pack, and stay 130.
            packing = zipfile.ZIP_STORED if array.dtype.kind == "f" else zipfile.ZIP_DEFLATED
            entry = zipfile.ZipInfo(f"arrays/{number}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = packing
            entry._compresslevel = 1  # type: ignore[attr-defined]  # `open` has no argument for it before Python 3.13
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_session_file(path: str | os.PathLike[str]) -> SessionFile:
    """Read a session.

    Raises
    ------
    ToposegError
        If there is no such file, it is damaged, no session, or was written by a newer version.
    """
    with _opened(path) as archive:
        state = _state(archive, path)
        count = sum(name.startswith("arrays/") for name in archive.namelist())
        arrays = []
        for number in range(count):
            with archive.open(f"arrays/{number}.npy") as stream:
                arrays.append(np.lib.format.read_array(stream, allow_pickle=False))
        return SessionFile(state, arrays)


def read_session_head(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """The state alone, without any array: quick. Errors are those of `read_session_file`."""
    with _opened(path) as archive:
        return _state(archive, path)


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """The zip; what is wrong with it, or with what is read from it in the block, is said in a sentence."""
    file = existing_file(path)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except _BROKEN as error:
        said = str(error).strip().splitlines()
        raise ToposegError(
            f"{path} cannot be read as a session.",
            why=f"{said[0].rstrip('.') if said else type(error).__name__}.",
            todo="Check that the file is whole.",
        ) from error


def _state(archive: zipfile.ZipFile, path: str | os.PathLike[str]) -> Mapping[str, Any]:
    head = json.loads(archive.read("session.json"))
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        raise ValueError("It holds no session")
    version = int(head["version"])
    if version > VERSION:
        raise ToposegError(
            f"{path} was written by a newer version, {head.get('written_by')}.",
            why=f"Its format has the number {version}, and this version knows those up to {VERSION}.",
            todo="Install the newer version.",
        )
    state: Mapping[str, Any] = head["state"]
    return state
