"""Image and label are changed alike, by as much as was asked, and by the seed alone."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_toposeg.data import Augmentation, augmented
from napari_toposeg.errors import ToposegError

GRIDS = [(48, 40), (24, 32, 20)]
NONE: dict[str, Any] = {
    "rotation": 0.0,
    "scale": 0.0,
    "shift": 0.0,
    "flips": (),
    "noise": 0.0,
    "contrast": (1.0, 1.0),
    "intensity_scale": 0.0,
    "intensity_shift": 0.0,
}


def only(**changes: Any) -> Augmentation:
    return Augmentation(**NONE | changes)


def noisy(grid: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(1, *grid, generator=torch.Generator().manual_seed(seed))


def blob(grid: tuple[int, ...]) -> Tensor:
    """A smooth, lopsided object that is 0 at the border and beyond."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, size) for size in grid), indexing="ij")
    squared = sum((axis - 0.1 * k) ** 2 * (1.5 + k) for k, axis in enumerate(axes))
    return (1.0 - 3.0 * squared).clamp(0.0, 1.0)[None]  # type: ignore[union-attr]


def pull_back(change: Augmentation, grid: tuple[int, ...], seed: int, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and shift by which the label was moved, read off from ramps: linear interpolation leaves those linear."""
    ndim = len(grid)
    axes = torch.meshgrid(*(torch.linspace(0, 1, size) for size in grid), indexing="ij")
    _, moved = augmented(noisy(grid), torch.stack(axes), change, seed, **more)
    middle = tuple(slice(size // 3, size - size // 3) for size in grid)
    sides = np.array(grid) - 1
    there = np.stack([axis[middle].numpy().ravel() * side - side / 2 for axis, side in zip(axes, sides, strict=True)])
    seen = np.stack([ramp[middle].numpy().ravel() * side - side / 2 for ramp, side in zip(moved, sides, strict=True)])
    solution, residual, _, _ = np.linalg.lstsq(np.vstack([there, np.ones(there.shape[1])]).T, seen.T, rcond=None)
    assert residual.max() < 1e-4
    return solution[:ndim].T, solution[ndim]


@pytest.mark.parametrize("grid", GRIDS)
def test_nothing_is_changed_where_nothing_is_asked_for(grid: tuple[int, ...]) -> None:
    image, label = noisy(grid), blob(grid)
    assert Augmentation.none() == only()
    for seed in range(5):
        same = augmented(image, label, Augmentation.none(), seed)
        assert same[0] is image
        assert same[1] is label


@pytest.mark.parametrize("grid", GRIDS)
@given(seed=st.integers(0, 2**30), objects=st.integers(1, 3), flips=st.sets(st.integers(0, 1)))
@settings(max_examples=15, deadline=None)
def test_shapes_and_ranges_stay(grid: tuple[int, ...], seed: int, objects: int, flips: set[int]) -> None:
    image, label = noisy(grid), (noisy((objects, *grid))[0] > 0).float()
    before = image.clone(), label.clone()
    new_image, new_label = augmented(image, label, Augmentation(flips=tuple(flips)), seed)
    assert (new_image.shape, new_label.shape) == (image.shape, label.shape)
    assert type(new_image) is type(new_label) is Tensor
    assert new_image.dtype == new_label.dtype == torch.float32
    assert new_image.isfinite().all()
    assert new_label.min() >= 0
    assert new_label.max() <= 1
    # What was handed in is left alone: it is kept for the next epoch.
    assert torch.equal(image, before[0])
    assert torch.equal(label, before[1])


def test_the_seed_alone_decides_and_no_global_generator_is_touched() -> None:
    image, label = noisy(GRIDS[1]), blob(GRIDS[1])
    change = Augmentation(flips=(0, 1, 2))
    torch.manual_seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]  # noqa: NPY002
    first = augmented(image, label, change, (7, 0, 3))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # type: ignore[index]  # noqa: NPY002
    assert random.getstate() == states[2]
    torch.manual_seed(2)
    augmented(image, label, change, (7, 0, 4))
    again = augmented(image, label, change, (7, 0, 3))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    others = [augmented(image, label, change, seed)[1] for seed in (7, (7, 0, 4), (7, 1, 3), (8, 0, 3))]
    assert not any(torch.equal(other, first[1]) for other in others)


@pytest.mark.parametrize("grid", GRIDS)
def test_image_and_label_move_together(grid: tuple[int, ...]) -> None:
    shown = blob(grid)
    change = only(rotation=40.0, scale=0.2, shift=0.2, flips=(0, 1))
    for seed in range(10):
        image, label = augmented(shown, shown, change, seed)
        assert (image - label).abs().max() < 1e-6
        assert (image - shown).abs().max() > 0.05


@pytest.mark.parametrize("spacing", [None, (0.5, 1.5), (1.0, 0.8, 3.0)])
def test_a_rotation_in_the_world_keeps_lengths_in_mm(spacing: tuple[float, ...] | None) -> None:
    for grid in GRIDS:
        if spacing is not None and len(spacing) != len(grid):
            continue
        size = np.diag(np.ones(len(grid)) if spacing is None else spacing)
        angles = []
        for seed in range(30):
            matrix, shift = pull_back(only(rotation=9.0), grid, seed, spacing=spacing)
            turn = size @ matrix @ np.linalg.inv(size)
            assert turn.T @ turn == pytest.approx(np.eye(len(grid)), abs=1e-4)
            assert np.linalg.det(turn) == pytest.approx(1, abs=1e-4)
            assert shift == pytest.approx(0, abs=1e-3)
            angles.append(np.degrees(np.arctan2(turn[1, 0], turn[1, 1])))
        assert max(angles) > 5
        assert min(angles) < -5
        assert len(grid) == 3 or np.abs(angles).max() <= 9.01


@pytest.mark.parametrize("grid", GRIDS)
def test_each_axis_is_stretched_and_shifted_within_what_was_asked(grid: tuple[int, ...]) -> None:
    factors, shifts = [], []
    for seed in range(40):
        matrix, shift = pull_back(only(scale=0.2), grid, seed)
        assert matrix == pytest.approx(np.diag(np.diag(matrix)), abs=1e-4)
        assert shift == pytest.approx(0, abs=1e-3)
        factors.append(1 / np.diag(matrix))
        matrix, shift = pull_back(only(shift=0.1), grid, seed)
        assert matrix == pytest.approx(np.eye(len(grid)), abs=1e-4)
        shifts.append(shift / grid)
    for values, centre, reach in ((np.array(factors), 1.0, 0.2), (np.array(shifts), 0.0, 0.1)):
        assert np.abs(values - centre).max() <= reach * 1.001
        # Forty draws of an even distribution come near both of its ends, along each axis.
        assert (values.max(axis=0) > centre + 0.7 * reach).all()
        assert (values.min(axis=0) < centre - 0.7 * reach).all()


@pytest.mark.parametrize("grid", GRIDS)
def test_mirroring_is_exact_and_happens_half_of_the_time(grid: tuple[int, ...]) -> None:
    image, label = noisy(grid), blob(grid)
    mirrored = 0
    for seed in range(60):
        new_image, new_label = augmented(image, label, only(flips=(1,)), seed)
        if torch.equal(new_image, image.flip(2)):
            mirrored += 1
            assert torch.equal(new_label, label.flip(2))
        else:
            assert torch.equal(new_image, image)
            assert torch.equal(new_label, label)
    assert 18 <= mirrored <= 42


@pytest.mark.parametrize("grid", GRIDS)
def test_beyond_the_border_the_image_goes_on_and_the_label_ends(grid: tuple[int, ...]) -> None:
    image, label = torch.full((1, *grid), 0.7), torch.ones(1, *grid)
    new_image, new_label = augmented(image, label, only(shift=0.3), 5)
    assert new_image.numpy() == pytest.approx(0.7, abs=1e-5)
    assert new_label.min() == 0
    assert new_label.max() == 1


@given(seed=st.integers(0, 2**30))
@settings(max_examples=25, deadline=None)
def test_contrast_keeps_the_order_of_intensities_their_mean_and_their_deviation(seed: int) -> None:
    image = noisy((32, 32))
    changed, _ = augmented(image, image, only(contrast=(0.5, 2.0)), seed)
    order = image.ravel().argsort()
    assert (changed.ravel()[order].diff() >= -1e-5).all()
    assert float(changed.mean()) == pytest.approx(float(image.mean()), abs=1e-4)
    assert float(changed.std()) == pytest.approx(float(image.std()), abs=1e-4)


def test_contrast_goes_both_ways_and_a_single_gamma_is_that_gamma() -> None:
    image = noisy((32, 32))
    low, high = float(image.min()), float(image.max())
    expected = ((image - low) / (high - low)) ** 1.7
    expected = (expected - expected.mean()) / expected.std() * image.std() + image.mean()
    changed, _ = augmented(image, image, only(contrast=(1.7, 1.7)), 0)
    assert changed.numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    # A gamma below 1 lifts the median above the mean, one above 1 lowers it.
    medians = [float(augmented(image, image, only(contrast=(0.5, 2.0)), seed)[0].median()) for seed in range(20)]
    assert min(medians) < float(image.median()) - 0.05
    assert max(medians) > float(image.median()) + 0.05


def test_noise_and_intensities_change_the_image_alone_and_by_no_more_than_asked() -> None:
    image, label = noisy((64, 64)), blob((64, 64))
    deviations, slopes, offsets = [], [], []
    for seed in range(40):
        noise = augmented(image, label, only(noise=0.3), seed)
        assert noise[1] is label
        deviations.append(float((noise[0] - image).std()))
        shifted = augmented(image, label, only(intensity_scale=0.2, intensity_shift=0.5), seed)
        assert shifted[1] is label
        slope, offset = np.polyfit(image.numpy().ravel(), shifted[0].numpy().ravel(), 1)
        slopes.append(slope)
        offsets.append(offset)
    assert max(deviations) < 0.32
    assert max(deviations) > 0.24
    assert min(deviations) < 0.06
    assert np.abs(np.array(slopes) - 1).max() <= 0.2001
    assert np.abs(offsets).max() <= 0.5001
    assert np.ptp(slopes) > 0.25
    assert np.ptp(offsets) > 0.6


def test_what_one_setting_draws_does_not_depend_on_the_others() -> None:
    image, label = noisy(GRIDS[0]), blob(GRIDS[0])
    moved = augmented(image, label, only(rotation=15.0), 11)[1]
    assert torch.equal(augmented(image, label, only(rotation=15.0, noise=1.0, contrast=(0.5, 2.0)), 11)[1], moved)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rotation": -1.0}, "Rotation is -1.0"),
        ({"rotation": float("nan")}, "Rotation is nan"),
        ({"scale": 1.0}, "Scale is 1.0"),
        ({"shift": 0.6}, "Shift is 0.6"),
        ({"flips": (0, 0)}, "Flips is"),
        ({"flips": (3,)}, "Flips is"),
        ({"noise": -0.1}, "Noise is -0.1"),
        ({"contrast": (0.0, 1.0)}, "Contrast is"),
        ({"contrast": (1.5, 0.7)}, "Contrast is"),
        ({"contrast": (1.0,)}, "Contrast is"),
        ({"intensity_scale": 1.0}, "Intensity_scale is 1.0"),
        ({"intensity_shift": float("inf")}, "Intensity_shift is inf"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ToposegError, match=said):
        Augmentation(**changes)


def test_an_axis_that_is_not_there_cannot_be_mirrored_and_grids_must_agree() -> None:
    image = noisy((16, 16))
    with pytest.raises(ToposegError, match="Axis 2 is to be mirrored, and the images have 2 axes"):
        augmented(image, image, Augmentation(flips=(2,)), 0)
    with pytest.raises(ValueError, match="the label"):
        augmented(image, noisy((16, 15)), Augmentation(), 0)


def test_the_room_is_light_and_each_of_its_names_is_what_it_says() -> None:
    program = (
        "import sys, napari_toposeg.data as data\n"
        "from napari_toposeg.data import Augmentation, find_cases, read_split\n"
        "Augmentation()\n"
        "assert not {'torch', 'monai', 'numba'} & set(sys.modules), 'heavy'\n"
        "from napari_toposeg.data import phantom, Phantom\n"
        "assert all(getattr(data, name).__class__.__name__ != 'module' for name in data.__all__), 'a module'\n"
        "assert set(data.__all__) == set(data._HOMES), 'a name without a home'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
