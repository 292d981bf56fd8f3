"""U-Net and double U-Net."""

from __future__ import annotations

import pytest
import torch

from napari_toposeg.errors import ToposegError
from napari_toposeg.losses import soft_dice_loss
from napari_toposeg.networks import NETWORK_NAMES, UNet, UNetSettings, WUNet, WUNetSettings, build, settings_from_dict

GRIDS = [(33, 50), (17, 21, 9), (5, 40, 33)]


@pytest.mark.parametrize("name", ["unet", "wunet"])
@pytest.mark.parametrize("grid", GRIDS)
def test_any_grid_goes_in_and_the_same_comes_out(name: str, grid: tuple[int, ...]) -> None:
    network = build(name, settings_from_dict(name, {"ndim": len(grid), "inputs": 2, "outputs": 3, "features": 4}))
    assert network(torch.randn(2, 2, *grid)).shape == (2, 3, *grid)


@pytest.mark.parametrize(("halvings", "expected"), [(0, (33, 50)), (1, (17, 25)), (2, (9, 13)), (3, (5, 7))])
def test_a_unet_may_answer_on_a_coarser_grid(halvings: int, expected: tuple[int, ...]) -> None:
    network = UNet(UNetSettings(2, 1, 2, features=4, halvings=halvings))
    assert network(torch.randn(1, 1, 33, 50)).shape == (1, 2, *expected)
    assert all(torch.count_nonzero(p.grad) for p in _after_backward(network) if p.ndim > 1), "a layer is not used"


def _after_backward(network: UNet) -> list[torch.nn.Parameter]:
    network(torch.randn(1, 1, 33, 50)).square().sum().backward()
    return list(network.parameters())


def test_more_halvings_than_there_are_resolutions_are_refused() -> None:
    with pytest.raises(ToposegError, match="4 halvings"):
        UNetSettings(2, 1, 1, resolutions=4, halvings=4)


@pytest.mark.parametrize("name", ["unet", "wunet"])
@pytest.mark.parametrize("case", ["ring", "ball"])
def test_a_few_steps_of_training_lower_the_loss_and_a_seed_repeats_them(
    name: str, case: str, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(case)

    def train() -> list[float]:
        torch.manual_seed(0)
        ndim = data.image.ndim - 2
        network = build(name, settings_from_dict(name, {"ndim": ndim, "inputs": 1, "outputs": 1, "features": 4}))
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        losses = []
        for _ in range(8):
            loss = soft_dice_loss(network(data.image).sigmoid(), data.reference)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    losses = train()
    assert losses[-1] < losses[0] - 0.01
    assert train() == losses


def test_the_second_half_of_a_double_unet_sees_the_image_and_what_the_first_half_found() -> None:
    torch.manual_seed(0)
    network = WUNet(WUNetSettings(2, 1, 2, features=4))
    image = torch.randn(1, 1, 20, 24)
    first, second = network.passes(image)
    assert first.shape == second.shape == (1, 2, 20, 24)
    torch.testing.assert_close(network(image), second)
    torch.testing.assert_close(network.second(torch.cat([image, first.sigmoid()], dim=1)), second)
    second.sum().backward()
    assert any(torch.count_nonzero(p.grad) for p in network.first.parameters())


def test_pixelwise_networks_are_in_the_registry() -> None:
    assert {"unet", "wunet"} < set(NETWORK_NAMES)
