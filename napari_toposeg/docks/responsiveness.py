"""What keeps the window's thread from waiting for Python itself while something is computed.

Measured with a fit, a barcode and a training at once (benchmarks/window.py): these were the longest stalls.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module

import numpy as np

_TURN = 0.0005
"""Seconds. vispy gives up Python's lock at every call of OpenGL, some hundred in a picture, and a thread that computes
then keeps it for a whole turn: with Python's own turn of 5 ms a picture took half a second of waiting, 6 ms of work."""


def take_short_turns() -> None:
    """Let the threads of this process take turns so often that one that computes is not felt by one that draws."""
    sys.setswitchinterval(min(sys.getswitchinterval(), _TURN))


def load_labels() -> None:
    """Load and compile what napari needs for a first layer of labels; not for the window's thread, whose 2 s it takes.

    Not by making such a layer: its units come from a registry that two threads must not fill at once.
    """
    import_module("pandas")  # every layer of labels imports it

    from napari_toposeg.docks import colours

    colours.one_colour(colours.MASK).map(np.zeros((2, 2), np.uint8))


def set_objects_aside() -> None:
    """Leave all objects that there are out of the searches for garbage until `take_objects_back`.

    napari has all garbage searched for whenever a layer is removed, and Python does so by itself: 500,000 objects of
    libraries, which stay anyway, took .3 s of the window's thread each time.
    """
    gc.freeze()


def take_objects_back() -> None:
    """Search all objects again: an image is gone, and what belonged to it may go."""
    gc.unfreeze()
