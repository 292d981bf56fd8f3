"""The least change of a map that gives it a topology."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from napari_toposeg.errors import ToposegError
from napari_toposeg.inference import Refined, RefineSettings, refine, refine_network
from napari_toposeg.inference.refine_loss import seen_band
from napari_toposeg.inference.refine_target import check_target
from napari_toposeg.losses import BettiRange
from napari_toposeg.steps import Finish, last
from napari_toposeg.topology import betti_numbers

PLAIN, DENSE = RefineSettings(objective="ph"), RefineSettings(objective="ph-dense")
BOTH = pytest.mark.parametrize("how", [PLAIN, DENSE], ids=["ph", "ph-dense"])


def broken_ring() -> NDArray[np.float32]:
    """Logits of a ring with a gap of two pixels that is nearly there, on a ground that is not quite even."""
    i, j = np.indices((40, 44)) - np.array([20, 22])[:, None, None]
    logits = 5.0 - 2.5 * np.abs(np.hypot(i, j) - 11.0)
    gap = (np.abs(i) <= 1) & (j > 0)
    logits[gap] = np.minimum(logits[gap], -1.0 - 0.1 * np.abs(j[gap] - 11))
    return np.clip(logits, -6, 6).astype(np.float32)


def two_islands() -> NDArray[np.float32]:
    i, j = np.indices((36, 40))
    large = np.exp(-((i - 18) ** 2 + (j - 14) ** 2) / 60)
    small = 0.72 * np.exp(-((i - 18) ** 2 + (j - 32) ** 2) / 6)
    return np.clip(1.3 * large + small, 0, 1).astype(np.float32) * 0.99


def hollow_ball() -> NDArray[np.float32]:
    i, j, k = np.indices((22, 24, 20)) - np.array([11, 12, 10])[:, None, None, None]
    radius = np.sqrt(i**2 + j**2 + k**2)
    return expit(8.0 - radius - 9.5 * np.exp(-((radius / 2.5) ** 2))).astype(np.float32)


def noisy_disk(firmness: float = 1.0) -> NDArray[np.float32]:
    """With islands and holes."""
    noise = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(48, 48)), 2)
    away = np.hypot(*(np.indices(noise.shape) - 24))
    return expit(firmness * (3.6 * noise / noise.std() + 2.0 - away / 8)).astype(np.float32)


CASES = {
    "a ring with a gap": (expit(broken_ring()), (1, 0), (1, 1)),
    "two islands": (two_islands(), (2, 0), (1, 0)),
    "a ball with a cavity": (hollow_ball(), (1, 0, 1), (1, 0, 0)),
}


def checked(result: Refined, p: NDArray[np.float32]) -> Refined:
    """What must hold of every result."""
    assert np.array_equal(result.mask, result.map > 0.5)
    assert result.betti_after == betti_numbers(result.mask, connectivity=result.settings.connectivity)
    assert result.betti_before == betti_numbers(p > 0.5, connectivity=result.settings.connectivity)
    assert result.changed_voxels == np.count_nonzero(result.mask != (p > 0.5))
    assert result.topology_ok == (result.solved_by != "nothing")
    assert result.map.dtype == np.float32
    assert result.map.min() >= 0
    assert result.map.max() <= 1
    return result


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_the_loss_gives_known_cases_their_topology(name: str, how: RefineSettings, gudhi_betti) -> None:
    p, before, wanted = CASES[name]
    result = checked(last(refine(p, wanted, how)), p)
    assert result.betti_before == before
    assert gudhi_betti(result.mask) == wanted
    assert result.solved_by == "loss"
    assert result.right_at is not None
    assert result.iterations >= result.right_at + how.stay
    assert result.changed_voxels < 0.3 * np.count_nonzero(p > 0.5)


def test_the_dense_gradient_needs_fewer_iterations() -> None:
    p = noisy_disk()
    found = [checked(last(refine(p, (1, 0), replace(how, give_back=None))), p) for how in (PLAIN, DENSE)]
    assert [one.solved_by for one in found] == ["loss", "loss"]
    assert found[1].right_at < found[0].right_at


@BOTH
def test_logits_give_what_their_probabilities_give(how: RefineSettings) -> None:
    logits = broken_ring()
    one, other = last(refine(logits, (1, 1), how, logits=True)), last(refine(expit(logits), (1, 1), how))
    assert np.array_equal(one.mask, other.mask)
    assert np.allclose(one.map, other.map, atol=1e-4)


def test_two_runs_are_the_same() -> None:
    one, other = (last(refine(hollow_ball(), (1, 0, 0))) for _ in range(2))
    assert np.array_equal(one.map, other.map)


def test_a_map_that_is_right_comes_back_untouched() -> None:
    p = two_islands()
    steps = list(refine(p, (2, 0)))
    result = checked(steps[-1].result, p)
    assert (result.solved_by, result.iterations, result.changed_voxels) == ("already right", 0, 0)
    assert np.array_equal(result.map, p)
    assert [step.stage for step in steps] == ["count", "certify"]


def test_within_a_range_nothing_is_changed_and_beyond_it_only_what_is_too_much() -> None:
    p = two_islands()
    assert last(refine(p, (BettiRange(1), 0))).solved_by == "already right"
    three = p.copy()
    three[4:7, 4:7] = 0.7
    result = checked(last(refine(three, (BettiRange(1, 2), BettiRange(0, 3)))), three)
    assert result.betti_before == (3, 0)
    assert result.betti_after == (2, 0)


def test_voxels_far_from_the_change_keep_their_value_to_the_last_digit() -> None:
    p = two_islands()
    p[:, 0] = np.linspace(0, 0.009, 36)
    result = last(refine(p, (1, 0), PLAIN))
    assert np.array_equal(result.map[:, :2], p[:, :2])


def test_what_the_first_map_was_sure_of_goes_back_without_the_topology() -> None:
    p = noisy_disk(3.0)
    far, near, nearest = (last(refine(p, (1, 0), replace(DENSE, give_back=least))) for least in (None, 0.3, 0.0))
    assert nearest.changed_voxels < near.changed_voxels < far.changed_voxels
    assert nearest.betti_after == near.betti_after == far.betti_after == (1, 0)
    # All that is left of the change is needed: with any single voxel of it taken back the topology is wrong.
    for voxel in np.argwhere(nearest.mask != (p > 0.5)):
        mask = nearest.mask.copy()
        mask[tuple(voxel)] = not mask[tuple(voxel)]
        assert betti_numbers(mask) != (1, 0)


def firm_ring_without_a_trace_of_closing() -> NDArray[np.float32]:
    p = np.zeros((40, 40), np.float32)
    i, j = np.indices(p.shape) - 20
    p[np.abs(np.hypot(i, j) - 12) < 2.5] = 1.0
    p[18:22, 25:] = 0.0
    return p


def test_where_the_map_has_no_trace_of_a_hole_correction_closes_it_and_says_so() -> None:
    p = firm_ring_without_a_trace_of_closing()
    result = checked(last(refine(p, (1, 1))), p)
    assert (result.solved_by, result.iterations) == ("correction", 0)
    assert result.betti_after == (1, 1)
    assert "no trace" in result.sentence
    assert result.sentence.startswith("homotopic correction")


@BOTH
def test_where_the_loss_stalls_correction_does_it_and_says_so(how: RefineSettings) -> None:
    # There is a trace of closing the ring, so faint that its gradient drowns: the loss gets nowhere.
    p = np.clip(firm_ring_without_a_trace_of_closing(), 2e-4, 1).astype(np.float32)
    p[18:22, 25:] = 3e-4
    steps = list(refine(p, (1, 1), replace(how, keep=1e6, patience=4)))
    result = checked(steps[-1].result, p)
    assert result.solved_by == "correction"
    assert result.iterations >= 4
    assert "the loss stalled" in result.sentence
    assert "correct" in [step.stage for step in steps]


def test_where_iterations_run_out_it_says_so() -> None:
    p, _, wanted = CASES["a ring with a gap"]
    result = checked(last(refine(p, wanted, RefineSettings(objective="ph", iterations=1))), p)
    assert result.solved_by == "correction"
    assert "ran out of iterations after 1 iteration" in result.sentence


def test_without_iterations_correction_does_it_alone() -> None:
    p, _, wanted = CASES["a ring with a gap"]
    result = checked(last(refine(p, wanted, RefineSettings(iterations=0))), p)
    assert (result.solved_by, result.iterations, result.betti_after) == ("correction", 0, wanted)
    assert result.sentence == "homotopic correction: no iteration of the loss was asked for"


def test_without_correction_an_unsolved_map_is_said_to_be_unsolved() -> None:
    p, before, wanted = CASES["a ring with a gap"]
    result = checked(last(refine(p, wanted, RefineSettings(objective="ph", iterations=1, correct=False))), p)
    assert (result.solved_by, result.topology_ok, result.betti_after) == ("nothing", False, before)
    assert "NOBODY" in result.sentence


def test_a_firm_island_in_a_binary_map_goes() -> None:
    p = np.zeros((30, 30), np.float32)
    p[4:16, 4:16] = 1
    p[22:25, 22:25] = 1
    result = checked(last(refine(p, (1, 0))), p)
    assert result.betti_after == (1, 0)
    assert result.mask[10, 10]
    assert not result.mask[23, 23]


def test_the_band_is_narrowed_until_what_is_wanted_can_be_seen() -> None:
    p, _, wanted = CASES["a ring with a gap"]
    target = check_target(wanted, p.shape)
    assert seen_band(p, target, DENSE) == DENSE.band
    deep = p.copy()
    deep[p < 0.5] *= 0.005
    assert 0 < seen_band(deep, target, DENSE) < DENSE.band
    assert seen_band(firm_ring_without_a_trace_of_closing(), target, DENSE) is None


def test_every_step_says_how_it_goes() -> None:
    p, _, wanted = CASES["a ring with a gap"]
    steps = list(refine(p, wanted, PLAIN))
    assert [step.number for step in steps] == sorted({step.number for step in steps})
    assert all(step.number <= step.total for step in steps)
    iterations = [step for step in steps if step.stage == "refine"]
    for step in iterations:
        assert set(step.losses) == {"topology", "keep", "total", "b0", "b1"}
        assert step.losses["total"] == pytest.approx(step.losses["topology"] + step.losses["keep"])
    shown = [step for step in iterations if step.preview is not None]
    assert shown
    for step in shown:
        assert betti_numbers(step.preview) == (step.losses["b0"], step.losses["b1"])
    # It stops as soon as the topology has stayed right, and no sooner.
    assert [(step.losses["b0"], step.losses["b1"]) for step in iterations[-1 - PLAIN.stay :]] == [wanted] * 4


def test_finish_keeps_what_is_right_and_corrects_what_is_not() -> None:
    p, _, wanted = CASES["a ring with a gap"]
    for enough, solved_by in ((lambda step: True, "correction"), (lambda step: step.losses.get("b1") == 1, "loss")):
        steps = refine(p, wanted, PLAIN)
        for step in steps:
            if step.stage == "refine" and enough(step):
                break
        step = steps.throw(Finish())
        while step.result is None:
            step = next(steps)
        result = checked(step.result, p)
        assert result.solved_by == solved_by
        assert result.betti_after == wanted
        assert "finished early" in result.sentence


def test_finish_can_come_at_any_step() -> None:
    p, _, wanted = CASES["a ring with a gap"]
    for stage in ("count", "refine", "correct"):
        steps = refine(p, wanted, RefineSettings(objective="ph", iterations=2))
        step = next(step for step in steps if step.stage == stage)
        step = steps.throw(Finish())
        while step.result is None:
            step = next(steps)
        assert checked(step.result, p).solved_by == "correction"


def test_closing_it_leaves_the_map_as_it_was() -> None:
    p, _, wanted = CASES["a ring with a gap"]
    kept = p.copy()
    steps = refine(p, wanted)
    next(steps)
    next(steps)
    steps.close()
    assert np.array_equal(p, kept)


class Tiny(torch.nn.Module):
    """A network whose logits of an image are, at first, the image."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, channels, 3, padding=1)
        )
        with torch.no_grad():
            self.layers[2].weight.mul_(0.1)
            self.layers[2].bias.zero_()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + self.layers(image)


