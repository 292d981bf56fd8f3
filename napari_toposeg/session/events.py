"""What a session tells whoever listens."""

from __future__ import annotations

from psygnal import Signal, SignalGroup


class SessionEvents(SignalGroup):
    """What a session tells.

    `volume`, `prior`, `placement`, `settings`, `network` and `objects` follow a change made by whoever called;
    `running`, `step`, `result` and `failed` come from a run, in the compute thread, and so does `objects` at its end.
    `mask` and `edited` follow whoever painted; `edited` comes from the compute thread, too, once the Betti numbers of
    an edited mask are counted.
    """

    volume = Signal(object)  # Volume or None
    prior = Signal(object)  # Prior or None
    placement = Signal(object)  # Placement or None
    settings = Signal(object)  # Settings
    network = Signal(object)  # str or None
    objects = Signal(int)  # how many there are; also where another one was chosen, or one is called something else
    running = Signal(bool)
    step = Signal(object)  # Step[Segmentation]
    result = Signal(object)  # Segmentation or None
    edited = Signal(bool)  # whether the mask was changed by hand since; again when its topology was counted
    mask = Signal(object)  # Box: where voxels of the mask changed, at every move of a brush
    failed = Signal(str)  # the sentence that a person reads
