"""The directions of a slice as it is seen, in the millimetres of the volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.docks.workspace import Workspace
from napari_toposeg.priors import AXES


@dataclass(frozen=True, eq=False)
class SeenAxes:
    """What right, down and on are on the screen.

    Attributes
    ----------
    right, down : (ndim,) float64
        Unit vectors in mm along the volume's canonical axes.
    on : (ndim,) float64 or None
        Where the slider goes; None for a 2-D image.
    """

    right: NDArray[np.float64]
    down: NDArray[np.float64]
    on: NDArray[np.float64] | None

    @property
    def turning(self) -> tuple[str, float]:
        """About which canonical axis a turn in this plane goes, and +1 or -1: its right-hand sense if it is clockwise.

        Clockwise on the screen is from right to down.
        """
        right, down = (np.append(way, 0.0)[:3] for way in (self.right, self.down))
        normal = np.cross(right, down)
        number = int(np.abs(normal).argmax())
        return AXES[number], float(np.sign(normal[number]))

    def factors(self, along: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
        """(ndim,) one for each canonical axis: `factor` for the one that this direction lies along, 1 for others."""
        factors = np.ones(len(along))
        factors[np.abs(along).argmax()] = factor
        return factors


def seen_axes(workspace: Workspace) -> SeenAxes | None:
    """The directions of the slice that is seen; None where there is no image or it is seen in 3-D."""
    layout, volume = workspace.layout, workspace.session.volume
    dims = workspace.viewer.dims
    if layout is None or volume is None or dims.ndisplay == 3:
        return None
    ndim = layout.ndim
    origin = layout.world(np.zeros(ndim))
    to_world = np.stack([layout.world(step) - origin for step in np.eye(ndim)], axis=1)[-ndim:]
    to_mm = np.diag(volume.spacing) @ np.linalg.inv(to_world)

    def along(axis: int) -> NDArray[np.float64]:
        way = to_mm[:, axis - (dims.ndim - ndim)]
        return np.asarray(way / np.linalg.norm(way))

    down, right = (along(int(axis)) for axis in dims.displayed)
    return SeenAxes(right, down, along(int(dims.not_displayed[-1])) if ndim == 3 else None)
