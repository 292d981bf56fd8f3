"""The networks of this walk."""

from __future__ import annotations

import pytest
import torch

from napari_toposeg.networks import TPSN, TPSNSettings, UNet, UNetSettings


@pytest.mark.parametrize("grid", [(33, 50), (17, 21, 9), (5, 40, 33)])
def test_a_unet_takes_grids_of_any_size(grid) -> None:
    network = UNet(UNetSettings(len(grid), 2, 3, features=4))
    assert network(torch.randn(2, 2, *grid)).shape == (2, 3, *grid)


@pytest.mark.parametrize("grid", [(24, 31), (12, 16, 10)])
def test_an_untrained_tpsn_leaves_the_template_where_it_is(grid) -> None:
    torch.manual_seed(0)
    network = TPSN(TPSNSettings(len(grid)))
    displacement = network(torch.randn(1, 1, *grid), torch.rand(1, 1, *grid))
    assert displacement.shape == (1, len(grid), *grid)
    assert float(displacement.detach().abs().max()) < 0.05


def test_a_tpsn_looks_at_both_image_and_template() -> None:
    torch.manual_seed(0)
    network = TPSN(TPSNSettings(2, features=4))
    image, template = torch.randn(1, 1, 20, 20, requires_grad=True), torch.rand(1, 1, 20, 20, requires_grad=True)
    network(image, template).square().sum().backward()
    assert float(image.grad.abs().max()) > 0
    assert float(template.grad.abs().max()) > 0
