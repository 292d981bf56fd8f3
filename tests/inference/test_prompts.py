"""Prompts are satisfied with the right topology, or named; a network's deformation is refined."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_toposeg.data import phantom
from napari_toposeg.errors import ToposegError, ToposegWarning
from napari_toposeg.evaluation import dice
from napari_toposeg.evaluation.simulated_user import next_prompt
from napari_toposeg.frame import box_of, grow_box
from napari_toposeg.inference import (
    Prompt,
    Segmentation,
    Settings,
    Site,
    TrainedNetwork,
    Window,
    continue_segmentation,
    segment,
    segment_by_network,
    site_in_box,
)
from napari_toposeg.inference.honouring import honoured
from napari_toposeg.inference.prompts import Heard
from napari_toposeg.networks import DeformationNetwork, Deformed
from napari_toposeg.networks.deformed import warp_templates
from napari_toposeg.priors import Prior, find_prior
from napari_toposeg.steps import Finish, last
from napari_toposeg.volume import Volume

QUICK = Settings(iterations=20, refine_iterations=12)


class Still(DeformationNetwork):
    """What moves no template."""

    def __init__(self, ndim: int) -> None:
        super().__init__(ndim)

    def forward(self, image: Tensor, template: Tensor) -> Deformed:
        field = torch.zeros(1, self.ndim, *image.shape[2:])
        return Deformed(field, warp_templates(template, field), (), (field,))


def still(ndim: int) -> TrainedNetwork:
    return TrainedNetwork(Still(ndim), Window((40, 40) if ndim == 2 else (24, 24, 24)))


def placed(name: str, shape: tuple[int, ...], seed: int = 3) -> tuple[Volume, np.ndarray, Prior, Site]:
    image = phantom(name, shape, seed=seed)
    prior = find_prior(name)
    box = box_of(image.mask)
    assert prior is not None
    assert box is not None
    return image.volume, image.mask, prior, site_in_box(prior, image.volume, grow_box(box, [1] * len(shape)))


def holds(result: Segmentation, gudhi_betti) -> None:
    """The certificate is true, nothing folds, and every outcome tells what the mask has."""
    mask = result.full_mask()
    assert gudhi_betti(mask) == result.certificate.betti_mask == result.prior.betti
    assert result.jacobian.folding == result.certificate.folding_voxels == 0
    for outcome in result.prompts:
        if outcome.means in ("deformation", "flips"):
            assert mask[outcome.prompt.voxel] == outcome.prompt.include
        if outcome.means in ("impossible", "unreached"):
            assert mask[outcome.prompt.voxel] != outcome.prompt.include


def middle_of(mask: np.ndarray) -> tuple[float, ...]:
    return tuple(float((low + high) // 2) for low, high in box_of(mask))


@pytest.mark.parametrize(("name", "shape"), [("annulus", (48, 44)), ("ball", (26, 24, 20)), ("shell", (30, 28, 26))])
def test_prompts_are_satisfied_and_the_topology_stays(name, shape, gudhi_betti) -> None:
    volume, _, prior, site = placed(name, shape)
    before = last(segment_by_network(volume, prior, site, still(len(shape)))).full_mask()
    # One inside that shall leave, one outside that shall come, in what the window sees.
    generator = np.random.default_rng(0)
    near = np.zeros_like(before)
    near[tuple(slice(max(low - 1, 0), high + 1) for low, high in box_of(before))] = True
    inside, outside = np.argwhere(before), np.argwhere(near & ~before)
    prompts = (
        Prompt(tuple(inside[generator.integers(len(inside))]), False),
        Prompt(tuple(outside[generator.integers(len(outside))]), True),
    )
    result = last(segment_by_network(volume, prior, site, still(len(shape)), QUICK, prompts))
    holds(result, gudhi_betti)
    assert [outcome.prompt for outcome in result.prompts] == list(prompts)
    assert not result.unsatisfied
    assert np.abs(result.displacement.values).max() > 0.1


def test_a_prompt_moves_its_surroundings_and_not_the_rest() -> None:
    volume, _, prior, site = placed("disk", (64, 60))
    plain = last(segment_by_network(volume, prior, site, still(2)))
    (low, _), (left, right) = box_of(plain.full_mask())
    point = (low + 3.0, (left + right) / 2.0)
    result = last(segment_by_network(volume, prior, site, still(2), Settings(), (Prompt(point, False),)))
    changed = np.argwhere(result.full_mask() != plain.full_mask())
    assert len(changed) > 10
    assert result.prompts[0].means == "deformation"
    assert np.linalg.norm(changed - np.array(point), axis=1).max() < 16


def test_a_fit_follows_a_simulated_user(gudhi_betti) -> None:
    volume, mask, prior, site = placed("disk", (64, 60), seed=1)
    # A notch that the image does not show.
    rows, columns = np.indices(mask.shape)
    (low, _), (left, right) = box_of(mask)
    wanted = mask & (np.hypot(rows - low, columns - (left + right) / 2) > 9)
    # Twelve iterations leave the rest to simple points; thirty do not.
    settings = replace(QUICK, refine_iterations=30)
    result = last(segment(volume, prior, site, settings, previews=False))
    before, prompts = dice(result.full_mask(), wanted), ()
    for _ in range(2):
        prompt = next_prompt(result.full_mask(), wanted, tuple(volume.spacing))
        assert prompt is not None
        prompts = (*prompts, prompt)
        result = last(continue_segmentation(result, site, None, prompts))
        holds(result, gudhi_betti)
        assert {outcome.means for outcome in result.prompts} == {"deformation"}
    assert dice(result.full_mask(), wanted) > before + 0.02
    whole = last(segment(volume, prior, site, settings, prompts, previews=False))
    holds(whole, gudhi_betti)
    assert dice(whole.full_mask(), wanted) > before + 0.02


def test_a_hole_that_is_asked_away_voxel_by_voxel_stays_and_that_is_named(gudhi_betti) -> None:
    """Included are all voxels of the region: one of them, the hole's, and one beyond it cannot be."""
    volume, _, prior, site = placed("annulus", (40, 40))
    plain = last(segment_by_network(volume, prior, site, still(2)))
    (top, bottom), (left, right) = box_of(plain.full_mask())
    rows, columns = range(top, bottom), range(left, right)
    told = Heard(tuple(Prompt((row, column), True) for row in rows for column in columns), {})
    result = honoured(plain, told, ((top, bottom), (left, right)))
    holds(result, gudhi_betti)
    assert {outcome.means for outcome in result.prompts} == {"deformation", "flips", "impossible"}
    named = [outcome for outcome in result.unsatisfied if outcome.means == "impossible"]
    assert len(named) == 1
    assert "cannot be satisfied" in named[0].sentence
    assert result.prompted_voxels > 10


