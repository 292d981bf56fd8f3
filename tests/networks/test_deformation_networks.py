"""What is promised of every deformation network, by its name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_toposeg.deformation import resize, warp
from napari_toposeg.losses import laplacian_magnitude, relu_jacobian, soft_dice_loss
from napari_toposeg.networks import (
    NETWORK_NAMES,
    DeformationNetwork,
    Deformed,
    MLTPSNSettings,
    VoxelMorph,
    VoxelMorphSettings,
    build,
    settings_from_dict,
)
from napari_toposeg.networks.pose import Pose
from napari_toposeg.networks.tpsn import gradient_length

POSED = "mltpsn with pose and edges"
NAMES = [*(name for name in NETWORK_NAMES if name not in ("unet", "wunet")), POSED]
GRIDS = [(24, 31), (13, 16), (12, 9, 17), (5, 21, 14)]

# Small, and nothing random but the weights.
SIZES = {name: {"features": 4} for name in NAMES} | {
    "tedsnet": {"features": 4, "resolutions": 3, "bulk_halvings": 2, "dropout": 0.0},
    POSED: {"features": 4, "pose": True, "edges": True},
    "voxelmorph": {"encoder": [4, 8, 8], "decoder": [8, 8, 8], "final": [8, 4]},
}


def make(name: str, ndim: int, *, stirred: bool = False, **changed: object) -> DeformationNetwork:
    """A small network; `stirred`: with heads that move the template by a voxel or so."""
    # VoxelMorph has no norms: what reaches its head is small.
    strength = 0.4 if name == "voxelmorph" else 0.04
    torch.manual_seed(0)
    network_name = name.split()[0]
    network = build(network_name, settings_from_dict(network_name, {"ndim": ndim, **SIZES[name], **changed}))
    assert isinstance(network, DeformationNetwork)
    if stirred:
        for module in network.modules():
            if isinstance(getattr(module, "head", None), nn.Module):
                nn.init.normal_(module.head.weight, 0.0, strength)
    return network


def inputs(network: DeformationNetwork, grid: tuple[int, ...], images: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    template = torch.rand((images, network.objects, *grid), generator=generator)
    return torch.randn((images, 1, *grid), generator=generator), template


def on_border(field: Tensor) -> Tensor:
    """The values of (N, C, *grid) on the border of the grid."""
    inside = torch.zeros(field.shape[2:], dtype=torch.bool)
    inside[tuple([slice(1, -1)] * inside.ndim)] = True
    return field[:, :, ~inside]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grid", GRIDS)
def test_any_grid_goes_in_and_the_same_comes_out(name: str, grid: tuple[int, ...]) -> None:
    network = make(name, len(grid))
    answer = network(*inputs(network, grid))
    assert isinstance(answer, Deformed)
    assert answer.displacement.shape == (2 * network.objects, len(grid), *grid)
    assert answer.mask.shape == (2, network.objects, *grid)
    assert answer.of_object(network.objects - 1).shape == (2, len(grid), *grid)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_an_untrained_network_leaves_the_template_where_it_is(name: str, ndim: int) -> None:
    network = make(name, ndim)
    image, template = inputs(network, (20, 17, 12)[:ndim])
    answer = network(image, template)
    torch.testing.assert_close(answer.mask, template, atol=5e-3, rtol=0)
    assert float(answer.displacement.detach().abs().max()) < 5e-3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_border_stays_put(name: str, ndim: int) -> None:
    network = make(name, ndim, stirred=True)
    answer = network(*inputs(network, (21, 16, 13)[:ndim]))
    assert float(answer.displacement.detach().abs().max()) > 0.1
    for field in (answer.displacement, *answer.velocities, *answer.levels):
        assert float(on_border(field.detach()).abs().max()) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_without_a_border_the_border_moves(name: str) -> None:
    network = make(name, 2, stirred=True, border=0.0)
    answer = network(*inputs(network, (21, 16)))
    assert float(on_border(answer.displacement.detach()).abs().max()) > 0.01


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_mask_is_the_template_warped_once_by_the_displacement(name: str, ndim: int) -> None:
    network = make(name, ndim, stirred=True)
    image, template = inputs(network, (21, 16, 13)[:ndim])
    answer = network(image, template)
    for number in range(network.objects):
        expected = warp(template[:, number : number + 1], answer.of_object(number))
        torch.testing.assert_close(answer.mask[:, number : number + 1], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["mltpsn", POSED, "tedsnet"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_composed_displacement_is_the_levels_one_after_the_other(name: str, ndim: int) -> None:
    # A smooth image: resampling it costs hardly anything, so that only the order and the units are seen.
    grid = (48, 40, 32)[:ndim]
    network = make(name, ndim, stirred=True).eval()
    image, template = inputs(network, grid, images=1)
    axes = torch.meshgrid(*[torch.arange(size, dtype=torch.float32) for size in grid], indexing="ij")
    smooth = torch.stack([axis * (1.0 + 0.02 * other) for axis, other in zip(axes, axes[::-1], strict=True)])[None]
    answer = network(image, template)
    once = warp(smooth, answer.displacement)
    chained = smooth
    for level in answer.levels:
        chained = warp(chained, resize(level, grid))
    moved = float((once - smooth).detach().abs().max())
    assert len(answer.levels) > 1
    assert moved > 0.3
    assert float((once - chained).detach().abs().max()) < 0.1 * moved
    backwards = smooth
    for level in answer.levels[::-1]:
        backwards = warp(backwards, resize(level, grid))
    assert float((once - chained).detach().abs().mean()) < float((once - backwards).detach().abs().mean())


@pytest.mark.parametrize("name", NAMES)
def test_one_template_serves_the_whole_batch(name: str) -> None:
    network = make(name, 2, stirred=True)
    image, template = inputs(network, (18, 16))
    one = network(image, template[:1])
    each = network(image, template[:1].expand_as(template))
    torch.testing.assert_close(one.mask, each.mask)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_a_batch_does_not_see_the_others(name: str) -> None:
    network = make(name, 2, stirred=True)
    image, template = inputs(network, (18, 16))
    both = network(image, template)
    second = network(image[1:], template[1:])
    torch.testing.assert_close(both.mask[1:], second.mask, atol=1e-5, rtol=0)
    torch.testing.assert_close(both.displacement[network.objects :], second.displacement, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_looks_at_the_image_and_at_the_template(name: str) -> None:
    network = make(name, 2, stirred=True)
    image, template = (tensor.requires_grad_() for tensor in inputs(network, (18, 16)))
    network(image, template).displacement.square().sum().backward()
    assert float(image.grad.abs().max()) > 0
    assert float(template.grad.abs().max()) > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["ring", "ball"])
def test_a_few_steps_of_training_lower_the_loss_and_a_seed_repeats_them(
    name: str, case: str, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(case)
    steps = 12 if case == "ring" else 6

    def train() -> list[float]:
        network = make(name, data.image.ndim - 2)
        template = data.template.expand(-1, network.objects, *data.template.shape[2:])
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        losses = []
        for _ in range(steps):
            answer = network(data.image, template)
            loss = soft_dice_loss(answer.mask, data.reference.expand_as(answer.mask))
            loss = loss + 10.0 * relu_jacobian(answer.displacement)
            loss = loss + 0.01 * torch.stack([laplacian_magnitude(level) for level in answer.levels]).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    losses = train()
    assert losses[-1] < losses[0] - 0.01
    assert train() == losses


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_is_refused(name: str) -> None:
    network = make(name, 2)
    image, template = inputs(network, (18, 16))
    for wrong_image, wrong_template in (
        (image, template[..., :-1]),
        (image, torch.cat([template, template], dim=1)),
        (image, torch.cat([template, template[:1]])),
        (image.expand(-1, 2, -1, -1), template),
        (image[0], template[0]),
    ):
        with pytest.raises(ValueError, match="was given"):
            network(wrong_image, wrong_template)


@pytest.mark.parametrize("name", ["mltpsn", POSED])
def test_in_half_precision_displacements_stay_single(name: str) -> None:
    network = make(name, 2, stirred=True)
    image, template = inputs(network, (24, 20))
    with torch.autocast("cpu", torch.bfloat16):
        answer = network(image, template)
    assert answer.displacement.dtype == torch.float32
    expected = network(image, template).displacement
    torch.testing.assert_close(answer.displacement, expected, atol=0.1, rtol=0.1)


def test_a_pose_is_an_affine_map_within_the_border() -> None:
    settings = MLTPSNSettings(2, features=4, border=2.0)
    torch.manual_seed(0)
    pose = Pose(settings)
    nn.init.normal_(pose.head.weight, 0.0, 0.02)
    velocity, displacement = pose(torch.randn(1, 1, 64, 64), torch.rand(1, 1, 64, 64))
    assert velocity.shape == displacement.shape == (1, 2, 16, 16)
    inner = displacement.detach()[0, :, 5:11, 5:11]
    assert float(inner.abs().max()) > 0.1
    for axis in (1, 2):
        bent = inner.diff(n=2, dim=axis)
        assert float(bent.abs().max()) < 1e-3


def test_edges_are_the_lengths_of_gradients() -> None:
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    torch.testing.assert_close(gradient_length((3.0 * rows + 4.0 * columns)[None, None]), torch.full((1, 1, 8, 9), 5.0))


def test_voxelmorph_has_the_parameters_of_the_public_code() -> None:
    network = VoxelMorph(VoxelMorphSettings(2))
    assert sum(weight.numel() for weight in network.parameters()) == 109_170


@pytest.mark.parametrize("name", [name for name in NAMES if name != POSED])
@pytest.mark.parametrize("ndim", [2, 3])
def test_fields_are_in_voxels_of_their_own_grids(name: str, ndim: int) -> None:
    # A field that is everywhere the same, without a border: levels add up, once each is in voxels of the image.
    network = make(name, ndim, border=0.0)
    for module in network.modules():
        if isinstance(getattr(module, "head", None), nn.Module):
            nn.init.zeros_(module.head.weight)
            nn.init.constant_(module.head.bias, 0.3)
    grid = (21, 16, 13)[:ndim]
    answer = network(*inputs(network, grid))
    for fields in (answer.velocities or answer.levels, answer.levels):
        expected = torch.zeros(ndim)
        for field in fields:
            ratio = [(full - 1) / (size - 1) for full, size in zip(grid, field.shape[2:], strict=True)]
            expected += field.detach()[0].flatten(1).mean(1) * torch.tensor(ratio)
        constant = expected.reshape(1, ndim, *[1] * ndim).expand_as(answer.displacement)
        torch.testing.assert_close(answer.displacement.detach(), constant, rtol=1e-3, atol=1e-3)
    if name in ("voxelmorph", "tetris"):
        # Their heads speak of the image's own voxels.
        torch.testing.assert_close(answer.displacement.detach(), torch.full_like(answer.displacement, 0.3))
