"""What is done once, before the first run: compiled kernels, and a core left for the window."""

from __future__ import annotations

import os

import torch

from napari_toposeg import deformation, topology
from napari_toposeg.topology import persistence


def leave_one_core() -> None:
    """Let PyTorch's threads, as the calling thread has them, be one fewer than there are cores.

    They wait for one another by spinning. Where another process, or the window's own thread, holds one of the cores,
    all of them wait for it: drawing the eleven priors took 25 s instead of 1 s with two threads on two busy cores.
    """
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 2) - 1)))


def load_optimizers() -> None:
    """Load what PyTorch loads with the first optimizer: 1.7 s, because its compiler comes along."""
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def warm_up(*, barcodes: bool = False) -> None:
    """Compile the kernels, or load them from their cache, and leave one core free.

    Called in the thread that will compute, before it does. The first time on a machine it takes about half a minute;
    from the cache about a second.

    Parameters
    ----------
    barcodes : bool
        Also those of the barcodes.
    """
    leave_one_core()
    topology.warm_up()
    if barcodes:
        persistence.warm_up()
    deformation.warm_up()