def test_of_two_that_contradict_each_other_the_last_holds_and_the_first_is_named(gudhi_betti) -> None:
    volume, mask, prior, site = placed("disk", (48, 44))
    at = middle_of(mask)
    prompts = (Prompt(at, False), Prompt(tuple(value + 0.2 for value in at), True))
    result = last(segment_by_network(volume, prior, site, still(2), QUICK, prompts))
    holds(result, gudhi_betti)
    assert [outcome.means for outcome in result.prompts] == ["contradicted", "deformation"]
    assert result.report()["prompts"][0]["satisfied"] is False


def test_what_lies_outside_is_ignored_with_a_hint(gudhi_betti) -> None:
    volume, mask, prior, site = placed("disk", (48, 44))
    prompts = (Prompt((-3.0, 5.0), True), Prompt((1e9, 0.0), False), Prompt(middle_of(mask), True))
    with pytest.warns(ToposegWarning, match="2 of 3 include and exclude points lie outside"):
        result = last(segment_by_network(volume, prior, site, still(2), QUICK, prompts))
    assert [outcome.means for outcome in result.prompts] == ["outside", "outside", "deformation"]
    plain = last(segment_by_network(volume, prior, site, still(2)))
    assert (result.full_mask() == plain.full_mask()).all()
    assert len(json.dumps(result.report()["prompts"])) > 0
    with pytest.raises(ToposegError, match="3 coordinates"):
        last(segment_by_network(volume, prior, site, still(2), QUICK, (Prompt((1, 2, 3), True),)))
    with pytest.raises(ToposegError, match="finite"):
        Prompt((float("nan"), 1.0), True)


