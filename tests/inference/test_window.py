"""How a network sees an image: the same grid, and the same template in it, whatever the image."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame, box_of
from napari_toposeg.inference.window import Window, shown_image, shown_template, window_frame, window_placement
from napari_toposeg.priors import find_prior
from napari_toposeg.volume import Volume

AROUND = ["box", "centre", "image"]


def volume(shape: tuple[int, ...], spacing: tuple[float, ...], *, codes: str = "RAS", seed: int = 0) -> Volume:
    """Noise on a grid whose stored axes run along these directions."""
    orientation = nibabel.orientations.axcodes2ornt(codes)
    affine = np.eye(4)
    for axis, (to, sign) in enumerate(orientation[: len(shape)]):
        affine[:, axis] = 0.0
        affine[int(to), axis] = sign * spacing[axis]
    affine[:3, 3] = (5.0, -3.0, 2.0)
    voxels = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return Volume.from_stored(voxels, affine, name="noise")


def edges(frame: Frame, within: Frame) -> np.ndarray:
    """(ndim, 2) faces of a grid, in voxels of another one whose voxel k reaches from k to k + 1."""
    ends = np.array([np.full(frame.ndim, -0.5), np.array(frame.shape) - 0.5])
    padded = np.concatenate([ends, np.zeros((2, 3 - frame.ndim)), np.ones((2, 1))], axis=1)
    return (frame.index_in(within) @ padded.T)[: frame.ndim] + 0.5


@given(
    low=st.lists(st.integers(0, 10), min_size=3, max_size=3),
    sides=st.lists(st.integers(1, 20), min_size=3, max_size=3),
    margin=st.floats(0.0, 2.0),
)
@settings(max_examples=30, deadline=None)
def test_round_a_box_the_window_ends_a_margin_beyond_its_faces(low, sides, margin) -> None:
    image = volume((32, 30, 31), (1.0, 2.0, 0.7))
    box = tuple((start, start + side) for start, side in zip(low, sides, strict=True))
    frame = window_frame(Window((8, 12, 10), margin=margin), image.frame, box)
    assert frame.shape == (8, 12, 10)
    expected = [(start - margin * side, start + side + margin * side) for start, side in zip(low, sides, strict=True)]
    assert np.allclose(edges(frame, image.frame), expected, atol=1e-6)


@given(
    margin=st.floats(0.0, 1.0), name=st.sampled_from(["ball", "torus", "shell", "tube"]), axis=st.sampled_from("xyz")
)
@settings(max_examples=20, deadline=None)
def test_in_a_box_the_template_touches_the_faces_of_the_box(margin, name, axis) -> None:
    image, prior = volume((40, 40, 30), (1.0, 1.0, 2.5)), find_prior(name)
    box = ((6, 30), (10, 26), (4, 20))
    window = Window((40, 48, 32), margin=margin, axis=axis)
    frame = window_frame(window, image.frame, box)
    placement = window_placement(window, prior, frame)
    corners = np.array(np.meshgrid(*[(-extent, extent) for extent in prior.extent or (1, 1, 1)])).reshape(3, -1)
    at = np.linalg.inv(image.frame.affine) @ placement.matrix @ np.vstack([corners, np.ones(8)])
    assert np.allclose(np.stack([at[:3].min(1), at[:3].max(1)], 1) + 0.5, box, atol=1e-6)


def test_without_a_spacing_the_voxels_round_a_centre_are_the_image_s_own() -> None:
    image = volume((20, 31), (0.8, 1.3))
    frame = window_frame(Window((8, 9), around="centre"), image.frame, ((3, 10), (4, 29)))
    matrix = frame.index_in(image.frame)
    assert np.allclose(matrix[:2, :2], np.eye(2))
    start = matrix[:2, 3]
    assert np.allclose(start, np.round(start))
    assert (np.abs(start - [2.5, 12.0]) <= 0.5 + 1e-6).all()
    shown = shown_image(image, frame)[0, 0].numpy()
    low = np.round(start).astype(int)
    part = image.voxels[low[0] : low[0] + 8, low[1] : low[1] + 9]
    assert np.allclose(shown, (part - part.mean()) / part.std(ddof=1), atol=1e-5)


def test_with_a_spacing_the_window_is_so_large_in_mm_and_about_the_centre_of_the_box() -> None:
    image = volume((60, 64, 40), (1.0, 1.5, 3.0))
    window = Window((16, 24, 12), around="centre", spacing=(2.0, 2.0, 2.0))
    frame = window_frame(window, image.frame, ((10, 30), (20, 41), (5, 25)))
    assert np.allclose(frame.spacing, 2.0)
    assert np.allclose(edges(frame, image.frame).mean(axis=1), [20, 30.5, 15])


@pytest.mark.parametrize("box", [None, ((1, 3), (1, 3))])
def test_a_window_of_the_image_is_the_image_whatever_box_is_given(box) -> None:
    image = volume((21, 50), (1.0, 0.5))
    frame = window_frame(Window((16, 32), around="image"), image.frame, box)
    assert np.allclose(edges(frame, image.frame), [(0, 21), (0, 50)])


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", ["ball", "torus", "tube"])
def test_the_template_is_shown_alike_in_every_image(around, name) -> None:
    window, prior = Window((24, 32, 20), around=around), find_prior(name)
    shown = []
    for shape, spacing, codes, box in (
        ((40, 40, 40), (1.0, 1.0, 1.0), "RAS", ((5, 20), (5, 20), (5, 20))),
        ((50, 40, 12), (0.7, 1.3, 5.0), "LIP", ((7, 40), (9, 12), (3, 9))),
    ):
        image = volume(shape, spacing, codes=codes)
        frame = window_frame(window, image.frame, box)
        shown.append(shown_template(prior, window_placement(window, prior, frame), frame))
    assert shown[0].shape == (1, 1, 24, 32, 20)
    assert shown[0].max() > 0.8
    assert torch.allclose(*shown, atol=1e-4)


def test_each_of_several_templates_fills_its_own_place() -> None:
    places = (((0.25, 0.5), (0.25, 1.0)), ((0.5, 1.0), (0.0, 0.5)))
    window = Window((16, 32), around="image", places=places)
    image = volume((50, 40), (0.7, 1.3), codes="LP")
    frame = window_frame(window, image.frame, None)
    for number, place in enumerate(places):
        placement = window_placement(window, find_prior("disk"), frame, number)
        inside = shown_template(find_prior("disk"), placement, frame)[0, 0] > 0.5
        box = [(round(low * size), round(high * size)) for (low, high), size in zip(place, (16, 32), strict=True)]
        assert box_of(inside.numpy()) == tuple(box)


def test_an_image_and_its_stored_mirror_image_look_the_same() -> None:
    # The same patient, stored once from left to right and once from right to left.
    voxels = np.random.default_rng(0).normal(size=(20, 18, 14)).astype(np.float32)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    mirrored = affine.copy()
    mirrored[:, 0] *= -1
    mirrored[0, 3] = 19.0
    window, box = Window((16, 16, 16)), ((4, 12), (5, 15), (3, 11))
    seen = [
        shown_image(image, window_frame(window, image.frame, box))
        for image in (Volume.from_stored(voxels, affine), Volume.from_stored(voxels[::-1], mirrored))
    ]
    assert torch.allclose(*seen, atol=1e-4)


def test_what_is_shown_has_mean_0_and_deviation_1_and_repeats_the_border_beyond_the_image() -> None:
    image = volume((12, 12), (1.0, 1.0))
    frame = window_frame(Window((20, 20), around="centre"), image.frame, None)
    seen = shown_image(image, frame)
    assert abs(float(seen.mean())) < 1e-5
    assert float(seen.std()) == pytest.approx(1.0, abs=1e-5)
    assert torch.equal(seen[0, 0, 0, 4:16], seen[0, 0, 4, 4:16])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shape": (16,)}, "two or three sides"),
        ({"shape": (16, 7)}, "at least 8"),
        ({"around": "organ"}, "'organ'"),
        ({"margin": -0.1}, "margin"),
        ({"margin": float("nan")}, "margin"),
        ({"spacing": (1.0,)}, "2 lengths"),
        ({"spacing": (1.0, 0.0)}, "above 0"),
        ({"spacing": (1.0, float("inf"))}, "above 0"),
        ({"template": 0.0}, "share from 0 to 1"),
        ({"template": 1.1}, "share from 0 to 1"),
        ({"axis": "w"}, "no axis 'w'"),
        ({"places": (((0.1, 0.5),),)}, "2 pairs"),
        ({"places": (((0.1, 0.5), (0.5, 0.5)),)}, "ascending"),
        ({"places": (((0.1, 0.5), (0.5, 1.5)),)}, "from 0 to 1"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(changes, said) -> None:
    with pytest.raises(ToposegError, match=said):
        Window(**{"shape": (16, 16), **changes})


def test_a_window_round_a_box_needs_one_and_one_of_other_dimensions_is_refused() -> None:
    image = volume((20, 20), (1.0, 1.0))
    with pytest.raises(ToposegError, match="--roi"):
        window_frame(Window((16, 16)), image.frame, None)
    with pytest.raises(ToposegError, match="sees 3-D images, and this one is 2-D"):
        window_frame(Window((16, 16, 16)), image.frame, ((2, 9), (2, 9)))


def test_one_single_intensity_is_refused() -> None:
    image = Volume.from_stored(np.full((20, 20), 7.0, np.float32), np.eye(4))
    with pytest.raises(ToposegError, match="one single intensity"):
        shown_image(image, window_frame(Window((16, 16), around="image"), image.frame, None))
