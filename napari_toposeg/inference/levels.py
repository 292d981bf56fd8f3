"""The image on one working grid, and how well a soft mask explains it there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Box, Frame, resample
from napari_toposeg.inference.grids import working_frame
from napari_toposeg.losses import chan_vese
from napari_toposeg.volume import Volume


@dataclass(frozen=True, eq=False)
class Level:
    """One working grid.

    Attributes
    ----------
    frame : Frame
        The grid.
    image : (1, 1, *grid) tensor
        Intensities, cut at the 0.5 and 99.5 percentile, with mean 0 and deviation 1 within the image.
    weight : (1, 1, *grid) tensor
        1 within the image and 0 beyond it.
    beyond : (1, 1, *grid) tensor or None
        1 outside of the box in which the organ is said to lie; None where nothing is said.
    """

    frame: Frame
    image: Tensor
    weight: Tensor
    beyond: Tensor | None

    @property
    def device(self) -> torch.device:
        return self.image.device

    def explain(self, mask: Tensor, reach: float | None) -> Tensor:
        """Chan-Vese energy of a soft mask (1, 1, *grid); `reach` in voxels of this grid, None for the whole region."""
        near = None
        if reach is not None:
            isotropic = self.frame.spacing.min() * reach / self.frame.spacing
            near = [int(max(1, round(float(voxels)))) for voxels in isotropic]
        return chan_vese(self.image, mask, self.weight, reach=near)

    def outside(self, mask: Tensor, volume: float) -> Tensor:
        """How much of a soft mask leaves the organ's box, as a share of the template's `volume` in voxels."""
        if self.beyond is None:
            return mask.new_zeros(())
        return (mask * self.beyond).sum() / volume


def make_level(volume: Volume, field: Frame, within: Box | None, voxels: int, device: torch.device) -> Level:
    """Resample an image on to a working grid over `field` of at most `voxels` voxels.

    Raises
    ------
    ToposegError
        If the region holds one single intensity.
    """
    return level_on(volume, working_frame(field, voxels), within, device)


def level_on(volume: Volume, frame: Frame, within: Box | None, device: torch.device) -> Level:
    """Resample an image on to a grid. Errors are those of `make_level`."""
    image = resample(volume.voxels, volume.frame, frame)
    at = frame.coordinates(frame.index_in(volume.frame)).numpy()
    # Beyond the image its border voxels are repeated; they say nothing, and count nothing.
    inside = _in_box(at, volume.frame.box)
    low, high = np.percentile(image[inside], (0.5, 99.5))
    image = np.clip(image, low, high)
    spread = float(image[inside].std())
    if spread == 0.0:
        raise ToposegError(
            "The region holds one single intensity.",
            why="There is no boundary to be found where nothing differs.",
            todo="Choose a region that holds the organ and some of its surroundings.",
        )
    image = (image - image[inside].mean()) / spread
    beyond = None if within is None else torch.from_numpy(~_in_box(at, within)).float()[None, None].to(device)
    return Level(
        frame,
        torch.from_numpy(image.astype(np.float32))[None, None].to(device),
        torch.from_numpy(inside).float()[None, None].to(device),
        beyond,
    )


def _in_box(at: NDArray[np.float32], box: Box) -> NDArray[np.bool_]:
    low = np.array([start for start, _ in box]).reshape(-1, *[1] * len(box))
    high = np.array([stop for _, stop in box]).reshape(-1, *[1] * len(box))
    return np.asarray(((at >= low - 0.5) & (at <= high - 0.5)).all(axis=0))
