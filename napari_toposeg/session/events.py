"""What a session tells whoever listens."""

from __future__ import annotations

from psygnal import Signal, SignalGroup


class SessionEvents(SignalGroup):
    """What a session tells.

    `volume`, `prior`, `placement`, `settings` and `network` follow a change made by whoever called; `running`, `step`,
    `result` and `failed` come from a run, in the compute thread.
    """

    volume = Signal(object)  # Volume or None
    prior = Signal(object)  # Prior or None
    placement = Signal(object)  # Placement or None
    settings = Signal(object)  # Settings
    network = Signal(object)  # str or None
    running = Signal(bool)
    step = Signal(object)  # Step[Segmentation]
    result = Signal(object)  # Segmentation or None
    edited = Signal(bool)  # whether the mask was changed by hand since
    failed = Signal(str)  # the sentence that a person reads
