"""The barcodes' compiled kernels, made ready before a person has to wait for them."""

from __future__ import annotations

import numpy as np

from napari_toposeg.topology.persistence.cubical import barcode


def warm_up() -> None:
    """Compile every kernel that a barcode needs, or load it from the cache of an earlier run.

    Not part of `topology.warm_up`: it adds half to its time, and most commands need no barcode.
    """
    for shape in ((5, 5), (5, 5, 5)):
        barcode(np.ones(shape, np.bool_), band=0.1)
