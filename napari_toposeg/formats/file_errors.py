"""What is said of a file that cannot be used, whichever format it is of."""

from __future__ import annotations

import os

from napari_toposeg.errors import ToposegError


def damaged(path: str | os.PathLike[str], called: str, error: Exception) -> ToposegError:
    """The error for a file that is not what its name says, or not whole.

    Parameters
    ----------
    path : path
        The file.
    called : str
        What it was read as: "NIfTI", "a picture".
    error : Exception
        What came of that; its first line is the reason.
    """
    said = f"It has no {error.args[0]}" if type(error) is KeyError and error.args else str(error).strip()
    return ToposegError(
        f"{path} cannot be read as {called}.",
        why=f"{(said.splitlines() or [type(error).__name__])[0].rstrip('.')}.",
        todo="Check that the file is whole, and copy or export it again from its source.",
    )


def several_values(path: str | os.PathLike[str], what: str) -> ToposegError:
    """The error for a file with more than one number for each voxel; `what` it holds: "colours"."""
    return ToposegError(
        f"{path} holds {what}.",
        why="An image to be segmented has one real number for each voxel.",
        todo="Save one channel, or the magnitude, as a file of its own.",
    )
