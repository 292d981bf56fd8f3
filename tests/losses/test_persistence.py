"""The persistent homology loss."""

from __future__ import annotations

from typing import Any

import gudhi
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses import BettiRange, PersistenceLoss, spread_gradient

GRIDS = [((7, 6), 8), ((7, 6), 4), ((4, 5, 4), 26), ((4, 5, 4), 6)]


def two_peaks() -> torch.Tensor:
    """Bars: a component from .9, for ever; one from .6 to .2. No loop."""
    return torch.tensor([[[[0.9, 0.2, 0.6]]]], dtype=torch.float64)


def ring(corner: float = 0.8) -> torch.Tensor:
    """A loop that dies at .1, with one corner that counts for 4-connectivity only."""
    p = torch.full((1, 1, 3, 3), 0.8, dtype=torch.float64)
    p[..., 1, 1], p[..., 0, 0] = 0.1, corner
    return p


def distinct(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """A random map of which no two voxels, and hardly two bars, are alike."""
    generator = torch.Generator().manual_seed(seed)
    size = int(np.prod(shape))
    steps = torch.arange(size) + 0.5 * torch.rand(size, generator=generator, dtype=torch.float64)
    return (0.05 + 0.9 * steps / size)[torch.randperm(size, generator=generator)].reshape(shape)


def bars_by_gudhi(p: np.ndarray[Any, Any], connectivity: int) -> list[list[float]]:
    """Lengths of the bars by dimension, longest first."""
    kind = "top_dimensional_cells" if connectivity in (8, 26) else "vertices"
    complex_ = gudhi.CubicalComplex(**{kind: -p})
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=0)
    spans = [complex_.persistence_intervals_in_dimension(k).reshape(-1, 2) for k in range(p.ndim)]
    return [sorted((min(death, 0.0) - birth for birth, death in one), reverse=True) for one in spans]


@pytest.mark.parametrize(
    ("betti", "expected"),
    [
        ((1, 0), (1 - 0.81) + 0.16),
        ((2, 0), (1 - 0.81) + (1 - 0.16)),
        ((0, 0), 0.81 + 0.16),
        ((3, 0), (1 - 0.81) + (1 - 0.16) + 1),
        ((1, 2), (1 - 0.81) + 0.16 + 2),
        ((BettiRange(1, 2), 0), 1 - 0.81),
        ((BettiRange(0, 1), 0), 0.16),
        ((BettiRange(0, 2), BettiRange(0, 1)), 0),
        ((BettiRange(1), 0), 1 - 0.81),
        ((BettiRange(1), BettiRange(1, 3)), (1 - 0.81) + 1),
    ],
)
def test_two_peaks_cost_what_the_paper_s_sums_say(betti, expected) -> None:
    assert float(PersistenceLoss(betti)(two_peaks())) == pytest.approx(expected)


def test_the_connectivity_decides_at_which_level_a_ring_closes() -> None:
    through_corners = PersistenceLoss((1, 1), connectivity=8).terms(ring(corner=0.5))
    through_sides = PersistenceLoss((1, 1), connectivity=4).terms(ring(corner=0.5))
    assert through_corners[0, 0].tolist() == pytest.approx([1 - 0.8**2, 1 - 0.7**2])
    assert through_sides[0, 0].tolist() == pytest.approx([1 - 0.8**2, 1 - 0.4**2])


def test_a_hollow_cube_of_ones_with_the_right_betti_numbers_costs_nothing() -> None:
    cube = torch.zeros(1, 1, 5, 5, 5)
    cube[..., 1:4, 1:4, 1:4] = 1
    cube[..., 2, 2, 2] = 0
    assert PersistenceLoss((1, 0, 1))(cube) == 0
    assert PersistenceLoss((1, 1, 0)).terms(cube).tolist() == [[[0, 1, 1]]]


