"""What a session's barcode tells whoever listens."""

from __future__ import annotations

from dataclasses import dataclass

from psygnal import Signal, SignalGroup

from napari_toposeg.topology import Bar


class BarcodeEvents(SignalGroup):
    """What a session's barcode tells.

    `threshold` and `selected` follow whoever called, or a new barcode; that, and all else, comes from the compute
    thread.
    """

    barcode = Signal(object)  # Barcode or None
    wanted = Signal(object)  # (n,) bool, where another prior was chosen
    threshold = Signal(float)  # a level from 0 to 1
    selected = Signal(object)  # SelectedBar or None
    step = Signal(object)  # Step: the dimension that is looked for
    computing = Signal(bool)


@dataclass(frozen=True)
class SelectedBar:
    """One bar, and where its feature begins and ends.

    Attributes
    ----------
    number : int
        Which one of the barcode's.
    bar : Bar
        With its voxels in the volume's canonical order; None where there is no such voxel.
    birth_place, death_place : tuple of float or None
        The same places in the world, in RAS millimetres.
    """

    number: int
    bar: Bar
    birth_place: tuple[float, ...] | None
    death_place: tuple[float, ...] | None
