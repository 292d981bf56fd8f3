"""One case, many cases, and two methods."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_toposeg.errors import ToposegError
from napari_toposeg.evaluation import METRICS, CaseMetrics, compare, evaluate_case, evaluate_field, summarize
from napari_toposeg.losses import relu_jacobian


def cube(shift: int = 0, hole: bool = False) -> np.ndarray:
    mask = np.zeros((16, 14, 14), bool)
    mask[3 + shift : 11 + shift, 3:11, 3:11] = True
    if hole:
        mask[3 + shift : 11 + shift, 6:8, 6:8] = False
    return mask


def nothing() -> np.ndarray:
    return np.zeros((16, 14, 14), bool)


def with_dice(values: Sequence[float], **more: object) -> list[CaseMetrics]:
    """Cases that differ in their Dice alone."""
    case = evaluate_case(cube(), cube(), (1, 1, 1))
    return [
        dataclasses.replace(case, name=f"case {number}", dice=value, **more)  # type: ignore[arg-type]
        for number, value in enumerate(values)
    ]


def test_two_cubes_shifted_by_two_voxels_have_the_figures_of_the_textbook() -> None:
    case = evaluate_case(cube(2), cube(), (2.5, 1.0, 1.0), name="shifted")
    assert case.dice == case.precision == case.recall == pytest.approx(0.75)
    assert case.hausdorff == case.hausdorff_95 == pytest.approx(5.0)
    assert case.volume_prediction == case.volume_label == 512 * 2.5
    assert case.volume_error == case.absolute_volume_error == 0.0
    assert case.betti_prediction == case.betti_label == case.betti_expected == (1, 0, 0)
    assert case.right_topology
    assert case.right_topology_dual
    assert (case.betti_error, case.betti_matching_error, case.component_error) == (0, 0, 0)
    assert (case.name, case.empty, case.folding_share, case.relu_jacobian) == ("shifted", "neither", None, None)


def test_a_mask_against_itself_is_as_good_as_can_be() -> None:
    case = evaluate_case(cube(hole=True), cube(hole=True), (1, 2, 3), displacement=np.zeros((3, 4, 4, 4)))
    for metric in METRICS:
        assert float(getattr(case, metric.name)) == (1.0 if metric.better == "higher" else 0.0), metric.name


def test_the_right_topology_is_the_prior_s_where_there_is_one_and_else_the_label_s() -> None:
    tunnel = cube(hole=True)
    assert evaluate_case(tunnel, tunnel, (1, 1, 1)).right_topology
    against_ball = evaluate_case(tunnel, tunnel, (1, 1, 1), betti_expected=(1, 0, 0))
    assert not against_ball.right_topology
    assert (against_ball.betti_error, against_ball.betti_matching_error) == (1, 0)
    assert against_ball.betti_expected == (1, 0, 0)


def test_a_topology_can_be_right_with_one_connectivity_and_wrong_with_the_other() -> None:
    """Two cubes that share a corner: one piece where corners connect."""
    corner = np.zeros((8, 8, 8), bool)
    corner[1:4, 1:4, 1:4] = corner[4:7, 4:7, 4:7] = True
    case = evaluate_case(corner, corner, (1, 1, 1), betti_expected=(1, 0, 0))
    assert (case.right_topology, case.right_topology_dual) == (True, False)
    other = evaluate_case(corner, corner, (1, 1, 1), betti_expected=(1, 0, 0), connectivity=6)
    assert (other.right_topology, other.right_topology_dual) == (False, True)
    assert other.betti_prediction == (2, 0, 0)


def test_empty_masks_have_defined_figures() -> None:
    missed = evaluate_case(nothing(), cube(), (1, 1, 1))
    assert (missed.empty, missed.dice, missed.recall, missed.volume_error) == ("prediction", 0, 0, -1)
    assert missed.hausdorff == missed.average_surface_distance == pytest.approx(math.sqrt(16**2 + 2 * 14**2))
    assert (missed.betti_prediction, missed.right_topology) == ((0, 0, 0), False)
    invented = evaluate_case(cube(), nothing(), (1, 1, 1))
    assert (invented.empty, invented.dice) == ("label", 0)
    assert math.isnan(invented.volume_error)
    both = evaluate_case(nothing(), nothing(), (1, 1, 1))
    assert (both.empty, both.dice, both.hausdorff, both.volume_error, both.right_topology) == ("both", 1, 0, 0, True)


def test_a_picture_has_no_slices() -> None:
    case = evaluate_case(np.eye(5), np.ones((5, 5)), (1, 1))
    assert (case.ndim, case.slice_component_error) == (2, None)
    assert "slice_component_error" not in summarize([case]).statistics


def test_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ToposegError, match="has 3 x 4 voxels, the label 4 x 3"):
        evaluate_case(np.ones((3, 4)), np.ones((4, 3)), (1, 1))
    with pytest.raises(ToposegError, match="2 Betti numbers are expected of a mask of 3"):
        evaluate_case(cube(), cube(), (1, 1, 1), betti_expected=(1, 0))


@pytest.mark.parametrize("shape", [(9, 8), (7, 6, 5)])
def test_a_field_is_measured_as_the_loss_measures_it(shape) -> None:
    values = np.random.default_rng(0).normal(0, 0.4, (len(shape), *shape)).astype(np.float32)
    found = evaluate_field(values)
    assert 0 < found.folding_share < 1
    assert found.relu_jacobian == pytest.approx(float(relu_jacobian(torch.from_numpy(values)[None], margin=0)))
    assert found.least_determinant < 0
    still = evaluate_field(np.zeros_like(values))
    assert (still.folding_share, still.relu_jacobian, still.least_determinant) == (0, 0, 1)


def test_a_field_is_measured_the_same_in_slabs(monkeypatch) -> None:
    from napari_toposeg.evaluation import fields

    values = np.random.default_rng(0).normal(0, 0.4, (3, 9, 6, 5)).astype(np.float32)
    whole = evaluate_field(values)
    monkeypatch.setattr(fields, "_SLAB", 60)
    assert evaluate_field(values).relu_jacobian == pytest.approx(whole.relu_jacobian)


def test_a_summary_has_mean_spread_and_the_worst_case() -> None:
    statistic = summarize(with_dice([0.9, 0.7, 0.8, 0.6])).statistics["dice"]
    assert (statistic.mean, statistic.median) == (pytest.approx(0.75), pytest.approx(0.75))
    assert statistic.deviation == pytest.approx(np.std([0.9, 0.7, 0.8, 0.6], ddof=1))
    assert statistic.error == pytest.approx(scipy.stats.sem([0.9, 0.7, 0.8, 0.6]))
    assert (statistic.worst, statistic.worst_case) == (0.6, "case 3")


def test_what_is_not_defined_for_a_case_is_named_and_left_out_of_the_mean() -> None:
    cases = [
        evaluate_case(cube(), cube(), (1, 1, 1), name="good"),
        evaluate_case(cube(), nothing(), (1, 1, 1), name="invented"),
        evaluate_case(nothing(), cube(), (1, 1, 1), name="missed"),
    ]
    summary = summarize(cases)
    statistic = summary.statistics["volume_error"]
    assert (statistic.mean, statistic.count, statistic.undefined) == (-0.5, 2, ("invented",))
    assert (summary.empty_predictions, summary.empty_labels) == (("missed",), ("invented",))
    assert statistic.worst_case == "missed"
    assert summary.statistics["right_topology"].mean == pytest.approx(1 / 3)
    assert "folding_share" not in summary.statistics


def test_the_volumes_correlate_over_the_cases() -> None:
    generator = np.random.default_rng(0)
    labels, predictions = generator.random((2, 6))
    cases = [
        dataclasses.replace(case, volume_label=label, volume_prediction=prediction)
        for case, label, prediction in zip(with_dice([1.0] * 6), labels, predictions, strict=True)
    ]
    expected = scipy.stats.pearsonr(labels, predictions)[0]
    assert summarize(cases).volume_correlation == pytest.approx(expected)
    assert math.isnan(summarize(cases[:1]).volume_correlation)
    assert math.isnan(summarize(with_dice([0.5, 0.6])).volume_correlation)


def test_nothing_and_a_mixture_of_pictures_and_volumes_are_not_summarized() -> None:
    with pytest.raises(ToposegError, match="no case"):
        summarize([])
    picture = evaluate_case(np.eye(4), np.eye(4), (1, 1))
    with pytest.raises(ToposegError, match="2-D and others 3-D"):
        summarize([picture, *with_dice([1.0])])


def difference(first: Sequence[float], second: Sequence[float]):
    (found,) = [one for one in compare(with_dice(first), with_dice(second)) if one.metric == "dice"]
    return found


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=14))
@settings(max_examples=12, deadline=None)
def test_the_paired_test_is_scipy_s_and_does_not_depend_on_which_method_is_first(pairs) -> None:
    first, second = (np.array(column) / 40 for column in zip(*pairs, strict=True))
    found, back = difference(first, second), difference(second, first)
    assert found.first_better + found.second_better + found.equal == len(pairs)
    assert (found.first_better, found.mean) == (back.second_better, -back.mean)
    assert found.p == pytest.approx(back.p)
    if (first == second).all():
        assert found.p == 1.0
        assert found.better == "neither"
    else:
        apart = (first - second)[first != second]
        assert found.p == pytest.approx(scipy.stats.wilcoxon(apart).pvalue)


def test_ten_cases_that_are_all_better_are_significant_as_the_tables_have_it() -> None:
    first = np.linspace(0.8, 0.9, 10)
    found = difference(first, first - np.linspace(0.01, 0.02, 10))
    assert found.p == pytest.approx(2 / 2**10)
    assert found.better == "first"


def test_methods_are_paired_by_name_and_lower_is_better_where_it_is() -> None:
    first = with_dice([0.5] * 3)
    second = [dataclasses.replace(case, hausdorff=case.hausdorff + 1, volume_error=-0.5) for case in first[::-1]]
    found = {one.metric: one for one in compare(first, second)}
    assert found["hausdorff"].better == "first"
    assert found["hausdorff"].mean == -1
    # Of a signed error it is the size that is better or worse.
    assert (found["volume_error"].better, found["volume_error"].mean) == ("first", 0.5)
    assert "folding_share" not in found


def test_two_methods_with_other_cases_are_not_compared() -> None:
    with pytest.raises(ToposegError, match="the second lacks case 2"):
        compare(with_dice([1, 1, 1]), with_dice([1, 1]))
    with pytest.raises(ToposegError, match="comes twice"):
        compare(with_dice([1]) * 2, with_dice([1]))