@given(seed=st.integers(0, 10_000), grid=st.sampled_from(GRIDS), low=st.integers(0, 2), width=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_it_is_the_paper_s_formula_on_the_bars_that_gudhi_finds(seed, grid, low, width) -> None:
    shape, connectivity = grid
    p = np.round(np.random.default_rng(seed).random((2, 1, *shape)), 1 + seed % 2)  # also with many equal values
    target = BettiRange(low, low + width)
    terms = PersistenceLoss((target,) * len(shape), connectivity=connectivity).terms(torch.from_numpy(p))
    for sample in range(2):
        for dimension, lengths in enumerate(bars_by_gudhi(p[sample, 0], connectivity)):
            padded = [*lengths, *[0.0] * low]
            expected = sum(1 - one**2 for one in padded[:low]) + sum(one**2 for one in lengths[low + width :])
            assert float(terms[sample, 0, dimension]) == pytest.approx(expected)


@given(seed=st.integers(0, 10_000), grid=st.sampled_from(GRIDS), band=st.sampled_from([0.1, 0.25, 0.4]))
@settings(max_examples=40, deadline=None)
def test_in_a_band_it_is_the_loss_of_the_clipped_map_and_its_gradient(seed, grid, band) -> None:
    shape, connectivity = grid
    p = distinct((1, 1, *shape), seed).requires_grad_()
    betti = (1,) * len(shape)
    banded = PersistenceLoss(betti, connectivity=connectivity, band=band)(p)
    (in_band,) = torch.autograd.grad(banded, p)
    clipped = PersistenceLoss(betti, connectivity=connectivity)(p.clamp(band, 1 - band))
    (expected,) = torch.autograd.grad(clipped, p)
    assert float(banded.detach()) == pytest.approx(float(clipped.detach()))
    assert torch.allclose(in_band, expected)
    assert not in_band[(p < band) | (p > 1 - band)].any()


def test_the_gradient_is_on_the_critical_voxels_and_as_large_as_twice_the_bar() -> None:
    p = two_peaks().requires_grad_()
    PersistenceLoss((1, 0))(p).backward()
    assert p.grad is not None
    assert p.grad.flatten().tolist() == pytest.approx([-2 * 0.9, -2 * 0.4, 2 * 0.4])


@pytest.mark.parametrize(("shape", "connectivity"), GRIDS)
@pytest.mark.parametrize("wanted", [1, BettiRange(1, 2), BettiRange(0)])
def test_its_gradient_is_right(shape, connectivity, wanted) -> None:
    p = distinct((2, 2, *shape), seed=len(shape)).requires_grad_()
    target = (1, *(wanted,) * (len(shape) - 1))
    weights = (0.5, 2.0, 3.0)[: len(shape)]
    loss = PersistenceLoss([target, (0,) * len(shape)], weights=weights, connectivity=connectivity)
    assert torch.autograd.gradcheck(loss, p)


@pytest.mark.parametrize(("shape", "connectivity"), GRIDS)
def test_its_gradient_in_a_band_is_right(shape, connectivity) -> None:
    p = distinct((1, 1, *shape), seed=5).requires_grad_()
    loss = PersistenceLoss((1,) * len(shape), connectivity=connectivity, band=0.3)
    assert torch.autograd.gradcheck(loss, p)


def test_following_the_gradient_joins_two_pieces_that_should_be_one() -> None:
    logits = torch.tensor([[[[2.0, -1.0, 1.5]]]], requires_grad=True)
    loss = PersistenceLoss((1, 0))
    descent = torch.optim.SGD([logits], lr=1.0)
    costs = []
    for _ in range(60):
        descent.zero_grad()
        cost = loss(torch.sigmoid(logits))
        cost.backward()
        descent.step()
        costs.append(float(cost.detach()))
    assert costs[-1] < 0.05 < 0.3 < costs[0]


def test_a_wanted_bar_that_does_not_exist_costs_one_and_teaches_nothing() -> None:
    p = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    terms = PersistenceLoss((0, 2)).terms(p)
    assert terms.tolist() == [[[0.25, 2.0]]]
    terms[..., 1].sum().backward()
    assert p.grad is not None
    assert not p.grad.any()


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("shape", "connectivity"), GRIDS)
def test_a_constant_map_is_one_component_of_that_height(level, shape, connectivity) -> None:
    p = torch.full((1, 1, *shape), level, dtype=torch.float64, requires_grad=True)
    loss = PersistenceLoss((1,) + (0,) * (len(shape) - 1), connectivity=connectivity)(p)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1 - level**2)
    assert p.grad is not None
    assert np.count_nonzero(p.grad.numpy()) == (level > 0)


def test_each_class_has_its_own_target_and_none_is_not_looked_at() -> None:
    p = torch.cat([torch.rand(1, 1, 1, 3), two_peaks(), two_peaks()], dim=1)
    terms = PersistenceLoss([None, (1, 0), (2, 0)]).terms(p)
    assert terms[0, 0].tolist() == [0, 0]
    assert terms[0, 1].tolist() == pytest.approx([0.35, 0])
    assert terms[0, 2].tolist() == pytest.approx([1.03, 0])


