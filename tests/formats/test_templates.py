"""Priors by name, from a file, from a folder."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from napari_toposeg.errors import ToposegError
from napari_toposeg.formats import read_prior, write_prior
from napari_toposeg.priors import find_prior, prior_names


def ball(radius=5, hole=0):
    distance = np.sqrt(
        (np.indices((16, 16, 16)) - 7.5)[0] ** 2 + ((np.indices((16, 16, 16)) - 7.5)[1:] ** 2).sum(axis=0)
    )
    return ((distance < radius) & (distance >= hole)).astype(np.uint8)


def save(array, path):
    nibabel.save(nibabel.Nifti1Image(array, np.diag([1.0, 1.5, 2.0, 1.0])), path)


def test_a_built_in_prior_is_found_by_its_name():
    assert read_prior("torus") is find_prior("torus")


def test_a_mask_file_becomes_a_template_with_its_own_topology(tmp_path):
    save(ball(hole=2), tmp_path / "hollow.nii.gz")
    prior = read_prior(str(tmp_path / "hollow.nii.gz"))
    assert prior.name == "hollow"
    assert prior.betti == (1, 0, 1)


def test_one_label_of_a_file_is_taken(tmp_path):
    save(ball(hole=2) + 2 * ball(2), tmp_path / "labels.nii.gz")
    assert read_prior(f"{tmp_path / 'labels.nii.gz'}:1").betti == (1, 0, 1)
    assert read_prior(f"{tmp_path / 'labels.nii.gz'}:2").betti == (1, 0, 0)
    assert read_prior(str(tmp_path / "labels.nii.gz")).betti == (1, 0, 0)


def test_a_folder_of_masks_becomes_their_mean_shape(tmp_path):
    for radius in (4, 5, 6):
        save(ball(radius, hole=2) + 2 * ball(2), tmp_path / f"{radius}.nii.gz")
    (tmp_path / "readme.txt").write_text("not a mask")
    (tmp_path / "._4.nii.gz").write_text("left by another system")
    for text, betti in {str(tmp_path): (1, 0, 0), f"{tmp_path}:1": (1, 0, 1)}.items():
        prior = read_prior(text)
        assert prior.name == tmp_path.name
        assert prior.betti == betti


@pytest.mark.parametrize("name", ["torus", "shell", "annulus"])
def test_a_template_that_was_written_is_read_back_with_its_topology(name, tmp_path):
    prior = find_prior(name)
    write_prior(prior, tmp_path / "template.nii.gz")
    again = read_prior(str(tmp_path / "template.nii.gz"))
    assert (again.betti, again.ndim) == (prior.betti, prior.ndim)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ToposegError) as caught:
        read_prior("bal")
    assert all(name in str(caught.value) for name in prior_names())


def test_folders_without_masks_and_empty_masks_are_refused(tmp_path):
    with pytest.raises(ToposegError, match="holds no masks"):
        read_prior(str(tmp_path))
    save(np.zeros((4, 5, 6), np.uint8), tmp_path / "nothing.nii.gz")
    with pytest.raises(ToposegError, match="empty"):
        read_prior(str(tmp_path))
    with pytest.raises(ToposegError, match="empty"):
        read_prior(str(tmp_path / "nothing.nii.gz"))
