"""The project's own images: a known shape in a noisy, biased, textured volume, so that an answer can be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter
from torch import Tensor

from napari_toposeg.deformation import border_window, integrate
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame, box_of, box_slices
from napari_toposeg.priors import Placement, Prior, find_prior, place_in_box, prior_names
from napari_toposeg.topology import betti_numbers
from napari_toposeg.volume import Volume

# Mean intensities, about those of a T1-weighted magnetic resonance image, stored as whole numbers.
BACKGROUND, ORGAN, CAVITY, DISTRACTOR = 180.0, 420.0, 110.0, 440.0

_SHARE = 0.56  # side of the undeformed shape over that of the image
_CLEARANCE = 4  # voxels that stay free between the shape and the image's border
_DRAWS = 40


@dataclass(frozen=True, eq=False)
class Phantom:
    """An image whose right answer is known.

    Attributes
    ----------
    volume : Volume
        The image, int16. Its file's axes run to the patient's left, back and head (LPS), as those of DICOM do, so that
        canonical voxels are not the stored ones.
    mask : (*volume.shape) bool
        The object on the canonical grid; it has the prior's Betti numbers.
    prior : Prior
        The shape that the object is a deformation of.
    """

    volume: Volume
    mask: NDArray[np.bool_]
    prior: Prior


def phantom(
    prior: Prior | str = "ball",
    shape: Sequence[int] | None = None,
    *,
    spacing: Sequence[float] | None = None,
    seed: int = 0,
) -> Phantom:
    """Make an image of a deformed prior.

    The prior is put off the centre, turned, stretched and deformed by a random diffeomorphism. The image has a
    texture, a bias field of some 25 %, objects as bright as the organ that do not touch it, blurred edges and
    Gaussian noise.

    Parameters
    ----------
    prior : Prior or str
        A prior, or the name of a built-in one.
    shape : (ndim,) sequence of int, optional
        Voxels by axis. Default (96, 96, 64), or (160, 160) in 2-D.
    spacing : (ndim,) sequence of float, optional
        Size of a voxel in mm. Default (1, 1, 1.5), or (1, 1) in 2-D.
    seed : int
        The same seed makes the same image.

    Returns
    -------
    Phantom

    Raises
    ------
    ToposegError
        If there is no such prior, or the grid is too small for it: no shape drawn has the prior's Betti numbers and
        keeps clear of the border.
    """
    prior = _find(prior)
    shape = tuple(shape or ((96, 96, 64) if prior.ndim == 3 else (160, 160)))
    spacing = tuple(spacing or ((1.0, 1.0, 1.5) if prior.ndim == 3 else (1.0, 1.0)))
    frame = _canonical_frame(shape, spacing)
    random = np.random.default_rng(seed)
    mask = _draw_mask(prior, frame, random)
    return Phantom(_volume(mask, frame, random, f"phantom_{prior.name}"), mask, prior)


def phantom_row(
    priors: Sequence[Prior | str],
    shape: Sequence[int] | None = None,
    *,
    spacing: Sequence[float] | None = None,
    seed: int = 0,
) -> tuple[Phantom, ...]:
    """Make one image with several deformed priors, from the patient's left to the right.

    Parameters
    ----------
    priors : sequence of Prior or str
        All of as many dimensions.
    shape : (ndim,) sequence of int, optional
        Voxels for each of them; along the first axis the image has that many times their number. Default (64, 80, 56),
        or (96, 96) in 2-D.
    spacing, seed
        As in `phantom`.

    Returns
    -------
    tuple of Phantom
        One for each prior, all of one volume; no two masks share a voxel.

    Raises
    ------
    ToposegError
        As `phantom`.
    """
    found = [_find(prior) for prior in priors]
    ndim = found[0].ndim
    part = tuple(shape or ((64, 80, 56) if ndim == 3 else (96, 96)))
    frame = _canonical_frame(
        (part[0] * len(found), *part[1:]), tuple(spacing or ((1.0, 1.0, 1.5) if ndim == 3 else (1.0, 1.0)))
    )
    random = np.random.default_rng(seed)
    masks = []
    for number, prior in enumerate(found):
        here = ((number * part[0], (number + 1) * part[0]), *((0, size) for size in part[1:]))
        mask = np.zeros(frame.shape, bool)
        mask[box_slices(here)] = _draw_mask(prior, frame.crop(here), random)
        masks.append(mask)
    name = "_".join(["phantom", *(prior.name for prior in found)])
    volume = _volume(np.logical_or.reduce(masks), frame, random, name)
    return tuple(Phantom(volume, mask, prior) for mask, prior in zip(masks, found, strict=True))


def _volume(mask: NDArray[np.bool_], frame: Frame, random: np.random.Generator, name: str) -> Volume:
    """An image of a mask, as a file of it would be read."""
    flip = (slice(None, None, -1),) * 2
    stored_affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ frame.affine
    return Volume.from_stored(_paint(mask, frame, random)[flip], stored_affine, name=name)


def _find(prior: Prior | str) -> Prior:
    if isinstance(prior, Prior):
        return prior
    found = find_prior(prior)
    if found is None:
        raise ToposegError(f"There is no prior {prior!r}.", todo=f"Choose one of {', '.join(prior_names())}.")
    return found


def _canonical_frame(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Frame:
    """The canonical grid, whose middle is the world's origin."""
    affine = np.diag([*spacing, *[1.0] * (4 - len(spacing))])
    affine[: len(shape), 3] = [-step * (size - 1) / 2.0 for step, size in zip(spacing, shape, strict=True)]
    return Frame(affine, shape)


