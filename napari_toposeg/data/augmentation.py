"""Images and labels turned, shifted, stretched and made noisier at random, the same way for both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.errors import ToposegError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How much an image may be changed at random before a network sees it.

    Attributes
    ----------
    rotation : float
        Degrees, 0 to 180. The image is turned by an angle drawn evenly from -rotation to rotation; a volume by three of
        them, about its axes one after another.
    scale : float
        Share, 0 up to 1. Along each axis the image becomes 1 - scale to 1 + scale times as large.
    shift : float
        Share of the window's side, 0 to 0.5, by which the image moves at most, to either end of each axis.
    flips : tuple of int
        Axes along which one image in two is mirrored.
    noise : float
        Gaussian noise is added. Its deviation is drawn evenly from 0 to this; the image's own is 1.
    contrast : (float, float)
        Least and largest gamma, above 0. The intensities, brought to 0 to 1, are raised to a power between them, drawn
        evenly by its logarithm, and get their mean and deviation back.
    intensity_scale : float
        Share, 0 up to 1. Intensities are multiplied by 1 - intensity_scale to 1 + intensity_scale.
    intensity_shift : float
        Deviations of the image; up to as many are added to, or taken from, all intensities.

    Raises
    ------
    ToposegError
        If a value is out of range.

    Notes
    -----
    The defaults are argued, not tuned: they are meant for a window around a box that a person drew: `shift` and `scale`
    are what such a box errs by, 5 and 10 voxels of 96. The rotation is half of nnU-Net's 30 degrees, since a template
    with an axis (ring, tube) stands in the window in a known direction. Nothing is mirrored: organs have a left and a
    right side, and a prior may have one too. Intensities change less than nnU-Net's (gamma 0.7 to 1.5), because each
    image's own mean and deviation are taken out of it before.

    What they do was measured once: a U-Net of 8 features on the ACDC ring (96x96, 8 patients to train on, 120 slices of
    12 others, 250 batches of 8, seeds 0 and 1, CPU). Without augmentation the Dice was .825 in exact boxes and .764 in
    boxes whose edges err by up to 10 % of a side; with the defaults .816 and .804; with about twice as much .822 and
    .812. No deformation network was tried.
    """

    rotation: float = 15.0
    scale: float = 0.1
    shift: float = 0.05
    flips: tuple[int, ...] = ()
    noise: float = 0.1
    contrast: tuple[float, float] = (0.8, 1.25)
    intensity_scale: float = 0.1
    intensity_shift: float = 0.1

    def __post_init__(self) -> None:
        wrong = ""
        if not 0.0 <= self.rotation <= 180.0:
            wrong = f"rotation is {self.rotation!r}, not an angle from 0 to 180 degrees"
        elif not 0.0 <= self.scale < 1.0:
            wrong = f"scale is {self.scale!r}, not a share from 0 up to 1"
        elif not 0.0 <= self.shift <= 0.5:
            wrong = f"shift is {self.shift!r}, not a share from 0 to 0.5"
        elif len(set(self.flips)) < len(self.flips) or not set(self.flips) <= {0, 1, 2}:
            wrong = f"flips is {self.flips!r}, not different axes out of 0, 1 and 2"
        elif not 0.0 <= self.noise < math.inf:
            wrong = f"noise is {self.noise!r}, not a deviation of 0 or more"
        elif len(self.contrast) != 2 or not 0.0 < self.contrast[0] <= self.contrast[1] < math.inf:
            wrong = f"contrast is {self.contrast!r}, not a least and a largest gamma above 0"
        elif not 0.0 <= self.intensity_scale < 1.0:
            wrong = f"intensity_scale is {self.intensity_scale!r}, not a share from 0 up to 1"
        elif not 0.0 <= self.intensity_shift < math.inf:
            wrong = f"intensity_shift is {self.intensity_shift!r}, not a number of deviations of 0 or more"
        if wrong:
            raise ToposegError("The augmentation makes no sense.", why=f"{wrong[0].upper()}{wrong[1:]}.")

    @classmethod
    def none(cls) -> Augmentation:
        """Nothing is changed."""
        return cls(0.0, 0.0, 0.0, (), 0.0, (1.0, 1.0), 0.0, 0.0)

    @property
    def moves(self) -> bool:
        """Whether anything is turned, stretched or shifted, and so interpolated. A mirrored image is not."""
        return self.rotation > 0 or self.scale > 0 or self.shift > 0


