"""What labelling tells whoever listens."""

from __future__ import annotations

from psygnal import Signal, SignalGroup


class LabellingEvents(SignalGroup):
    """What labelling tells; in whichever thread it happens."""

    opened = Signal(object)  # the folder of images as a Path, or None
    rows = Signal(object)  # all rows, in their order
    chosen = Signal(object)  # the row whose volume is worked on, or None
    settings = Signal(object)  # LabellingSettings
    training = Signal(object)  # TrainingProgress
    proposing = Signal(bool)  # whether masks are being proposed, or a training's files gathered
    step = Signal(object)  # Step of that
