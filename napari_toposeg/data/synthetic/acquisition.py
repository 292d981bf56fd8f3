"""From intensities to an image: bias field, blur, the image's own voxels and their noise, gamma, clipping."""

from __future__ import annotations

import numpy as np

from napari_toposeg.data.synthetic.random_fields import Floats, Generator, Mask, along, smooth_noise
from napari_toposeg.data.synthetic.settings import SyntheticSettings


def acquire(painted: Floats, label: Mask, settings: SyntheticSettings, random: Generator) -> Floats:
    """Take an image of what was painted.

    Parameters
    ----------
    painted : (*shape) float32
        Intensities of about 0 to 1.
    label : (*shape) bool
        The object. The image never ends before it does.
    settings : SyntheticSettings
    random : Generator

    Returns
    -------
    (*shape) float32
        Of mean 0 and deviation 1.
    """
    shape = painted.shape
    length = max(shape) * random.uniform(*settings.bias_length)
    bias = random.uniform(*settings.bias) * smooth_noise(shape, length, random)
    image = painted * np.exp(bias, dtype=np.float32)
    sampling = [
        _sampling(size, step, settings, random)
        for size, step in zip(shape, _steps(shape, settings, random), strict=True)
    ]
    for axis, (coarser, _) in enumerate(sampling):
        image = along(coarser, image, axis)
    image = _with_noise(image, settings, random)
    for axis, (_, finer) in enumerate(sampling):
        image = along(finer, image, axis)
    image = _cut_off(image, label, settings, random)
    return _standardised(_clipped(image, settings, random))


def _steps(shape: tuple[int, ...], settings: SyntheticSettings, random: Generator) -> list[float]:
    """Size of the image's own voxels along each axis, in voxels of the window."""
    common = random.uniform(*settings.voxel)
    # A window stretches its box to its own proportions, and with it the voxels.
    steps = common * np.exp(random.uniform(-0.25, 0.25, len(shape)))
    if random.uniform() < settings.slices:
        steps[random.integers(len(shape))] *= random.uniform(*settings.slice_thickness)
    return [float(step) for step in steps]


def _sampling(size: int, step: float, settings: SyntheticSettings, random: Generator) -> tuple[Floats, Floats]:
    """Two matrices: from the window's voxels along an axis to the image's own, blurred, and back, linear in between."""
    step = max(step, 1.0)
    phase = random.uniform(-0.5, 0.5) * step if step > 1.0 else 0.0
    own = np.arange(-1, int(np.ceil(size / step)) + 2) * step + phase if step > 1.0 else np.arange(size, dtype=float)
    # A voxel as wide as `step` averages as a Gaussian of that deviation does.
    width = np.hypot(random.uniform(*settings.blur), (step - 1.0) / np.sqrt(12.0))
    window = np.arange(size)
    coarser = np.exp(-((own[:, None].clip(0, size - 1) - window) ** 2) / (2.0 * width**2))
    coarser /= coarser.sum(axis=1, keepdims=True)
    finer = np.clip(1.0 - np.abs(window[:, None] - own) / step, 0.0, None)
    return coarser.astype(np.float32), finer.astype(np.float32)


def _with_noise(image: Floats, settings: SyntheticSettings, random: Generator) -> Floats:
    if random.uniform() < settings.speckle_chance:
        strength = np.float32(random.uniform(*settings.speckle))
        return np.asarray(image * (1.0 + strength * random.standard_normal(image.shape, np.float32)))
    strength = np.float32(np.exp(random.uniform(*np.log(settings.noise))))
    image = image + strength * random.standard_normal(image.shape, np.float32)
    if random.uniform() < 0.5:
        # Rician: the magnitude of a signal with noise in both of its channels.
        image = np.hypot(image, strength * random.standard_normal(image.shape, np.float32))
    return np.asarray(image, np.float32)


def _cut_off(image: Floats, label: Mask, settings: SyntheticSettings, random: Generator) -> Floats:
    """Repeat the border of an image that ends within the window, as a window that reaches beyond an image does."""
    for axis, size in enumerate(image.shape):
        others = tuple(k for k in range(image.ndim) if k != axis)
        filled = np.flatnonzero(label.any(axis=others))
        index = np.arange(size)
        if random.uniform() < settings.beyond:
            index = np.maximum(index, random.integers(0, filled[0], endpoint=True))
        if random.uniform() < settings.beyond:
            index = np.minimum(index, random.integers(filled[-1], size))
        if index[0] > 0 or index[-1] < size - 1:
            image = image.take(index, axis=axis)
    return image


def _clipped(image: Floats, settings: SyntheticSettings, random: Generator) -> Floats:
    """Clip the intensities at either end, and raise them to a power."""
    shares = random.uniform(*settings.clipped, 2)
    # Of every seventh voxel: the ends of the range need not be exact, and sorting all takes longer than blurring them.
    low, high = np.quantile(image.ravel()[::7], [shares[0], 1.0 - shares[1]])
    level = np.clip((image - low) / max(high - low, 1e-6), 0.0, 1.0)
    return np.asarray(level ** np.float32(random.uniform(*settings.gamma)), np.float32)


def _standardised(image: Floats) -> Floats:
    return np.asarray((image - image.mean()) / max(float(image.std()), 1e-6), np.float32)