def augmented(
    image: Tensor,
    label: Tensor,
    settings: Augmentation,
    seed: int | Sequence[int],
    *,
    spacing: Sequence[float] | None = None,
) -> tuple[Tensor, Tensor]:
    """Change an image and its label at random.

    Parameters
    ----------
    image : (1, *grid) float32 tensor
        Two or three axes; of mean 0 and deviation 1 (`shown_image` makes it so).
    label : (q, *grid) tensor
        Shares of q objects, 0 to 1.
    settings : Augmentation
        How much is changed.
    seed : int or sequence of int
        Everything that is drawn follows from it, for example from (seed, epoch, index). No global generator is asked or
        changed.
    spacing : sequence of float, optional
        (ndim,) size of a voxel, of which only the proportions count: where voxels are not cubes, a rotation in
        voxels would shear the organ. Default: cubes.

    Returns
    -------
    image : (1, *grid) float32 tensor
        Beyond its border, the border's values are repeated. Its mean and deviation are near 0 and 1, not exactly so.
    label : (q, *grid) float32 tensor
        Changed in space as the image was, by linear interpolation: 0 to 1. Beyond its border it is 0. With settings
        that neither move nor mirror, the label itself.

    Raises
    ------
    ToposegError
        If an axis is to be mirrored that the image lacks.
    ValueError
        If the grids of image and label differ.

    Notes
    -----
    What one setting draws does not depend on the others: with the noise taken away, the same seed still turns an
    image by the same angle.
    """
    grid = tuple(image.shape[1:])
    ndim = len(grid)
    if tuple(label.shape[1:]) != grid:
        raise ValueError(f"The image has {grid} voxels and the label {tuple(label.shape[1:])}.")
    if settings.flips and max(settings.flips) >= ndim:
        raise ToposegError(
            f"Axis {max(settings.flips)} is to be mirrored, and the images have {ndim} axes.",
            todo=f"Choose axes from 0 to {ndim - 1}.",
        )
    generator = np.random.default_rng(seed)
    turn, stretch, move = generator.uniform(-1.0, 1.0, (3, ndim))
    mirrored = generator.random(ndim) < 0.5
    gamma, noise = generator.random(2)
    factor, offset = generator.uniform(-1.0, 1.0, 2)

    axes = [axis + 1 for axis in settings.flips if mirrored[axis]]
    if axes:
        image, label = image.flip(axes), label.flip(axes)
    if settings.moves:
        angles = np.radians(settings.rotation) * (turn if ndim == 3 else turn[:1])
        factors = 1.0 + settings.scale * stretch
        sizes = np.ones(ndim) if spacing is None else np.asarray(spacing, float)
        matrix = _pull_back(angles, factors, settings.shift * move * grid, sizes)
        image, label = _moved(image, label, matrix)
    low, high = settings.contrast
    if (low, high) != (1.0, 1.0):
        image = _with_gamma(image, low * (high / low) ** gamma)
    if settings.intensity_scale or settings.intensity_shift:
        image = image * (1.0 + settings.intensity_scale * factor) + settings.intensity_shift * offset
    if settings.noise:
        grains = generator.standard_normal(image.shape, np.float32)
        image = image + settings.noise * noise * image.new_tensor(grains)
    return image, label


def _pull_back(
    angles: NDArray[np.float64],
    factors: NDArray[np.float64],
    shift: NDArray[np.float64],
    spacing: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(ndim + 1, ndim + 1) from voxels of the changed image to those of the image, both counted from their middle."""
    from monai.transforms.utils import create_rotate, create_scale, create_translate

    ndim = len(factors)
    to_length = create_scale(ndim, spacing.tolist())
    turned = np.linalg.inv(to_length) @ create_rotate(ndim, angles.tolist()) @ to_length
    matrix: NDArray[np.float64] = create_scale(ndim, (1.0 / factors).tolist()) @ turned
    return matrix @ create_translate(ndim, (-shift).tolist())


def _moved(image: Tensor, label: Tensor, matrix: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    from monai.transforms.spatial.array import AffineGrid

    grid, _ = AffineGrid(affine=matrix, device=image.device)(spatial_size=image.shape[1:])
    for_image, for_label = _resamplers()
    # Interpolation rounds: 1 may become 1 + 1e-7, of which a cross-entropy makes nan.
    return for_image(image, grid=grid).as_tensor(), for_label(label, grid=grid).as_tensor().clamp(0.0, 1.0)


@cache
def _resamplers() -> tuple[Any, Any]:
    """MONAI's, for images and for labels; they keep no state between calls."""
    from monai.transforms.spatial.array import Resample

    # float32: 64 bits, its default, take longer and answer with 32 all the same. Corners are not aligned: with them,
    # AffineGrid stretches each axis before it turns the grid, which shears it where the sides differ.
    return (
        Resample(mode="bilinear", padding_mode="border", align_corners=False, dtype=np.float32),
        Resample(mode="bilinear", padding_mode="zeros", align_corners=False, dtype=np.float32),
    )


def _with_gamma(image: Tensor, gamma: float) -> Tensor:
    from monai.transforms.intensity.array import AdjustContrast

    changed: Any = AdjustContrast(gamma, retain_stats=True)(image)
    return changed.as_tensor()
