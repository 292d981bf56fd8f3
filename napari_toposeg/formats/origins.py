"""What a volume keeps of the files that it came from, and their hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from napari_toposeg.formats.paths import sha256_of
from napari_toposeg.volume import Volume


@dataclass(frozen=True, eq=False)
class FileOrigin:
    """A volume's files, kept as its `stored.header`.

    Attributes
    ----------
    files : tuple of Path
        Every file that its voxels and its place came from, in an order that does not hang on their names.
    """

    files: tuple[Path, ...]


def source_hash(volume: Volume) -> str | None:
    """SHA-256 of what a volume was read from, in hexadecimal.

    Parameters
    ----------
    volume : Volume
        Any.

    Returns
    -------
    str or None
        Of the bytes of its file; of several (a DICOM series, a header beside its voxels) that of their hashes, one
        behind the other. None where it came from no file.

    Raises
    ------
    ToposegError
        If a file is no longer there.
    """
    origin = volume.stored.header
    files = origin.files if isinstance(origin, FileOrigin) else ()
    if len(files) > 1:
        return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()
    if files:
        return sha256_of(files[0])
    return None if volume.path is None else sha256_of(volume.path)
