"""Files appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.paths import split_ending


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside the target; move it over the target when the block ends well.

    Parameters
    ----------
    path : path
        The file to make or to replace. A link is followed: the file that it points to is replaced.

    Yields
    ------
    Path
        In the target's folder, with the target's ending (".nii.gz" whole). Where the block raises, or is interrupted,
        it is removed and the target stays as it was.

    Raises
    ------
    ToposegError
        If the folder does not exist, the target is a folder, or the system refuses to write (no right, no space).
    """
    target = Path(path).resolve()
    if target.is_dir():
        raise ToposegError(f"{path} is a folder.", todo="Give the name of a file to write.")
    if not target.parent.is_dir():
        raise ToposegError(
            f"{path} cannot be written.", why=f"There is no folder {target.parent}.", todo="Make the folder first."
        )
    part = target.with_name(f".toposeg-{secrets.token_hex(6)}{split_ending(target)[1]}")
    try:
        yield part
        os.replace(part, target)
    except OSError as error:
        raise ToposegError(
            f"{path} cannot be written.",
            why=f"{error.strerror or error}.",
            todo="Choose a folder that you may write to and that has space left.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
