"""Multi-level TPSN: who sees what, and on which grid."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_toposeg.deformation import resize, warp
from napari_toposeg.networks import MLTPSN, TPSN, MLTPSNSettings, TPSNSettings

GRID = (32, 40)


def make(settings: MLTPSNSettings) -> MLTPSN:
    torch.manual_seed(0)
    network = MLTPSN(settings)
    for level in network.levels:
        nn.init.normal_(level.unet.head.weight, 0.0, 0.04)
    return network


def test_each_level_sees_its_image_and_what_the_coarser_ones_made_of_the_template() -> None:
    network = make(MLTPSNSettings(2, features=4))
    seen: list[Tensor] = []
    for level in network.levels:
        level.unet.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    image = torch.randn(1, 1, *GRID)
    # Smooth, so that chained warps, which blur, differ little from the composed one.
    template = torch.outer(*[torch.linspace(0, 3.14, size).sin() for size in GRID])[None, None]
    answer = network(image, template)
    mask = template
    for number, (given, level) in enumerate(zip(seen, answer.levels, strict=True)):
        shape = tuple(size // 2 ** (2 - number) for size in GRID)
        torch.testing.assert_close(given[:, :1], interpolate(image, size=shape, mode="area"))
        assert float((given[:, 1:] - interpolate(mask, size=shape, mode="area")).abs().max()) < 0.02
        mask = warp(mask, resize(level.detach(), GRID))
    untouched = interpolate(template, size=seen[-1].shape[2:], mode="area")
    assert float((seen[-1][:, 1:] - untouched).abs().max()) > 0.05


def test_one_level_is_a_tpsn() -> None:
    network = make(MLTPSNSettings(2, levels=1, features=4))
    single = TPSN(TPSNSettings(2, features=4))
    single.load_state_dict(network.levels[0].state_dict())
    image, template = torch.randn(2, 1, *GRID), torch.rand(2, 1, *GRID)
    torch.testing.assert_close(network(image, template).displacement, single(image, template).displacement)


@pytest.mark.parametrize(
    ("settings", "grids"),
    [
        (MLTPSNSettings(2, features=4), [(8, 10), (16, 20), (16, 20)]),
        (MLTPSNSettings(2, levels=2, features=4, halvings=2), [(8, 10), (8, 10)]),
        (MLTPSNSettings(2, levels=4, features=4, answer="displacement", halvings=0), [(4, 5), (8, 10), (16, 20), GRID]),
    ],
)
def test_no_level_answers_on_a_finer_grid_than_its_own_or_than_the_one_asked_for(
    settings: MLTPSNSettings, grids: list[tuple[int, ...]]
) -> None:
    answer = make(settings)(torch.randn(1, 1, *GRID), torch.rand(1, 1, *GRID))
    assert [tuple(level.shape[2:]) for level in answer.levels] == grids
    velocities = grids if settings.answer == "velocity" else []
    assert [tuple(velocity.shape[2:]) for velocity in answer.velocities] == velocities


def test_objects_move_on_their_own() -> None:
    network = make(MLTPSNSettings(2, features=4, objects=3))
    image, template = torch.randn(1, 1, *GRID), torch.rand(1, 3, *GRID)
    answer = network(image, template)
    # The last level's head alone: what it says of one object must not reach the others.
    head = network.levels[-1].unet.head
    answer.of_object(1).square().sum().backward()
    moved = head.bias.grad.reshape(3, 2).abs().sum(dim=1)
    assert moved[1] > 0
    assert moved[0] == moved[2] == 0
