from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses import BettiMatchingLoss
from napari_toposeg.topology import betti_numbers

PUBLISHED = np.load(Path(__file__).parents[1] / "topology" / "data" / "betti_matching.npz")
CASES = sorted({name.split("/")[0] for name in PUBLISHED.files})


def batch(values):
    return torch.as_tensor(np.asarray(values))[None, None]


def distinct_maps(shape, seed):
    return np.random.default_rng(seed).permutation(np.linspace(0.01, 0.99, 2 * np.prod(shape))).reshape(2, *shape)


def ring(centre, radius=5.0, shape=(18, 34)):
    rows, columns = np.indices(shape)
    return (np.abs(np.hypot(rows - 8.5, columns - centre) - radius) < 1.2).astype(np.float64)


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_that_of_the_published_program_and_the_components_that_never_die(name):
    maps = PUBLISHED[f"{name}/maps"] / 65535
    # They are born at each map's highest level, die at 0, and are matched; the program leaves them out.
    everlasting = 2 * (maps[0].max() - maps[1].max()) ** 2
    expected = PUBLISHED[f"{name}/loss"] + everlasting
    for count_reference in (False, True):
        loss = BettiMatchingLoss(connectivity={2: 4, 3: 6}[maps[0].ndim], count_reference=count_reference)
        assert loss(batch(maps[0]), batch(maps[1])).item() == pytest.approx(expected[int(count_reference)], rel=1e-9)


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("connectivity", [4, 8, 6, 26])
def test_the_gradient_is_that_of_finite_differences(connectivity, overlapping):
    shape = (5, 6) if connectivity in (4, 8) else (3, 3, 4)
    p, reference = (batch(one) for one in distinct_maps(shape, connectivity))
    loss = BettiMatchingLoss(connectivity=connectivity, overlapping=overlapping)
    assert gradcheck(lambda p: loss(p, reference), (p.requires_grad_(),), eps=1e-6, atol=1e-6)


def test_nothing_is_lost_on_the_reference_itself():
    p = batch(distinct_maps((9, 8), 0)[0]).requires_grad_()
    loss = BettiMatchingLoss()(p, p.detach().clone())
    loss.backward()
    assert loss.item() == 0
    assert not p.grad.any()


def test_a_ring_elsewhere_costs_each_of_its_loops_and_a_near_one_nothing():
    # Both rings are one component and one loop; only where they are differs.
    assert betti_numbers(ring(9)) == betti_numbers(ring(24)) == (1, 1)
    loss = BettiMatchingLoss()
    assert loss(batch(ring(9)), batch(ring(10))).item() == 0
    assert loss(batch(ring(9)), batch(ring(24))).item() == 2
    assert BettiMatchingLoss(count_reference=False)(batch(ring(9)), batch(ring(24))).item() == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([4, 8]))
def test_the_loss_is_the_same_both_ways_and_counts_the_missing_only_where_asked(seed, connectivity):
    one, two = (batch(each) for each in distinct_maps((6, 7), seed))
    whole = BettiMatchingLoss(connectivity=connectivity)
    part = BettiMatchingLoss(connectivity=connectivity, count_reference=False)
    assert whole(one, two).item() == pytest.approx(whole(two, one).item())
    assert part(one, two).item() <= whole(one, two).item()


def test_classes_add_up_and_samples_are_averaged():
    maps = torch.as_tensor(np.stack([distinct_maps((7, 6), seed) for seed in range(6)])).reshape(3, 2, 2, 7, 6)
    p, reference = maps[:, :, 0], maps[:, :, 1]
    loss = BettiMatchingLoss()
    alone = [loss(p[n : n + 1, c : c + 1], reference[n : n + 1, c : c + 1]) for n in range(3) for c in range(2)]
    assert loss(p, reference).item() == pytest.approx(sum(alone).item() / 3)


def test_descending_closes_a_gap_of_the_ring_and_drops_a_loop_that_is_not_there():
    reference = ring(9)
    start = np.where(reference > 0, 0.8, 0.2) + 0.02 * distinct_maps(reference.shape, 0)[0]
    start[8:10, 13:16] -= 0.5
    start[ring(24) > 0] += 0.5
    assert betti_numbers(start > 0.5) == (2, 1)
    logits = torch.logit(torch.as_tensor(start.clip(0.02, 0.98)))[None, None].requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    loss = BettiMatchingLoss()
    for _ in range(80):
        optimizer.zero_grad()
        loss(torch.sigmoid(logits), batch(reference)).backward()
        optimizer.step()
    mask = torch.sigmoid(logits).detach()[0, 0].numpy() > 0.5
    assert betti_numbers(mask) == (1, 1)
    assert mask[reference > 0].mean() > 0.9


def test_a_spread_gradient_reaches_neighbours_and_leaves_the_value():
    p, reference = (batch(one) for one in distinct_maps((9, 9), 3))
    plain, spread = p.clone().requires_grad_(), p.clone().requires_grad_()
    first = BettiMatchingLoss()(plain, reference)
    second = BettiMatchingLoss(spread=1.0)(spread, reference)
    assert first.item() == second.item()
    first.backward()
    second.backward()
    assert (spread.grad != 0).sum() > (plain.grad != 0).sum()


def test_a_mask_of_any_type_is_a_reference_and_half_precision_is_a_prediction():
    reference = torch.as_tensor(ring(9) > 0)[None, None]
    p = torch.as_tensor(ring(9), dtype=torch.float16)[None, None].requires_grad_()
    loss = BettiMatchingLoss()(p, reference)
    loss.backward()
    assert loss.dtype == torch.float32
    assert p.grad.dtype == torch.float16


def test_shapes_that_differ_are_refused():
    with pytest.raises(ToposegError, match="cannot be compared"):
        BettiMatchingLoss()(torch.zeros(1, 2, 5, 5), torch.zeros(1, 1, 5, 5))


@pytest.mark.parametrize("which", [0, 1])
def test_logits_and_labels_are_refused(which):
    maps = [torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 5, 5)]
    maps[which][..., 2, 2] = 3
    with pytest.raises(ToposegError, match="values from 0 to 3"):
        BettiMatchingLoss()(*maps)
