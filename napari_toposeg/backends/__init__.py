"""Where inference runs: one compute thread; and where training does: a process of its own."""

from napari_toposeg.backends.command import Command
from napari_toposeg.backends.compute_thread import ComputeThread, Job
from napari_toposeg.backends.priority import stand_back

__all__ = ["Command", "ComputeThread", "Job", "stand_back"]