@BOTH
def test_a_copy_of_a_network_is_tuned_and_the_network_is_not(how: RefineSettings) -> None:
    torch.manual_seed(0)
    network = Tiny().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    image = torch.from_numpy(broken_ring())[None, None]
    with torch.no_grad():
        p = torch.sigmoid(network(image))[0, 0].numpy()
    assert betti_numbers(p > 0.5) == (1, 0)
    result = checked(last(refine_network(network, image, (1, 1), replace(how, network_learning_rate=3e-2))), p)
    assert result.solved_by == "loss"
    assert result.betti_after == (1, 1)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_frozen_weights_of_a_network_stay_and_one_that_is_all_frozen_is_refused() -> None:
    torch.manual_seed(0)
    network = Tiny()
    network.layers[0].requires_grad_(False)
    image = torch.from_numpy(broken_ring())[None, None]
    how = replace(PLAIN, network_learning_rate=3e-2)
    assert last(refine_network(network, image, (1, 1), how)).betti_after == (1, 1)
    with pytest.raises(ToposegError, match="no weights to tune"):
        next(refine_network(network.requires_grad_(False), image, (1, 1)))


def test_a_network_of_several_classes_is_refused() -> None:
    with pytest.raises(ToposegError, match=r"shape \(1, 2, 40, 44\)"):
        last(refine_network(Tiny(2), torch.from_numpy(broken_ring())[None, None], (1, 1)))


