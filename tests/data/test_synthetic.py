"""Synthetic samples: the right topology, all from the seed, of every kind, and as a network sees them."""

from __future__ import annotations

import sys
from subprocess import run

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_fill_holes

from napari_toposeg.data.synthetic import (
    CAVITY,
    OBJECT,
    SyntheticSample,
    SyntheticSettings,
    synthetic_priors,
    synthetic_sample,
)
from napari_toposeg.data.synthetic.flow import random_flow
from napari_toposeg.data.synthetic.painting import draw_means
from napari_toposeg.data.synthetic.random_fields import smooth_noise
from napari_toposeg.data.synthetic.surroundings import FIRST_TISSUE, Surroundings
from napari_toposeg.deformation import corner_determinants
from napari_toposeg.errors import ToposegError
from napari_toposeg.frame import Frame
from napari_toposeg.inference.window import Window, window_placement
from napari_toposeg.priors import find_prior, template_mask

SEEDS = {2: 24, 3: 5}


def shape_for(name: str) -> tuple[int, ...]:
    return (64, 64) if find_prior(name).ndim == 2 else (32, 32, 32)


def box(sample: SyntheticSample) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last voxel of the object."""
    found = np.argwhere(sample.label[0])
    return found.min(0), found.max(0) + 1


def contrast(sample: SyntheticSample) -> float:
    """Intensity in the object, beyond that just around it, in deviations of the image."""
    label = sample.label[0] > 0
    around = binary_dilation(binary_fill_holes(label), iterations=4) & ~binary_fill_holes(label)
    return float(sample.image[0][label].mean() - sample.image[0][around].mean())


@pytest.fixture(scope="module")
def annuli() -> list[SyntheticSample]:
    return [synthetic_sample("annulus", (64, 64), (5, number)) for number in range(60)]


@pytest.mark.parametrize("name", synthetic_priors())
def test_every_label_has_the_priors_topology_as_a_peer_counts_it(name: str, gudhi_betti) -> None:
    prior = find_prior(name)
    for seed in range(SEEDS[prior.ndim]):
        sample = synthetic_sample(name, shape_for(name), seed)
        assert gudhi_betti(sample.label[0] > 0) == prior.betti, seed


@pytest.mark.parametrize("name", synthetic_priors())
def test_an_image_is_finite_of_mean_0_and_deviation_1_and_a_label_of_0_and_1(name: str) -> None:
    shape = shape_for(name)
    for seed in range(SEEDS[len(shape)] // 2):
        sample = synthetic_sample(name, shape, (1, seed))
        assert sample.image.shape == sample.label.shape == sample.parts.shape == (1, *shape)
        assert sample.image.dtype == sample.label.dtype == np.float32
        assert np.isfinite(sample.image).all()
        assert sample.image.mean() == pytest.approx(0, abs=1e-3)
        assert sample.image.std() == pytest.approx(1, abs=1e-3)
        assert set(np.unique(sample.label)) == {0, 1}
        assert np.array_equal(sample.parts == OBJECT, sample.label > 0)


def test_a_seed_draws_the_same_sample_and_another_seed_another() -> None:
    np.random.seed(1)  # noqa: NPY002 - the state that must not matter
    first = synthetic_sample("annulus", (64, 64), (3, 4))
    np.random.seed(2)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again, other = synthetic_sample("annulus", (64, 64), (3, 4)), synthetic_sample("annulus", (64, 64), (3, 5))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.parts, again.parts)
    assert not np.array_equal(first.label, other.label)
    assert not np.array_equal(first.image, other.image)
    # An int is the sequence of that one int.
    assert np.array_equal(synthetic_sample("disk", (32, 32), 7).image, synthetic_sample("disk", (32, 32), [7]).image)


@settings(max_examples=25, deadline=None)
@given(
    margin=st.floats(0.05, 0.6),
    slack=st.floats(0.0, 0.3),
    width=st.floats(0.0, 0.2),
    sides=st.tuples(st.integers(48, 96), st.integers(48, 96)),
    seed=st.integers(0, 10**6),
)
def test_an_object_keeps_the_distance_from_the_border_that_box_and_margin_promise(
    margin: float, slack: float, width: float, sides: tuple[int, int], seed: int
) -> None:
    chosen = SyntheticSettings(margin=margin, slack=(slack, slack + width), slack_spread=0.03)
    low, high = box(sample := synthetic_sample("disk", sides, seed, chosen))
    gaps = np.stack([low, np.array(sides) - high]) / (high - low)
    widest = slack + width + 0.03
    # A voxel at either end, and a share for the box, which is found from points of the surface.
    least = gaps + 1.5 / (high - low) + 0.03
    assert (least >= chosen.clearance).all()
    assert (gaps - 1.5 / (high - low) - 0.05 <= widest + margin * (1 + 2 * widest)).all()
    assert not any(sample.label[0].take([0, -1], axis=axis).any() for axis in (0, 1))


def test_a_tight_box_without_slack_is_what_a_window_with_that_margin_shows() -> None:
    # Round, neither stretched nor moved: the object is the template, where `inference.Window` puts it.
    still = SyntheticSettings(
        slack=(0, 0),
        slack_spread=0,
        thinness=(1, 1),
        bend=(0, 0),
        taper=(0, 0),
        speed=(0, 0, 0),
    )
    for name, shape in (("disk", (96, 64)), ("ball", (32, 40, 48))):
        window, prior = Window(shape, margin=still.margin), find_prior(name)
        frame = Frame(np.eye(4), shape)
        template = template_mask(prior, window_placement(window, prior, frame), frame)
        label = synthetic_sample(name, shape, 0, still).label[0] > 0
        overlap = 2 * (label & template).sum() / (label.sum() + template.sum())
        assert overlap > 0.98


def test_objects_are_brighter_and_darker_than_their_surroundings_about_as_often(annuli: list[SyntheticSample]) -> None:
    signs = np.sign([contrast(sample) for sample in annuli])
    assert 0.25 < (signs > 0).mean() < 0.75


def test_the_pool_of_a_ring_is_like_the_wall_or_its_outside_or_neither(annuli: list[SyntheticSample]) -> None:
    pool_differs, outside_like = [], []
    for sample in annuli:
        image, parts, label = sample.image[0], sample.parts[0], sample.label[0] > 0
        enclosed = binary_fill_holes(label) & ~label
        assert np.isin(parts[enclosed], [CAVITY, CAVITY + 1]).all()
        around = binary_dilation(binary_fill_holes(label), iterations=4) & ~binary_fill_holes(label)
        pool_differs.append(abs(image[enclosed].mean() - image[label].mean()) > 0.3)
        outside_like.append(abs(image[enclosed].mean() - image[around].mean()) < 0.3)
    assert np.mean(pool_differs) > 0.7
    assert 0.05 < np.mean(outside_like) < 0.6


def test_boxes_shapes_and_walls_vary(annuli: list[SyntheticSample]) -> None:
    corners = np.array([[*low, *high] for low, high in map(box, annuli)])
    assert (corners.std(axis=0) > 1.0).all()
    disks = [synthetic_sample("disk", (64, 64), (6, number)).label[0] for number in range(40)]
    # A disk fills pi / 4 of its box, an oblique long one far less.
    shares = [label.sum() / np.prod(np.ptp(np.argwhere(label), axis=0) + 1) for label in disks]
    assert min(shares) < 0.45
    assert max(shares) > 0.68
    walls = [label.sum() / binary_fill_holes(label).sum() for label in (sample.label[0] > 0 for sample in annuli)]
    assert min(walls) < 0.35
    assert max(walls) > 0.75


def test_several_parts_touch_the_object(annuli: list[SyntheticSample]) -> None:
    touching = []
    for sample in annuli:
        label = sample.label[0] > 0
        next_to = binary_dilation(label, iterations=2) & ~binary_fill_holes(label)
        touching.append(len(np.unique(sample.parts[0][next_to])))
    assert np.median(touching) >= 3


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), on_border=st.lists(st.integers(0, 50), min_size=5, max_size=5))
def test_most_of_the_border_has_the_least_contrast_whatever_is_drawn(seed: int, on_border: list[int]) -> None:
    chosen = SyntheticSettings(contrast=0.3, contrast_share=0.8)
    count = FIRST_TISSUE + len(on_border)
    neighbours = np.array([*[0] * CAVITY, 30, 10, 20, *on_border])
    # All that is around looks like the object: the rule has to win over it.
    surroundings = Surroundings(np.zeros((4, 4), np.uint8), count, tuple(range(FIRST_TISSUE, count)))
    means = draw_means(neighbours, surroundings, chosen, np.random.default_rng(seed))
    clear = np.abs(means - means[OBJECT]) >= 0.3 - 1e-6
    assert neighbours[FIRST_TISSUE:] @ clear[FIRST_TISSUE:] >= 0.8 * sum(on_border)
    assert clear[CAVITY] or neighbours[CAVITY] <= 0.2 * 40


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_random_flow_does_not_fold_and_goes_back_to_where_it_came_from(ndim: int) -> None:
    chosen = SyntheticSettings()
    size = 48 if ndim == 2 else 24
    axis = np.linspace(-1.5, 1.5, size, dtype=np.float32)
    grid = np.stack(np.meshgrid(*[axis] * ndim, indexing="ij"))
    points = grid.reshape(ndim, -1).T
    for seed in range(5):
        flow = random_flow(ndim, chosen.detail, chosen.speed, np.random.default_rng(seed))
        moved = flow.follow(points)
        assert np.abs(moved - points).max() > 0.2
        # At the greatest speeds; 1 is half of the object's side, and only the box is found by it.
        assert np.abs(flow.follow(moved, back=True) - points).mean() < 0.05
        displacement = (moved.T.reshape(grid.shape) - grid) / (axis[1] - axis[0])
        assert corner_determinants(torch.from_numpy(displacement[None].astype(np.float32))).min() > 0


@pytest.mark.parametrize("shape", [(200, 200), (60, 50, 40)])
@pytest.mark.parametrize("length", [1.0, 3.7])
def test_smooth_noise_has_mean_0_deviation_1_and_detail_of_its_length(shape: tuple[int, ...], length: float) -> None:
    noise = smooth_noise(shape, length, np.random.default_rng(0))
    assert noise.shape == shape
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.std() == pytest.approx(1, abs=0.1)
    far = int(np.ceil(4 * length))
    assert np.mean(noise[:-far] * noise[far:]) == pytest.approx(0, abs=0.1)
    assert np.mean(noise[:-1] * noise[1:]) > (0.35 if length == 1.0 else 0.85)


def test_a_thin_wall_is_drawn_again_until_it_is_whole(gudhi_betti) -> None:
    thin = SyntheticSettings(wall=(0.05, 0.06), least_wall=0.3)
    samples = [synthetic_sample("annulus", (64, 64), seed, thin) for seed in range(8)]
    assert any(sample.draws > 1 for sample in samples)
    assert all(gudhi_betti(sample.label[0] > 0) == (1, 1) for sample in samples)


def test_what_cannot_be_drawn_is_refused_in_one_sentence() -> None:
    with pytest.raises(ToposegError, match="no synthetic samples of the prior 'square'"):
        synthetic_sample("square", (64, 64), 0)
    with pytest.raises(ToposegError, match=r"'ball' cannot have the shape \(64, 64\)"):
        synthetic_sample("ball", (64, 64), 0)
    with pytest.raises(ToposegError, match="at least 16 voxels"):
        synthetic_sample("disk", (64, 8), 0)
    with pytest.raises(ToposegError, match="keeps its topology in a window of 16 x 16 voxels"):
        synthetic_sample("annulus", (16, 16), 0, SyntheticSettings(wall=(0.01, 0.01), least_wall=0))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"noise": (0.2, 0.1)}, "Noise runs from 0.2 to 0.1"),
        ({"speed": (0.1,)}, "as many as there are speeds"),
        ({"margin": -0.1}, "margin is -0.1"),
        ({"margin": 0.0, "slack": (-0.1, 0.1)}, "cuts off the object"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ToposegError, match=why):
        SyntheticSettings(**wrong)


def test_settings_are_read_without_torch() -> None:
    program = "import sys, napari_toposeg.data.synthetic as s; s.SyntheticSettings(); sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", program], check=False).returncode == 0
