"""The project's own images: the right topology, the same for a seed, hard enough and solvable."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, label

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError
from napari_toposeg.priors import find_prior, prior_names


@pytest.mark.parametrize("name", prior_names())
def test_the_object_has_the_priors_betti_numbers_as_a_peer_counts_them(name: str, gudhi_betti) -> None:
    # Half as fine as the default in 3-D: the peer takes 6 s for a default one.
    made = phantom(name, (48, 48, 32) if find_prior(name).ndim == 3 else None, seed=3)
    assert gudhi_betti(made.mask) == made.prior.betti
    assert made.mask.shape == made.volume.shape
    assert made.volume.ndim == made.prior.ndim


@pytest.mark.parametrize("name", ["annulus", "torus"])
def test_a_seed_makes_the_same_image_and_another_seed_another(name: str) -> None:
    first, again, other = phantom(name, seed=1), phantom(name, seed=1), phantom(name, seed=2)
    assert np.array_equal(first.volume.voxels, again.volume.voxels)
    assert np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.mask, other.mask)


@pytest.mark.parametrize("name", ["disk", "shell"])
def test_the_file_runs_to_the_left_and_back_and_canonical_voxels_do_not(name: str) -> None:
    volume = phantom(name).volume
    assert (np.diag(volume.stored.affine)[:2] < 0).all()
    assert (np.diag(volume.affine)[: volume.ndim] > 0).all()
    assert volume.voxels.dtype == np.int16


def test_voxels_of_a_3d_phantom_are_anisotropic_and_shape_and_spacing_can_be_chosen() -> None:
    assert phantom("ball").volume.spacing == pytest.approx([1.0, 1.0, 1.5])
    chosen = phantom("ball", (48, 40, 32), spacing=(0.8, 1.0, 1.2))
    assert chosen.volume.shape == (48, 40, 32)
    assert chosen.volume.spacing == pytest.approx([0.8, 1.0, 1.2])


@pytest.mark.parametrize("name", ["annulus", "ellipsoid", "shell"])
def test_the_object_is_brighter_than_its_surroundings_but_a_threshold_does_not_find_it(name: str, gudhi_betti) -> None:
    made = phantom(name, (48, 48, 32) if find_prior(name).ndim == 3 else None, seed=5)
    inside = made.volume.voxels[made.mask]
    near = (distance_transform_edt(~made.mask) < 10) & ~made.mask
    assert inside.mean() - made.volume.voxels[near].mean() > 3 * inside.std()
    thresholded = made.volume.voxels > (inside.mean() + made.volume.voxels[near].mean()) / 2
    # Distractors, noise and bias break the topology that the phantom itself has.
    assert gudhi_betti(thresholded) != made.prior.betti


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_distractors_are_bright_objects_that_do_not_touch_the_organ(seed: int) -> None:
    made = phantom("ellipse", seed=seed)
    bright = made.volume.voxels > 330
    pieces, _ = label(bright)
    sizes = np.bincount(pieces[bright & ~made.mask], minlength=2)
    touching = np.unique(pieces[made.mask & bright])
    apart = [number for number, size in enumerate(sizes) if size > 30 and number not in touching]
    assert len(apart) >= 2


def test_the_object_keeps_clear_of_the_border() -> None:
    for seed in range(5):
        mask = phantom("square", seed=seed).mask.copy()
        mask[4:-4, 4:-4] = False
        assert not mask.any()


def test_an_unknown_prior_and_a_grid_that_is_too_small_are_refused() -> None:
    with pytest.raises(ToposegError, match="no prior 'heart'"):
        phantom("heart")
    with pytest.raises(ToposegError, match="fits into 12 x 12 x 8 voxels"):
        phantom("tube", (12, 12, 8))


def test_a_phantom_is_made_in_less_than_three_seconds() -> None:
    phantom("ball", (24, 24, 24))
    begun = time.process_time()
    phantom("ball")
    assert time.process_time() - begun < 3.0