def test_a_batch_costs_the_mean_of_its_samples_and_the_sum_of_its_weighted_terms() -> None:
    p = distinct((3, 2, 6, 6))
    by_class = [[1.0, 2.0], [0.0, 0.5]]
    loss = PersistenceLoss([(1, 1), (2, 0)], weights=by_class)
    single = [float(loss(one[None])) for one in p]
    assert float(loss(p)) == pytest.approx(np.mean(single))
    assert single[0] == pytest.approx(float((loss.terms(p)[0] * torch.tensor(by_class)).sum()))


def test_short_bars_are_left_out_when_asked() -> None:
    assert float(PersistenceLoss((1, 0), min_persistence=0.5)(two_peaks())) == pytest.approx(1 - 0.81)
    assert float(PersistenceLoss((2, 0), min_persistence=0.5)(two_peaks())) == pytest.approx(1 - 0.81 + 1)


@pytest.mark.parametrize("shape", [(9, 8), (5, 6, 5)])
def test_spreading_changes_the_gradient_by_spread_gradient_and_the_value_not_at_all(shape) -> None:
    betti = (1,) * len(shape)
    p = distinct((2, 1, *shape)).requires_grad_()
    plain, dense = PersistenceLoss(betti)(p), PersistenceLoss(betti, spread=1.0)(p)
    assert float(plain.detach()) == float(dense.detach())
    (sparse,) = torch.autograd.grad(plain, p)
    (expected,) = torch.autograd.grad(spread_gradient(p, 1.0), p, sparse)
    (gradient,) = torch.autograd.grad(dense, p)
    assert torch.equal(gradient, expected)
    assert not torch.equal(gradient, sparse)


def test_half_precision_is_counted_in_single() -> None:
    p = distinct((1, 1, 8, 8)).to(torch.bfloat16).requires_grad_()
    loss = PersistenceLoss((1, 1))(p)
    loss.backward()
    assert loss.dtype == torch.float32
    assert p.grad is not None
    assert p.grad.dtype == torch.bfloat16
    assert torch.isfinite(p.grad).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_on_a_gpu_it_is_the_same(spread) -> None:
    p = distinct((2, 1, 6, 7, 8)).float()
    loss = PersistenceLoss((1, BettiRange(0, 1), 0), spread=spread)
    here, there = p.clone().requires_grad_(), p.cuda().requires_grad_()
    loss(here).backward()
    loss(there).backward()
    assert here.grad is not None
    assert there.grad is not None
    assert torch.allclose(here.grad, there.grad.cpu(), atol=1e-6)


@pytest.mark.parametrize(
    ("betti", "shape", "part"),
    [
        ((1, 1), (1, 1, 4, 4, 4), "2-D"),
        ((1, 0, 0), (1, 1, 4, 4), "3-D"),
        ((1, 1), (1, 2, 4, 4), "1 class"),
        # A pair in a sequence is a class, never a range: two of them do not pass for one target on one channel.
        (((1, 2), (0, 1)), (1, 1, 4, 4), "2 class"),
    ],
)
def test_maps_that_do_not_fit_the_betti_numbers_are_refused(betti, shape, part) -> None:
    with pytest.raises(ToposegError, match=part):
        PersistenceLoss(betti)(torch.rand(shape))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"betti": (1,)}, "not the Betti numbers"),
        ({"betti": (1, 0, 0, 0)}, "not the Betti numbers"),
        ({"betti": [(1, 0), (1, 0, 0)]}, "not the Betti numbers"),
        ({"betti": (1, (0, 1))}, "not the target of a class"),
        ({"betti": [None, None]}, "not the Betti numbers"),
        ({"betti": (1, 0.5)}, "not a Betti number"),
        ({"betti": (1, -1)}, "no Betti number"),
        ({"betti": (1, 1), "weights": (1, 1, 1)}, "do not fit"),
        ({"betti": (1, 1), "connectivity": 26}, "Connectivity 26"),
    ],
)
def test_targets_that_make_no_sense_are_refused(arguments, part) -> None:
    with pytest.raises(ToposegError, match=part):
        PersistenceLoss(**arguments)


def test_a_range_goes_from_the_smaller_to_the_larger() -> None:
    with pytest.raises(ToposegError, match="from 3 to 2"):
        BettiRange(3, 2)


def test_logits_are_not_taken_for_probabilities() -> None:
    with pytest.raises(ToposegError, match="sigmoid"):
        PersistenceLoss((1, 1))(torch.linspace(-3, 3, 16).reshape(1, 1, 4, 4))


def test_not_a_number_is_refused() -> None:
    p = torch.rand(1, 1, 4, 4)
    p[0, 0, 1, 2] = float("nan")
    with pytest.raises(ToposegError, match="NaN"):
        PersistenceLoss((1, 1))(p)