def _draw_mask(prior: Prior, frame: Frame, random: np.random.Generator) -> NDArray[np.bool_]:
    """(*frame.shape) bool: the prior, moved and deformed at random; drawn again until its topology is right."""
    window = border_window(frame.shape)
    for draw in range(_DRAWS):
        # A grid that is coarse for the shape gets gentler deformations after some failures.
        strength = 0.38 * 0.93**draw
        placement = _draw_placement(prior, frame, random)
        displacement = integrate(_draw_velocity(frame, strength, random) * window)[0]
        to_unit = placement.unit_from(frame)[: prior.ndim]
        mask = (prior.signed_distance(_transformed(frame.coordinates() + displacement, to_unit)) > 0).numpy()
        box = box_of(mask)
        if box is None or any(
            low < _CLEARANCE or high > size - _CLEARANCE for (low, high), size in zip(box, frame.shape, strict=True)
        ):
            continue
        if betti_numbers(mask) == prior.betti:
            return np.asarray(mask)
    raise ToposegError(
        f"No {prior.title.lower()} fits into {' x '.join(map(str, frame.shape))} voxels.",
        why=f"In {_DRAWS} draws none kept its topology and {_CLEARANCE} voxels away from the border.",
        todo="Ask for a larger image.",
    )


def _transformed(positions: Tensor, matrix: NDArray[np.float64]) -> Tensor:
    """Positions (ndim, *grid) under the first rows of a (4, 4) matrix."""
    ndim = positions.shape[0]
    linear = torch.from_numpy(matrix[:, :ndim].astype(np.float32))
    offset = torch.from_numpy(matrix[:, 3].astype(np.float32)).reshape(ndim, *[1] * ndim)
    return torch.einsum("ij,j...->i...", linear, positions) + offset


