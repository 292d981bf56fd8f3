"""Lines of k-space are removed where they should be, and the rest of the image stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.data import remove_lines, sampled_lines
from napari_toposeg.errors import ToposegError


@given(count=st.integers(8, 120), share=st.floats(0, 1), seed=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_as_many_lines_go_as_asked_and_none_of_the_middle(count: int, share: float, seed: int) -> None:
    removed = int(share * (count - 8))
    left = sampled_lines(count, removed, seed=seed)
    assert np.count_nonzero(~left) == removed
    # The middle eight hold the frequencies -4 to 3, as numpy orders them.
    frequencies = np.fft.fftshift(np.fft.fftfreq(count, 1 / count))
    assert left[(frequencies >= -4) & (frequencies <= 3)].all()


def test_the_seed_draws_the_lines_and_every_line_outside_of_the_middle_can_go() -> None:
    draws = [sampled_lines(80, 20, seed=[7, number]) for number in range(200)]
    assert np.array_equal(draws[0], sampled_lines(80, 20, seed=[7, 0]))
    gone = np.sum([~left for left in draws], axis=0)
    assert (gone[:36] > 0).all()
    assert (gone[44:] > 0).all()
    # Each of the 72 goes in 20 of 72 draws: 56 of 200, give or take.
    assert abs(gone[gone > 0].mean() - 200 * 20 / 72) < 1e-9
    assert gone.max() < 90


@pytest.mark.parametrize("axis", [0, 1])
def test_removing_all_but_the_middle_leaves_what_eight_waves_can_say(axis: int) -> None:
    image = np.random.default_rng(0).random((80, 64))
    size = image.shape[axis]
    # The projection on to the waves -4 to 3 by their definition, without a Fourier transform of numpy's.
    waves = np.exp(2j * np.pi * np.outer(np.arange(size), np.arange(-4, 4)) / size)
    projection = waves @ waves.conj().T / size
    expected = np.abs(projection @ image if axis == 0 else image @ projection.T)
    expected = (expected - expected.min()) / np.ptp(expected)
    assert remove_lines(image, size - 8, axis=axis) == pytest.approx(expected, abs=1e-9)


@given(seed=st.integers(0, 1000), removed=st.integers(0, 72), wave=st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_what_lies_in_the_middle_lines_survives_any_draw(seed: int, removed: int, wave: int) -> None:
    rows, columns = np.mgrid[:80, :80] / 80
    # Fast along the columns, slow along the rows: only the lines 0 and +-wave are filled.
    image = 3 + np.cos(2 * np.pi * wave * rows) + np.sin(2 * np.pi * 17 * columns)
    expected = (image - image.min()) / np.ptp(image)
    assert remove_lines(image, removed, seed=seed) == pytest.approx(expected, abs=1e-9)


def test_a_wave_goes_with_the_only_lines_that_carry_it() -> None:
    rows = np.mgrid[:80, :80][0] / 80
    image = 3 + np.cos(2 * np.pi * 20 * rows)
    assert np.ptp(remove_lines(image, 0)) == 1
    assert np.ptp(remove_lines(image, 72)) == 0


def test_more_lines_removed_leave_less_of_a_real_image(data_folder) -> None:
    file = data_folder / "acdc2d" / "patient001.npz"
    image = np.load(file)["images"][2][60:140, 50:130].astype(float)
    whole = remove_lines(image, 0)
    assert whole == pytest.approx((image - image.min()) / np.ptp(image), abs=1e-9)
    errors = [
        np.mean([np.abs(remove_lines(image, removed, seed=seed) - whole).mean() for seed in range(5)])
        for removed in (20, 40, 60)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_too_many_lines_and_a_volume_are_refused() -> None:
    with pytest.raises(ToposegError, match="73 lines cannot be removed from 80"):
        remove_lines(np.zeros((80, 80)), 73)
    with pytest.raises(ToposegError, match="this array has 3"):
        remove_lines(np.zeros((8, 80, 80)), 20)
    assert not remove_lines(np.full((80, 80), 0.3), 20).any()
