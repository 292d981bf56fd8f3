"""Files of numpy's: opened without ever unpickling."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats.paths import existing_file

ARRAY_ENDINGS = (".npz", ".npy")


@contextmanager
def open_arrays(path: str | os.PathLike[str]) -> Iterator[NDArray[Any] | NpzFile]:
    """Open a file of numpy's, and say so in a sentence where it, or an array taken out of it in the block, is damaged.

    Parameters
    ----------
    path : path
        .npy or .npz.

    Yields
    ------
    array or NpzFile
        The array of a .npy; of a .npz, what gives its arrays by their names, until the block ends.

    Raises
    ------
    ToposegError
        If the file is missing, damaged, or holds objects: those would be unpickled, and a pickle can run anything.
    """
    file = existing_file(path)
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            yield loaded
        else:
            with loaded:
                yield loaded
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ToposegError(
            f"{path} cannot be read as an array.",
            why=f"{str(error).strip().splitlines()[0].rstrip('.') if str(error).strip() else type(error).__name__}.",
            todo="Check that the file is whole, and save it again with numpy.",
        ) from error