def _draw_placement(prior: Prior, frame: Frame, random: np.random.Generator) -> Placement:
    """The prior near the middle, up to 20 degrees askew, its sides up to 15 % longer or shorter."""
    half = [_SHARE * size / 2.0 for size in frame.shape]
    box = tuple(
        (round((size - 1) / 2.0 - extent), round((size - 1) / 2.0 + extent) + 1)
        for extent, size in zip(half, frame.shape, strict=True)
    )
    matrix = place_in_box(prior, frame, box).matrix.copy()
    axis = random.normal(size=3) if prior.ndim == 3 else np.array([0.0, 0.0, 1.0])
    stretch = np.ones(3)
    stretch[: prior.ndim] = random.uniform(0.85, 1.15, prior.ndim)
    matrix[:3, :3] = _rotation(axis, np.deg2rad(random.uniform(-20.0, 20.0))) @ matrix[:3, :3] * stretch
    shift = random.uniform(-0.12, 0.12, prior.ndim) * half * frame.spacing
    matrix[: prior.ndim, 3] += shift
    return Placement(matrix)


def _rotation(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """(3, 3) rotation about an axis, by Rodrigues' formula."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def _draw_velocity(frame: Frame, strength: float, random: np.random.Generator) -> Tensor:
    """(1, ndim, *frame.shape) smooth velocity in voxels; its fastest point moves `strength` half-sizes of the shape."""
    extent = min(np.array(frame.shape) * frame.spacing)
    sigma = 0.1 * extent / frame.spacing
    components = []
    for step in frame.spacing:
        # In mm, so that an anisotropic grid is deformed as an isotropic one.
        noise = gaussian_filter(random.standard_normal(frame.shape, np.float32), sigma)
        components.append(noise / step)
    velocity = np.stack(components)
    speed = np.linalg.norm(velocity * frame.spacing.reshape(-1, *[1] * frame.ndim), axis=0).max()
    velocity *= strength * _SHARE * extent / 2.0 / speed
    return torch.from_numpy(velocity.astype(np.float32))[None]


def _smooth_noise(frame: Frame, length: float, random: np.random.Generator) -> NDArray[np.float32]:
    """(*frame.shape) float32 noise of standard deviation 1 whose detail is `length` mm long."""
    noise = gaussian_filter(random.standard_normal(frame.shape, np.float32), length / frame.spacing)
    return np.asarray(noise / noise.std(), np.float32)


def _paint(mask: NDArray[np.bool_], frame: Frame, random: np.random.Generator) -> NDArray[np.int16]:
    """(*frame.shape) int16: an image of the mask, with everything that makes a real one hard to read."""
    extent = float(min(np.array(frame.shape) * frame.spacing))
    image = np.full(frame.shape, BACKGROUND, np.float32)
    image[_distractors(mask, frame, random)] = DISTRACTOR
    image[binary_fill_holes(mask) & ~mask] = CAVITY
    image[mask] = ORGAN
    image *= (
        1.0 + 0.06 * _smooth_noise(frame, 0.02 * extent, random) + 0.05 * _smooth_noise(frame, 0.06 * extent, random)
    )
    # Half a voxel of blur: a voxel at an edge holds some of both sides.
    image = gaussian_filter(image, 0.6)
    bias = _smooth_noise(frame, 0.3 * extent, random)
    image *= np.exp(0.25 * bias / np.abs(bias).max())
    image += 35.0 * random.standard_normal(frame.shape, np.float32)
    return np.asarray(np.clip(image, 0, 4095).round(), np.int16)


def _distractors(mask: NDArray[np.bool_], frame: Frame, random: np.random.Generator) -> NDArray[np.bool_]:
    """(*frame.shape) bool: round objects near the mask that touch neither it nor each other's holes."""
    distance = distance_transform_edt(~mask, sampling=frame.spacing)
    distance[binary_fill_holes(mask) & ~mask] = 0.0
    extent = float(min(np.array(frame.shape) * frame.spacing))
    places = frame.world(np.moveaxis(np.indices(frame.shape), 0, -1))
    found = np.zeros(frame.shape, bool)
    for _ in range(6):
        radius = extent * random.uniform(0.04, 0.08)
        gap = extent * random.uniform(0.05, 0.12)
        candidates = np.argwhere(np.abs(distance - radius - gap) < frame.spacing.max())
        if len(candidates):
            centre = frame.world(candidates[random.integers(len(candidates))])
            found |= np.linalg.norm(places - centre, axis=-1) < radius
    return found
