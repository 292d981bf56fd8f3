"""One synthetic sample: an image and the label of the object in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_toposeg.data.synthetic.acquisition import acquire
from napari_toposeg.data.synthetic.anatomy import draw_anatomy
from napari_toposeg.data.synthetic.painting import paint
from napari_toposeg.data.synthetic.random_fields import Mask
from napari_toposeg.data.synthetic.settings import SyntheticSettings
from napari_toposeg.data.synthetic.shapes import SHAPES
from napari_toposeg.data.synthetic.surroundings import OBJECT, draw_surroundings
from napari_toposeg.errors import ToposegError
from napari_toposeg.priors import find_prior
from napari_toposeg.topology import betti_numbers

_DRAWS = 60
_LEAST_SIDE = 16
_LEAST_VOXELS = 12


@dataclass(frozen=True, eq=False)
class SyntheticSample:
    """What a network is trained on.

    Attributes
    ----------
    image : (1, *shape) float32
        Of mean 0 and deviation 1.
    label : (1, *shape) float32
        1 in the object and 0 elsewhere. Its Betti numbers are the prior's (foreground 8 or 26), and it keeps at least a
        voxel away from the window's border.
    parts : (1, *shape) uint8
        What stands where: `OBJECT`, `CAVITY` for what the object encloses (but for blobs in there), any other
        number for one of the tissues and distractors around it.
    draws : int
        How many objects were drawn until one kept the prior's topology on the voxels.
    """

    image: NDArray[np.float32]
    label: NDArray[np.float32]
    parts: NDArray[np.uint8]
    draws: int


def synthetic_priors() -> tuple[str, ...]:
    """Names of the priors that samples can be made of."""
    return tuple(SHAPES)


def synthetic_sample(
    prior_name: str,
    shape: Sequence[int],
    seed: int | Sequence[int],
    settings: SyntheticSettings | None = None,
) -> SyntheticSample:
    """Draw an object of a prior's topology, its surroundings, and an image of both.

    The sample is as a network sees it through a `Window` around a box: the prior, inscribed in the middle of the
    window, stands at the same voxels of every sample, and the object somewhere about there. A window that leaves a
    margin of m shows a box that takes up the middle 1 / (1 + 2 m) of it.

    Parameters
    ----------
    prior_name : str
        One of `synthetic_priors()`.
    shape : (ndim,) sequence of int
        Voxels of the window, at least 16 along each axis.
    seed : int or sequence of int
        Not below 0. The same seed draws the same sample; nothing else is random.
    settings : SyntheticSettings, optional
        The ranges that all is drawn from.

    Returns
    -------
    SyntheticSample

    Raises
    ------
    ToposegError
        If samples of that prior cannot be made, the shape does not fit it, or so small a window cannot hold the
        prior's topology.

    Notes
    -----
    Contrasts and shapes are random, so that a network learns a boundary and neither a modality nor an organ. The idea
    is that of B. Billot et al., "SynthSeg: Segmentation of brain MRI scans of any contrast and resolution without
    retraining", Medical Image Analysis 86, 2023, and M. Hoffmann et al., "SynthMorph: learning contrast-invariant
    registration without acquired images", IEEE TMI 41, 2022. The former takes its shapes from labels of real images,
    the latter also from smooth noise. Here they are shapes of a known topology under random diffeomorphisms.
    The whole image is drawn anew for each sample; there is no augmentation to be added.
    """
    settings = settings or SyntheticSettings()
    shape = tuple(shape)
    prior = find_prior(prior_name) if prior_name in SHAPES else None
    if prior is None:
        raise ToposegError(
            f"There are no synthetic samples of the prior {prior_name!r}.",
            todo=f"Choose one of {', '.join(synthetic_priors())}.",
        )
    if len(shape) != prior.ndim or min(shape) < _LEAST_SIDE:
        raise ToposegError(
            f"A sample of the prior {prior_name!r} cannot have the shape {shape}.",
            todo=f"Give {prior.ndim} sides of at least {_LEAST_SIDE} voxels.",
        )
    random = np.random.default_rng(seed)
    for draw in range(_DRAWS):
        anatomy = draw_anatomy(prior_name, shape, settings, random, draw=draw)
        if _is_clear(anatomy.label) and betti_numbers(anatomy.label) == prior.betti:
            break
    else:
        raise ToposegError(
            f"No {prior.title.lower()} keeps its topology in a window of {' x '.join(map(str, shape))} voxels.",
            why=f"{_DRAWS} were drawn.",
            todo="Choose a larger window, or thicker walls.",
        )
    surroundings = draw_surroundings(anatomy, settings, random)
    image = acquire(paint(anatomy, surroundings, settings, random), anatomy.label, settings, random)
    parts = np.where(anatomy.label, np.uint8(OBJECT), surroundings.parts)
    return SyntheticSample(image[None], anatomy.label[None].astype(np.float32), parts[None], draw + 1)


def _is_clear(label: Mask) -> bool:
    """Whether an object has some voxels, and none on the border."""
    if np.count_nonzero(label) < _LEAST_VOXELS:
        return False
    return not any(label.take([0, -1], axis=axis).any() for axis in range(label.ndim))
