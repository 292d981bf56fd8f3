"""TEDS-Net: its size, its bound, its parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from napari_toposeg.deformation import compose, corner_determinants, integrate, resize, warp
from napari_toposeg.networks import Deformed, TEDSNet, TEDSNetSettings, preset

GRID = (33, 40)


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def run(settings: TEDSNetSettings, *, strength: float = 0.05, seed: int = 0) -> tuple[Tensor, Deformed]:
    """A template, and what a network with random heads says of it."""
    torch.manual_seed(seed)
    network = TEDSNet(replace(settings, dropout=0.0))
    for branch in network.branches:
        nn.init.normal_(branch.head.weight, 0.0, strength)
    grid = GRID if settings.ndim == 2 else (17, 20, 18)
    template = torch.zeros(1, settings.objects, *grid)
    template[(..., *[slice(5, -5)] * settings.ndim)] = 1.0
    return template, network(torch.randn(1, 1, *grid), template)


def published(name: str = "tedsnet-published", ndim: int = 2) -> TEDSNetSettings:
    settings = preset(name, ndim).settings
    assert isinstance(settings, TEDSNetSettings)
    return settings


def test_it_has_the_parameters_of_the_public_code_less_those_that_never_run_there() -> None:
    # The public code counts 708,928. Both of its decoders go all the way up, and are left at 1/8 and 1/2: 52,944
    # weights are never used. Built all the way up, ours has as many but for the heads, which then read 12 channels
    # (26 weights each) and not 48 (98) and 12.
    used = published()
    whole = replace(used, bulk_halvings=0, fine_tuning_halvings=0)
    assert parameters(TEDSNet(whole)) - 26 + 98 == 708_928
    assert parameters(TEDSNet(used)) == 708_928 - 52_944


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("bound", [0.5, 3.0])
def test_velocities_stay_within_their_bound_however_large_the_weights(ndim: int, bound: float) -> None:
    _, answer = run(TEDSNetSettings(ndim, features=4, bound=bound), strength=50.0)
    assert len(answer.velocities) == 2
    for velocity in answer.velocities:
        assert bound * 0.9 < float(velocity.detach().abs().max()) <= bound


def test_the_branches_answer_at_an_eighth_and_at_half_of_the_grid() -> None:
    _, answer = run(published())
    assert [tuple(velocity.shape[2:]) for velocity in answer.velocities] == [(5, 5), (17, 20)]


def test_without_smoothing_the_rescaled_field_is_that_of_scaling_and_squaring() -> None:
    settings = TEDSNetSettings(2, features=4, rescale=True, gaussian_sigma=0.0, super_upsampling=False, bound=2.0)
    _, answer = run(settings)
    for velocity, level in zip(answer.velocities, answer.levels, strict=True):
        torch.testing.assert_close(level, resize(integrate(velocity, 8), GRID))


def test_without_rescaling_the_field_is_two_to_the_compositions_as_long() -> None:
    settings = TEDSNetSettings(2, features=4, compositions=3, bulk=False, rescale=False, bound=0.5)
    _, whole = run(settings, strength=1e-3)
    _, rescaled = run(replace(settings, rescale=True), strength=1e-3)
    # So short that composing is adding.
    torch.testing.assert_close(whole.displacement, 8.0 * rescaled.displacement, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_each_composition_is_smoothed_by_the_gaussian_of_scipy(ndim: int) -> None:
    # scipy cuts a Gaussian of sigma 2 at two voxels if it is told to truncate at 1.
    settings = TEDSNetSettings(ndim, features=4, compositions=1, bulk=False, super_upsampling=False, border=0.0)
    settings = replace(settings, rescale=False, gaussian_sigma=2.0)
    _, answer = run(settings)
    velocity = answer.velocities[0].detach()
    expected = torch.from_numpy(
        gaussian_filter(
            compose(velocity, velocity).numpy(), 2.0, truncate=1.0, mode="constant", axes=range(2, ndim + 2)
        )
    )
    torch.testing.assert_close(answer.levels[0].detach(), resize(expected, answer.mask.shape[2:]), atol=1e-5, rtol=0)


def test_super_upsampled_fields_meet_on_a_grid_twice_as_fine() -> None:
    _, answer = run(published())
    assert {tuple(level.shape[2:]) for level in answer.levels} == {(65, 79)}
    _, answer = run(published("tedsnet-a4"))
    assert {tuple(level.shape[2:]) for level in answer.levels} == {GRID}


def test_the_published_mask_is_sampled_twice_and_pooled() -> None:
    settings = published()
    template, answer = run(settings)
    fine = nn.functional.interpolate(template, size=(65, 79), mode="bilinear", align_corners=True)
    bulk, fine_tuning = answer.levels
    expected = nn.functional.max_pool2d(warp(warp(fine, bulk), fine_tuning), 3, 2, 1)
    assert answer.mask.shape == template.shape
    # The template's own voxels are sampled, not those of the doubled one: they differ within an edge voxel.
    assert float((answer.mask - expected).detach().abs().mean()) < 0.01
    once = run(replace(settings, max_pool=False, warp_once=True))[1]
    assert float((answer.mask - once.mask).detach().min()) > -0.3
    assert float(answer.mask.detach().sum()) > float(once.mask.detach().sum())


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_max_pool_alone_makes_the_template_thicker(ndim: int) -> None:
    settings = published(ndim=ndim)
    template, pooled = run(settings, strength=0.0)
    assert float(pooled.mask.detach().sum()) > 1.05 * float(template.sum())
    _, plain = run(replace(settings, max_pool=False, warp_once=True), strength=0.0)
    torch.testing.assert_close(plain.mask, template)
    _, chained = run(replace(settings, max_pool=False), strength=0.0)
    torch.testing.assert_close(chained.mask, template)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("tedsnet-a1", {"gaussian_sigma": 0.0, "super_upsampling": False, "max_pool": False}),
        ("tedsnet-a2", {"gaussian_sigma": 0.0}),
        ("tedsnet-a3", {}),
        ("tedsnet-a4", {"super_upsampling": False, "max_pool": False}),
        ("tedsnet-a5", {"fine_tuning": False}),
        ("tedsnet-a6", {"bulk": False}),
    ],
)
def test_each_ablation_leaves_out_what_it_says_and_nothing_else(name: str, changed: dict) -> None:
    assert published(name) == replace(published(), **changed)
    without_gradient = name in ("tedsnet-a1", "tedsnet-a3")
    assert preset(name, 2).gradient_weight == (0.0 if without_gradient else 1e4)
    template, answer = run(published(name))
    assert answer.mask.shape == template.shape
    assert len(answer.levels) == (1 if name in ("tedsnet-a5", "tedsnet-a6") else 2)
    if changed and "gaussian_sigma" not in changed:
        assert parameters(TEDSNet(published(name))) <= parameters(TEDSNet(published()))
    whole = run(published())[1].mask
    assert torch.equal(answer.mask, whole) == (not changed)


def test_a_branch_left_out_is_the_one_that_is_named() -> None:
    _, bulk = run(published("tedsnet-a5"))
    assert bulk.velocities[0].shape[2:] == (5, 5)
    _, fine_tuning = run(published("tedsnet-a6"))
    assert fine_tuning.velocities[0].shape[2:] == (17, 20)


def test_smoothing_takes_folds_away() -> None:
    # Sec. 3 of the paper, A2: without it most of the cells fold.
    def folding(name: str) -> float:
        _, answer = run(published(name), strength=0.5)
        return float((corner_determinants(answer.levels[1]).amin(1) <= 0).float().mean())

    assert folding("tedsnet-a2") > 0.1
    assert folding("tedsnet-published") < folding("tedsnet-a2")


def test_the_published_network_does_not_see_the_template() -> None:
    torch.manual_seed(0)
    network = TEDSNet(published()).eval()
    nn.init.normal_(network.branches[0].head.weight, 0.0, 0.05)
    image = torch.randn(1, 1, *GRID)
    one, other = (network(image, torch.rand(1, 1, *GRID)).displacement for _ in range(2))
    assert torch.equal(one, other)


def test_dropout_is_for_training_only() -> None:
    torch.manual_seed(0)
    network = TEDSNet(TEDSNetSettings(2, features=4, dropout=0.5))
    nn.init.normal_(network.branches[1].head.weight, 0.0, 0.05)
    image, template = torch.randn(1, 1, *GRID), torch.rand(1, 1, *GRID)
    assert not torch.equal(network(image, template).displacement, network(image, template).displacement)
    network.eval()
    assert torch.equal(network(image, template).displacement, network(image, template).displacement)


@pytest.mark.parametrize("rescale", [False, True])
def test_smoothing_carries_no_motion_on_to_the_border(rescale: bool) -> None:
    _, answer = run(TEDSNetSettings(2, features=4, gaussian_sigma=2.0, rescale=rescale), strength=0.5)
    border = torch.ones(GRID, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    assert float(answer.displacement.detach().abs().max()) > 0.01
    assert float(answer.displacement.detach()[:, :, border].abs().max()) < 1e-6
