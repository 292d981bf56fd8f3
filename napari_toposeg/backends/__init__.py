"""Where inference runs."""

from napari_toposeg.backends.compute_thread import ComputeThread, Job

__all__ = ["ComputeThread", "Job"]
