"""What a training keeps after each epoch, so that it can go on after a kill: whole files, read without unpickling."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from napari_toposeg.errors import ToposegError, ToposegWarning

BEST = "best.ckpt"
LAST = "last.ckpt"


def where_to_go_on(folder: Path) -> Path | None:
    """The checkpoint that a training goes on from.

    Parameters
    ----------
    folder : Path
        Of the training.

    Returns
    -------
    Path or None
        That of the last epoch. Where it is damaged, that of the best one: the epochs since are done again, and come
        out alike. None where no epoch was completed.

    Raises
    ------
    ToposegError
        If the checkpoint of the best epoch is damaged: its weights are lost.

    Warns
    -----
    ToposegWarning
        If the last epoch's is damaged.
    """
    last, best = folder / LAST, folder / BEST
    if not last.exists():
        return None
    read_checkpoint(best)
    try:
        read_checkpoint(last)
    except ToposegError:
        warnings.warn(
            ToposegWarning(f"{last} is damaged; the training goes on from its best epoch instead."), stacklevel=2
        )
        return best
    return last


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Read a checkpoint: tensors and plain values only, so that it cannot run code.

    Raises
    ------
    ToposegError
        If it is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            # torch does not compare checksums.
            damaged = packed.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of its {damaged} is wrong")
        content: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    # Of what may be wrong in a file, each library has its own errors; all of them are the file's fault.
    except Exception as error:
        raise ToposegError(
            f"{path} cannot be read, and the training cannot go on.",
            why=f"{' '.join(str(error).split())[:200].rstrip('.')}.",
            todo=f"Delete the files {BEST} and {LAST} beside it; the same command then starts from the first epoch.",
        ) from error
    return content