MAP = CASES["a ring with a gap"][0]
REFUSED = {
    "a Betti number too many": (MAP, (1, 0, 0), "3 Betti numbers are given, and the map is 2-D"),
    "holes in nothing": (MAP, (0, 1), "No piece and one hole is impossible"),
    "nothing": (MAP, (0, 0), "without any piece is empty"),
    "a negative number": (MAP, (-1, 0), "no Betti number from -1"),
    "more pieces than pixels": (MAP, (5000, 0), "no room for 5,000 pieces"),
    "a hole in a line": (MAP[20:22], (1, 1), "no room for one hole on 2 x 44 voxels"),
    "a cavity in a plate": (np.stack([MAP, MAP]), (1, 0, 1), "no room for one cavity"),
    "NaN": (np.where(MAP > 0.9, np.nan, MAP), (1, 1), "not a finite number"),
    "logits for probabilities": (broken_ring(), (1, 1), "values from -6 to"),
    "the same everywhere": (np.full((9, 9), 0.3), (1, 0), "0.3 everywhere"),
    "no voxels": (np.zeros((0, 4)), (1, 0), "no voxels"),
    "four axes": (np.zeros((2, 2, 2, 2)) + np.arange(2), (1, 0), "4 axes"),
    "words": (np.array([["a"]]), (1, 0), "<U1 values"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_refined_is_refused_at_the_first_step(what: str) -> None:
    p, betti, said = REFUSED[what]
    with pytest.raises(ToposegError, match=said):
        next(refine(p, betti))


@pytest.mark.parametrize(
    "wrong",
    [
        {"objective": "dice"},
        {"iterations": -1},
        {"keep": -1.0},
        {"band": 0.5},
        {"spread": 0.0},
        {"learning_rate": float("nan")},
        {"patience": 0},
        {"give_back": 0.6},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(ToposegError, match=next(iter(wrong))):
        RefineSettings(**wrong)


def test_a_connectivity_of_another_dimension_is_refused() -> None:
    with pytest.raises(ToposegError, match="Connectivity 26"):
        next(refine(MAP, (1, 1), RefineSettings(connectivity=26)))


@settings(max_examples=150, deadline=None)
@given(
    p=arrays(np.float32, (7, 8), elements=st.floats(0, 1, width=32)),
    betti=st.tuples(st.integers(1, 3), st.integers(0, 2)),
    connectivity=st.sampled_from([8, 4]),
    objective=st.sampled_from(["ph", "ph-dense"]),
)
@example(p=np.eye(7, 8, dtype=np.float32), betti=(1, 1), connectivity=4, objective="ph")
def test_whatever_the_map_the_mask_has_the_topology_or_the_result_says_that_it_has_not(
    p, betti, connectivity, objective, gudhi_betti
) -> None:
    if p.min() == p.max():
        return
    how = RefineSettings(objective=objective, iterations=12, patience=6, connectivity=connectivity)
    result = checked(last(refine(p, betti, how)), p)
    assert (gudhi_betti(result.mask, connectivity) == betti) == (result.solved_by != "nothing")