def test_where_the_mask_is_only_reported_nothing_is_flipped() -> None:
    volume, mask, prior, site = placed("disk", (48, 44))
    settings = Settings(certify="report", refine_iterations=1)
    result = last(segment_by_network(volume, prior, site, still(2), settings, (Prompt(middle_of(mask), False),)))
    assert [outcome.means for outcome in result.prompts] == ["unreached"]
    assert result.prompted_voxels == 0
    strict = replace(settings, certify="strict")
    result = last(segment_by_network(volume, prior, site, still(2), strict, (Prompt(middle_of(mask), False),)))
    assert [outcome.means for outcome in result.prompts] == ["flips"]
    assert result.prompted_voxels > 0


def test_without_prompts_everything_is_as_it_was() -> None:
    volume, _, prior, site = placed("annulus", (48, 44))
    plain, again = (last(segment(volume, prior, site, QUICK, prompts, previews=False)) for prompts in ((), ()))
    assert plain.iterations == QUICK.iterations
    assert plain.prompts == ()
    assert (plain.displacement.values == again.displacement.values).all()
    steps = list(segment_by_network(volume, prior, site, still(2)))
    assert [step.stage for step in steps] == ["prepare", "predict", "unfold", "certify"]
    assert np.abs(steps[-1].result.displacement.values).max() == 0
    continued = last(continue_segmentation(plain, site))
    assert (continued.displacement.values == plain.displacement.values).all()
    assert (continued.full_mask() == plain.full_mask()).all()


@pytest.mark.parametrize(("name", "shape"), [("annulus", (64, 60)), ("ball", (28, 26, 22))])
def test_refining_a_network_s_deformation_brings_it_nearer_without_folds(name, shape, gudhi_betti) -> None:
    volume, mask, prior, site = placed(name, shape)
    plain = last(segment_by_network(volume, prior, site, still(len(shape))))
    result = last(segment_by_network(volume, prior, site, still(len(shape)), Settings(refine="chan-vese")))
    holds(result, gudhi_betti)
    assert result.iterations == 30
    assert dice(result.full_mask(), mask) > dice(plain.full_mask(), mask) + 0.01
    for axis in range(len(shape)):
        assert np.abs(np.take(result.displacement.values, [0, -1], axis=axis + 1)).max() == 0


def test_a_refinement_can_be_finished_early_or_dropped(gudhi_betti) -> None:
    volume, mask, prior, site = placed("annulus", (48, 44))
    settings = Settings(refine="chan-vese", refine_iterations=1000)
    steps = segment_by_network(volume, prior, site, still(2), settings, (Prompt(middle_of(mask), True),))
    for step in steps:
        if step.stage == "refine" and step.number > 12:
            break
    following = [steps.throw(Finish()), *steps]
    assert [step.stage for step in following] == ["unfold", "certify"]
    holds(following[-1].result, gudhi_betti)
    assert following[-1].result.iterations == step.number - 2
    dropped = segment_by_network(volume, prior, site, still(2), settings)
    for _ in range(5):
        next(dropped)
    dropped.close()
    assert list(dropped) == []


def test_settings_refuse_a_refinement_they_do_not_know() -> None:
    with pytest.raises(ToposegError, match="none, chan-vese"):
        Settings(refine="magic")
    with pytest.raises(ToposegError, match="at least 1"):
        Settings(refine_iterations=0)
